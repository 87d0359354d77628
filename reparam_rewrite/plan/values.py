"""What a plan says: the values that `plan` makes and `emit` writes out.

Everything is decided here; nothing in these values needs the config or a parser to be understood.
Expressions are Python source. Positions are statement numbers of the survey.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.messages import Place
from reparam_rewrite.survey.values import Site


class Check(Struct, frozen=True):
    """What must hold of shapes when the model runs, or it raises an error.

    `own` is the part of the parent's shape, as an index of it: "" for all of it, "[:-1]", "[0]".
    It must be one of `among`, each a part of the child's shape: an axis, counted from the right,
    or those from one to another, of which None is the end; (0, 0) is ``()``. Or all of it must be
    the axes of the child in that `order`. Or the parent, or the `child`, must have `dims` axes. Or
    `text` must be that number.
    """

    own: str = ""
    among: tuple[int | tuple[int | None, int | None], ...] = ()
    order: tuple[int, ...] = ()
    dims: int | None = None
    child: bool = False
    text: str = ""


class Value(Struct, frozen=True):
    """A parent's value in the shape that the child needs.

    Applied in this order: `reduce` ("mean" or "sum") over `axes` (empty: over all of them), then
    `order` (a permutation of the axes, empty: as they are), then `index` ("[:, None]"), then
    minus `center`. `guarded`: broadcast to the child's shape, which fails where it would widen.
    `checks` are made before. `told`: the source tells both shapes, but not that they fit.
    """

    expression: str
    reduce: str = ""
    axes: tuple[int, ...] = ()
    keepdims: bool = False
    order: tuple[int, ...] = ()
    index: str = ""
    center: str = ""
    guarded: bool = False
    checks: tuple[Check, ...] = ()
    told: bool = False

    @property
    def at_run_time(self) -> bool:
        """Does only the run tell whether it fits?"""
        return self.guarded or bool(self.checks)

    @property
    def plain(self) -> bool:
        return replace(self, expression="") == Value("")


class Coefficient(Struct, frozen=True):
    """The factor of a parent: the `numpyro.param` named `param`, or a literal if that is empty.

    `sizes` is its shape, () for a scalar, None for the child's shape as known at run time.
    `variable` is free to hold it where it isn't declared in the offset itself. `contract` are the
    subscripts of the einsum of it with the parent's value, "@" where that is a matrix product;
    empty: it is multiplied element by element. `event_dim` is set inside of a subsampled plate,
    which takes its part of the full-size param. `step` holds the part that is one step's of a
    scan, if there is one. `computed`: the param's name is a template, ``xi_beta_{k}_mu``.
    `init` is a number, an array as nested tuples, or the name of the .npz that has the array by
    the name `key`.
    """

    init: float | tuple[Any, ...] | str
    param: str = ""
    sizes: tuple[str, ...] | None = ()
    variable: str = ""
    contract: str = ""
    event_dim: int | None = None
    step: str = ""
    computed: bool = False
    key: str = ""

    @property
    def declared(self) -> bool:
        """Has it a statement of its own, where there is room: is it a param or an array?"""
        return bool(self.param) or not isinstance(self.init, float)


class Term(Struct, frozen=True):
    """One summand of an offset; `label` is the parent's name in the config."""

    label: str
    coefficient: Coefficient
    value: Value


class Scale(Struct, frozen=True):
    """What a child is multiplied by before its offset is added; `variable` holds it.

    `value` alone: an expression. `coefficient` alone: a positive param. Both, or `value` and
    `power`: the value to the power of minus the coefficient or `power`. None of them: the number
    `literal`. `label` is the name of the site in the config.
    """

    variable: str
    literal: float = 1.0
    value: Value | None = None
    power: float | None = None
    coefficient: Coefficient | None = None
    label: str = ""


class Basis(Struct, frozen=True):
    """The basis that a child is sampled in, "dct" or "haar", with its arguments as in NumPyro.

    `dims` are the axes, those `over_plates` of plates, or of the batch, rather than event axes.
    """

    kind: str
    dims: tuple[int, ...]
    smooth: float = 0.0
    flip: bool = False
    over_plates: frozenset[int] = frozenset()


class Other(Struct, frozen=True):
    """Another reparameterizer: its class name, and its arguments as code."""

    name: str
    arguments: str


class Runtime(Struct, frozen=True):
    """What the generated code must ask of the prior. Names are empty where they aren't needed.

    `prior`: the variable that holds the distribution; `hoisted`: it is made for this, so the
    distribution moves there. `bijects`: the support is the prior's; `bijector` holds
    `biject_to(prior.support)` where it is needed twice. `asks_shape`: the child's shape, in
    unconstrained space, is the prior's too, broadcast with that of its `plates`; `shape` holds it
    where `prior.shape()` isn't it. Where the plates' sizes can't be written there any more, `sizes`
    holds them, from before the statement `sized`.
    """

    prior: str
    hoisted: bool
    bijects: bool
    asks_shape: bool
    bijector: str = ""
    shape: str = ""
    plates: tuple[str, ...] = ()
    sized: int = -1
    sizes: str = ""


class Scanned(Struct, frozen=True):
    """How a child in the body of a scan is offset: by its distribution's `loc`.

    `indent` is that of the statement that calls scan. `base` is the variable for the base site,
    and `position` tells which argument of the distribution is its `loc`.
    """

    indent: int
    base: str
    position: int


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


class Given(Struct, frozen=True):
    """What must not be None where there are observations.

    `untold`: of some of them that can't be told.
    """

    optional: tuple[str, ...] = ()
    untold: bool = False


class Rewrite(Struct, frozen=True):
    """One child and how it is offset.

    `sizes` is its shape, None where `runtime` tells it. `constraint` is the member of
    `numpyro.distributions.constraints` to unconstrain by, empty on the real line. `full`: the
    offset is broadcast to the child's shape, so that its prior is too. Statements:
    params are declared before `declare`, the offset is computed before `shift` (`declare` or
    deeper), and the handler becomes the first item of the `with` numbered `join`, or wraps the
    statement where that is None. `data` are the arguments of the call that the map depends on; if
    there are any, draws of the child count by name unless `given` are.
    """

    site: Site
    function: str
    terms: tuple[Term, ...]
    sizes: tuple[str, ...] | None
    declare: int
    shift: int
    join: int | None
    loc: str
    reparam: str
    constraint: str = ""
    runtime: Runtime | None = None
    scale: Scale | None = None
    basis: Basis | None = None
    full: bool = False
    other: Other | None = None
    scanned: Scanned | None = None
    data: tuple[str, ...] = ()
    given: Given = Given()


class Keep(Struct, frozen=True):
    """``mu_site = mu`` after the statement that samples mu: the name is bound again later.

    Without a `variable` the sampled value has no name: it is given this one in the statement,
    ``params["mu"] = mu = numpyro.sample("mu", ...)``. `site` is the site's name as it is written.
    """

    after: int
    name: str
    variable: str
    site: str


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
    """All that is to be done to a file. `already`: it was rewritten before, so nothing is."""

    rewrites: tuple[Rewrite, ...]
    keeps: tuple[Keep, ...]
    accounts: tuple[Account, ...]
    threads: tuple[Threading, ...] = ()
    already: bool = False
