"""Regressions of data on data, for what ``suggest --args`` proposes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

#: What makes a regression on the same column twice one by their variances.
RIDGE = 1e-6


def unit(shape: tuple[int, ...], at: int) -> Any:
    """Zeros, and a one."""
    made = np.zeros(prod(shape))
    made[at] = 1.0
    return made.reshape(shape)


def regression(
    target: Any, columns: list[Any], variances: list[float], least: float
) -> float | None:
    """The first column's coefficient in the regression of data on data.

    None where it makes up for less than `least` of the target, by their root mean squares. Of
    columns that make up for the same, each does by its variance.
    """
    every = np.broadcast_arrays(target, *columns)
    aim, first = every[0].ravel(), every[1].ravel()
    design = np.stack([column.ravel() for column in every[1:]], axis=1).astype(float)
    gram = design.T @ design
    ridge = RIDGE * (np.trace(gram) or 1.0)
    step = float(
        np.linalg.solve(gram + ridge * np.diag(1 / np.array(variances)), design.T @ aim)[0]
    )
    size = abs(step) * float((first**2).mean()) ** 0.5
    return step if size > least * float((aim**2).mean()) ** 0.5 else None
