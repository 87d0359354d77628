"""What a plan says: the values that `plan` makes and `emit` writes out.

Everything is decided here; nothing in these values needs the config or a parser to be understood.
Expressions are Python source. Positions are statement numbers of the survey.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from reparam_rewrite.messages import Place
from reparam_rewrite.survey.values import Segment, Site

# -- shapes, as the generated code asks for them when it runs -------------------------------------


class Span(Struct, frozen=True):
    """Several axes of a shape, from one to another, as in a slice: ``shape[start:end]``."""

    start: int | None = None
    end: int | None = None


WHOLE, NOTHING = Span(), Span(0, 0)

#: One axis of a shape, or several of them.
Part = int | Span


class ShapeAmong(Struct, frozen=True):
    """`part` of the parent's shape must be one of these parts of the child's."""

    part: Part
    among: tuple[Part, ...]


class ShapeOrdered(Struct, frozen=True):
    """The parent's axes must be those of the child, counted from the right, in this order."""

    order: tuple[int, ...]


class ParentHas(Struct, frozen=True):
    """The parent must have so many axes."""

    dims: int


class ChildHas(Struct, frozen=True):
    """The child must have so many axes."""

    dims: int


class PlateAt(Struct, frozen=True):
    """The plate whose dim the model computes by the expression `text` must be at `dim`."""

    dim: int
    text: str


#: What must hold of shapes when the model runs, or it raises an error.
Check = ShapeAmong | ShapeOrdered | ParentHas | ChildHas | PlateAt

# -- what an offset is made of --------------------------------------------------------------------


class Reduction(Struct, frozen=True):
    """The "mean" or "sum" over `axes`; over all of them where that is empty."""

    function: str
    axes: tuple[int, ...] = ()
    keepdims: bool = False


class Value(Struct, frozen=True):
    """A parent's value in the shape that the child needs.

    Applied in this order: the `reduction`, then `order` (a permutation of the axes, empty: as they
    are), then `index` (items such as ":", "None", "0" and "..."), then minus `center`. `guarded`:
    it is broadcast to the child's shape, which fails where it would widen the site. `checks` are
    made before. `told`: the source tells both shapes, but not that they fit.
    """

    expression: str
    reduction: Reduction | None = None
    order: tuple[int, ...] = ()
    index: tuple[str, ...] = ()
    center: str = ""
    guarded: bool = False
    checks: tuple[Check, ...] = ()
    told: bool = False

    @property
    def at_run_time(self) -> bool:
        """Does only the run tell whether it fits?"""
        return self.guarded or bool(self.checks)


#: The sizes of an array; those of the child, as known at run time, where it is None.
Sizes = tuple[str, ...] | None


class Name(Struct, frozen=True):
    """The name of a param or of an array; `computed`: it is a template, ``xi_beta_{k}_mu``."""

    text: str
    computed: bool = False


class Number(Struct, frozen=True):
    """``0.5``, or as the start of a param ``jnp.full(n, 0.5)``"""

    value: float
    sizes: Sizes = ()


class Array(Struct, frozen=True):
    """``jnp.broadcast_to(jnp.array([0.5, 1.0]), (n,))``, of nested tuples."""

    rows: tuple[Any, ...]
    sizes: Sizes


class Stored(Struct, frozen=True):
    """``jnp.broadcast_to(jnp.load(...)["xi_a_mu"], (n,))``, from an .npz beside the file."""

    file: str
    name: Name
    sizes: Sizes


#: What an array is made from, or a param starts from.
Start = Number | Array | Stored


class Param(Struct, frozen=True):
    """``numpyro.param("xi_a_mu", jnp.zeros(n))``

    `event_dim` is set inside of a subsampled plate, which takes its part of the full-size param.
    """

    name: Name
    start: Start
    event_dim: int | None = None

    @property
    def sizes(self) -> Sizes:
        return self.start.sizes


#: The factor of a parent.
Coefficient = Start | Param


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


# -- what else happens to a child -----------------------------------------------------------------


class Expression(Struct, frozen=True):
    """``a_scale = 1 / sigma_a``"""

    variable: str
    value: Value


class Learned(Struct, frozen=True):
    """``a_scale = numpyro.param("scale_a", jnp.ones(n), constraint=constraints.positive)``"""

    variable: str
    param: Param


