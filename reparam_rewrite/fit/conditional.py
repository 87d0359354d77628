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
from scipy.sparse import csr_array, hstack

from reparam_rewrite.fit.values import Array
from reparam_rewrite.fit.weights import Likelihood
from reparam_rewrite.messages import Refusal
from reparam_rewrite.running.call import Call
from reparam_rewrite.running.designs import Point, Probe, wrong
from reparam_rewrite.running.errors import cannot_run
from reparam_rewrite.running.predictors import NORMAL
from reparam_rewrite.running.summing import Sums, summed
from reparam_rewrite.running.trace import double_precision

#: How many elements the dense part may have in the exact form.
BORDER = 400

#: How many columns a block of the exact form may have.
WIDEST = 64


class Note(NamedTuple):
    """Something to be told of the arrays, by a code.

    "at-mode": the sites aren't in the order, but move the observations' predictors; they count as
    what they are at the mode. "linearised": the sites' predictors aren't sums of effects, but
    functions of one. "within-rows": what elements of one row of the sites share isn't counted, as
    the sequential form takes the prior's scale of each element for itself.
    """

    code: str
    sites: tuple[str, ...]


class Sizes(NamedTuple):
    """How many elements are dense, how many rows and columns the blocks have, what isn't 0."""

    dense: int
    rows: int
    columns: int
    nonzero: int


