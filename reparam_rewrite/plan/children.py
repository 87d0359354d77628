"""What a config asks of a model: its children and their parents, with every setting spelled out.

`resolve` makes these values of a config and a survey; nothing that comes after reads the config.
"""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from reparam_rewrite.messages import Named, OfPair, Place, Problem
from reparam_rewrite.plan.values import Basis
from reparam_rewrite.survey.functions import Function
from reparam_rewrite.survey.values import Site


class Snippet(Struct, frozen=True):
    """A Python expression as the config has it."""

    text: str
    place: Place


class CoefficientSpec(Struct, frozen=True):
    """What is asked for of a coefficient.

    `structure` is "elementwise", "shared" or "matrix", or names the axes that it has elements for.
    `init` is a number, an array as nested tuples, or the name of an .npz that has the array by the
    `name`. This is also that of the `numpyro.param` if the coefficient is to be learned. `place` is
    where the config asks for it.
    """

    structure: str | list[str]
    init: float | tuple[Any, ...] | str
    learn: bool
    name: str
    place: Place

    @property
    def param(self) -> str:
        """The `numpyro.param` site, empty where the coefficient isn't learned."""
        return self.name if self.learn else ""

    @property
    def has_shape(self) -> bool:
        """Is there more than one number, or are there several to be learned?"""
        return self.learn or not isinstance(self.init, float)

    @property
    def is_elementwise(self) -> bool:
        """Is there one for every element of the child?"""
        return self.has_shape and self.structure == "elementwise"


class Pair(Struct, frozen=True):
    """A child and what it is offset by: a parent's `site`, or an expression in `value`.

    `parent` is the parent's name, or the label of the expression. `reduce` says what happens to
    an axis that the child lacks. `place` is where the config asks for the pair, `named` where it
    names the parent; in a chain these are the entries of the child and of the parent.
    """

    child: str
    parent: str
    place: Place
    named: Place
    coefficient: CoefficientSpec
    reduce: str
    site: Site | None = None
    value: Snippet | None = None
    center: float | Snippet | None = None

    @property
    def about(self) -> OfPair:
        """The pair as problems name it."""
        return OfPair(self.child, self.parent)


class PowerScale(Struct, frozen=True):
    """``scale = { by = "sigma", power = 0.5 }``, or with a power that is learned."""

    by: Pair
    power: float | CoefficientSpec


#: A number, one that is learned, an expression of the config, or a power of a site.
ScaleSpec = float | CoefficientSpec | Pair | PowerScale


class ReparamSpec(Struct, frozen=True):
    """``reparam = "LocScaleReparam"`` with its `arguments`, or a transform as a pair in `by`."""

    place: Place
    name: str
    arguments: tuple[tuple[str, Any], ...]
    by: Pair | None


class Child(Struct, frozen=True):
    """A site to be reparameterized, and where the config says so first."""

    site: Site
    place: Place
    pairs: tuple[Pair, ...]
    scale: ScaleSpec | None = None
    basis: Basis | None = None
    reparam: ReparamSpec | None = None

    @property
    def by(self) -> Pair | None:
        """What the scale or the transform is made of, if it is made of something in the model."""
        match self.scale or self.reparam:
            case Pair() as by:
                return by
            case PowerScale(by=by) | ReparamSpec(by=by):
                return by
        return None

    @property
    def scale_coefficient(self) -> CoefficientSpec | None:
        """What is learned of the scale: itself, or a power."""
        learned = self.scale.power if isinstance(self.scale, PowerScale) else self.scale
        return learned if isinstance(learned, CoefficientSpec) else None


#: The functions in which something is asked for, each with its children in sampling order.
Found = list[tuple[Function, list[Child]]]


def left_alone(functions: Found) -> Found:
    """The children that the model says to skip; of several places of one, the first."""
    found: Found = []
    for function, children in functions:
        skipped = {child.site.name: child for child in children[::-1] if child.site.skip}
        if skipped:
            found.append((function, list(skipped.values())[::-1]))
    return found


def to_rewrite(functions: Found) -> Found:
    """The functions that have other children, with those."""
    found = [
        (function, [c for c in children if not c.site.skip]) for function, children in functions
    ]
    return [(function, children) for function, children in found if children]


class Quoted(Protocol):
    """The config, of which only lines can be shown."""

    @property
    def path(self) -> str: ...

    def source_line(self, place: Place) -> str: ...


class Wanted(Struct, frozen=True):
    """The names that a config gives: of functions, and of all sites in the order of the file.

    `children` are those of them that something is to be done to.
    """

    functions: tuple[Named, ...]
    sites: tuple[Named, ...]
    children: frozenset[str]
    config: Quoted


class Request(Struct, frozen=True):
    """All that a config asks of a file.

    `unknown` are the functions and sites that it names and that can't be found, `problems` what it
    says of axes that isn't so, and `nothing` is what is wrong where it asks for nothing at all.
    """

    functions: Found
    unknown: tuple[Problem, ...]
    problems: list[Problem]
    nothing: Problem
    config: Quoted
