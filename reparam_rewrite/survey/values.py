"""What a survey says: the values that `survey` makes and `plan` reads.

Nothing here knows how a file is parsed or what a config asks for. Statements are numbered in the
order in which they are written, from 0; a number names one statement of the file and, since code
runs downwards between branches, also a moment: "before statement 12".
"""

from __future__ import annotations

import sys

from msgspec import Struct

from reparam_rewrite.messages import Place
from reparam_rewrite.survey.effects import words
from reparam_rewrite.survey.names import may_be


class Use(Struct, frozen=True):
    """A local variable as an expression sees it: its name, and which assignment is in force.

    Two uses with the same `version` have the same value; it is 0 if the name isn't local. `era` is
    set where the value may be changed in place: it tells after how many statements that may have
    done so it was read.
    """

    name: str
    version: int
    era: int | None = None


class Axis(Struct, frozen=True):
    """One dimension of a value.

    `size` is a Python expression, None where it can't be written a second time (it has a call
    that may do something). `size_key` is the identity of the size: equal keys are the same number,
    and two integer literals have two. `plate` is that of the plate that makes the axis. `several`:
    it stands for any number of axes, the first ones of a shape that is open to the left.
    """

    size: str | None
    size_key: str | None = None
    plate: str | None = None
    reads: frozenset[Use] = frozenset()
    several: bool = False
    dim: int | None = None  # of the plate

    @property
    def unit(self) -> bool:
        return self.size == "1" and self.plate is None

    def same(self, other: Axis) -> bool:
        """Is this the same axis: by the plate's name if both have one, else by the size?"""
        if self.plate is not None and other.plate is not None:
            return self.plate == other.plate
        return self.size_key is not None and self.size_key == other.size_key

    def same_size(self, other: Axis) -> bool:
        """Are the two sizes sure to be equal? A plate's name alone doesn't make them so."""
        if self.size_key is not None and self.size_key == other.size_key:
            return True
        return self.size is not None and self.size.isdigit() and self.size == other.size


UNIT = Axis("1")

#: What nothing is known of.
REST = Axis(None, several=True)

#: The axes of a value from left to right; where a shape can't be read, None stands in its place.
Shape = tuple[Axis, ...]


def closed(shape: Shape) -> Shape | None:
    """A shape all of whose axes show, else None."""
    return None if shape and shape[0].several else shape


class Plate(Struct, frozen=True):
    """A `numpyro.plate`.

    `name` is its name if that is `literal`, else the expression. `dim` is None where it can't be
    told; `dim_text` is then its expression, if that can be written again. `several`: it is a
    `plate_stack` of sizes that don't show, ``*sizes``, from `dim` to the left.
    """

    axis: Axis
    name: str
    literal: bool
    dim: int | None
    subsampled: bool
    place: Place
    several: bool = False
    dim_text: str = ""
    dim_reads: frozenset[Use] = frozenset()


#: The plates that something is, or those that it holds by their keys: ``'i'``, ``0``, ``.i``.
Held = tuple[Plate, ...] | dict[str, tuple[Plate, ...]]


class Support(Struct, frozen=True):
    """Where a distribution lives.

    `kind` is "real" (nothing to do before a shift), "fixed" (`constraint` names the member of
    `numpyro.distributions.constraints`), "runtime" (only the distribution object can tell), or
    says why nothing can be shifted: "discrete", "atomic", "sphere", "zero_sum". `reshapes`: the
    unconstrained value may have another shape than the value. `positive`: no value is negative.
    """

    kind: str
    constraint: str = ""
    reshapes: bool = False
    positive: bool = False


class Prior(Struct, frozen=True):
    """A distribution expression: `event` is None where it can't be read.

    `seen` is what shows of the batch shape, open to the left where not all does.
    """

    family: str | None
    support: Support
    event: Shape | None
    seen: Shape = (REST,)

    @property
    def batch(self) -> Shape | None:
        """The batch shape, None where it can't be read."""
        return closed(self.seen)


UNKNOWN_PRIOR = Prior(None, Support("runtime", reshapes=True), None)


#: Modules that know nothing of NumPyro, and parts of it that make no plates: their context managers
#: are no plates, and leave log densities alone. An `ExitStack` may hold anything.
PACKAGES = (sys.stdlib_module_names - {"contextlib"}) | words(
    """arviz builtins dask h5py jax joblib matplotlib mlflow netCDF4 numpy pandas polars pytest rich
    seaborn tensorflow threadpoolctl torch tqdm wandb xarray zarr"""
)
ELSEWHERE = (
    *("contextlib.ExitStack", "contextlib.chdir", "contextlib.nullcontext"),
    *("contextlib.redirect_", "contextlib.suppress"),
    *("numpyro.distributions.", "numpyro.validation_enabled"),
)