class Conditional(Struct, frozen=True):
    """What conditional coordinates need of one call of a model.

    order: the effects, in the order in which they are sampled. form: "exact" or "sequential".
    given: the sites that add to the observations too, but are left as they are. noise: the observed
    sites whose scale is read while the model runs, in the order in which the arrays have them.
    frozen: the other observed sites, with why their weights are in the arrays: "known", as the
    scale of each observation depends on no site; "scales", as it does; "family", as they aren't
    normal. arrays: by their keys in the .npz, float64 but for indices and counts. mode: the values
    of the other sites at which weights were found, None where there are no such weights.
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
    noise: Mapping[str, str] = {},
) -> Conditional:
    """The arrays for the effects of a model that is called, in the order they are sampled in.

    form: "exact" or "sequential"; None takes the first where the dense part is small. noise: the
    observed sites whose scale is to be read while the model runs, if not all that can be. Raises
    `Refusal` for effects that don't add up, and for what the model raises.
    """
    started = time.perf_counter()
    try:
        with redirect_stdout(sys.stderr), double_precision():
            found = arrays_of(Probe(call, order), form, noise)
    except Refusal:
        raise
    except (Exception, SystemExit) as error:
        raise cannot_run(error, call.document.path, call.name) from error
    return Conditional(**found, seconds=time.perf_counter() - started)


def arrays_of(probe: Probe, form: str | None, noise: Mapping[str, str]) -> dict[str, Any]:
    """All but the seconds."""
    sums = summed(probe)
    live = live_noise(probe, sums, noise)
    frozen = {one: why_frozen(probe, sums, one) for one in sums.seen if one not in live}
    names = list(probe.call.trace)
    first = min(names.index(name) for name in probe.order)
    given = tuple(name for name in sums.adding if names.index(name) < first)
    left = tuple(n for n in (*sums.adding, *sums.moving) if n not in given)
    likelihood = Likelihood(probe, sums.seen, live)
    found = data_at(probe, likelihood, probe.typical, given)
    kinds = [*([one] for one in live), *([list(frozen)] if frozen else [])]
    data = [added([found[one] for one in kind]) for kind in kinds]
    notes = [Note("at-mode", left)] if left else []
    notes += [Note("linearised", tuple(sorted(sums.linked)))] if sums.linked else []
    made = exact(probe, data, given, form) if form != "sequential" else None
    arrays, sizes = made or sequential(probe, data, given)
    return {
        "order": probe.order,
        "form": "exact" if made else "sequential",
        "given": given,
        "noise": tuple(live),
        "frozen": frozen,
        "arrays": {f"conditional.{key}": value for key, value in arrays.items()},
        "sizes": sizes,
        "mode": None,
        "notes": tuple(notes),
    }


# -- what is read and what is frozen ---------------------------------------------------------------


def live_noise(probe: Probe, sums: Sums, noise: Mapping[str, str]) -> list[str]:
    """The observed sites whose scale is read while the model runs. Raises `Refusal`."""
    scales = [probe.moved(point, [])[0]["rest"] for point in (probe.typical, probe.another)]

    def is_one(name: str) -> bool:
        if probe.families[name] not in NORMAL or name in sums.linked:
            return False
        return all(np.ptp(of[name][1], axis=None) == 0 for of in scales)

    for name in noise:
        if name not in sums.seen or not is_one(name):
            text = "the noise of '{site}' isn't normal with one scale for all observations"
            hint = "leave it out of noise: its weights are then in the arrays."
            raise wrong(probe.call, "no-noise", name, text, hint)
    return [name for name in noise or sums.seen if is_one(name)]


def why_frozen(probe: Probe, sums: Sums, name: str) -> str:
    if probe.families[name] not in NORMAL or name in sums.linked:
        return "family"
    return "known" if name in sums.settled else "scales"


# -- designs, weights and responses ----------------------------------------------------------------


class Data(NamedTuple):
    """What observations tell of all elements of the effects, one after another.

    gram: Z'WZ (elements, elements). pull: Z'W(z - eta0) (elements,). given: Z'WZ_g (elements, those
    of g) by site g. All of Z, Z_g and W are of the observed sites that are counted.
    """

    gram: Any
    pull: Array
    given: Mapping[str, Any]


def data_at(
    probe: Probe, likelihood: Likelihood, point: Point, given: Sequence[str]
) -> dict[str, Data]:
    """What the observations of each site tell, with the weights and responses at a point."""
    designs = {name: probe.design(point, name) for name in (*probe.order, *given)}
    found = {}
    for one, weights in likelihood(point).items():
        effects = csr_array(hstack([designs[name][one] for name in probe.order]))
        now = effects @ np.concatenate([np.ravel(point.deviations[n]) for n in probe.order])
        for name in given:
            now = now + designs[name][one] @ np.ravel(point.others[name])
        found[one] = Data(
            csr_array(effects.T @ weights.times(effects)),
            effects.T @ (weights.score + weights.times(now)),
            {name: csr_array(effects.T @ weights.times(designs[name][one])) for name in given},
        )
    return found


def added(data: Sequence[Data]) -> Data:
    first, *others = data
    for one in others:
        more = {name: of + one.given[name] for name, of in first.given.items()}
        first = Data(first.gram + one.gram, first.pull + one.pull, more)
    return first


# -- the exact form --------------------------------------------------------------------------------


def exact(
    probe: Probe, data: Sequence[Data], given: Sequence[str], form: str | None
) -> tuple[dict[str, Any], Sizes] | None:
    """The arrays of the exact form; None where it would be too large, and isn't asked for."""
    rows, blocks = blocked(probe, sum(abs(of.gram) for of in data))
    sizes = [probe.size(name) for name in probe.order]
    whole, dense = sum(sizes), sum(sizes[: len(sizes) - blocks])
    columns = (whole - dense) // rows
    if form is None and dense + (columns if rows == 1 else 0) > BORDER:
        return None
    # The elements of a row of the blocks are those of all of their sites.
    ends = np.cumsum(sizes)[len(sizes) - blocks :]
    starts = [end - size for end, size in zip(ends, sizes[len(sizes) - blocks :], strict=True)]
    split = [
        np.arange(start, end).reshape(rows, -1) for start, end in zip(starts, ends, strict=True)
    ]
    element = np.concatenate(split, axis=1)
    order = np.concatenate([np.arange(dense), element.ravel()])
    front = slice(0, dense)
    arrays: dict[str, Any] = shapes(probe)
    arrays |= {
        "blocks": np.int64(blocks),
        "G": np.stack([of.gram[front, front].toarray() for of in data]),
        "h": np.stack([of.pull[front] for of in data]),
        "G_across": np.stack(
            [
                of.gram[front][:, element.ravel()].toarray().reshape(dense, rows, columns)
                for of in data
            ]
        ),
        "G_blocks": np.stack([block_diagonal(of.gram, element, element) for of in data]),
        "h_blocks": np.stack([of.pull[element] for of in data]),
    }
    for name in given:
        arrays[f"given.{name}"] = np.stack([of.given[name].toarray()[order] for of in data])
    nonzero = sum(of.gram.nnz for of in data)
    return arrays, Sizes(dense, rows, columns, nonzero)


