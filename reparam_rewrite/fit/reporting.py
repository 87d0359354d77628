"""What `fit` found, in lines for a person or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np

from reparam_rewrite.config.toml_places import header
from reparam_rewrite.fit.regression import NARROWER
from reparam_rewrite.fit.values import Array, Better, Fitted, Found, Regressor

VERSION = 1
"""Of the form of the JSON: it grows when a key changes its meaning or goes away."""


def is_worth_it(fits: Sequence[Fitted]) -> bool:
    """Is any base site narrower than its child, or another power better?"""
    return any(fit.kind != "none" or fit.narrowing > NARROWER for fit in fits)


def as_text(found: Found) -> list[str]:
    """What was found in lines: one for each child, the advice, and what else would help."""
    pilot, fits, warnings, least, written, helpful = found
    cost = f", {pilot.gradients:,} gradients" if pilot.gradients is not None else ""
    width = max((len(fit.regression.child) for fit in fits), default=0)
    return [
        f"pilot: {pilot.how}{cost}; least effective sample size {least:.0f}",
        *(f"warning: {warning}" for warning in warnings),
        *(f"{fit.regression.child:{width}}  {'; '.join(said_of(fit))}" for fit in fits),
        *(f"{narrower(one, 'is')}: {basis_text(one)}" for one in written),
        advice(fits, has_bases=bool(written or helpful)),
        *(
            f"{narrower(one, 'would be')}: write {header('sites', one.site)} {basis_text(one)} "
            "and fit once more, or let --bases do so"
            for one in helpful
        ),
    ]


def narrower(basis: Better, verb: str) -> str:
    return f"{basis.site} {verb} {basis.narrowing:.3g} times narrower in a basis"


def basis_text(basis: Better) -> str:
    if basis.dims == (-1,):
        return 'basis = "dct"'
    dims = basis.dims[0] if len(basis.dims) == 1 else list(basis.dims)
    return f'basis = {{ kind = "dct", dim = {dims} }}'


def said_of(fit: Fitted) -> Iterator[str]:
    """``0.9 mu - 0.5 [0.1 to 0.3] x``, the power, and what is gained."""
    if fit.kind == "none" and fit.power is None:
        yield "no offset makes it narrower"
        return
    regressors = fit.regression.regressors if fit.kind != "none" else ()
    if regressors:
        offsets = (f"{shown(fit.coefficients[one.param])} {met(fit, one)}" for one in regressors)
        yield " + ".join(offsets).replace("+ -", "- ")
    if fit.power is not None:
        yield f"power {fit.power:.2g}"
    if fit.narrowing < NARROWER:
        count = fit.regression.values[0].size
        yield f"{fit.narrowing**count:.3g} times narrower, its {count} elements taken together"
    else:
        yield f"{fit.narrowing:.3g} times narrower"


def met(fit: Fitted, one: Regressor) -> str:
    """A parent, and how the child meets it if that takes data: ``s[state] per county, frozen``."""
    if one.met is None or one.met.projection is None:
        return one.parent
    return f"{one.met.in_words}{', frozen' if one.param in fit.meetings else ''}"


def shown(value: float | Array) -> str:
    if np.ndim(value) == 0:
        return f"{value:.3g}"
    return f"[{np.min(value):.3g} to {np.max(value):.3g}]"


def advice(fits: Sequence[Fitted], has_bases: bool) -> str:
    if is_worth_it(fits):
        best = max(fits, key=lambda fit: fit.narrowing)
        return (
            f"worth it: the posterior of {best.regression.child} is {best.narrowing:.3g} times "
            "narrower around its offset"
        )
    verdict = "no offset is worth it" if has_bases else "leave the model as written"
    left = "what is left of each site when its parents are taken away is as wide as the site"
    return f"{verdict}: {left}"


def as_json(found: Found, path: str | None) -> str:
    """What was found as JSON; `path` is the config that it was written to, None if it wasn't."""
    pilot = found.pilot
    said = {
        "version": VERSION,
        "pilot": {
            "how": pilot.how,
            "draws": len(pilot.chain),
            "gradients": pilot.gradients,
            "divergences": pilot.divergences,
            "least_ess": round(found.least, 1),
        },
        "warnings": found.warnings,
        "children": [
            {
                "site": fit.regression.child,
                "config": fit.regression.key,
                "kind": fit.kind,
                "narrowing": fit.narrowing,
                "power": fit.power,
                "coefficients": [
                    {
                        "parent": one.parent,
                        "param": one.param,
                        "init": np.asarray(fit.coefficients[one.param]).tolist(),
                        "met": met(fit, one),
                    }
                    for one in fit.regression.regressors
                ],
            }
            for fit in found.fits
        ],
        "bases": [
            {
                "site": one.site,
                "kind": "dct",
                "dim": one.dims,
                "narrowing": one.narrowing,
                "in_config": one in found.written,
            }
            for one in (*found.written, *found.helpful)
        ],
        "worth_it": is_worth_it(found.fits),
        "written": path,
    }
    return json.dumps(said, indent=2) + "\n"
