"""505 daily returns of the S&P 500 in 2008 and 2009, in per cent: closing prices of
Yahoo Finance, from the package arch (NCSA)."""

from pathlib import Path

import numpy as np

DATA = Path(__file__).with_name("data.csv")


def example_args():
    """The arguments of one call of the model: (args, kwargs)."""
    returns = np.loadtxt(DATA, delimiter=",", skiprows=1, usecols=1)
    return (len(returns),), {"returns": returns}
