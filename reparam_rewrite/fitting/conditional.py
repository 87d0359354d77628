"""The arrays by which effects are sampled as what is standard normal given the data.

Each effect is its prior's location and a deviation from it, and what the observations see of all of
these is a sum, ``eta = eta0 + sum_c Z_c d_c``. With weights W and responses z of the observations::

    G = Z' W Z,    h = Z' W (z - eta0)

are all that the coordinates need of the data: the scales are read while the model runs. Where the
noise is normal with one scale, W = 1 and the scale is read too, and so they are exact; elsewhere
W and z are those at a mode, and part of the arrays.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct

from reparam_rewrite.fitting.layout import (
    Data,
    Sizes,
    added,
    coupled_rows,
    data_at,
    designed,
    exact,
    sequential,
)
from reparam_rewrite.fitting.modes import mode_of, no_number
from reparam_rewrite.fitting.rotation import rotated, strata_of
from reparam_rewrite.fitting.weights import Likelihood
from reparam_rewrite.messages import Refusal
from reparam_rewrite.running.call import Call
from reparam_rewrite.running.designs import Probe, wrong
from reparam_rewrite.running.errors import cannot_run
from reparam_rewrite.running.predictors import NORMAL
from reparam_rewrite.running.summing import Sums, summed
from reparam_rewrite.running.trace import double_precision

#: How many elements the dense part may have before tables are rotated.
FEW = 100


class Note(NamedTuple):
    """Something to be told of the arrays, by a code.

    "at-mode": the sites aren't in the order, but move the observations' predictors; they count as
    what they are at the mode. "linearised": the sites' predictors aren't sums of effects, but
    functions of one. "within-rows": what elements of one row of the sites share isn't counted, as
    the sequential form takes the prior's scale of each element for itself.
    """

    code: str
    sites: tuple[str, ...]


class Conditional(Struct, frozen=True):
    """What conditional coordinates need of one call of a model.

    order: the effects, in the order in which they are sampled. form: "exact", "sequential" or
    "rotated".
    given: the sites that add to the observations too, but are left as they are. noise: the observed
    sites whose scale is read while the model runs, in the order in which the arrays have them.
    frozen: the other observed sites, with why their weights are in the arrays: "known", as the
    scale of each observation depends on no site; "scales", as it does; "family", as they aren't
    normal. arrays: by their keys in the .npz, float64 but for indices and counts. mode: the values
    of the other sites at which weights were found, None where they depend on none.
    """

    order: tuple[str, ...]
    form: str
    given: tuple[str, ...]
    noise: tuple[str, ...]
    frozen: Mapping[str, str]
    arrays: Mapping[str, Any]
    seconds: float
    sizes: Sizes
    mode: Mapping[str, Any] | None
    notes: tuple[Note, ...]


def conditional_arrays(
    call: Call,
    order: Sequence[str],
    *,
    form: str | None = None,
    noise: Mapping[str, str] | None = None,
) -> Conditional:
    """The arrays for the effects of a model that is called, in the order they are sampled in.

    form: "exact", "sequential" or "rotated"; None takes exact where its dense part is small, and
    rotated where full tables make it much smaller. noise: the
    observed sites whose scale is to be read while the model runs; None: all that can be. Raises
    `Refusal` for effects that don't add up, and for what the model raises.
    """
    started = time.perf_counter()
    try:
        # What isn't a number is refused; numpy needn't say so too.
        with redirect_stdout(sys.stderr), double_precision(), np.errstate(all="ignore"):
            found = arrays_of(Probe(call, order), form, noise)
    except Refusal:
        raise
    except (Exception, SystemExit) as error:
        raise cannot_run(error, call.document.path, call.name) from error
    return Conditional(**found, seconds=time.perf_counter() - started)


def arrays_of(probe: Probe, form: str | None, noise: Mapping[str, str] | None) -> dict[str, Any]:
    """All but the seconds."""
    sums = summed(probe)
    live = live_noise(probe, sums, noise)
    frozen = {one: why_frozen(probe, sums, one) for one in sums.seen if one not in live}
    names = list(probe.call.trace)
    first = min(names.index(name) for name in probe.order)
    given = tuple(name for name in sums.adding if names.index(name) < first)
    left = tuple(n for n in (*sums.adding, *sums.moving) if n not in given)
    likelihood = Likelihood(probe, sums.seen, live)
    at, values = probe.typical, None
    designs = designed(probe, at, (*probe.order, *sums.adding))
    if sums.linked or {*frozen.values()} - {"known"} or {*left} - {*at.discrete}:
        at, weights = mode_of(probe, likelihood, sums, live, designs)
        values = {name: np.asarray(of) for name, of in at.others.items()}
        designs = designed(probe, at, (*probe.order, *given)) if sums.linked else designs
    else:
        weights = likelihood(at)
    found = data_at(probe, weights, at, designs, given)
    check(probe, found)
    kinds = [*([one] for one in live), *([list(frozen)] if frozen else [])]
    data = [added([found[one] for one in kind]) for kind in kinds]
    notes = [Note("at-mode", left)] if left else []
    notes += [Note("linearised", tuple(sorted(sums.linked)))] if sums.linked else []
    chosen, arrays, sizes = laid_out(probe, data, given, form)
    if chosen == "sequential" and (coupled := coupled_rows(probe, data)):
        notes.append(Note("within-rows", coupled))
    return {
        "order": probe.order,
        "form": chosen,
        "given": given,
        "noise": tuple(live),
        "frozen": frozen,
        "arrays": {f"conditional.{key}": value for key, value in arrays.items()},
        "sizes": sizes,
        "mode": values,
        "notes": tuple(notes),
    }


def laid_out(
    probe: Probe, data: Sequence[Data], given: Sequence[str], form: str | None
) -> tuple[str, dict[str, Any], Sizes]:
    """The form that is asked for, or else the first that does, and its arrays. Raises `Refusal`."""
    if form == "sequential":
        return (form, *sequential(probe, data, given))
    made = exact(probe, data, given, form) if form != "rotated" else None
    if form == "rotated" or made is None or (form is None and made[1].dense > FEW):
        strata = strata_of(probe, data)
        if strata is None and form == "rotated":
            text = "the effects have no axis of a full table, with one scale for all of its rows"
            hint = 'leave out form = "rotated".'
            raise wrong(probe.call, "no-rotation", probe.order[-1], text, hint)
        if strata and (made is None or made[1].dense > 2 * strata.largest):
            return ("rotated", *rotated(probe, data, given, strata))
    return ("exact", *made) if made else ("sequential", *sequential(probe, data, given))


# -- what is read and what is frozen ---------------------------------------------------------------


def live_noise(probe: Probe, sums: Sums, noise: Mapping[str, str] | None) -> list[str]:
    """The observed sites whose scale is read while the model runs. Raises `Refusal`."""
    scales = [probe.moved(point, [])[0]["rest"] for point in (probe.typical, probe.another)]

    def is_one(name: str) -> bool:
        if probe.families[name] not in NORMAL or name in sums.linked:
            return False
        return all(np.ptp(of[name][1], axis=None) == 0 for of in scales)

    for name in noise or ():
        if name not in sums.seen or not is_one(name):
            text = "the noise of '{site}' isn't normal with one scale for all observations"
            hint = "leave it out of noise: its weights are then in the arrays."
            raise wrong(probe.call, "no-noise", name, text, hint)
    return [name for name in (sums.seen if noise is None else noise) if is_one(name)]


def check(probe: Probe, data: Mapping[str, Data]) -> None:
    """All that is told is to be numbers. Raises `Refusal`."""
    for name, of in data.items():
        if not (np.isfinite(of.gram.data).all() and np.isfinite(of.pull).all()):
            raise no_number(probe, name)


def why_frozen(probe: Probe, sums: Sums, name: str) -> str:
    if probe.families[name] not in NORMAL or name in sums.linked:
        return "family"
    return "known" if name in sums.settled else "scales"
