"""919 houses in 85 counties of Minnesota: the log of the radon, and the floor where it
was measured. After Gelman and Hill (2006), from the package arviz (Apache-2.0)."""

from pathlib import Path

import numpy as np

DATA = Path(__file__).with_name("data.csv")


def example_args():
    """The arguments of one call of the model: (args, kwargs)."""
    data = np.genfromtxt(DATA, delimiter=",", names=True, dtype=None, encoding="utf-8")
    counties, county = np.unique(data["county"], return_inverse=True)
    floor = data["floor"].astype(float)
    return (county, floor, len(counties)), {"log_radon": data["log_radon"]}
