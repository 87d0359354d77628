"""What a plan says: the values that `plan` makes and `emit` writes out.

Everything is decided here; nothing in these values needs the config or a parser to be understood.
Expressions are Python source. Positions are statement numbers of the survey.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from reparam_rewrite.messages import Place
from reparam_rewrite.plan.scales import Coordinates
from reparam_rewrite.structures import STRUCTURES, Structure
from reparam_rewrite.survey.expressions import grouped
from reparam_rewrite.survey.values import Scan, Segment, Site


class Span(Struct, frozen=True):
    """Several axes of a shape, from one to another, as in a slice: ``shape[start:end]``."""

    start: int | None = None
    end: int | None = None


WHOLE, NOTHING = Span(), Span(0, 0)

#: One axis of a shape, several that are side by side, or several in another order.
Part = int | Span | tuple[int, ...]


class ShapeAmong(Struct, frozen=True):
    """`part` of the parent's shape must be one of these parts of the child's."""

    part: int | Span
    among: tuple[Part, ...]


class Claim(Struct, frozen=True):
    """What the config says of axes: a "parent" or a "child" has so many of them.

    Or `of` is an expression by which the model computes the dim of a plate, which must be this one.
    A "matrix" has two.
    """

    of: str
    dims: int


#: What must hold of shapes when the model runs, or it raises an error.
Check = ShapeAmong | Claim


class Reduction(Struct, frozen=True):
    """The "mean" or "sum" over `axes`; over all of them where that is empty."""

    function: str
    axes: tuple[int, ...] = ()
    keepdims: bool = False


class Seen(Struct, frozen=True):
    """How one observed site sees a child, and what the parent adds to its observations.

    `index` picks the child's element of each observation, ``county`` or ``i, t``; it is "" where
    the child is one number. `weight` is what that is multiplied by and `added` the parent's part,
    ``s[state]``: "" is 1, and nothing.
    """

    index: str
    weight: str = ""
    added: str = ""


class Projection(Struct, frozen=True):
    """What a child can make up for of a parent where they meet in the data.

    That is the least-squares projection of what the parent adds to the observations on what the
    child does: for its element k

        sum_{n: index[n] = k} weight[n] * added[n] / sum_{n: index[n] = k} weight[n] ** 2

    over the observations n of all that is `seen`; 0 for an element that has none. `variable` holds
    it and `squares` the sum below.
    """

    seen: tuple[Seen, ...]
    variable: str = ""
    squares: str = ""

    @property
    def design(self) -> tuple[tuple[str, str], ...]:
        """What is seen of the child, whatever the parent adds."""
        return tuple((seen.index, seen.weight) for seen in self.seen)


class FrozenProjection(Struct, frozen=True):
    """The same as numbers of an .npz: which elements of both meet, and with what weights.

    Its arrays are called after the coefficient's param, P: ``P.rows`` (dims of the child, meetings)
    and ``P.columns`` (dims of the parent, meetings) are indices, ``P.weights`` is (meetings,), and
    ``P.shapes`` has the shapes that they are for, the child's, -1 and the parent's. `variable`
    holds the projection.
    """

    file: str
    variable: str = ""


#: By what it is told how a parent's value meets its child. The config says it ("as written" where
#: that is an expression without more to it), or an .npz of it ("frozen"); a sum in the model shows
#: it, or the child's own prior; or the names and sizes of their plates do ("axes"). A number meets
#: everything, and of what has nothing in common with the child the mean does.
Evidence = Literal[
    "as written", "config", "frozen", "sum", "prior", "axes", "number", "nothing in common"
]


class Value(Struct, frozen=True):
    """A parent's value in the shape that the child needs.

    Applied in this order: the `reduction`, then `order` (a permutation of the axes, empty: as they
    are), then `index` (items such as ":", "None", "0" and "..."), then minus `center`. `guarded`:
    it is broadcast to the child's shape, which fails where it would widen the site. `checks` are
    made before. `told`: the source tells both shapes, but not that they fit. In the place of all of
    these but the centre there may be a `projection`, which has the child's shape. `evidence` says
    by what the two were lined up.
    """

    expression: str
    reduction: Reduction | None = None
    order: tuple[int, ...] = ()
    index: tuple[str, ...] = ()
    center: str = ""
    guarded: bool = False
    checks: tuple[Check, ...] = ()
    told: bool = False
    projection: Projection | FrozenProjection | None = None
    evidence: Evidence = "as written"
    line: int = 0  # of the sum

    @property
    def is_plain(self) -> bool:
        """Is it the parent's value as it is?"""
        return not (self.reduction or self.order or self.index or self.projection)

    def written(self, jnp: Callable[[str], str]) -> str:
        """How it is written, but for its centre; `jnp` spells a function of jax.numpy."""
        text, by = self.expression, self.reduction
        if self.projection is not None:
            return self.projection.variable
        if by is not None:
            axes = f", axis={by.axes[0] if len(by.axes) == 1 else by.axes}" if by.axes else ""
            keep = ", keepdims=True" if by.keepdims else ""
            text = f"{jnp(by.function)}({text}{axes}{keep})"
        if self.order:
            order = "" if self.order == (1, 0) else f", {self.order}"
            text = f"{jnp('transpose')}({text}{order})"
        return f"{grouped(text)}[{', '.join(self.index)}]" if self.index else text

    @property
    def in_words(self) -> str:
        """The same for a person: ``s[state] per county``, ``jnp.mean(z)``."""
        match self.projection:
            case Projection(seen):
                parts = []
                for one in (one for one in seen if one.added):
                    by = f" by {one.weight}" if one.weight else ""
                    mean = f"jnp.mean({one.added})" if not one.weight else one.added
                    parts.append(f"{one.added} per {one.index}{by}" if one.index else f"{mean}{by}")
                return " and ".join(parts)
            case FrozenProjection(file):
                return f"{self.expression} per {file}"
        return self.written("jnp.{}".format)

    @property
    def at_run_time(self) -> bool:
        """Does only the run tell whether it fits?"""
        return self.guarded or bool(self.checks)


