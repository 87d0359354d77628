"""The generated code of one child, as text: what is written here is what is reviewed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from msgspec import Struct

from reparam_rewrite.bases import BASES
from reparam_rewrite.emit import wrap
from reparam_rewrite.emit.edit import Handled, Lines, Moved
from reparam_rewrite.emit.spell import Spelling
from reparam_rewrite.plan.values import (
    NOTHING,
    WHOLE,
    Array,
    AskedPrior,
    Basis,
    Check,
    ChildHas,
    Coefficient,
    DataDependence,
    Expression,
    FixedSupport,
    Learned,
    LearnedPower,
    Name,
    Number,
    OffsetRewrite,
    OtherRewrite,
    Param,
    ParentHas,
    Part,
    PlateAt,
    Power,
    PriorSupport,
    Rewrite,
    Scale,
    ScanRewrite,
    ShapeAmong,
    ShapeOrdered,
    Span,
    Stored,
    Term,
    Value,
    scaled_by,
)
from reparam_rewrite.survey.expressions import grouped, is_arithmetic
from reparam_rewrite.survey.scopes import Moment

JNP = "jax.numpy"

#: How long the lines of a comment may be.
COMMENT = 72

#: What the generated code says of a parent whose shape turns out not to fit.
UNFIT = "'{parent}' can't be lined up with '{child}': "
NAME = "name the axes of both in the config"
NAMED = "they don't have the axes that the config names"


class Code(Struct, frozen=True):
    """The generated code of one child, as statements of one or more lines without indent.

    `before` are those that go before statements of the model, by their numbers; `handler` is what
    goes into the `with`. `prior` replaces the distribution in the child's statement. In a scan
    there is no handler: the statement is `moved`, and `after` comes after it.
    """

    before: tuple[tuple[int, Lines], ...]
    handler: Handled | None = None
    prior: str = ""
    moved: Moved | None = None
    after: tuple[Lines, ...] = ()


def write(rewrite: Rewrite, spelling: Spelling, width: int) -> Code:
    """The code of one child, as its file spells names and within lines of `width` characters."""
    writer = Writer(rewrite, spelling, width)
    match rewrite:
        case OffsetRewrite():
            return writer.offset(rewrite)
        case ScanRewrite():
            return writer.in_scan(rewrite)
        case OtherRewrite():
            return writer.other(rewrite)


def indent_at(rewrite: Rewrite, statement: int) -> int:
    """How far the child's statement, or one that it stands in, is indented."""
    if isinstance(rewrite, ScanRewrite) and statement == rewrite.place.declare:
        return rewrite.indent
    for frame in reversed(rewrite.site.frames):
        if frame.statement == statement:
            return frame.indent
    return rewrite.site.indent


