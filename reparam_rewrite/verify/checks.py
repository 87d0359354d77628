"""The names of the checks. Imports nothing: the command line lists them."""

from __future__ import annotations

#: In the order of the report.
CHECKS = (
    "sites",
    "observed",
    "params",
    "density",
    "support",
    "values",
    "init",
    "effect",
    "gradients",
    "offsets",
    "config",
    "jit",
    "predictive",
    "data",
    "AutoNormal",
    "AutoDiagonalNormal",
    "NUTS",
)

#: Without these there is nothing to compare; the others can be switched off.
NEEDED = ("observed", "sites", "density")
