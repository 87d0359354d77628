"""144 zones, of 24 plates by 6 samples: Davies and Goldsmith (1972), as in lme4
("Penicillin"), from the package mixedlm (MIT)."""

from pathlib import Path

import numpy as np

DATA = Path(__file__).with_name("data.csv")


def example_args():
    """The arguments of one call of the model: (args, kwargs)."""
    data = np.genfromtxt(DATA, delimiter=",", names=True, dtype=None, encoding="utf-8")
    plates, plate = np.unique(data["plate"], return_inverse=True)
    samples, sample = np.unique(data["sample"], return_inverse=True)
    return (plate, sample, len(plates), len(samples)), {"diameter": data["diameter"]}
