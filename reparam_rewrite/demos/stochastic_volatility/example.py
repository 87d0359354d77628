"""504 daily returns of West Texas crude oil in 2014 and 2015, in per cent: spot prices of the
U.S. Energy Information Administration (public domain), from the package arch."""

from pathlib import Path

import numpy as np

DATA = Path(__file__).with_name("data.csv")


def example_args():
    """The arguments of one call of the model: (args, kwargs)."""
    returns = np.loadtxt(DATA, delimiter=",", skiprows=1, usecols=1)
    return (len(returns),), {"returns": returns}
