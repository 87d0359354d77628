"""The reaction times of 18 subjects over ten days: Belenky et al. (2003), as in lme4
("sleepstudy"), from the package mixedlm (MIT)."""

from pathlib import Path

import numpy as np

DATA = Path(__file__).with_name("data.csv")


def example_args():
    """The arguments of one call of the model: (args, kwargs)."""
    data = np.genfromtxt(DATA, delimiter=",", names=True)
    subjects, subject = np.unique(data["subject"], return_inverse=True)
    return (subject, data["days"], len(subjects)), {"reaction": data["reaction"]}
