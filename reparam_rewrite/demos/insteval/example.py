"""The ratings of the 25 busiest lecturers at the ETH Zurich by the students who rated
eight or more of them: as in lme4 ("InstEval"), from the package mixedlm (MIT)."""

from pathlib import Path

import numpy as np

DATA = Path(__file__).with_name("data.csv")


def example_args():
    """The arguments of one call of the model: (args, kwargs)."""
    data = np.genfromtxt(DATA, delimiter=",", names=True, dtype=int)
    codes, sizes = [], []
    for column in ("student", "lecturer", "dept"):
        names, code = np.unique(data[column], return_inverse=True)
        codes.append(code)
        sizes.append(len(names))
    return (*codes, *sizes), {"rating": data["rating"].astype(float)}
