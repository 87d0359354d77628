"""Values that need not be one array: what they hold, and how it is put together.

Arguments, params, deterministic values and what a model returns may be dicts, tuples and other
trees. jax takes those whose keys can be sorted; here keys may be of several types.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

NUMBERS = (jax.Array, np.ndarray, np.generic, float, int, complex)


def is_array(value: Any) -> bool:
    """Whether a value is something to compute with: numbers, not texts, objects or keys."""
    if not isinstance(value, NUMBERS) or not hasattr(value, "dtype"):
        return isinstance(value, NUMBERS)
    is_key = jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
    return not is_key and np.dtype(value.dtype).kind not in "USOV"


def inexact(value: Any) -> bool:
    """Whether the numbers of an array are real or complex ones."""
    return bool(jnp.issubdtype(jnp.result_type(value), jnp.inexact))


def walked(value: Any, where: str = "") -> Iterator[tuple[str, Any, int | None]]:
    """(where, part, how much it holds) of a value and all that it holds, a leaf with None.

    The order doesn't depend on that of dicts.
    """
    inner = children(value)
    yield where, value, None if inner is None else len(inner)
    for step, one in inner or ():
        yield from walked(one, f"{where}{step}")


def children(value: Any) -> list[tuple[str, Any]] | None:
    """What a container holds, by how it is got from it; None for what is no container."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (type(key).__name__, repr(key)))
        return [(f"[{key!r}]", value[key]) for key in keys]
    if isinstance(value, list | tuple):
        names = getattr(value, "_fields", None)
        steps = [f".{name}" for name in names] if names else [f"[{at}]" for at in range(len(value))]
        return list(zip(steps, value, strict=True))
    if value is None or is_array(value):
        return None
    try:
        leaves = jax.tree.leaves(value, is_leaf=lambda one: one is not value)
    except Exception:
        return None
    if len(leaves) == 1 and leaves[0] is value:
        return None
    return [(f"<{at}>", leaf) for at, leaf in enumerate(leaves)]


def parts(value: Any) -> list[tuple[str, Any]]:
    """(where, leaf) of all that a value holds."""
    return [(where, part) for where, part, size in walked(value) if size is None]


def arrays(value: Any) -> list[Any]:
    """The arrays and numbers in a value."""
    return [leaf for _, leaf in parts(value) if is_array(leaf)]


def form(value: Any) -> tuple[tuple[str, str], ...]:
    """(where, what) of all that a value holds: how it is put together, without its numbers."""
    found = list(walked(value))
    held = [(w, f"a {type(one).__name__} of {size}") for w, one, size in found if size is not None]
    return (*held, *((where, described(leaf)) for where, leaf, size in found if size is None))


def described(leaf: Any) -> str:
    """What a leaf is: a text as it is, numbers as that they are, anything else by its type."""
    if leaf is None or isinstance(leaf, str | bytes):
        return repr(leaf)
    if is_array(leaf):
        return "numbers"
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "US":
        return repr(leaf.tolist())
    return str(getattr(leaf, "__qualname__", type(leaf).__qualname__))


def described_in_full(value: Any) -> str:
    """A value as text, the same for equal ones of two files."""

    def shown(leaf: Any) -> str:
        return np.array2string(np.asarray(leaf)) if is_array(leaf) else described(leaf)

    return ", ".join(f"{where} {shown(leaf)}".strip() for where, leaf in parts(value))


def shape(value: Any) -> Any:
    """The shape of an array; of anything else what it is made of."""
    if is_array(value) or hasattr(value, "shape"):
        return tuple(jnp.shape(value))
    return tuple((where, tuple(np.shape(leaf))) for where, leaf in parts(value))


def mapped(function: Any, value: Any) -> Any:
    """`value` with `function` of each of its leaves: of what no tree can be made, as it is."""
    if type(value) is dict:
        return {key: mapped(function, one) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(mapped(function, one) for one in value)
    if isinstance(value, NUMBERS):
        return function(value)
    try:
        return jax.tree.map(function, value)
    except Exception:
        return value


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same, to the last bit. NaN is NaN."""
    if form(one) != form(other):
        return False
    pairs = zip(arrays(one), arrays(other), strict=True)
    return all(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=inexact(a)) for a, b in pairs)
