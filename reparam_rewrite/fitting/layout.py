"""The arrays of conditional coordinates: what the data say of effects, laid out for both forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, hstack

from reparam_rewrite.fitting.values import Array
from reparam_rewrite.fitting.weights import Weights
from reparam_rewrite.running.designs import Point, Probe, wrong

#: How many elements the dense part may have in the exact form.
BORDER = 400

#: How many products a factor of the precision may take in the exact form.
WORK = 100_000_000

#: How many numbers the arrays of the exact form may have, where it is asked for.
LARGEST = 100_000_000

#: How many columns a block of the exact form may have.
WIDEST = 64


class Sizes(NamedTuple):
    """How many elements are dense, how many rows and columns the blocks have, what isn't 0."""

    dense: int
    rows: int
    columns: int
    nonzero: int


class Data(NamedTuple):
    """What observations tell of all elements of the effects, one after another.

    gram: Z'WZ (elements, elements). pull: Z'W(z - eta0) (elements,). given: Z'WZ_g (elements, those
    of g) by site g. All of Z, Z_g and W are of the observed sites that are counted.
    """

    gram: Any
    pull: Array
    given: Mapping[str, Any]


#: What sites add to the predictors of observed sites, by the site and the observed one.
Designs = Mapping[str, Mapping[str, Any]]


def designed(probe: Probe, point: Point, names: Sequence[str]) -> Designs:
    return {name: probe.design(point, name) for name in names}


def effects_of(probe: Probe, designs: Designs, observed: str) -> Any:
    """What all effects, one after another, add to the predictors of a site: a sparse matrix."""
    return csr_array(hstack([designs[name][observed] for name in probe.order]))


