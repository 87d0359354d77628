"""The answers of the first 100 persons to 24 items on verbal aggression, 1 for yes or
perhaps: De Boeck and Wilson (2004), as in lme4 ("VerbAgg"), from the package mixedlm
(MIT)."""

from pathlib import Path

import numpy as np

DATA = Path(__file__).with_name("data.csv")


def example_args():
    """The arguments of one call of the model: (args, kwargs)."""
    data = np.genfromtxt(DATA, delimiter=",", names=True, dtype=None, encoding="utf-8")
    persons, person = np.unique(data["person"], return_inverse=True)
    items, item = np.unique(data["item"], return_inverse=True)
    return (person, item, len(persons), len(items)), {"yes": data["yes"]}