class Writer:
    """Writes the code of one child: in its file's spelling, with the quotes of its own name.

    Params are declared where `_declared` is, and values are read where `_sampled` is: the body of
    a scan is a function of its own, in which an import may mean another thing.
    """

    def __init__(self, rewrite: Rewrite, spelling: Spelling, width: int) -> None:
        survey, place = spelling.survey, rewrite.place
        self._rewrite, self._spelling, self._width = rewrite, spelling, width
        self._site = rewrite.site
        self._sized: list[tuple[int, Lines]] = []
        self._declarations: list[Lines] = []
        self._shifts: list[Lines] = []
        function = survey.functions[rewrite.function]
        self._sampled = self._declared = Moment(survey, function, place.declare)
        if isinstance(rewrite, ScanRewrite):
            self._sampled = Moment(survey, function, place.shift)
            self._declared = Moment(survey, self._sampled.runner, place.declare)
        name = rewrite.site.call.name.text.lstrip("rRuUbBfF")
        self._quote = "'" if name.startswith("'") else '"'

    # -- the statements of a child -----------------------------------------------------------------

    def offset(self, rewrite: OffsetRewrite) -> Code:
        """``a_loc = xi * mu`` and ``a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))``"""
        if rewrite.prior is not None:
            self._ask(rewrite.prior, rewrite.support)
        self._check(rewrite)
        self._sum(rewrite.terms, rewrite.loc)
        self._scale(rewrite.scale)
        explicit = self._spell("numpyro.infer.reparam.ExplicitReparam")
        parts = self._transforms(rewrite)
        made = f"{explicit}({parts[0] if len(parts) == 1 else '[' + ', '.join(parts) + ']'})"
        prior = rewrite.prior.variable if rewrite.prior and rewrite.prior.moved else ""
        return self._handled(rewrite, made, prior)

    def other(self, rewrite: OtherRewrite) -> Code:
        """``b_reparam = LocScaleReparam(centered=0.0)``"""
        name = self._spell(f"numpyro.infer.reparam.{rewrite.name}")
        return self._handled(rewrite, f"{name}({rewrite.arguments})")

    def in_scan(self, rewrite: ScanRewrite) -> Code:
        """The base is sampled from the moved distribution, and the site computed from it."""
        site, base, loc = self._site, rewrite.base, rewrite.loc
        self._sum(rewrite.terms, loc)
        deterministic = self._spell("numpyro.deterministic", self._sampled)
        name = site.call.name.text
        line = f"{site.variable} = {deterministic}({name}, {base} - {loc})"
        base_name = self._string(f"{site.name}_base")
        return Code(
            self._before(),
            moved=Moved(base_name, base, loc, rewrite.position),
            after=(wrap.statement(line, self._room_shifted),),
        )

    def _handled(self, rewrite: OffsetRewrite | OtherRewrite, made: str, prior: str = "") -> Code:
        """A reparameterizer in a variable, and the handler that applies it."""
        reparam, data = rewrite.reparam, rewrite.data
        comment = () if data is None else self._warning(data)
        lines = wrap.statement(f"{reparam} = {made}", self._room_shifted)
        self._shifts.append((*comment, *lines))
        if data is not None and data.optional:
            self._shifts.append(self._by_name(reparam, data))
        handler = self._spell("numpyro.handlers.reparam")
        key = self._site.call.name.text
        return Code(self._before(), Handled(handler, key, reparam, self._site.statement), prior)

    def _before(self) -> tuple[tuple[int, Lines], ...]:
        declare, shift = self._rewrite.place.declare, self._rewrite.place.shift
        declarations = [(declare, lines) for lines in self._declarations]
        return (*self._sized, *declarations, *((shift, lines) for lines in self._shifts))

    def _declare(self, line: str) -> None:
        self._declarations.append(wrap.statement(line, self._room(self._rewrite.place.declare)))

    def _shift(self, line: str) -> None:
        self._shifts.append(wrap.statement(line, self._room_shifted))

    def _room(self, statement: int) -> int:
        return self._width - indent_at(self._rewrite, statement)

    @property
    def _room_shifted(self) -> int:
        return self._room(self._rewrite.place.shift)

    # -- what is asked of the prior ----------------------------------------------------------------

    def _ask(self, prior: AskedPrior, support: FixedSupport | PriorSupport | None) -> None:
        """``a_prior = make_prior()``, and what is asked of it.

        The shape is asked where params are declared, the support where the shift is made.
        """
        asked, variable = prior.shape, prior.variable
        at = self._rewrite.place.shift if asked is None else self._rewrite.place.declare
        lines = self._shifts if asked is None else self._declarations
        if prior.moved:
            assert self._site.call.prior is not None
            distribution = self._site.call.prior.text.replace("\r\n", "\n")
            one_line = wrap.joined(distribution)
            if one_line is None:
                lines.append(wrap.kept(variable, distribution, self._room(at)))
            else:
                lines.append(wrap.statement(f"{variable} = {one_line}", self._room(at)))
        if asked is None:
            return
        shape = f"{variable}.shape()"
        if asked.plates:
            sizes = asked.sizes or tuple_of(asked.plates)
            shape = f"{self._jnp('broadcast_shapes')}({sizes}, {variable}.batch_shape)"
            shape += f" + {variable}.event_shape"
        if asked.sizes:
            line = f"{asked.sizes} = {tuple_of(asked.plates)}"
            self._sized.append((asked.sized, wrap.statement(line, self._room(asked.sized))))
        if isinstance(support, PriorSupport) and support.bijector:
            biject = self._spell("numpyro.distributions.transforms.biject_to")
            self._declare(f"{support.bijector} = {biject}({variable}.support)")
            shape = f"{support.bijector}.inverse_shape({shape})"
        if asked.variable:
            self._declare(f"{asked.variable} = {shape}")

    def _shape(self) -> str:
        """The child's shape as an expression."""
        rewrite = self._rewrite
        assert isinstance(rewrite, OffsetRewrite)
        if rewrite.sizes is not None:
            return tuple_of(rewrite.sizes)
        assert rewrite.prior is not None
        assert rewrite.prior.shape is not None
        return rewrite.prior.shape.variable or f"{rewrite.prior.variable}.shape()"

    def _check(self, rewrite: OffsetRewrite) -> None:
        """What only the run tells of the parents' shapes, each with an error that says what to do.

        ::

            if jnp.shape(w) not in ((), v_prior.shape()):
                raise ValueError("'w' can't be lined up with 'v': ...")
        """
        room = self._room_shifted
        values = [(term.label, term.value) for term in rewrite.terms]
        scale = scaled_by(rewrite)
        values += [] if scale is None else [scale]
        for label, value in values:
            conditions = [self._failed(check, value.expression) for check in value.checks]
            if conditions and len(f"if {' or '.join(conditions)}:") <= room:
                conditions = [" or ".join(conditions)]
            counted = (ParentHas, ChildHas, PlateAt)
            claimed = any(isinstance(check, counted) for check in value.checks)
            words = UNFIT.format(parent=label, child=rewrite.site.name)
            words = self._string(words + (NAMED if claimed else NAME))
            for condition in conditions:
                raised = wrap.raised("ValueError", words, room)
                self._shifts.append((*wrap.statement(f"if {condition}:", room), *raised))

    def _failed(self, check: Check, parent: str) -> str:
        """The condition under which a check fails."""
        match check:
            case ParentHas(dims):
                return f"{self._jnp('ndim')}({parent}) != {dims}"
            case ChildHas(dims):
                return f"len({self._shape()}) != {dims}"
            case PlateAt(dim, text):
                return f"{grouped(text)} != {dim}"
        shape = f"{self._jnp('shape')}({parent})"
        match check:
            case ShapeOrdered(order):
                return f"{shape} != {tuple_of(tuple(map(self._part, order)))}"
            case ShapeAmong(part, [only]):
                return f"{shape}{index_of(part)} != {self._part(only)}"
            case ShapeAmong(part, among):
                return f"{shape}{index_of(part)} not in ({', '.join(map(self._part, among))})"

    def _part(self, part: Part) -> str:
        """A part of the child's shape, or one of its sizes."""
        assert isinstance(self._rewrite, OffsetRewrite)
        sizes = self._rewrite.sizes
        if part == NOTHING:
            return "()"
        if sizes is None:
            return f"{self._shape()}{index_of(part)}"
        return sizes[part] if isinstance(part, int) else tuple_of(sizes[part.start : part.end])

    # -- the offset --------------------------------------------------------------------------------

    def _sum(self, terms: tuple[Term, ...], loc: str) -> None:
        """The sum of the terms, and the coefficients that get statements of their own.

        Coefficients are declared in the sum itself, unless that is deeper than params may be, or
        a line would get too long.
        """
        if not terms:
            return
        room = self._room_shifted
        if self._rewrite.place.shift == self._rewrite.place.declare:
            lines = wrap.sum_of(loc, self._signed(terms, named=False), room)
            if lines is not None:
                self._shifts.append(lines)
                return
        for term in terms:
            if term.variable:
                self._declare(f"{term.variable} = {self._coefficient(term.coefficient)}")
        summed = self._signed(terms, named=True)
        lines = wrap.sum_of(loc, summed, room)
        self._shifts += [lines] if lines else wrap.added_up(loc, summed, room)

    def _signed(self, terms: tuple[Term, ...], *, named: bool) -> list[str]:
        """The summands of the offset, each after the first with its sign.

        `named`: the coefficients are variables, rather than declared on the spot.
        """
        first, *rest = [self._term(term, named=named) for term in terms]
        return [first, *(f"- {text[1:]}" if text[0] == "-" else f"+ {text}" for text in rest)]

    def _term(self, term: Term, *, named: bool) -> str:
        """``coefficient * value``; a literal coefficient of 1 is the value itself."""
        value = self._value(term.value)
        match term.coefficient:
            case Number(1):
                return value if is_arithmetic(value) else f"({value})"
            case Number(-1):
                return f"-{grouped(value)}"
            case Number(number):
                return f"{number!r} * {grouped(value)}"
        xi = term.step or (term.variable if named else self._coefficient(term.coefficient))
        if term.product in ("*", "@"):
            return f"{xi} {term.product} {grouped(value)}"
        return f'{self._jnp("einsum")}("{term.product}", {xi}, {value})'

    def _coefficient(self, coefficient: Coefficient) -> str:
        """``numpyro.param("xi_a_mu", jnp.zeros(n_a))``, or an array that is written or loaded."""
        match coefficient:
            case Param():
                return self._param(coefficient)
            case Number(number, ()):
                return repr(number)
            case Number(number, sizes):
                shape = self._shape() if sizes is None else shape_argument(sizes)
                if number in (0, 1):
                    return f"{self._spell(JNP)}.{'zeros' if number == 0 else 'ones'}({shape})"
                return f"{self._spell(JNP)}.full({shape}, {number!r})"
            case Array(rows, sizes):
                array = f"{self._spell(JNP)}.array({listed(rows)})"
            case Stored(file, name, sizes):
                path = f"{self._spell('pathlib.Path')}(__file__).with_name({self._string(file)})"
                array = f"{self._spell(JNP)}.load({path})[{self._named(name)}]"
        # An array that is too large fails then, rather than widen the site.
        shape = self._shape() if sizes is None else tuple_of(sizes)
        return f"{self._spell(JNP)}.broadcast_to({array}, {shape})"

    def _param(self, param: Param, constraint: str = "") -> str:
        """``numpyro.param("xi_a_mu", jnp.zeros(n_a))``, within a constraint if one is given."""
        arguments = f"{self._named(param.name)}, {self._coefficient(param.start)}"
        if param.event_dim is not None:
            arguments += f", event_dim={param.event_dim}"
        if constraint:
            arguments += f", constraint={self._constraint(constraint)}"
        return f"{self._spell('numpyro.param')}({arguments})"

    def _value(self, value: Value) -> str:
        """The parent's value, reduced, lined up, centred and guarded, in that order."""
        text = value.expression
        center = value.center
        if "jnp" in text or "jnp" in center:
            self._spell(JNP, self._sampled)  # imports it as jnp where the file doesn't
        if value.reduction is not None:
            by = value.reduction
            axes = f", axis={by.axes[0] if len(by.axes) == 1 else by.axes}" if by.axes else ""
            keep = ", keepdims=True" if by.keepdims else ""
            text = f"{self._jnp(by.function)}({text}{axes}{keep})"
        if value.order:
            order = "" if value.order == (1, 0) else f", {value.order}"
            text = f"{self._jnp('transpose')}({text}{order})"
        if value.index:
            text = f"{grouped(text)}[{', '.join(value.index)}]"
        if center:
            text = text if is_arithmetic(text) else f"({text})"
            if center.startswith("-") and is_number(center):
                text = f"{text} + {center[1:]}"
            else:
                text = f"{text} - {grouped(center)}"
        if value.guarded:
            text = f"{self._jnp('broadcast_to')}({text}, {self._shape()})"
        return text

    # -- the transform -----------------------------------------------------------------------------

    def _scale(self, scale: Scale | None) -> None:
        """The param of a scale, and the statement that computes it."""
        match scale:
            case Learned(variable, param):
                self._declare(f"{variable} = {self._param(param, 'positive')}")
            case Expression(variable, value):
                self._shift(f"{variable} = {self._value(value)}")
            case Power(variable, value, _, 1):
                self._shift(f"{variable} = 1 / {grouped(self._value(value))}")
            case Power(variable, value, _, power) if power:
                self._shift(f"{variable} = {to_power(self._value(value), repr(power))}")
            case LearnedPower(variable, value, _, param, exponent):
                self._declare(f"{exponent} = {self._param(param, 'unit_interval')}")
                self._shift(f"{variable} = {to_power(self._value(value), exponent)}")

    def _transforms(self, rewrite: OffsetRewrite) -> list[str]:
        """What happens to the child, from left to right.

        Into unconstrained space if the child is constrained, then scaled and shifted, then into
        another basis.
        """
        parts = []
        if rewrite.support is not None:
            parts.append(f"{self._bijector(rewrite.support)}.inv")
        if rewrite.terms or rewrite.scale is not None or rewrite.full:
            affine = self._spell("numpyro.distributions.transforms.AffineTransform")
            match rewrite.scale:
                case None | Power(power=0):
                    scale = "1"
                case float(number):
                    scale = repr(number)
                case other:
                    scale = other.variable
            parts.append(f"{affine}({self._loc(rewrite)}, {scale})")
        if rewrite.basis is not None:
            parts += self._bases(rewrite.basis)
        return parts

    def _loc(self, rewrite: OffsetRewrite) -> str:
        if rewrite.full and rewrite.terms:
            return f"{self._jnp('broadcast_to')}({rewrite.loc}, {self._shape()})"
        if rewrite.full:
            return f"{self._jnp('zeros')}({self._shape()})"
        return rewrite.loc if rewrite.terms else "0"

    def _bijector(self, support: FixedSupport | PriorSupport) -> str:
        """The bijection from unconstrained space to the child's support."""
        match support:
            case FixedSupport(constraint):
                space = self._constraint(constraint)
            case PriorSupport(""):
                assert isinstance(self._rewrite, OffsetRewrite)
                assert self._rewrite.prior is not None
                space = f"{self._rewrite.prior.variable}.support"
            case PriorSupport(bijector):
                return bijector
        return f"{self._spell('numpyro.distributions.transforms.biject_to')}({space})"

    def _bases(self, basis: Basis) -> Iterator[str]:
        """``DiscreteCosineTransform(dim=-1)``, for each axis"""
        for dim in basis.dims:
            if dim in basis.over_plates:
                name = self._spelling.defined(basis.kind, self._rewrite.function)
            else:
                transform = BASES[basis.kind].transform
                name = self._spell(f"numpyro.distributions.transforms.{transform}")
            yield f"{name}(dim={dim}{basis.settings})"

    # -- draws by name -----------------------------------------------------------------------------

    def _by_name(self, reparam: str, data: DataDependence) -> Lines:
        """``if y is None: b_reparam = by_name(b_reparam)``, on two lines"""
        missing = [f"{part} is None" for part in data.optional]
        head = wrap.statement(f"if {' or '.join(missing)}:", self._room_shifted)
        made = self._spelling.by_name(self._rewrite.function)
        return (*head, f"{' ' * wrap.STEP}{reparam} = {made}({reparam})")

    def _warning(self, data: DataDependence) -> list[str]:
        """A comment above the reparameterizer, where draws mean something else with other data."""
        text = f"How {self._site.name} comes from its base depends on "
        text += f"{' and '.join(data.arguments)}: predict with the plain model."
        room = min(self._room_shifted, COMMENT)
        return textwrap.wrap(text, room, initial_indent="# ", subsequent_indent="# ")

    # -- names and strings -------------------------------------------------------------------------

    def _spell(self, dotted: str, moment: Moment | None = None) -> str:
        return self._spelling.of(dotted, moment or self._declared)

    def _jnp(self, function: str) -> str:
        """A function of jax.numpy where the child is sampled."""
        return f"{self._spell(JNP, self._sampled)}.{function}"

    def _constraint(self, name: str) -> str:
        return f"{self._spell('numpyro.distributions.constraints')}.{name}"

    def _named(self, name: Name) -> str:
        quote = self._quote
        return f"f{quote}{name.text}{quote}" if name.computed else self._string(name.text)

    def _string(self, text: str) -> str:
        """A string literal with the quotes of the site's own name."""
        shown = repr(text)
        if self._quote not in text and shown[1:-1] == text:
            return f"{self._quote}{text}{self._quote}"
        return shown


def to_power(text: str, power: str) -> str:
    """``sigma**-power``, ``sigma[0] ** -power``: black hugs between names and numbers only."""
    hugged = text.replace(".", "").isidentifier()
    return f"{grouped(text)}{'**' if hugged else ' ** '}-{power}"


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def index_of(part: Part) -> str:
    """``[0]``, ``[:-1]``; empty for all of a shape"""
    match part:
        case Span(start, end):
            ends = ["" if end is None else str(end) for end in (start, end)]
            return "" if part == WHOLE else f"[{':'.join(ends)}]"
        case at:
            return f"[{at}]"


def shape_argument(sizes: tuple[str, ...]) -> str:
    """``n`` or ``(n, m)``, as `jnp.zeros` takes it."""
    return sizes[0] if len(sizes) == 1 else tuple_of(sizes)


def tuple_of(sizes: tuple[str, ...]) -> str:
    """``()``, ``(n,)``, ``(n, m)``"""
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def listed(rows: object) -> str:
    """``[[0.5, 1.0], [0.0, 2.0]]``"""
    if isinstance(rows, tuple):
        return f"[{', '.join(map(listed, rows))}]"
    return repr(rows)
