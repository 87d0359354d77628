"""The generated code of one child, as text: what is written here is what is reviewed."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator

from msgspec.structs import replace

from reparam_rewrite.bases import BASES
from reparam_rewrite.emit import effects, projecting, wrap
from reparam_rewrite.emit.pieces import (
    filled,
    index_of,
    inserted,
    listed,
    to_power,
    tuple_of,
    unfit,
)
from reparam_rewrite.emit.spell import (
    BY_NAME,
    FITTED,
    FROZEN,
    LOADED,
    LOADED_STEPS,
    STEPS,
    STEPWISE,
    Spelling,
)
from reparam_rewrite.emit.statements import Handled
from reparam_rewrite.emit.wrap import Lines
from reparam_rewrite.messages import joined
from reparam_rewrite.plan import values as plan
from reparam_rewrite.reparameterizers import DECENTERED
from reparam_rewrite.survey.expressions import grouped, is_arithmetic, parsed
from reparam_rewrite.survey.scopes import Moment

JNP = "jax.numpy"

TRANSFORMS = "numpyro.distributions.transforms"

TAB = "    "

#: How long the lines of a comment may be.
COMMENT = 72

NEGATIVE = re.compile(r"-[\d._]+(e[-+]?\d+)?", re.IGNORECASE)


class Code:
    """The generated code of one child, as statements of one or more lines without indent.

    It is spelled as the file does, with the quotes of the child's own name, and keeps to lines of
    `width` characters. Params are declared where `_declared` is, and values are read where
    `_sampled` is: the body of a scan is a function of its own, in which an import may mean another
    thing.

    `declarations` and `shifts` go before statements of the model, by their numbers, and `handled`
    into the `with`. In a scan there is none: the child's statement samples `base_site`, a string
    literal, and `after` comes after it.
    """

    def __init__(self, rewrite: plan.Rewrite, spelling: Spelling, width: int) -> None:
        self.declarations: list[tuple[int, Lines]] = []
        self.shifts: list[tuple[int, Lines]] = []
        self.handled: Handled | None = None
        self.base_site = ""
        self.after: list[Lines] = []
        self._spelling, self._width = spelling, width
        self._site, self._place, self._function = rewrite.site, rewrite.place, rewrite.function
        instead = rewrite.instead if isinstance(rewrite, plan.OffsetRewrite) else ""
        self._instead = instead.removeprefix(self._site.name)
        #: The child's, where it is scaled or offset by a transform: its sizes if the source tells
        #: them, and its shape as an expression.
        self._sizes: plan.Sizes = ()
        self._shape = ""
        self._indents = {frame.statement: frame.indent for frame in self._site.frames}
        survey = spelling.survey
        function = survey.functions[rewrite.function]
        self._sampled = self._declared = Moment(survey, function, self._place.declare)
        indent = plan.indent_of(rewrite)
        if indent is not None:
            self._sampled = Moment(survey, function, self._place.shift)
            self._declared = Moment(survey, self._sampled.runner, self._place.declare)
            self._indents[self._place.declare] = indent
        self._quote = "'" if self._site.call.name.text.lstrip("rRuUbBfF")[:1] == "'" else '"'
        self._room = self._room_at(self._place.shift)
        match rewrite:
            case plan.OffsetRewrite():
                self._offset(rewrite)
            case plan.ScanRewrite():
                self._offset_in_scan(rewrite)
            case plan.OtherRewrite(name=name, arguments=arguments):
                self._handle(rewrite, f"{self._reparam(name)}({arguments})")
            case plan.ConditionalRewrite():
                self._conditional(rewrite)

    # -- the statements of a child -----------------------------------------------------------------

    def _offset(self, rewrite: plan.OffsetRewrite) -> None:
        """``a_loc = xi * mu`` and ``a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))``"""
        prior, self._sizes = rewrite.prior, rewrite.sizes
        if rewrite.sizes is not None:
            self._shape = tuple_of(rewrite.sizes)
        elif prior is not None and prior.shape is not None:
            self._shape = prior.shape.variable or f"{prior.variable}.shape()"
        if prior is not None:
            self._ask(prior, rewrite.support)
        if isinstance(rewrite.scale, plan.Whitened):
            rewrite = self._held(rewrite, rewrite.scale)
        self._check(rewrite)
        self._project(rewrite)
        self._sum(rewrite.terms, rewrite.loc)
        scale = self._scale(rewrite.scale, prior)
        made = self._centring(rewrite.centring) if rewrite.centring is not None else ""
        parts = [*self._transforms(rewrite, scale)]
        if not parts:
            self._handle(rewrite, made)
            return
        inner = parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"
        explicit = f"{self._reparam('ExplicitReparam')}({inner})"
        if rewrite.indent is not None:
            explicit = f"{self._spelling.defined(STEPWISE, rewrite.function)}({explicit})"
        if rewrite.centring is None:
            self._handle(rewrite, explicit)
            return
        kept = self._kept(rewrite.reparam, rewrite.reparam, DECENTERED.format(""))
        self._shift(f"{kept} = {explicit}")
        self._handle(rewrite, made, rewrite.centring.variable)

    def _held(self, rewrite: plan.OffsetRewrite, whitened: plan.Whitened) -> plan.OffsetRewrite:
        """The matrix of the config in its variable: what is above its diagonal does nothing."""
        value, variable = whitened.value, whitened.variable
        if value is None:
            return rewrite
        self._shift(f"{variable} = {self._jnp('tril')}({self._value(value)})")
        return replace(rewrite, scale=replace(whitened, value=replace(value, expression=variable)))

    def _centring(self, centring: plan.Centring) -> str:
        """``LocScaleReparam(centered=0.5)``: what that samples is offset."""
        centered = centring.learned
        if isinstance(centring.centered, plan.Coefficient):
            self._declare_param(centered, centring.centered, "unit_interval")
            centered = centring.step or centered
        else:
            centered = repr(centring.centered)
        shapes = [*map(self._string, centring.shape_params)]
        also = f", shape_params=[{', '.join(shapes)}]" if shapes else ""
        return f"{self._reparam('LocScaleReparam')}(centered={centered}{also})"

    def _offset_in_scan(self, rewrite: plan.ScanRewrite) -> None:
        """The base is sampled from the moved distribution, and the site computed from it."""
        self._sum(rewrite.terms, rewrite.loc)
        deterministic = self._spell("numpyro.deterministic", self._sampled)
        value = f"{deterministic}({self._site.call.name.text}, {rewrite.base} - {rewrite.loc})"
        self.after.append(wrap.statement(f"{self._site.variable} = {value}", self._room))
        self.base_site = self._string(f"{self._site.name}_base")

    def _handle(
        self, rewrite: plan.OffsetRewrite | plan.OtherRewrite, made: str, around: str = ""
    ) -> None:
        """A reparameterizer in a variable, for a handler to apply.

        With `around` it is in that variable, and the other one is for what this one samples. Where
        draws mean something else with other data, those that there are of the site count.
        """
        reparam, data, site = around or rewrite.reparam, rewrite.data, self._site.name
        comment: list[str] = []
        if data:
            made = f"{self._spelling.defined(BY_NAME, rewrite.function)}({made})"
            text = f"How {site} comes from its base depends on {joined([*data])}: where draws of "
            text += f"{site} are given, they count."
            comment = textwrap.wrap(text, min(self._room, COMMENT) - 2)
        kept = self._kept(reparam, rewrite.reparam, self._instead)
        lines = wrap.statement(f"{kept} = {made}", self._room)
        self._shift((*(f"# {line}" for line in comment), *lines))
        if self._site.call.rounds:
            self._handled_in_rounds(rewrite.reparam)
        else:
            self._handled_by(reparam, *[rewrite.reparam] * bool(around))

    def _handled_by(self, reparam: str, inner: str = "") -> None:
        handler = self._spell("numpyro.handlers.reparam")
        config = [(self._named_with(self._instead), reparam)]
        if inner:
            config.append((self._named_with(DECENTERED.format("")), inner))
        self.handled = Handled(handler, tuple(config), self._site.statement)

    def _kept(self, variable: str, whole: str, more: str) -> str:
        """Where a reparameterizer is kept: of a site of a comprehension, in one dictionary."""
        inside = self._site.call.rounds
        return f"{whole}[{self._named_with(more)}]" if inside else variable

    def _handled_in_rounds(self, whole: str) -> None:
        """An entry for each name that a comprehension samples, before its statement."""
        rounds, number = self._site.call.rounds, self._site.statement
        lines = [line for _, part in (*self.declarations, *self.shifts) for line in part]
        headers = [f"{TAB * at}{text}" for at, text in enumerate(rounds)]
        body = [f"{TAB * len(rounds)}{line}" for line in lines]
        self.declarations = []
        self.shifts = [(number, (f"{whole} = {{}}",)), (number, (*headers, *body))]
        self.handled = Handled(self._spell("numpyro.handlers.reparam"), (), number, whole)

    def _conditional(self, rewrite: plan.ConditionalRewrite) -> None:
        """``given = Conditional("fitted.npz", {"mu": 10, "a": sigma_a}, noise=sigma)``"""
        made = rewrite.coordinates
        if made is not None:
            room, spelling = min(self._room, COMMENT) - 2, self._spelling
            comment = textwrap.wrap(effects.comment(made), room)
            text = effects.statement(made, self._string, self._with_quotes, self._spell)
            called = spelling.defined(effects.kind_of(made), rewrite.function)
            lines = wrap.statement(f"{rewrite.reparam} = {called}({text})", self._room)
            self._shift((*(f"# {line}" for line in comment), *lines))
        self._handled_by(rewrite.reparam)

    def _declare(self, line: str, at: int | None = None) -> None:
        at = self._place.declare if at is None else at
        self.declarations.append((at, wrap.statement(line, self._room_at(at))))

    def _shift(self, code: str | Lines) -> None:
        lines = wrap.statement(code, self._room) if isinstance(code, str) else code
        self.shifts.append((self._place.shift, lines))

    def _room_at(self, statement: int) -> int:
        """What the indent of the child's statement, or of one that it stands in, leaves."""
        inside = len(TAB) * len(self._site.call.rounds)
        return self._width - self._indents.get(statement, self._site.indent) - inside

    # -- what is asked of the prior ----------------------------------------------------------------

    def _ask(self, prior: plan.AskedPrior, support: plan.Constrained | None) -> None:
        """``a_prior = make_prior()``, and what is asked of it.

        The shape is asked where params are declared, the support where the shift is made.
        """
        asked, variable = prior.shape, prior.variable
        if asked is not None and asked.sizes:
            self._declare(f"{asked.sizes} = {tuple_of(asked.plates)}", asked.sized)
        if prior.moved:
            at = self._place.shift if asked is None else self._place.declare
            assert self._site.call.prior is not None
            distribution = self._site.call.prior.text.replace("\r\n", "\n")
            made = [(variable, distribution)]
            if prior.around:
                around = prior.around.replace("\r\n", "\n")
                inner = distribution.removesuffix(around)
                made = [(prior.vector, inner), (variable, prior.vector + around)]
            for name, text in made:
                lines = wrap.kept(name, text, self._room_at(at))
                (self.shifts if asked is None else self.declarations).append((at, lines))
        if asked is None:
            return
        shape = f"{variable}.shape()"
        if asked.plates:
            sizes_of = asked.sizes or tuple_of(asked.plates)
            shape = f"{self._jnp('broadcast_shapes')}({sizes_of}, {variable}.batch_shape)"
            shape += f" + {variable}.event_shape"
        if support is not None and support.bijector:
            biject = self._spell(f"{TRANSFORMS}.biject_to")
            self._declare(f"{support.bijector} = {biject}({variable}.support)")
            shape = f"{support.bijector}.inverse_shape({shape})"
        if asked.variable:
            self._declare(f"{asked.variable} = {shape}")

    def _check(self, rewrite: plan.OffsetRewrite) -> None:
        """What only the run tells of the parents' shapes, each with an error that says what to do.

        ::

            if jnp.shape(w) not in ((), v_prior.shape()):
                raise ValueError("'w' can't be lined up with 'v': ...")
        """
        scale = plan.scaled_by(rewrite)
        parents = [(term.label, term.value) for term in rewrite.terms]
        for label, value in [*parents, *([scale] if scale else [])]:
            conditions = [self._failed(check, value.expression) for check in value.checks]
            if conditions and len(f"if {' or '.join(conditions)}:") <= self._room:
                conditions = [" or ".join(conditions)]
            words = unfit(label, self._site.name, value)
            raised = wrap.raised("ValueError", self._string(words), self._room)
            for condition in conditions:
                self._shift((*wrap.statement(f"if {condition}:", self._room), *raised))

    def _failed(self, check: plan.Check, parent: str) -> str:
        """The condition under which a check fails."""
        match check:
            case plan.Claim("child", dims):
                return f"len({self._shape}) != {dims}"
            case plan.Claim("parent" | "matrix", dims):
                return f"{self._jnp('ndim')}({parent}) != {dims}"
            case plan.Claim(plate, dim):
                return f"{grouped(plate)} != {dim}"
            case plan.ShapeAmong(part, among):
                shape = f"{self._jnp('shape')}({parent}){index_of(part)}"
                first, *others = parts = [*map(self._part, among)]
                return f"{shape} not in ({', '.join(parts)})" if others else f"{shape} != {first}"

    def _part(self, part: plan.Part) -> str:
        """A part of the child's shape, or one of its sizes."""
        if part == plan.NOTHING:
            return "()"
        if isinstance(part, tuple):
            return tuple_of(tuple(map(self._part, part)))
        sizes = self._sizes
        if sizes is None:
            return f"{self._shape}{index_of(part)}"
        return sizes[part] if isinstance(part, int) else tuple_of(sizes[part.start : part.end])

    # -- where a parent and a child meet in data --------------------------------------------------

    def _project(self, rewrite: plan.OffsetRewrite) -> None:
        """What the child can make up for of its parents, each in a variable."""
        shape = self._sizes[0] if self._sizes and len(self._sizes) == 1 else self._shape
        divided = set[str]()
        for term in rewrite.terms:
            match term.value.projection:
                case plan.Projection() as made:
                    if term.value.evidence == "sum":
                        made = replace(made, seen=tuple(map(self._quoted, made.seen)))
                    for text in projecting.statements(made, shape, self._jnp, divided):
                        self._shift(text)
                case plan.FrozenProjection(file, variable):
                    made_by = self._spelling.defined(FROZEN, rewrite.function)
                    name, own = self._site.call.name.text, self._named(term.coefficient)
                    text = f"{name}, {term.value.expression}, {self._shape}"
                    text = f"{made_by}({text}, {self._string(file)}, {own})"
                    self._shift(f"{variable} = {text}")

    # -- the offset --------------------------------------------------------------------------------

    def _sum(self, terms: tuple[plan.Term, ...], loc: str) -> None:
        """The sum of the terms, and the coefficients that get statements of their own.

        Coefficients are declared in the sum itself, unless that is deeper than params may be, or
        a line would get too long.
        """
        if not terms:
            return
        if self._place.shift == self._place.declare:
            lines = wrap.sum_of(loc, self._summands(terms, named=False), self._room)
            if lines is not None:
                self._shift(lines)
                return
        for term in terms:
            if term.variable:
                self._declare_param(term.variable, term.coefficient)
        summands = self._summands(terms, named=True)
        lines = wrap.sum_of(loc, summands, self._room)
        for each in [lines] if lines else wrap.added_up(loc, summands, self._room):
            self._shift(each)

    def _summands(self, terms: tuple[plan.Term, ...], *, named: bool) -> list[str]:
        """The summands of the offset, each after the first with its sign.

        `named`: the coefficients are variables, rather than declared on the spot.
        """
        first, *rest = [self._term(term, named=named) for term in terms]
        return [first, *(f"- {text[1:]}" if text[0] == "-" else f"+ {text}" for text in rest)]

    def _term(self, term: plan.Term, *, named: bool) -> str:
        """``coefficient * value``; a literal coefficient of 1 is the value itself."""
        value = self._value(term.value)
        spec = term.coefficient.spec
        if not spec.has_shape:
            match spec.init:
                case 1:
                    return value if is_arithmetic(value) else f"({value})"
                case -1:
                    return f"-{grouped(value)}"
                case number:
                    return f"{number!r} * {grouped(value)}"
        xi = term.step or (term.variable if named else self._coefficient(term.coefficient))
        if term.product in ("*", "@"):
            return f"{xi} {term.product} {grouped(value)}"
        return f'{self._jnp("einsum")}("{term.product}", {xi}, {value})'

    def _coefficient(self, coefficient: plan.Coefficient, constraint: str = "") -> str:
        """``numpyro.param("xi_a_mu", jnp.zeros(n_a))``, within a constraint if one is given."""
        if not coefficient.spec.learn:
            return self._start(coefficient)
        arguments = f"{self._named(coefficient)}, {self._start(coefficient)}"
        if coefficient.sizes and coefficient.event_dim is not None:
            arguments += f", event_dim={coefficient.event_dim}"
        if constraint:
            arguments += f", constraint={self._constraint(constraint)}"
        return f"{self._spell('numpyro.param')}({arguments})"

    def _declare_param(
        self, variable: str, coefficient: plan.Coefficient, constraint: str = ""
    ) -> None:
        """There may be more steps of a scan than a param has elements."""
        self._declare(f"{variable} = {self._coefficient(coefficient, constraint)}")
        if coefficient.rest is not None and coefficient.spec.learn:
            self._declare(f"{variable} = {self._fitting(STEPS, coefficient, variable)}")

    def _fitting(self, made_by: str, coefficient: plan.Coefficient, array: str) -> str:
        """Coefficients that must have the child's shape: ``fitted("a", "xi_a_mu", (n,), [...])``"""
        made_by, sizes = self._spelling.defined(made_by, self._function), coefficient.sizes
        shape = self._shape if sizes is None else tuple_of(sizes)
        site, name = self._site.call.name.text, self._named(coefficient)
        rest = f", {coefficient.rest}" if coefficient.rest else ""
        return f"{made_by}({site}, {name}, {shape}, {array}{rest})"

    def _start(self, coefficient: plan.Coefficient) -> str:
        """``0.5``, ``jnp.zeros(n_a)``, or an array that is written or loaded.

        One that doesn't fit says of which site it is, rather than widen that.
        """
        sizes, for_steps = coefficient.sizes, coefficient.rest is not None
        match coefficient.spec.init:
            case str(file):
                kind = LOADED_STEPS if for_steps else LOADED
                return self._fitting(kind, coefficient, self._string(file))
            case tuple(rows):
                return self._fitting(STEPS if for_steps else FITTED, coefficient, listed(rows))
            case number if sizes == ():
                return repr(number)
            case number:
                shape = self._shape if sizes is None else tuple_of(sizes)
                shape = sizes[0] if sizes is not None and len(sizes) == 1 else shape
                return filled(self._spell(JNP), shape, number)

    def _value(self, value: plan.Value) -> str:
        """The parent's value, reduced, lined up, centred and guarded, in that order."""
        text, center = value.written(self._jnp), value.center
        if value.evidence == "prior":
            text = self._with_quotes(text)
        if "jnp" in text or "jnp" in center:
            self._spell(JNP, self._sampled)  # imports it as jnp where the file doesn't
        if center:
            text = text if is_arithmetic(text) else f"({text})"
            minus = f"+ {center[1:]}" if NEGATIVE.fullmatch(center) else f"- {grouped(center)}"
            text = f"{text} {minus}"
        if value.guarded:
            text = f"{self._jnp('broadcast_to')}({text}, {self._shape})"
        return text

    # -- the transform -----------------------------------------------------------------------------

    def _scale(self, scale: plan.Scale | None, prior: plan.AskedPrior | None) -> str:
        """What the child is multiplied by, after the statements that compute it."""
        match scale:
            case None | 1.0 | plan.Power(power=0):
                return "1"
            case plan.Whitened(None):
                assert prior is not None
                return f"{prior.vector}.scale_tril"
            case float(number):
                return repr(number)
            case plan.Learned(variable, param, step):
                self._declare_param(variable, param, "positive")
                return step or variable
            case plan.Power(variable, value, -1):
                self._shift(f"{variable} = {self._value(value)}")
            case plan.Power(variable, value, 1):
                self._shift(f"{variable} = 1 / {grouped(self._value(value))}")
            case plan.Power(variable, value, float(power)):
                self._shift(f"{variable} = {to_power(self._value(value), repr(power))}")
            case plan.Power(variable, value, plan.Coefficient() as param, _, exponent, step):
                self._declare_param(exponent, param, "unit_interval")
                self._shift(f"{variable} = {to_power(self._value(value), step or exponent)}")
        return scale.variable

    def _transforms(self, rewrite: plan.OffsetRewrite, scale: str) -> Iterator[str]:
        """What happens to the child, from left to right.

        Into unconstrained space if the child is constrained, then scaled and shifted, then into
        another basis: ``DiscreteCosineTransform(dim=-1)``, for each axis.
        """
        support, basis, loc = rewrite.support, rewrite.basis, rewrite.loc if rewrite.terms else "0"
        if support is not None:
            yield f"{support.bijector or self._bijector(support, rewrite)}.inv"
        whitened = isinstance(rewrite.scale, plan.Whitened)
        if whitened and rewrite.prior is not None:
            own = f"{rewrite.prior.vector}.loc"
            loc = f"{own} - {loc}" if rewrite.terms else own
        if rewrite.terms or rewrite.scale is not None or rewrite.full:
            affine = "LowerCholeskyAffine" if whitened else "AffineTransform"
            if rewrite.full and loc != "0":
                loc = f"{self._jnp('broadcast_to')}({loc}, {self._shape})"
            elif rewrite.full:
                loc = f"{self._jnp('zeros')}({self._shape})"
            made = f"{self._spell(f'{TRANSFORMS}.{affine}')}({loc}, {scale})"
            yield f"{made}.inv" if whitened else made
        for dim in basis.dims if basis is not None else ():
            assert basis is not None
            if dim in basis.over_plates:
                name = self._spelling.defined(basis.kind, rewrite.function)
            else:
                name = self._spell(f"{TRANSFORMS}.{BASES[basis.kind].transform}")
            yield f"{name}(dim={dim}{basis.settings})"

    def _bijector(self, support: plan.Constrained, rewrite: plan.OffsetRewrite) -> str:
        """The bijection from unconstrained space to the child's support."""
        space = f"{rewrite.prior.variable}.support" if rewrite.prior is not None else ""
        if support.constraint:
            space = self._constraint(support.constraint)
        return f"{self._spell(f'{TRANSFORMS}.biject_to')}({space})"

    # -- names and strings -------------------------------------------------------------------------

    def _spell(self, dotted: str, moment: Moment | None = None) -> str:
        return self._spelling.of(dotted, moment or self._declared)

    def _reparam(self, name: str) -> str:
        return self._spell(f"numpyro.infer.reparam.{name}")

    def _jnp(self, function: str) -> str:
        """A function of jax.numpy where the child is sampled."""
        return f"{self._spell(JNP, self._sampled)}.{function}"

    def _constraint(self, name: str) -> str:
        return f"{self._spell('numpyro.distributions.constraints')}.{name}"

    def _named(self, coefficient: plan.Coefficient) -> str:
        name, quote = coefficient.spec.name, self._quote
        return f"f{quote}{name}{quote}" if coefficient.computed else self._string(name)

    def _named_with(self, more: str) -> str:
        """The name of what a reparameterizer samples: ``f"b_{k}_decentered"``"""
        text = self._site.call.name.text
        if not more:
            return text
        if not isinstance(parsed(text), ast.Constant | ast.JoinedStr):
            return f"{grouped(text)} + {self._string(more)}"
        return inserted(text, more)

    def _quoted(self, seen: plan.Seen) -> plan.Seen:
        """What was read in the model, with the quotes of the site's own name: ``data["x"]``"""
        return plan.Seen(*map(self._with_quotes, (seen.index, seen.weight, seen.added)))

    def _with_quotes(self, text: str) -> str:
        plain = not {'"', "\\"} & set(text)
        return text.replace("'", self._quote) if plain else text

    def _string(self, text: str) -> str:
        """A string literal with the quotes of the site's own name."""
        shown = repr(text)
        if self._quote not in text and shown[1:-1] == text:
            return f"{self._quote}{text}{self._quote}"
        return shown