def data_at(
    probe: Probe,
    weights: Mapping[str, Weights],
    point: Point,
    designs: Designs,
    given: Sequence[str],
) -> dict[str, Data]:
    """What the observations of each site tell, with the weights and responses at a point."""
    found = {}
    for one, of in weights.items():
        effects = effects_of(probe, designs, one)
        now = effects @ np.concatenate([np.ravel(point.deviations[n]) for n in probe.order])
        for name in given:
            now = now + designs[name][one] @ np.ravel(point.others[name])
        found[one] = Data(
            csr_array(effects.T @ of.times(effects)),
            effects.T @ (of.score + of.times(now)),
            {name: csr_array(effects.T @ of.times(designs[name][one])) for name in given},
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
    """The arrays of the exact form; None where it would be slow, and isn't asked for.

    Raises `Refusal` where it would be too large.
    """
    rows, blocks = blocked(probe, sum(abs(of.gram) for of in data))
    sizes = [probe.size(name) for name in probe.order]
    whole, dense = sum(sizes), sum(sizes[: len(sizes) - blocks])
    columns = (whole - dense) // rows
    at_once = dense + (columns if rows == 1 else 0)
    work = dense**2 * (dense // 3 + rows * columns)
    if form is None and (at_once > BORDER or work > WORK):
        return None
    if len(data) * whole * max(dense, columns) > LARGEST:
        text = "the exact form of '{site}' and those before would have too many numbers"
        hint = 'take form = "sequential".'
        raise wrong(probe.call, "large-exact", probe.order[-1], text, hint)
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
    tried: list[tuple[int, int, int]] = []
    for count in numbers_of_rows(probe, probe.order[-1]):
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


def sparse(probe: Probe, data: Sequence[Data], given: Sequence[str]) -> dict[str, Any]:
    """All there is, of elements that meet: what `elimination.sparse_mean` takes."""
    arrays = entries("gram", [of.gram for of in data])
    arrays["pull"] = np.stack([of.pull for of in data])
    for name in given:
        arrays |= entries(f"given.{name}", [of.given[name] for of in data])
    for name, own in rows_of(probe, data).items():
        arrays[f"rows.{name}"] = np.stack([block_diagonal(of.gram, own, own) for of in data])
    return arrays


def rows_of(probe: Probe, data: Sequence[Data]) -> dict[str, Any]:
    """The elements of each effect by its rows: (rows, columns), of all elements that there are.

    The columns are those of the prior's scale, or so many that observations couple no two rows.
    """
    gram = sum(abs(of.gram) for of in data)
    found, start = {}, 0
    for name in probe.order:
        end = start + probe.size(name)
        own = csr_array(gram[start:end][:, start:end])
        rows = [count for count in numbers_of_rows(probe, name) if apart(own, count)]
        fitting = [count for count in rows if probe.size(name) // count <= WIDEST]
        count = max(fitting, default=probe.size(name) // probe.columns[name])
        found[name] = np.arange(start, end).reshape(count, -1)
        start = end
    return found


def numbers_of_rows(probe: Probe, name: str) -> list[int]:
    """How many rows a site can be taken apart into, the most first."""
    shape = probe.shapes[name]
    counts = {int(np.prod(shape[:at], dtype=int)) for at in range(len(shape) + 1)}
    return sorted((n for n in counts if n <= probe.size(name) // probe.columns[name]), reverse=True)


def apart(gram: Any, rows: int) -> bool:
    """Whether observations couple no two of so many rows of a site."""
    entries, columns = gram.tocoo(), gram.shape[0] // rows
    kept = entries.data != 0
    return bool((entries.row[kept] // columns == entries.col[kept] // columns).all())


def coupled_rows(probe: Probe, data: Sequence[Data]) -> tuple[str, ...]:
    """The sites of which observations couple rows."""
    gram = sum(abs(of.gram) for of in data)
    return tuple(
        name
        for name, own in rows_of(probe, data).items()
        if not apart(
            csr_array(gram[own.min() : own.max() + 1][:, own.min() : own.max() + 1]), len(own)
        )
    )


def sequential(
    probe: Probe, data: Sequence[Data], given: Sequence[str]
) -> tuple[dict[str, Any], Sizes]:
    """The arrays of the sequential form."""
    arrays: dict[str, Any] = shapes(probe)
    rows = rows_of(probe, data)
    place = {name: slice(own.min(), own.max() + 1) for name, own in rows.items()}
    for at, (name, own) in enumerate(rows.items()):
        gram = np.stack([block_diagonal(of.gram, own, own) for of in data])
        arrays[f"{name}.G"], arrays[f"{name}.V"] = gram, gram + unseen(gram)
        arrays[f"{name}.h"] = np.stack([of.pull[own] for of in data])
        for later in probe.order[at + 1 :]:
            parts = [csr_array(of.gram[place[name]][:, place[later]]) for of in data]
            arrays |= meeting(f"{name}.{later}", parts, own.shape[1], rows[later].shape[1])
        for other in given:
            parts = [csr_array(of.given[other][place[name]]) for of in data]
            arrays |= meeting(f"{name}.given.{other}", parts, own.shape[1], 1)
    nonzero = sum(of.size for key, of in arrays.items() if key.endswith(".values"))
    return arrays, Sizes(0, 0, 0, nonzero)


def unseen(gram: Array) -> Array:
    """What makes matrices (parts, rows, k, k) regular, added up: 0 but where nothing is seen.

    It is about as large as they are, or 1 where they are 0.
    """
    values, vectors = np.linalg.eigh(gram.sum(0))
    none = values <= 1e-10 * values.max(-1, keepdims=True)
    onto = np.einsum("nij,nj,nkj->nik", vectors, none, vectors)
    size = np.trace(gram, axis1=-2, axis2=-1) / gram.shape[-1]
    size = np.where(size.sum(0) > 0, size, 1.0)
    return np.asarray(size[..., None, None] * onto)


def meeting(key: str, parts: Sequence[Any], own: int, other: int) -> dict[str, Any]:
    """The rows of two sites that meet, with the matrices (parts, pairs, own, other) of these.

    A row has `own` elements of the first, and `other` of the second.
    """
    flat = entries("", parts)
    row, column, values = flat[".rows"], flat[".columns"], flat[".values"]
    pair = row // own * (np.int64(parts[0].shape[1]) // other) + column // other
    pairs, at = np.unique(pair, return_inverse=True)
    matrices = np.zeros((len(parts), len(pairs), own, other))
    matrices[:, at, row % own, column % other] = values
    rows, columns = np.divmod(pairs, parts[0].shape[1] // other)
    return {
        f"{key}.rows": rows.astype(np.int32),
        f"{key}.columns": columns.astype(np.int32),
        f"{key}.values": matrices,
    }


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
