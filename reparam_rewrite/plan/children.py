"""What a config asks of a model: its children and their parents, with every setting spelled out.

`resolve` makes these values of a config and a survey; nothing that comes after reads the config.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.messages import Filler, OfPair, OfSite, Place, Problem
from reparam_rewrite.plan.values import Basis, CoefficientSpec
from reparam_rewrite.reparameterizers import DECENTERED, REPARAMETERIZERS
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.functions import Function
from reparam_rewrite.survey.values import Frame, Scan, Site


class Stop(Exception):
    """A child can't be rewritten; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Asked(Struct, frozen=True):
    """A site that something is asked of, of which it can be said that it can't be done."""

    site: Site | None

    @property
    def about(self) -> tuple[OfSite | OfPair, Place]:
        """What a problem with it is about, and where that is if nothing else is said."""
        assert self.site is not None
        return OfSite(self.site.name), self.site.place

    def problem(
        self, code: str, text: str, hint: str, place: Place | None = None, **parts: Filler
    ) -> Problem:
        """That a site can't be rewritten, or not in this way, or not by this parent.

        It is where the config asks for the pair, or the site is sampled, if no `place` is given. Of
        the site, or of the parent, a message can tell where it is sampled (`at`), the `helper` that
        does that, its `variable` and the `family` of its prior.
        """
        (whose, default), site = self.about, self.site
        if site is not None:
            named, family = site.variable or identifier(site.name), str(site.prior.family)
            told: dict[str, Filler] = {
                "at": site.place,
                "helper": site.through,
                "variable": named,
                "family": family,
            }
            parts = told | parts
        return Problem(code, whose, place or default, text, hint, parts)

    def stop(
        self, code: str, text: str, hint: str, place: Place | None = None, **parts: Filler
    ) -> Stop:
        """The same, to be raised where the child's code is made."""
        return Stop(self.problem(code, text, hint, place, **parts))


class Snippet(Struct, frozen=True):
    """A Python expression as the config has it."""

    text: str
    place: Place


class Bound(Struct, frozen=True):
    """A name that is bound by a statement that may sample nothing: ``tau = jnp.exp(log_tau)``.

    It has what else is asked of a site that must be sampled before another.
    """

    name: str
    statement: int
    place: Place
    frames: tuple[Frame, ...] = ()
    scan: Scan | None = None
    step: Site | None = None

    @property
    def order(self) -> tuple[int, int]:
        return self.statement, -1


#: Why a parent must be sampled first: its child is offset by it, or both are sampled given the data
#: in that order; or the first of these needs it for a scale, or to take from the observations.
Need = Literal["offset", "order", "scale", "given"]


class Pair(Asked, frozen=True):
    """A child and what it is offset by: a parent's `site`, or an expression in `value`.

    `parent` is the parent's name, or the label of the expression. `reduce` says what happens to
    an axis that the child lacks. `place` is where the config asks for the pair, `named` where it
    names the parent; in a chain these are the entries of the child and of the parent. `per` and
    `weight` say how observations see the child, where `value` is one number for each; `per` may be
    an .npz. `has_named_axes`: the config tells which axes of both are one. `bound` is a name that
    the child needs, where no site has its value.
    """

    child: str
    parent: str
    place: Place
    named: Place
    coefficient: CoefficientSpec
    reduce: str
    value: Snippet | None = None
    center: float | Snippet | None = None
    per: Snippet | None = None
    weight: Snippet | None = None
    has_named_axes: bool = False
    need: Need = "offset"
    bound: Bound | None = None

    @property
    def is_frozen(self) -> bool:
        return self.per is not None and self.per.text.endswith(".npz")

    @property
    def about(self) -> tuple[OfPair, Place]:
        return OfPair(self.child, self.parent), self.place


def plain_pair(
    child: str, parent: str, place: Place, site: Site | None, value: Snippet | None = None
) -> Pair:
    """A child and what it only reads: nothing is offset by that."""
    spec = CoefficientSpec("shared", 1.0, learn=False, name="", place=place)
    return Pair(site, child, parent, place, place, spec, "mean", value)


def after(child: str, earlier: Site | Bound, place: Place, need: Need) -> Pair:
    """A child and what it comes after."""
    site, bound = (None, earlier) if isinstance(earlier, Bound) else (earlier, None)
    return replace(plain_pair(child, earlier.name, place, site), need=need, bound=bound)


class PowerScale(Struct, frozen=True):
    """``scale = { by = "sigma", power = 0.5 }``, or with a power that is learned."""

    by: Pair
    power: float | CoefficientSpec


class Whitening(Struct, frozen=True):
    """``scale_tril = true``, or of what is in `by`: ``scale_tril = "sigma[:, None] * L"``"""

    place: Place
    by: Pair | None


class ReparamSpec(Struct, frozen=True):
    """``reparam = "LocScaleReparam"`` with its `arguments`, or a transform as a pair in `by`."""

    place: Place
    name: str
    arguments: tuple[tuple[str, Any], ...]
    by: Pair | None