#: The sizes of an array; those of the child, as known at run time, where it is None.
Sizes = tuple[str, ...] | None


class CoefficientSpec(Struct, frozen=True):
    """What is asked for of a coefficient: all that distinguishes one kind from another.

    `structure` is one of `STRUCTURES`, or names the axes that it has elements for. `init` is a
    number, an array as nested tuples, or the name of an .npz that has the array by the `name`,
    which a `numpyro.param` has too, if there is to be one. `place` is where the config asks for it.
    """

    structure: str | list[str]
    init: float | tuple[Any, ...] | str
    learn: bool
    name: str
    place: Place

    @property
    def kind(self) -> Structure:
        """What its structure makes of it."""
        return STRUCTURES[self.structure] if isinstance(self.structure, str) else Structure()

    @property
    def has_shape(self) -> bool:
        """Is there more than one number, or are there several to be learned?"""
        return self.learn or not isinstance(self.init, float)

    @property
    def is_elementwise(self) -> bool:
        """Is there one for every element of the child?"""
        return self.has_shape and self.structure == "elementwise"


class Coefficient(Struct, frozen=True):
    """``numpyro.param("xi_a_mu", jnp.zeros(n))``, or where nothing is learned ``jnp.zeros(n)``

    `computed`: the param's name is a template, ``xi_beta_{k}_mu``. `event_dim` is set inside of a
    subsampled plate, which takes its part of the full-size param. `rest` is set where each is for a
    step of a scan, of which there may be more: these have it then.
    """

    spec: CoefficientSpec
    sizes: Sizes = ()
    computed: bool = False
    event_dim: int | None = None
    rest: int | None = None


class Term(Struct, frozen=True):
    """One summand of an offset: the coefficient times the value.

    `label` is the parent's name in the config. All coefficients but numbers have a `variable`,
    which holds them where they aren't declared in the offset itself; `step` holds the part that is
    one step's of a scan, if there is one. `product` is "*", element by element, or "@" of two
    matrices, or the subscripts of an einsum.
    """

    label: str
    coefficient: Coefficient
    value: Value
    variable: str = ""
    product: str = "*"
    step: str = ""