#: Context managers that do nothing to what is sampled in them, nor to anything else.
HARMLESS = (
    *("jax.", "warnings.", "numpyro.handlers."),
    *("contextlib.ExitStack", "contextlib.suppress", "contextlib.nullcontext"),
)


def is_elsewhere(qualified: str) -> bool:
    """Does a function belong to what knows of no plates?"""
    return qualified.partition(".")[0] in PACKAGES or qualified.startswith(ELSEWHERE)


#: Handlers that give values to the sites that they name.
GIVING = frozenset(f"numpyro.handlers.{name}" for name in ("condition", "do", "substitute"))

#: A mask broadcasts the distribution; the others give sites values of any shape.
RESHAPING_HANDLERS = GIVING | {"numpyro.handlers.mask", "numpyro.handlers.replay"}


class Handler(Struct, frozen=True):
    """One item of a `with` that isn't a plate.

    `qualified` is its dotted name, if it has one. `sites` are those that a handler such as
    `reparam` addresses by name, None where its dictionary can't be read. `explicit`: it is a
    `reparam` whose dictionary has an ExplicitReparam. `reparams` are the classes of the
    reparameterizers whose arguments show, by the sites that they are for.
    """

    qualified: str | None
    text: str
    sites: frozenset[str] | None = frozenset()
    explicit: bool = False
    reparams: tuple[tuple[str, str], ...] = ()

    @property
    def opaque(self) -> bool:
        """May it be a plate, or change the shape of what is sampled inside?"""
        if self.qualified is None or self.qualified in RESHAPING_HANDLERS:
            return True
        return not (self.qualified.startswith("numpyro.handlers.") or is_elsewhere(self.qualified))

    @property
    def harmless(self) -> bool:
        """Does it do nothing but what such contexts are known to do?"""
        return self.qualified is not None and self.qualified.startswith(HARMLESS)

    def leaves(self, name: str) -> bool:
        """Does it give values to other sites only? ``condition(data={"y": y})``"""
        named = self.qualified in GIVING and self.sites is not None
        return named and not may_be(name, self.sites or ())


def weighs(item: Plate | Handler) -> bool:
    """May it multiply the log density of what is sampled inside? What isn't known may."""
    if isinstance(item, Plate):
        return item.subsampled
    if item.qualified in ("numpyro.handlers.mask", "numpyro.handlers.scale"):
        return True
    return not (item.harmless or (item.qualified is not None and is_elsewhere(item.qualified)))


class Frame(Struct, frozen=True):
    """A block that a statement stands in, `with` or a branch.

    `kind` is "with", "if", "for", "while", "else", "try" or "match". `block` tells two branches of
    one statement apart; a `with` always runs its body, so it has none.
    """

    kind: str
    statement: int
    line: int
    indent: int  # in characters
    block: int | None = None
    items: tuple[Plate | Handler, ...] = ()
    sole: bool = False  # the body is one simple statement on lines of its own

    @property
    def plates(self) -> tuple[Plate, ...]:
        return tuple(item for item in self.items if isinstance(item, Plate))


class Segment(Struct, frozen=True):
    """A piece of the file's text: `[start, end)` in characters."""

    start: int
    end: int
    text: str


#: The comment that leaves a site alone.
SKIP = "# reparam: skip"


class Comment(Struct, frozen=True):
    """A comment that is for the rewriter, or seems to be.

    `kind` is "skip", "misspelt", or "unknown" where it may be prose that looks like one.
    """

    place: Place
    text: str
    kind: str


class Scan(Struct, frozen=True):
    """A call of `numpyro.contrib.control_flow.scan` whose body is a function beside it.

    `body` is the dotted name of that function, `definition` its statement and `first` the first
    one inside of it but for a docstring. `argument` is its second parameter, which takes the
    slices of `xs`; `passes`: there are such slices, or the body reads the parameter. `length` is
    the axis that the calls of the body make, of unknown size where the source doesn't tell it.
    `forecasts`: it may make more of them than there are draws of, when these are used to predict.
    `last` has the name by which the body reads what a site was in the step before, for those that
    are known to be carried on.
    """

    body: str
    statement: int
    indent: int  # of the statement, in characters
    place: Place
    length: Axis
    forecasts: bool
    definition: int
    first: int
    inner_indent: int  # of the body, in characters
    argument: str
    passes: bool
    last: tuple[tuple[str, str], ...] = ()


