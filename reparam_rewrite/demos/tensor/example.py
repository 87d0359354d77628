"""A simulated table, 8 by 6 at 10 times: a draw of the model, with noise of 0.1."""

from pathlib import Path

import numpy as np

DATA = Path(__file__).with_name("data.csv")


def example_args():
    """The arguments of one call of the model: (args, kwargs)."""
    i, j, t, y = np.loadtxt(DATA, delimiter=",", skiprows=1, unpack=True)
    sizes = tuple(int(axis.max()) + 1 for axis in (i, j, t))
    return sizes, {"y": y.reshape(sizes)}