class Learned(Struct, frozen=True):
    """``a_scale = numpyro.param("scale_a", jnp.ones(n), constraint=constraints.positive)``

    `step` holds the part that is one step's of a scan, if there is one.
    """

    variable: str
    param: Coefficient
    step: str = ""


class Power(Struct, frozen=True):
    """``a_scale = sigma_a ** -0.5``, or ``sigma_a**-exponent`` with a param in this variable.

    `label` is the site that is meant, in the config; an expression of the config, to the power of
    minus -1, has none. `step` holds the exponent of one step of a scan, if each has its own.
    """

    variable: str
    value: Value
    power: float | Coefficient = -1.0
    label: str = ""
    exponent: str = ""
    step: str = ""


class Whitened(Struct, frozen=True):
    """A vector less the loc of its prior and with its offset, in units of a triangular matrix.

    That is the prior's own where it has no `value`, which the `variable` holds.
    """

    value: Value | None
    variable: str
    label: str = "scale_tril"


#: What a child is multiplied by before its offset is added.
Scale = float | Learned | Power | Whitened


class Centring(Struct, frozen=True):
    """``LocScaleReparam(centered=0.5)``, in a `variable`: the site that it samples is offset then.

    `centered` is a number, or a param in the variable `learned`. `shape_params` are those of the
    prior's arguments that are neither its loc nor its scale. `step` holds the part that is one
    step's of a scan, if there is one.
    """

    variable: str
    centered: float | Coefficient
    learned: str = ""
    shape_params: tuple[str, ...] = ()
    step: str = ""


class Basis(Struct, frozen=True):
    """The basis that a child is sampled in: its `kind` in `BASES`, and the code of its settings.

    `dims` are the axes, those `over_plates` of plates, or of the batch, rather than event axes.
    `place` is where the config asks for it.
    """

    place: Place
    kind: str
    dims: tuple[int, ...]
    settings: str = ""
    over_plates: frozenset[int] = frozenset()


class AskedShape(Struct, frozen=True):
    """The child's shape in unconstrained space: the prior's, broadcast with that of its `plates`.

    `variable` holds it, empty where ``prior.shape()`` is all of it. Where the plates' sizes can't
    be written there any more, `sizes` holds them, from before the statement `sized`.
    """

    variable: str
    plates: tuple[str, ...]
    sized: int
    sizes: str = ""


class AskedPrior(Struct, frozen=True):
    """The prior in a `variable`; `moved`: this is made for it, and the distribution moves there.

    Where it has more `around` a vector, ``.expand([n])``, that has a variable of its own.
    """

    variable: str
    moved: bool
    shape: AskedShape | None = None
    vector: str = ""
    around: str = ""


class Constrained(Struct, frozen=True):
    """``biject_to(constraints.positive)``, or without a `constraint` of the prior's own support.

    That is held by the variable `bijector` where it is needed twice.
    """

    constraint: str = ""
    bijector: str = ""


class Placement(Struct, frozen=True):
    """Before which statements the code of a child goes.

    Params are declared before `declare`, the offset is computed before `shift` (`declare` or
    deeper), and the handler becomes the first item of the `with` numbered `join`, or wraps the
    statement where that is None.
    """

    declare: int
    shift: int
    join: int | None = None


class OffsetRewrite(Struct, frozen=True):
    """A child that `ExplicitReparam` scales and offsets.

    `sizes` is the child's shape, None where only the run tells it. `support` is what the child is
    constrained to, None for the real line. `full`: the offset is broadcast to the child's shape, so
    that its prior is too. The variables `loc` and `reparam` hold the offset and the
    reparameterizer. On the arguments of the call in `data` depends how it comes from its base.
    The model has a handler for it that samples what is called `instead`. In the body of a scan
    `indent` is that of the statement that calls this.
    """

    site: Site
    function: str
    place: Placement
    reparam: str
    terms: tuple[Term, ...]
    sizes: Sizes
    loc: str
    support: Constrained | None = None
    prior: AskedPrior | None = None
    scale: Scale | None = None
    basis: Basis | None = None
    full: bool = False
    data: tuple[str, ...] = ()
    centring: Centring | None = None
    instead: str = ""
    indent: int | None = None