class Power(Struct, frozen=True):
    """``a_scale = sigma_a ** -0.5``; `label` is the site that is meant, in the config."""

    variable: str
    value: Value
    label: str
    power: float


class LearnedPower(Struct, frozen=True):
    """``a_scale = sigma_a**-power_a_sigma_a``, with a param in the `exponent`."""

    variable: str
    value: Value
    label: str
    param: Param
    exponent: str


#: What a child is multiplied by before its offset is added.
Scale = float | Expression | Learned | Power | LearnedPower


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


# -- what the generated code must ask of the prior when it runs -----------------------------------


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
    """The prior in a `variable`; `moved`: this is made for it, and the distribution moves there."""

    variable: str
    moved: bool
    shape: AskedShape | None = None


class FixedSupport(Struct, frozen=True):
    """``biject_to(constraints.positive)``"""

    constraint: str


class PriorSupport(Struct, frozen=True):
    """``biject_to(a_prior.support)``; the `bijector` holds it where it is needed twice."""

    bijector: str = ""


# -- the rewrites ---------------------------------------------------------------------------------


class Placement(Struct, frozen=True):
    """Before which statements the code of a child goes.

    Params are declared before `declare`, the offset is computed before `shift` (`declare` or
    deeper), and the handler becomes the first item of the `with` numbered `join`, or wraps the
    statement where that is None.
    """

    declare: int
    shift: int
    join: int | None = None


class DataDependence(Struct, frozen=True):
    """The `arguments` of the call that the map between a child and its base depends on.

    Draws of the child count by name where one of the `optional`, what is observed, is None.
    `untold`: there are observations of which that can't be told.
    """

    arguments: tuple[str, ...]
    optional: tuple[str, ...] = ()
    untold: bool = False


class OffsetRewrite(Struct, frozen=True):
    """A child that `ExplicitReparam` scales and offsets.

    `sizes` is the child's shape, None where only the run tells it. `support` is what the child is
    constrained to, None for the real line. `full`: the offset is broadcast to the child's shape, so
    that its prior is too. The variables `loc` and `reparam` hold the offset and the
    reparameterizer.
    """

    site: Site
    function: str
    place: Placement
    reparam: str
    terms: tuple[Term, ...]
    sizes: Sizes
    loc: str
    support: FixedSupport | PriorSupport | None = None
    prior: AskedPrior | None = None
    scale: Scale | None = None
    basis: Basis | None = None
    full: bool = False
    data: DataDependence | None = None


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
    data: DataDependence | None = None


#: One child and what is done to it.
Rewrite = OffsetRewrite | ScanRewrite | OtherRewrite


def terms_of(rewrite: Rewrite) -> tuple[Term, ...]:
    """The summands of a child's offset, if it has one."""
    return () if isinstance(rewrite, OtherRewrite) else rewrite.terms


def scaled_by(rewrite: Rewrite) -> tuple[str, Value] | None:
    """The value that a child's scale is computed of, with the name that the config has for it."""
    match rewrite:
        case OffsetRewrite(scale=Expression(value=value)):
            return "", value
        case OffsetRewrite(scale=Power(value=value, label=label)):
            return label, value
        case OffsetRewrite(scale=LearnedPower(value=value, label=label)):
            return label, value
    return None


class Threading(Struct, frozen=True):
    """What goes through the `xs` of a scan for the children in its body.

    The statement `call` calls scan with the function `body`, whose `def` is the statement
    `definition`. `carried` are expressions, each with the name that holds a step's part of it
    from the statement `first` on, which is indented by `indent`. They come with the slices in the
    parameter `argument`, or if nothing came in that, in its place in `packed`.
    """

    call: int
    body: str
    definition: int
    first: int
    indent: int
    argument: str
    packed: str
    carried: tuple[tuple[str, str], ...]


class Keep(Struct, frozen=True):
    """``mu_site = mu`` after the statement that samples mu: the name is bound again later.

    Without a `variable` the sampled value has no name: it is given this one in the statement,
    ``params["mu"] = mu = numpyro.sample("mu", ...)``. `site` is where the site's name stands.
    """

    after: int
    name: str
    variable: str
    site: Segment


class Account(Struct, frozen=True):
    """One line of the report: a configured site, what offsets it, and where that is said.

    `notes` are what the person should know beside, in words. `skipped`: the site has a comment
    that says so, and `parents` are what it would have been offset by.
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