def shapes(probe: Probe) -> dict[str, Any]:
    return {
        f"shapes.{name}": np.array([probe.size(name) // (k := probe.columns[name]), k], np.int64)
        for name in probe.order
    }


def block_diagonal(gram: Any, rows: Any, columns: Any) -> Array:
    """The blocks on a diagonal, of elements (n, j) and (n, k): (n, j, k)."""
    (n, j), k = rows.shape, columns.shape[1]
    at = np.broadcast_to(rows[:, :, None], (n, j, k)).ravel()
    other = np.broadcast_to(columns[:, None, :], (n, j, k)).ravel()
    return np.asarray(csr_array(gram)[at, other]).reshape(n, j, k)


def blocked(probe: Probe, gram: Any) -> tuple[int, int]:
    """How many rows the blocks have, and how many of the last sites are in them.

    Of the numbers of rows that the last site can have, it is the greatest with which the dense part
    is small, or else that with which it is smallest.
    """
    last = probe.order[-1]
    shape = probe.shapes[last]
    least = probe.columns[last]
    rows = {int(np.prod(shape[:at], dtype=int)) for at in range(len(shape) + 1)}
    tried = []
    for count in sorted(rows, reverse=True):
        if probe.size(last) // count < least and count > 1:
            continue
        blocks = fitting(probe, gram, count)
        if blocks or count == 1:
            sizes = [probe.size(name) for name in probe.order]
            dense = sum(sizes[: len(sizes) - max(1, blocks)])
            if dense <= BORDER and count > 1:
                return count, blocks
            tried.append((dense if count > 1 else sum(sizes), -count, max(1, blocks)))
    _, count, blocks = min(tried)
    return -count, blocks


def fitting(probe: Probe, gram: Any, rows: int) -> int:
    """How many of the last sites observations never couple two of so many rows of."""
    entries = gram.tocoo()
    row = np.zeros(gram.shape[0], np.int64)
    end, count, wide = gram.shape[0], 0, 0
    for name in reversed(probe.order):
        size = probe.size(name)
        wide += size // rows
        if size % rows or (size // rows) % probe.columns[name] or (rows > 1 and wide > WIDEST):
            break
        start = end - size
        row[start:end] = np.repeat(np.arange(rows), size // rows)
        inside = (entries.row >= start) & (entries.row < end) & (entries.col >= start)
        inside &= entries.data != 0
        if (row[entries.row[inside]] != row[entries.col[inside]]).any():
            break
        end, count = start, count + 1
        if rows == 1:
            break
    return count


# -- the sequential form ---------------------------------------------------------------------------


def sequential(
    probe: Probe, data: Sequence[Data], given: Sequence[str]
) -> tuple[dict[str, Any], Sizes]:
    """The arrays of the sequential form."""
    arrays: dict[str, Any] = shapes(probe)
    sizes = [probe.size(name) for name in probe.order]
    starts = np.cumsum([0, *sizes])
    place = {n: slice(*starts[at : at + 2]) for at, n in enumerate(probe.order)}
    for at, name in enumerate(probe.order):
        k = probe.columns[name]
        own = np.arange(starts[at], starts[at + 1]).reshape(-1, k)
        arrays[f"{name}.G"] = np.stack([block_diagonal(of.gram, own, own) for of in data])
        arrays[f"{name}.h"] = np.stack([of.pull[own] for of in data])
        for later in probe.order[at + 1 :]:
            parts = [csr_array(of.gram[place[name]][:, place[later]]) for of in data]
            arrays |= entries(f"{name}.{later}", parts)
        for other in given:
            parts = [csr_array(of.given[other][place[name]]) for of in data]
            arrays |= entries(f"{name}.given.{other}", parts)
    nonzero = sum(of.size for key, of in arrays.items() if key.endswith(".values"))
    return arrays, Sizes(0, 0, 0, nonzero)


def entries(key: str, parts: Sequence[Any]) -> dict[str, Any]:
    """The elements that meet, by flat indices, with an axis of `parts` in front of their values."""
    everywhere = sum(abs(part) for part in parts).tocoo()
    kept = everywhere.data != 0
    rows, columns = everywhere.row[kept], everywhere.col[kept]
    values = [np.asarray(csr_array(part)[rows, columns]).ravel() for part in parts]
    return {
        f"{key}.rows": rows.astype(np.int32),
        f"{key}.columns": columns.astype(np.int32),
        f"{key}.values": np.stack(values),
    }