class ScanRewrite(Struct, frozen=True):
    """A child in the body of a scan, which is offset by its distribution's `loc`.

    `indent` is that of the statement that calls scan. `base` is the variable for the base site,
    and `position` tells which argument of the distribution is its `loc`.
    """

    site: Site
    function: str
    place: Placement
    terms: tuple[Term, ...]
    loc: str
    base: str
    position: int
    indent: int


class OtherRewrite(Struct, frozen=True):
    """A child of another reparameterizer of NumPyro: its class, and its arguments as code."""

    site: Site
    function: str
    place: Placement
    reparam: str
    name: str
    arguments: str
    data: tuple[str, ...] = ()


class ConditionalRewrite(Struct, frozen=True):
    """A site that is sampled as what is standard normal given the data.

    The variable `reparam` holds what all of these share; the first has it as `coordinates`.
    """

    site: Site
    function: str
    place: Placement
    reparam: str
    coordinates: Coordinates | None = None


#: One child and what is done to it.
Rewrite = OffsetRewrite | ScanRewrite | OtherRewrite | ConditionalRewrite


def terms_of(rewrite: Rewrite) -> tuple[Term, ...]:
    """The summands of a child's offset, if it has one."""
    return rewrite.terms if isinstance(rewrite, OffsetRewrite | ScanRewrite) else ()


def indent_of(rewrite: Rewrite) -> int | None:
    """The indent of the statement that calls a scan, if the child is in the body of one."""
    return rewrite.indent if isinstance(rewrite, OffsetRewrite | ScanRewrite) else None


def scaled_by(rewrite: Rewrite) -> tuple[str, Value] | None:
    """The value that a child's scale is computed of, with the name that the config has for it."""
    scale = rewrite.scale if isinstance(rewrite, OffsetRewrite) else None
    if not isinstance(scale, Power | Whitened) or scale.value is None:
        return None
    return scale.label, scale.value


class Threading(Struct, frozen=True):
    """What goes through the `xs` of a scan for the children in its body.

    `carried` are expressions, each with the name that holds a step's part of it. They come with the
    slices in the parameter of the body, or if nothing came in that, in its place in `packed`.
    """

    scan: Scan
    carried: tuple[tuple[str, str], ...]
    packed: str


class Keep(Struct, frozen=True):
    """``mu_site = mu`` after the statement that samples mu: the name is bound again later.

    Without a `variable` the sampled value has no name: it is given this one in the statement,
    ``params["mu"] = mu = numpyro.sample("mu", ...)``. `site` is where the site's name stands.
    """

    after: int
    name: str
    variable: str
    site: Segment


class Met(Struct, frozen=True):
    """How a `parent` is taken by its child: its `value` in words, and by what `evidence`.

    `line` is that of the sum in the model that shows it, if one does.
    """

    parent: str
    value: str
    evidence: Evidence
    line: int = 0


class Account(Struct, frozen=True):
    """One line of the report: a configured site, what offsets it, and where that is said.

    `notes` are what the person should know beside, in words. `skipped`: the site has a comment
    that says so, and `parents` are what it would have been offset by. `meets` are those of its
    offset, in the order of `parents`. `as_written`: the config leaves it as the model has it.
    `sampled` is where a function of another file samples it, which is called in `line`.
    """

    path: str
    line: int
    site: str
    function: str
    parents: tuple[str, ...]
    config: Place
    details: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: bool = False
    meets: tuple[Met, ...] = ()
    as_written: bool = False
    sampled: Place | None = None


class Plan(Struct, frozen=True):
    """All that is to be done to a file; `names` are the variables that it makes up.

    `already`: the file was rewritten before, so nothing is done.
    """

    rewrites: tuple[Rewrite, ...]
    keeps: tuple[Keep, ...]
    accounts: tuple[Account, ...]
    threads: tuple[Threading, ...] = ()
    names: frozenset[str] = frozenset()
    already: bool = False
