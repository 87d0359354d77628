"""Is a generated model still the same model? `verify(plain, generated, args, kwargs)` says.

A reparameterization is a change of variables, whatever its coefficients are. With u the latent
values of the generated model, v(u) the values of the plain model's sites that it implies, both in
the unconstrained space in which samplers and guides work,

    log p_generated(u) = log p_plain(v(u)) + log |det dv/du|

must hold at every point u for every value of the coefficients, with the scales and masks that the
models put on their sites: what samplers see is compared, not the densities of distributions.

`comparing` has the story, and `points` all that a check looks at. Importing the package itself
imports nothing: commands list the checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reparam_rewrite.running.values import Model
    from reparam_rewrite.verifying.values import Options, Report

__all__ = ["CHECKS", "NEEDED", "Line", "Options", "Report", "verify"]

#: By name what a check compares, in the order of the report. `comparing` has the functions.
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
    "coordinates": "how far sites that are sampled given the data are from standard normal",
    "jit": "the log density of a run that isn't compiled",
    "predictive": "draws from the prior",
    "data": "what both models predict from one draw with other data",
    "AutoNormal": "that SVI takes a step with it",
    "AutoDiagonalNormal": "that SVI takes a step with it",
    "NUTS": "that it finds its first state",
}

#: Without these there is nothing to compare; the others can be switched off.
NEEDED = ("observed", "sites", "density")


def __getattr__(name: str) -> Any:
    if name in ("Line", "Options", "Report"):
        from reparam_rewrite.verifying import values

        return getattr(values, name)
    raise AttributeError(name)


def verify(
    plain: Model,
    generated: Model,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    options: Options | None = None,
) -> Report:
    """Compare two models at random points, as `Options` says.

    Raises what the plain model raises: without it there is nothing to compare with.
    """
    from reparam_rewrite.running.trace import copied
    from reparam_rewrite.verifying.change import Models
    from reparam_rewrite.verifying.comparing import compare
    from reparam_rewrite.verifying.values import Options

    models = Models(plain, generated, copied(args, kwargs or {}))
    return compare(models, options or Options(), list(CHECKS))
