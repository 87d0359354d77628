"""The real gross domestic product of the United States from 1959 to 2009: 100 times its
logarithm in each quarter, less that of the first. From the package statsmodels
("macrodata", public domain)."""

from pathlib import Path

import numpy as np

DATA = Path(__file__).with_name("data.csv")


def example_args():
    """The arguments of one call of the model: (args, kwargs)."""
    gdp = np.loadtxt(DATA, delimiter=",", skiprows=1, usecols=2)
    y = 100 * np.log(gdp / gdp[0])
    return (len(y),), {"y": y}