class Effects(Struct, frozen=True):
    """The sites that are sampled given the data, in their order, and what the config says of them.

    `data` is the name of an .npz, "" if there is none yet. `noise` has the scales of observed sites
    and `scales` those of effects that it tells, by name; `given` are the sites that stay.
    """

    order: tuple[str, ...] = ()
    place: Place | None = None
    form: str = "exact"
    data: str = ""
    noise: Mapping[str, Snippet] = {}
    given: tuple[str, ...] = ()
    scales: Mapping[str, Snippet] = {}

    def before(self, name: str) -> tuple[str, ...]:
        """What is sampled before one of them."""
        return self.order[: self.order.index(name)]


class Child(Asked, frozen=True):
    """A site to be reparameterized, and where the config says so first.

    Its `scale` is a number, one that is learned, an expression of the config, a power of a site, or
    the matrix of a vector.
    `effects`: it is one of these, and `after` says what must be sampled before it. `centered`: it
    is sampled as what is partially non-centred around its prior's loc, by a number or a learned
    one, and that is offset. `instead`: the model has a reparam handler for it, which samples this.
    """

    site: Site
    function: Function
    place: Place
    pairs: tuple[Pair, ...]
    scale: float | CoefficientSpec | Pair | PowerScale | Whitening | None = None
    basis: Basis | None = None
    reparam: ReparamSpec | None = None
    effects: Effects | None = None
    after: tuple[Pair, ...] = ()
    centered: float | CoefficientSpec | None = None
    instead: str = ""

    @property
    def name(self) -> str:
        return self.site.name

    @property
    def places(self) -> list[Site]:
        """Where it is sampled: one site, or several of one name."""
        return self.function.find(self.name)

    @property
    def is_shifted(self) -> bool:
        """Does a transform of its own map it, or what is sampled instead of it?"""
        own = self.reparam is None and self.effects is None and not self.is_decentered
        return own or bool(self.pairs or self.basis)

    @property
    def starts_as_written(self) -> bool:
        """Is it sampled as the model writes it, until something is learned?"""
        if self.effects is not None or self.basis is not None or self.is_decentered:
            return False
        if self.reparam is not None:
            return dict(self.reparam.arguments).get("centered") == 1
        match self.scale:
            case PowerScale(power=CoefficientSpec(init=power)) | PowerScale(power=power):
                kept = power == 0
            case CoefficientSpec(init=number):
                kept = number == 1
            case other:
                kept = other in (None, 1.0)
        return kept and all(is_zero(pair.coefficient.init) for pair in self.pairs)

    @property
    def is_as_written(self) -> bool:
        """Is it always sampled so, as all of its coefficients are 0?"""
        return self.starts_as_written and not any(spec.learn for spec in self.coefficients)

    @property
    def is_decentered(self) -> bool:
        """Is it partially non-centred? All of it would be the site as written."""
        return self.centered not in (None, 1.0)

    @property
    def sampled(self) -> str:
        """The name of what the model samples of it, and what is offset."""
        return self.instead or self.name

    @property
    def base(self) -> str:
        """The name of the site that is sampled instead of it."""
        if self.reparam is not None:
            return REPARAMETERIZERS[self.reparam.name].base.format(self.name)
        name = DECENTERED.format(self.name) if self.is_decentered else self.sampled
        return f"{name}_base" if self.is_shifted or self.effects is not None else name

    @property
    def by(self) -> Pair | None:
        """What the scale or the transform is made of, if it is made of something in the model."""
        match self.scale or self.reparam:
            case Pair() as by:
                return by
            case PowerScale(by=by) | ReparamSpec(by=by) | Whitening(by=by):
                return by
        return None

    @property
    def all_pairs(self) -> tuple[Pair, ...]:
        """Its offset's, and what the scale or the transform is made of."""
        return self.pairs if self.by is None else (*self.pairs, self.by)

    @property
    def earlier(self) -> tuple[Pair, ...]:
        """The pairs whose parent must be sampled before it."""
        return (*self.all_pairs, *self.after)

    @property
    def scale_coefficient(self) -> CoefficientSpec | None:
        """What is learned of the scale: itself, or a power, or how far it is centred."""
        learned = self.scale.power if isinstance(self.scale, PowerScale) else self.scale
        learned = self.centered if learned is None else learned
        return learned if isinstance(learned, CoefficientSpec) else None

    @property
    def coefficients(self) -> list[CoefficientSpec]:
        """Those of the parents and, if something is learned of it, that of the scale."""
        scale = self.scale_coefficient
        return [pair.coefficient for pair in self.pairs] + ([] if scale is None else [scale])


def is_zero(init: object) -> bool:
    """Is a coefficient 0 where it starts, for all elements? What an .npz has isn't known."""
    return all(map(is_zero, init)) if isinstance(init, tuple) else init == 0


def left_alone(children: list[Child]) -> list[Child]:
    """The children that the model says to skip; of several places of one, the first."""
    found: dict[tuple[str, str], Child] = {}
    for child in reversed(children):
        if child.site.skip:
            found[child.function.name, child.name] = child
    return list(found.values())[::-1]
