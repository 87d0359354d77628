"""What the Nile carried at Aswan in each year from 1871 to 1970, in 10 km^3: Cobb (1978),
from the package statsmodels ("nile", public domain)."""

from pathlib import Path

import numpy as np

DATA = Path(__file__).with_name("data.csv")


def example_args():
    """The arguments of one call of the model: (args, kwargs)."""
    volume = np.loadtxt(DATA, delimiter=",", skiprows=1, usecols=1)
    return (len(volume),), {"flow": volume / 100}
