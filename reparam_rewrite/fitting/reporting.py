"""What `fit` found, in lines for a person or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from reparam_rewrite.config.toml_places import header
from reparam_rewrite.fitting.coordinates import Frozen
from reparam_rewrite.fitting.regression import NARROWER
from reparam_rewrite.fitting.values import Array, Better, Fitted, Found, Regressor
from reparam_rewrite.messages import listed

VERSION = 1
"""Of the form of the JSON: it grows when a key changes its meaning or goes away."""


def is_worth_it(fits: Sequence[Fitted]) -> bool:
    """Is any base site narrower than its child, or another power better?"""
    return any(fit.kind != "none" or fit.narrowing > NARROWER for fit in fits)


def as_text(found: Found | None, frozen: Frozen | None = None) -> list[str]:
    """What was found in lines: of what the data say, and of the fit of coefficients."""
    lines = [] if frozen is None else of_data(frozen)
    return lines if found is None else [*lines, *of_fit(found)]


def of_data(frozen: Frozen) -> list[str]:
    """What the data say of the sites of `conditional`, how that was found and how large it is."""
    found, sizes = frozen.found, frozen.found.sizes
    large = f"{sizes.nonzero:,} pairs of elements that meet"
    if found.form == "exact":
        large = f"{sizes.dense:,} at once, {sizes.rows:,} blocks of {sizes.columns:,}"
    elif found.form == "rotated":
        large = f"strata of at most {sizes.dense:,} elements"
    lines = [
        f"given the data: {', '.join(found.order)} ({found.form}; {large}), in "
        f"{found.seconds:.1f} s, without draws"
    ]
    for site, text in frozen.noise.items():
        lines.append(f"{site}: its noise is read when the model runs, {text}")
    lines += [f"{site}: {FROZEN[why]}" for site, why in found.frozen.items()]
    lines += [NOTES[note.code].format(sites=listed(note.sites)) for note in found.notes]
    if frozen.spread is not None:
        lines.append(f"their bases are {said_of_spread(frozen.spread)}")
    return lines


def said_of_spread(nats: float) -> str:
    """How near to standard normal bases are."""
    if nats < EXACT:
        return f"standard normal given the data, but for {nats:.2g} nats"
    if nats > FAR:
        return (
            f"{nats:.2g} nats from standard normal given the data, which is far: suggest --args "
            "and tune say whether anything is gained"
        )
    return f"within {nats:.2g} nats of standard normal given the data"


#: Up to how many nats it is rounding.
EXACT = 1e-6

#: Beyond how many they are no good coordinates.
FAR = 20.0


#: Why the weights of an observed site are in the arrays.
FROZEN = {
    "known": "its noise is known, and part of the arrays",
    "scales": "its noise is taken as it is at the mode",
    "family": "it isn't normal, and is taken as it is at the mode",
}

#: What else is to be said of the arrays.
NOTES = {
    "at-mode": "{sites} moves the observations too, and is taken as it is at the mode: name it in "
    "'conditional'",
    "linearised": "{sites} sees no sum of the effects, but a function of it, which is taken as "
    "linear at the mode",
    "within-rows": "what elements of one row of {sites} share isn't counted",
}


def of_fit(found: Found) -> list[str]:
    """One line for each child, the advice, and what else would help."""
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
        is_power = fit.regression.around is None
        yield f"power {fit.power:.2g}" if is_power else f"centered {1 - fit.power:.2g}"
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


def as_json(found: Found | None, frozen: Frozen | None, path: str | None) -> str:
    """What was found as JSON; `path` is the config that it was written to, None if it wasn't."""
    said: dict[str, Any] = {"version": VERSION}
    if frozen is not None:
        made, sizes = frozen.found, frozen.found.sizes
        said["conditional"] = {
            "order": list(made.order),
            "form": made.form,
            "given": list(made.given),
            "noise": dict(frozen.noise),
            "frozen": dict(made.frozen),
            "sizes": sizes._asdict(),
            "seconds": round(made.seconds, 3),
            "spread": frozen.spread,
            "notes": [{"code": note.code, "sites": list(note.sites)} for note in made.notes],
        }
    if found is not None:
        said |= of_fit_as_json(found)
    return json.dumps({**said, "written": path}, indent=2) + "\n"


def of_fit_as_json(found: Found) -> dict[str, Any]:
    pilot = found.pilot
    return {
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
    }
