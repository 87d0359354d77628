"""What passes between the modules of `fit`.

::

    model, config    -> Child          probing: what is asked for
    model, args      -> Pilot          pilots
    Pilot, Child     -> Regression     probing: numbers, and nothing of NumPyro any more
    Regression       -> Fitted         regression; freezing, where it reads data
    Fitted           -> a TOML         writing; what is said of it: reporting

Arrays are NumPy's, float64, with the axis of draws first: n draws of a child of some shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reparam_rewrite.plan import children
from reparam_rewrite.plan.values import Value

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


class Child(NamedTuple):
    """A site that the config offsets or scales, as it was `asked` for.

    `key` is what the config calls it: a glob, or its name, ``beta_{k}``.
    """

    key: str
    asked: children.Child


class Pilot(NamedTuple):
    """Draws from the posterior: of the latent sites of the model as written, in their supports.

    `draws` are (n, ...) by site, and `chain` (n,) the numbers of their chains, which are
    contiguous. `how` says in words where they are from; `gradients` is what they cost, None if they
    came from a file.
    """

    draws: Mapping[str, Any]
    chain: Integers
    how: str
    gradients: int | None = None
    divergences: int = 0


class Regressor(NamedTuple):
    """What an offset adds to a child with a coefficient of 1.

    `parent` is a name, or the label of an expression; `param` that of the coefficient, whose shape
    in the generated model is `shape`. `values` (n, *shape of the child) are in its unconstrained
    space; of a `matrix` they are (n, ..., size): what each of its weights adds. `center` is the
    number that is subtracted from the parent; None for an expression, which stays. `met` is the
    parent's value as the generated model has it.
    """

    parent: str
    param: str
    values: Array
    shape: tuple[int, ...]
    center: float | None = 0.0
    matrix: bool = False
    met: Value | None = None


@dataclass(frozen=True)
class Regression:
    """A child, which the config calls `key`, and what it is offset by.

    values: (n, *shape), the child in unconstrained space, times its `scale` (n, *shape), without
    its offset. bases: orthonormal matrices (size, size) that are applied last, each with its axis
    from the right. scaled_by: (n, *shape), what the child is divided by with a power of 1, where
    the config asks for one; power: that of the scale of `values`; around: (n, *shape), the loc of
    its prior, where it is non-centred around that, so that `values` are without it. several: the
    config says the same of other sites too. function: the dotted name of that which samples it.
    subsampled: batches have a part of its elements, and so of an array of coefficients, which must
    be a param for that.
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
    function: str = ""
    subsampled: bool = False
    around: Array | None = None


class Frozen(NamedTuple):
    """What an expression of data is in this call: ``factor * (expression - center)``.

    `expression` reads sites alone, and `draws` (n, *shape) are its values. `factor`: a number, or
    one for each of the child's elements.
    """

    expression: str
    factor: float | Array
    center: float
    draws: Array


class Meeting(NamedTuple):
    """A projection in this call: which elements of a child and a parent meet, and with what weight.

    `rows` and `columns` are flat indices into the child, of shape `child`, and the parent, of shape
    `parent`; with `weights` they have an entry for each two that meet. `site` is the parent's name
    and `variable` has its value.
    `mean` is an expression of the model's names for it, where it is the mean over all elements of
    the parent for every element of the child.
    """

    site: str
    variable: str
    rows: Integers
    columns: Integers
    weights: Array
    child: tuple[int, ...]
    parent: tuple[int, ...]
    mean: str = ""

    def of(self, value: Array) -> Array:
        """The projection of a value of the parent, in the shape of the child."""
        added = self.weights * value.ravel()[self.columns]
        count = int(np.prod(self.child))
        found: Array = np.bincount(self.rows, added, minlength=count).astype(float)
        return found.reshape(self.child)

    @property
    def is_mean(self) -> bool:
        """Is it the mean over several elements, all that there are, for every one of the child?"""
        size = int(np.prod(self.parent))
        full = len(self.weights) == size * int(np.prod(self.child))
        return full and size > 1 and bool(np.allclose(self.weights, 1 / size, rtol=1e-9, atol=0))

    def arrays(self, name: str) -> dict[str, Any]:
        """The arrays of an .npz by which a generated model has it, called after its param."""
        return {
            f"{name}.rows": unraveled(self.rows, self.child),
            f"{name}.columns": unraveled(self.columns, self.parent),
            f"{name}.weights": self.weights,
            f"{name}.shapes": np.array([*self.child, -1, *self.parent], np.int64),
        }


def unraveled(flat: Integers, shape: tuple[int, ...]) -> Integers:
    """Flat indices as (dims, n) ones."""
    found = np.array(np.unravel_index(flat, shape)) if shape else np.zeros((0, len(flat)))
    return found.astype(np.int64)


@dataclass(frozen=True)
class Fitted:
    """What a child is to be offset by.

    `coefficients` are by param a float, or an array of its shape. `kind` is "none" (they are all
    0), "shared" or "elementwise". `narrowing` is by how much the base site is narrower than the
    child as written under the posterior: the ratio of their sds, its geometric mean over the
    elements that an offset moves, on draws that were held out. `power` is that of the scale, if it
    has one. `frozen` are by param, and `scale`, the numbers for what the config reads of data, and
    `meetings` by param those for where the child and its parents meet in data.
    """

    regression: Regression
    coefficients: Mapping[str, float | Array]
    kind: str
    narrowing: float
    power: float | None = None
    frozen: Mapping[str, Frozen] = field(default_factory=dict)
    meetings: Mapping[str, Meeting] = field(default_factory=dict)
    scale: float | None = None


class Better(NamedTuple):
    """A basis over all of `dims` of a site would make its base `narrowing` times narrower.

    That is beside the axes that the config has it for, and the geometric mean over all elements, on
    draws that were held out.
    """

    site: str
    dims: tuple[int, ...]
    narrowing: float


class Found(NamedTuple):
    """What a pilot tells of a config.

    `warnings` are what speaks against the coefficients, `least` the least effective sample size of
    the pilot's draws. `written` are the bases that went into the config, and `helpful` those that
    would help.
    """

    pilot: Pilot
    fits: list[Fitted]
    warnings: list[str]
    least: float
    written: tuple[Better, ...] = ()
    helpful: tuple[Better, ...] = ()
