"""What passes between the modules of `fit`.

::

    model, config    -> Child, Pair    children
    model, args      -> Pilot          pilots
    Pilot, Child     -> Regression     probing: numbers, and nothing of NumPyro any more
    Regression       -> Fitted         regression
    Fitted           -> a TOML         writing; what is said of it: reporting

Arrays are NumPy's, float64, with the axis of draws first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Pair:
    """An offset that the config asks for.

    `parent` is the parent's name, or the label of an expression. A model may put names together:
    `param` then has the same part as its child, ``xi_beta_{k}_mu``. `center` is the number that is
    subtracted from the parent; None for an expression, which stays.
    """

    parent: str
    param: str
    center: float | None
    matrix: bool = False


@dataclass(frozen=True)
class Child:
    """A site that the config offsets or scales.

    `name` is what the source has, ``beta_{k}``; `key` what the config calls it, a glob or `name`
    itself. `power`: of its scale, None where that isn't a power of another site.
    """

    key: str
    name: str
    pairs: tuple[Pair, ...]
    power: float | None = None


@dataclass(frozen=True)
class Pilot:
    """Draws from the posterior: of the latent sites of the model as written, in their supports.

    `draws` have the shapes (n, ...), and `chain` has for each the number of its chain, which are
    contiguous. `gradients` is what they cost, None if they came from a file; `how` says in words
    where they are from.
    """

    draws: Mapping[str, Any]
    chain: Integers
    how: str
    gradients: int | None = None
    divergences: int = 0

    @property
    def count(self) -> int:
        return len(self.chain)


@dataclass(frozen=True)
class Frozen:
    """What an expression of data is in this call: ``factor * (expression - center)``.

    `expression` reads sites alone, and `draws` (n, *shape) are its values. `factor`: a number, or
    one for each of the child's elements.
    """

    expression: str
    factor: float | Array
    center: float
    draws: Array


@dataclass(frozen=True)
class Regressor:
    """What an offset adds to a child with a coefficient of 1.

    `values` (n, *shape) are in the child's unconstrained space; `shape` is that of the param in
    the generated model. Of a matrix `values` are (n, *shape, size): what each of its weights adds.
    `frozen`: where it reads data, what is to be written instead.
    """

    pair: Pair
    param: str
    values: Array
    shape: tuple[int, ...]
    frozen: Frozen | None = None


@dataclass(frozen=True)
class Regression:
    """A child and what it is offset by.

    values: (n, *shape), the child in unconstrained space, times its scale, without its offset.
    bases: orthonormal matrices (size, size) that are applied last, each with its axis from the
    right. scaled_by: (n, *shape), what the child is divided by with a power of 1; None without
    `by`. `power`: of the scale of `values`. `several`: the config says the same of other sites too.
    scale: (n, *shape), what `values` were multiplied by; frozen_scale: the number that it is in
    this call, where it is an expression of data.
    """

    child: str
    key: str
    values: Array
    regressors: tuple[Regressor, ...]
    bases: tuple[tuple[Array, int], ...] = ()
    scaled_by: Array | None = None
    power: float = 0.0
    several: bool = False
    scale: Array | None = None
    frozen_scale: float | None = None


@dataclass(frozen=True)
class Better:
    """A basis over `dims` of a site, all of them, would make its base `narrowing` times narrower.

    Beside the axes that the config has it for; the geometric mean over all elements, on draws that
    were held out.
    """

    site: str
    dims: tuple[int, ...]
    narrowing: float


@dataclass(frozen=True)
class Bases:
    """Those that went into the config, and those that would help but did not."""

    written: tuple[Better, ...] = ()
    helpful: tuple[Better, ...] = ()


@dataclass(frozen=True)
class Fitted:
    """What a child is to be offset by.

    `coefficients` are by param a float, or an array of the param's shape. `kind` is "none" (they
    are all 0), "shared" or "elementwise". `narrowing` is by how much the base site is narrower
    than the child as written under the posterior: the ratio of their sds, its geometric mean over
    the elements that an offset moves, on draws that were held out. `power` is that of the scale,
    None where it has none.
    """

    regression: Regression
    coefficients: Mapping[str, float | Array]
    kind: str
    narrowing: float
    power: float | None = None
