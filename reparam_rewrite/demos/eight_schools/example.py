"""The estimates and standard errors of Rubin (1981), as they are printed there."""

import numpy as np


def example_args():
    """The arguments of one call of the model: (args, kwargs)."""
    y = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    sigma = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
    return (sigma,), {"y": y}
