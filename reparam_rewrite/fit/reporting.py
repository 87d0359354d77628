"""What `fit` found, in lines for a person or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from reparam_rewrite.config.toml_places import header
from reparam_rewrite.fit.values import Array, Bases, Better, Fitted, Pilot

VERSION = 1
"""Of the form of the JSON: it grows when a key changes its meaning or goes away."""

#: What a pilot's draws must have for the coefficients to be believed: draws that are independent.
FEW = 50


def is_worth_it(fits: Sequence[Fitted]) -> bool:
    """Is any base site narrower than its child, or another power better?"""
    return any(fit.kind != "none" or fit.narrowing > 1.02 for fit in fits)


def as_text(
    fits: Sequence[Fitted],
    bases: Bases,
    pilot: Pilot,
    least: float,
    warnings: Sequence[str],
) -> list[str]:
    """A line for each child with its coefficients, the advice, and what else would help."""
    cost = f", {pilot.gradients:,} gradients" if pilot.gradients is not None else ""
    lines = [f"pilot: {pilot.how}{cost}; least effective sample size {least:.0f}"]
    lines += [f"warning: {warning}" for warning in warnings]
    width = max((len(fit.regression.child) for fit in fits), default=0)
    for fit in fits:
        lines.append(f"{fit.regression.child:{width}}  {'; '.join(said_of(fit))}")
    lines += [f"{narrower(one, 'is')}: {basis_text(one)}" for one in bases.written]
    lines.append(advice(fits, bases))
    lines += [
        f"{narrower(one, 'would be')}: write {header('sites', one.site)} {basis_text(one)} and fit "
        "once more, or let --bases do so"
        for one in bases.helpful
    ]
    return lines


def narrower(basis: Better, verb: str) -> str:
    return f"{basis.site} {verb} {basis.narrowing:.3g} times narrower in a basis"


def basis_text(basis: Better) -> str:
    if basis.dims == (-1,):
        return 'basis = "dct"'
    dims = ", ".join(map(str, basis.dims))
    dims = dims if len(basis.dims) == 1 else f"[{dims}]"
    return f'basis = {{ kind = "dct", dim = {dims} }}'


def said_of(fit: Fitted) -> Iterator[str]:
    if fit.kind == "none" and fit.power is None:
        yield "no offset makes it narrower"
        return
    offsets = [
        f"{coefficient_text(fit.coefficients[one.param])} {one.pair.parent}"
        for one in fit.regression.regressors
        if fit.kind != "none"
    ]
    if offsets:
        yield " + ".join(offsets).replace("+ -", "- ")
    if fit.power is not None:
        yield f"power {fit.power:.2g}"
    yield f"{fit.narrowing:.3g} times narrower"


def coefficient_text(value: float | Array) -> str:
    if np.ndim(value) == 0:
        return f"{value:.3g}"
    low, high = float(np.min(value)), float(np.max(value))
    return f"[{low:.3g} to {high:.3g}]"


def advice(fits: Sequence[Fitted], bases: Bases) -> str:
    if is_worth_it(fits):
        best = max(fits, key=lambda fit: fit.narrowing)
        return (
            f"worth it: the posterior of {best.regression.child} is {best.narrowing:.3g} times "
            "narrower around its offset"
        )
    left = "what is left of each site when its parents are taken away is as wide as the site"
    if bases.written or bases.helpful:
        return f"no offset is worth it: {left}"
    return f"leave the model as written: {left}"


def as_json(
    fits: Sequence[Fitted],
    bases: Bases,
    pilot: Pilot,
    least: float,
    warnings: Sequence[str],
    path: str | None,
) -> str:
    def listed(value: float | Array) -> Any:
        return np.asarray(value).tolist()

    found = {
        "version": VERSION,
        "pilot": {
            "how": pilot.how,
            "draws": pilot.count,
            "gradients": pilot.gradients,
            "divergences": pilot.divergences,
            "least_ess": round(least, 1),
        },
        "warnings": list(warnings),
        "children": [
            {
                "site": fit.regression.child,
                "config": fit.regression.key,
                "kind": fit.kind,
                "narrowing": fit.narrowing,
                "power": fit.power,
                "coefficients": [
                    {
                        "parent": one.pair.parent,
                        "param": one.param,
                        "init": listed(fit.coefficients[one.param]),
                    }
                    for one in fit.regression.regressors
                ],
            }
            for fit in fits
        ],
        "bases": [
            {
                "site": one.site,
                "kind": "dct",
                "dim": list(one.dims),
                "narrowing": one.narrowing,
                "in_config": one in bases.written,
            }
            for one in (*bases.written, *bases.helpful)
        ],
        "worth_it": is_worth_it(fits),
        "written": path,
    }
    return json.dumps(found, indent=2) + "\n"
