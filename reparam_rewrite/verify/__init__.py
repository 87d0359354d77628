"""Is a generated model still the same model? `verify(plain, generated, args, kwargs)` says.

A reparameterization is a change of variables, whatever its coefficients are. With u the latent
values of the generated model, v(u) the values of the plain model's sites that it implies, both in
the unconstrained space in which samplers and guides work,

    log p_generated(u) = log p_plain(v(u)) + log |det dv/du|

must hold at every point u for every value of the coefficients, with the scales and masks that the
models put on their sites: what samplers see is compared, not the densities of distributions.

    values     what is asked for, and the lines of the report
    pairing    the sites of both, matched
    change     the change of variables as one compiled function; `determinant`: its log|det|
    points     what it gives at each point: all that a check looks at
    comparing  the story; every other module is one or a few of the checks

Importing the package itself imports nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reparam_rewrite.running.values import Model
    from reparam_rewrite.verify.values import Options, Report

__all__ = ["Line", "Options", "Report", "verify"]


def __getattr__(name: str) -> Any:
    if name in ("Line", "Options", "Report"):
        from reparam_rewrite.verify import values

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
    from reparam_rewrite.verify.change import Models
    from reparam_rewrite.verify.comparing import compare
    from reparam_rewrite.verify.values import Options

    return compare(Models(plain, generated, copied(args, kwargs or {})), options or Options())