class SampleCall(Struct, frozen=True):
    """What the call of a site is made of, and what can be done to it.

    `computed`: the name is put together, of `name_reads`. `obstacles` say why the call can't be
    reparameterized where it stands, by what its arguments are ("starred", "infer", "obs_mask"), the
    expression or statement that it is in ("header", "deferred", "conditional") and what it has in
    the function that samples it ("handler", "subsampled", "sample_shape"). `assigns`: its statement
    is nothing but ``variable = numpyro.sample(...)``. `expands`: it has a `sample_shape`, which
    `prior` has as an `expand_by`. `nameable`: it stands in a simple statement, where it runs once,
    so that its value can be given a name. `located`: the distribution has a `loc` that an offset
    can be added to. `shifted`: it is sampled with an offset in its `loc` already. `rounds` are the
    headers of the loops that lead to it where it stands in a comprehension. `names` are those that
    a computed one has, None if they don't show, and `bound` the variables of the loops around it.
    `template`: it is one of several, called so. `outside`: of a site that a helper samples, its
    distribution with the caller's arguments in it, "" where names of the helper are left.
    """

    name: Segment
    computed: bool
    name_reads: frozenset[Use]
    prior: Segment | None
    prior_reads: frozenset[Use]
    obstacles: tuple[str, ...] = ()
    assigns: bool = False
    expands: bool = False
    nameable: bool = False
    located: bool = False
    shifted: bool = False
    rounds: tuple[str, ...] = ()
    names: frozenset[str] | None = None
    bound: frozenset[str] = frozenset()
    template: str = ""
    outside: str = ""


class Extent(Struct, frozen=True):
    """The axes of a site, as far as they show.

    `shape`, its part `batch` and the `plates`' part of that are None where they can't be read, the
    first two also where the site has an `obs` or starred arguments. `stack` is the plates' part
    where it can be written nonetheless, though not told how many axes it has. `seen` is what shows
    of the shape, open to the left, if anything. `claimed`: the config says so, and the run must
    bear it out.
    """

    shape: Shape | None
    batch: Shape | None
    plates: Shape | None
    stack: Shape | None = None
    seen: Shape | None = None
    claimed: bool = False


class Data(Struct, frozen=True):
    """The arguments of the function's call that a site depends on, other than through sites.

    Its `prior` is computed of some, and the `bounds` of its support of some of them. What an
    observed site is given comes from `observations`.
    """

    prior: frozenset[str] = frozenset()
    bounds: frozenset[str] = frozenset()
    observations: frozenset[str] = frozenset()


class Site(Struct, frozen=True):
    """One `numpyro.sample` call with a name that can be read.

    A site of a scan's body is seen twice: as what one call of the body samples, by the function
    that is the body, and as all of them stacked, by the function that calls scan. The latter has
    `scan`, and the former as `step`.

    `name` is a template, `beta_{k}`, where it is put together. `variable` is a name that its
    statement binds to exactly its value. `through` is the function that samples it, if the
    statement only calls that: what is said of the statement, the place and the names is then of
    the call and of what is bound around it. `unsettled`: before its distribution is made, its
    statement binds names or does something, so that what is written before it may mean another
    thing there. `choices` are the parts of its statement, ``x = numpyro.sample(...) if c else
    0.0``, that it stands in: "body" or "orelse", of one conditional expression in another.
    `comments` are those on the lines of its statement, and of the call that led to it. `sampled` is
    the place in the function that samples it.
    """

    index: int
    name: str
    call: SampleCall
    prior: Prior
    extent: Extent
    data: Data
    place: Place
    statement: int
    indent: int  # of the statement, in characters
    alone: bool  # the statement has its lines to itself
    frames: tuple[Frame, ...]
    variable: str | None
    observed: bool
    scan: Scan | None = None
    step: Site | None = None
    choices: tuple[str, ...] = ()
    through: str = ""
    unsettled: bool = False
    comments: tuple[Comment, ...] = ()
    sampled: Place | None = None

    @property
    def shape(self) -> Shape | None:
        """Its axes, from left to right; None where they can't be read."""
        return self.extent.shape

    @property
    def skip(self) -> Comment | None:
        """What says that the site is to be left alone."""
        return next((comment for comment in self.comments if comment.kind == "skip"), None)

    @property
    def all_frames(self) -> tuple[Frame, ...]:
        """The blocks that it stands in; those of a scan's body are inside those of the scan."""
        return self.frames if self.step is None else (*self.frames, *self.step.frames)

    @property
    def subsampled(self) -> bool:
        """Is it in a plate that takes a part of its elements each time?"""
        return any(plate.subsampled for frame in self.all_frames for plate in frame.plates)

    @property
    def path(self) -> tuple[int, ...]:
        """The branches that must be taken to get here."""
        return tuple(frame.block for frame in self.all_frames if frame.block is not None)

    @property
    def order(self) -> tuple[int, int]:
        """Sites with less are sampled before, in another statement."""
        return self.statement, -1 if self.step is None else self.step.statement
