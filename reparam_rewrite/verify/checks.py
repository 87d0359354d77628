"""The checks of `verify`, in the order of its report. It imports nothing: commands list them."""

from __future__ import annotations

#: By name what a check compares. The functions that do are in `comparing`.
CHECKS = {
    "sites": "names, shapes, dtypes and plates of the sites",
    "observed": "the values that are observed",
    "params": "the params of the plain model, and what there is of new ones",
    "density": "log density and log|det|, by site and in sum, at every point",
    "support": "that each value of a site is reached, and none outside of its support",
    "values": "deterministic sites and what the model returns",
    "init": "which sites are those of the plain model at the initial values of all params",
    "effect": "that each element of each coefficient moves a site",
    "gradients": "that those of the log density are finite",
    "offsets": "that a coefficient multiplies the parent that its name says, with its sign",
    "config": "that params and values are what the config asks for",
    "jit": "the log density of a run that isn't compiled",
    "predictive": "draws from the prior",
    "data": "what both models predict from one draw with other data",
    "AutoNormal": "that SVI takes a step with it",
    "AutoDiagonalNormal": "that SVI takes a step with it",
    "NUTS": "that it finds its first state",
}

#: Without these there is nothing to compare; the others can be switched off.
NEEDED = ("observed", "sites", "density")
