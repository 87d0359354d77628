"""A planned rewrite as lines of NumPyro. Text only: what is written here is what is reviewed."""

from __future__ import annotations

from textwrap import wrap

from msgspec import Struct

from reparam_rewrite.emit import layout
from reparam_rewrite.emit.edit import Handled
from reparam_rewrite.emit.scanning import Moved
from reparam_rewrite.emit.spelling import Spelling
from reparam_rewrite.emit.tidy import tidied
from reparam_rewrite.plan.values import (
    Basis,
    Check,
    Coefficient,
    Other,
    Rewrite,
    Scale,
    Scanned,
    Term,
    Value,
)
from reparam_rewrite.survey.expressions import grouped, is_arithmetic
from reparam_rewrite.survey.moment import Moment

#: What NumPyro calls the bases.
TRANSFORMS = {"dct": "DiscreteCosineTransform", "haar": "HaarTransform"}

#: How long the lines of a comment may be.
COMMENT = 72

#: What the generated code says of a parent whose shape turns out not to fit.
UNFIT = "'{parent}' can't be lined up with '{child}': "
NAME = "name the axes of both in the config"
NAMED = "they don't have the axes that the config names"

#: Each of one or more lines, without the indent of its first.
Statements = list[layout.Lines]


class Code(Struct, frozen=True):
    """The generated code of one child, as statements of one or more lines without indent.

    `declarations` go before the statement `Rewrite.declare`, `shift` before `Rewrite.shift`;
    `handler` is what goes into the `with`. `prior` replaces the distribution in the statement. In a
    scan there is no handler: the statement is `moved`, and `after` comes after it. `sizes` goes
    before the statement `Runtime.sized`.
    """

    declarations: tuple[tuple[str, ...], ...]
    shift: tuple[tuple[str, ...], ...]
    handler: Handled | None = None
    prior: str = ""
    moved: Moved | None = None
    after: tuple[tuple[str, ...], ...] = ()
    sizes: tuple[str, ...] = ()


class Writer:
    """Writes the code of one rewrite, in the spelling of its file."""

    def __init__(
        self, rewrite: Rewrite, spelling: Spelling, moment: Moment, within: Moment
    ) -> None:
        """`moment` is where params are declared, `within` where the child is sampled."""
        self._rewrite = rewrite
        self._spelling = spelling
        self._moment = moment
        # A scan's body is a function of its own: what is imported there may be another thing.
        self._within = within if rewrite.scanned is not None else moment
        name = rewrite.site.name_segment.text.lstrip("rRuUbBfF")
        self._quote = "'" if name.startswith("'") else '"'

    def code(self, room_declared: int, room_shifted: int, room_sized: int) -> Code:
        """`room_...`: what the line length leaves to statements at the three places."""
        rewrite = self._rewrite
        declarations: Statements = []
        shift: Statements = []
        runtime = rewrite.runtime
        if runtime is not None:
            # The shape is asked where params are declared, the support where the shift is made.
            if runtime.asks_shape:
                declarations += self._asked(room_declared)
            else:
                shift += self._asked(room_shifted)
        shift += self._checks(room_shifted)
        if rewrite.terms:
            declared, summed = self._offset(room_declared, room_shifted)
            declarations += declared
            shift += summed
        if rewrite.scanned is not None:
            return self._scanned(rewrite.scanned, declarations, shift, room_shifted)
        scale = "1"
        if rewrite.scale is not None:
            declared, scaled, scale = self._scaling(rewrite.scale, room_declared, room_shifted)
            declarations += declared
            shift += scaled
        made = self._other(rewrite.other) if rewrite.other else self._explicit(scale)
        line = f"{rewrite.reparam} = {made}"
        shift.append((*self._warning(room_shifted), *layout.statement(line, room_shifted)))
        if rewrite.given.optional:
            shift.append(self._by_name(room_shifted))
        handler = self._spell("numpyro.handlers.reparam")
        key = rewrite.site.name_segment.text
        hoisted = runtime is not None and runtime.hoisted
        return Code(
            tuple(declarations),
            tuple(shift),
            Handled(handler, key, rewrite.reparam, rewrite.site.statement),
            runtime.prior if runtime is not None and hoisted else "",
            sizes=self._sizes(room_sized),
        )

    def _scanned(
        self, scanned: Scanned, declarations: Statements, shift: Statements, room: int
    ) -> Code:
        """The base is sampled from the moved distribution, and the site computed from it."""
        site, loc = self._rewrite.site, self._rewrite.loc
        deterministic = self._spell("numpyro.deterministic", self._within)
        name = site.name_segment.text
        line = f"{site.variable} = {deterministic}({name}, {scanned.base} - {loc})"
        base = self._string(f"{site.name}_base")
        return Code(
            tuple(declarations),
            tuple(shift),
            moved=Moved(name, base, scanned.base, loc, scanned.position),
            after=(layout.statement(line, room),),
        )

    def _offset(self, room_declared: int, room_shifted: int) -> tuple[Statements, Statements]:
        """The coefficients that get statements of their own, and the sum of the terms.

        Coefficients are declared in the sum itself, unless that is deeper than params may be, or
        a line would get too long.
        """
        rewrite = self._rewrite
        if rewrite.shift == rewrite.declare:
            lines = layout.sum_of(rewrite.loc, self._terms(named=False), room_shifted)
            if lines is not None:
                return [], [lines]
        declared: Statements = []
        for term in rewrite.terms:
            if term.coefficient.declared:
                line = f"{term.coefficient.variable} = {self._declared(term.coefficient)}"
                declared.append(layout.statement(line, room_declared))
        terms = self._terms(named=True)
        lines = layout.sum_of(rewrite.loc, terms, room_shifted)
        if lines is not None:
            return declared, [lines]
        return declared, layout.added_up(rewrite.loc, terms, room_shifted)

    def _spell(self, dotted: str, moment: Moment | None = None) -> str:
        return self._spelling.of(dotted, moment or self._moment)

    def _jnp(self, function: str, moment: Moment | None = None) -> str:
        return f"{self._spell('jax.numpy', moment)}.{function}"

    def _string(self, text: str) -> str:
        """A string literal with the quotes of the site's own name."""
        shown = repr(text)
        if self._quote not in text and shown[1:-1] == text:
            return f"{self._quote}{text}{self._quote}"
        return shown

    # -- run time ------------------------------------------------------------------------------

    def _asked(self, room: int) -> Statements:
        """``a_prior = make_prior()`` and what is asked of it."""
        rewrite, runtime = self._rewrite, self._rewrite.runtime
        assert runtime is not None
        assert rewrite.site.prior_segment is not None
        statements: Statements = []
        if runtime.hoisted:
            prior = rewrite.site.prior_segment.text.replace("\r\n", "\n")
            one_line = layout.joined(prior)
            if one_line is None:
                statements.append(layout.kept(runtime.prior, prior, room))
            else:
                statements.append(layout.statement(f"{runtime.prior} = {one_line}", room))
        shape = f"{runtime.prior}.shape()"
        if runtime.plates:
            sizes = runtime.sizes or tuple_of(runtime.plates)
            broadcast = self._jnp("broadcast_shapes")
            shape = (
                f"{broadcast}({sizes}, {runtime.prior}.batch_shape) + {runtime.prior}.event_shape"
            )
        if runtime.bijector:
            biject = self._spell("numpyro.distributions.transforms.biject_to")
            line = f"{runtime.bijector} = {biject}({runtime.prior}.support)"
            statements.append(layout.statement(line, room))
            shape = f"{runtime.bijector}.inverse_shape({shape})"
        if runtime.shape:
            statements.append(layout.statement(f"{runtime.shape} = {shape}", room))
        return statements

    def _sizes(self, room: int) -> tuple[str, ...]:
        """``a_plates = (len(x),)``"""
        runtime = self._rewrite.runtime
        if runtime is None or not runtime.sizes:
            return ()
        return layout.statement(f"{runtime.sizes} = {tuple_of(runtime.plates)}", room)

    def _shape(self) -> str:
        """The child's shape as an expression."""
        rewrite = self._rewrite
        if rewrite.sizes is not None:
            return tuple_of(rewrite.sizes)
        assert rewrite.runtime is not None
        return rewrite.runtime.shape or f"{rewrite.runtime.prior}.shape()"

    def _checks(self, room: int) -> Statements:
        """What only the run tells of the parents' shapes, each with an error that says what to do.

        ::

            if jnp.shape(w) not in ((), v_prior.shape()):
                raise ValueError("'w' can't be lined up with 'v': ...")
        """
        rewrite = self._rewrite
        values = [(term.label, term.value) for term in rewrite.terms]
        if rewrite.scale is not None and rewrite.scale.value is not None:
            values.append((rewrite.scale.label, rewrite.scale.value))
        found: Statements = []
        for label, value in values:
            asked = any(check.dims is None for check in value.checks)
            shape = f"{self._jnp('shape', self._within)}({value.expression})" if asked else ""
            conditions: list[str] = []
            for check in value.checks:
                if check.dims is not None:
                    conditions.append(f"{self._counted(check, value.expression)} != {check.dims}")
                    continue
                if check.order:
                    parts = tuple(str(self._part(axis)) for axis in check.order)
                    conditions.append(f"{shape} != {tuple_of(parts)}")
                    continue
                among = [self._part(part) for part in check.among]
                other = f"!= {among[0]}" if len(among) == 1 else f"not in ({', '.join(among)})"
                conditions.append(f"{shape}{check.own} {other}")
            if len(f"if {' or '.join(conditions)}:") <= room:
                conditions = [" or ".join(conditions)] if conditions else []
            claimed = any(check.dims is not None for check in value.checks)
            words = UNFIT.format(parent=label, child=rewrite.site.name)
            words = self._string(words + (NAMED if claimed else NAME))
            for condition in conditions:
                raised = layout.raised("ValueError", words, room)
                found.append((*layout.statement(f"if {condition}:", room), *raised))
        return found

    def _counted(self, check: Check, parent: str) -> str:
        """What must be the number that a check has."""
        if check.text:
            return grouped(tidied(check.text, self._quote))
        if check.child:
            return f"len({self._shape()})"
        return f"{self._jnp('ndim', self._within)}({parent})"

    def _part(self, part: int | tuple[int | None, int | None]) -> str:
        """A part of the child's shape, or one of its sizes."""
        sizes = self._rewrite.sizes
        if isinstance(part, int):
            return sizes[part] if sizes is not None else f"{self._shape()}[{part}]"
        start, end = part
        if start == end == 0:
            return "()"
        if sizes is not None:
            return tuple_of(sizes[start:end])
        if start is None and end is None:
            return self._shape()
        return f"{self._shape()}[{'' if start is None else start}:{'' if end is None else end}]"

    # -- terms ---------------------------------------------------------------------------------

    def _terms(self, *, named: bool) -> list[str]:
        """The summands of the offset, each after the first with its sign.

        `named`: the coefficients are variables, rather than declared on the spot.
        """
        found = []
        for position, term in enumerate(self._rewrite.terms):
            text = self._term(term, named=named)
            if position:
                text = f"- {text[1:]}" if text.startswith("-") else f"+ {text}"
            found.append(text)
        return found

    def _term(self, term: Term, *, named: bool) -> str:
        """``coefficient * value``; a literal coefficient of 1 is the value itself."""
        value, coefficient = self._value(term.value), term.coefficient
        if coefficient.declared:
            xi = coefficient.variable if named else self._declared(coefficient)
            xi = coefficient.step or xi
            if coefficient.contract in ("", "@"):
                return f"{xi} {coefficient.contract or '*'} {grouped(value)}"
            return f'{self._jnp("einsum", self._within)}("{coefficient.contract}", {xi}, {value})'
        if coefficient.init == 1:
            return value if is_arithmetic(value) else f"({value})"
        if coefficient.init == -1:
            return f"-{grouped(value)}"
        return f"{coefficient.init!r} * {grouped(value)}"

    def _declared(self, coefficient: Coefficient) -> str:
        """The param, or the array that is written or loaded."""
        return self._param(coefficient) if coefficient.param else self._init(coefficient)

    def _name(self, coefficient: Coefficient, name: str) -> str:
        if coefficient.computed:
            return f"f{self._quote}{name}{self._quote}"
        return self._string(name)

    def _param(self, coefficient: Coefficient, constraint: str = "") -> str:
        """``numpyro.param("xi_a_mu", jnp.zeros(n_a))``, within a constraint if one is given."""
        name = self._name(coefficient, coefficient.param)
        arguments = f"{name}, {self._init(coefficient)}"
        if coefficient.event_dim is not None:
            arguments += f", event_dim={coefficient.event_dim}"
        if constraint:
            arguments += f", constraint={self._constraint(constraint)}"
        return f"{self._spell('numpyro.param')}({arguments})"

    def _init(self, coefficient: Coefficient) -> str:
        init, sizes = coefficient.init, coefficient.sizes
        if not isinstance(init, float):
            # An array that is too large fails then, rather than widen the site.
            shape = self._shape() if sizes is None else tuple_of(sizes)
            return f"{self._jnp('broadcast_to')}({self._array(coefficient)}, {shape})"
        if sizes == ():
            return repr(init)
        shape = self._shape() if sizes is None else shape_argument(sizes)
        if init in (0, 1):
            return f"{self._jnp('zeros' if init == 0 else 'ones')}({shape})"
        return f"{self._jnp('full')}({shape}, {init!r})"

    def _array(self, coefficient: Coefficient) -> str:
        """``jnp.array([0.5, 1.0])``, or the one in the .npz beside the file."""
        if isinstance(coefficient.init, str):
            path, name = self._spell("pathlib.Path"), self._string(coefficient.init)
            file = f"{path}(__file__).with_name({name})"
            return f"{self._jnp('load')}({file})[{self._name(coefficient, coefficient.key)}]"
        return f"{self._jnp('array')}({listed(coefficient.init)})"

    def _value(self, value: Value) -> str:
        """The parent's value, reduced, lined up, centred and guarded, in that order."""
        text = tidied(value.expression, self._quote)
        center = tidied(value.center, self._quote)
        if uses_jnp(text) or uses_jnp(value.center):
            self._spell(
                "jax.numpy", self._within
            )  # imports it as jnp where the file doesn't have it
        if value.reduce:
            axes = ""
            if value.axes:
                axis = value.axes[0] if len(value.axes) == 1 else tuple(value.axes)
                axes = f", axis={axis}"
            keep = ", keepdims=True" if value.keepdims else ""
            text = f"{self._jnp(value.reduce, self._within)}({text}{axes}{keep})"
        if value.order:
            order = "" if value.order == (1, 0) else f", {value.order}"
            text = f"{self._jnp('transpose', self._within)}({text}{order})"
        if value.index:
            text = f"{grouped(text)}{value.index}"
        if center:
            text = text if is_arithmetic(text) else f"({text})"
            if center.startswith("-") and is_number(center):
                text = f"{text} + {center[1:]}"
            else:
                text = f"{text} - {grouped(center)}"
        if value.guarded:
            text = f"{self._jnp('broadcast_to')}({text}, {self._shape()})"
        return text

    # -- the transform -------------------------------------------------------------------------

    def _scaling(
        self, scale: Scale, room_declared: int, room_shifted: int
    ) -> tuple[Statements, Statements, str]:
        """The param of a scale, the statement that computes it, and how it is called then."""
        declared: Statements = []
        coefficient = scale.coefficient
        if scale.value is None:
            if coefficient is None:
                return [], [], repr(scale.literal)
            line = f"{scale.variable} = {self._param(coefficient, 'positive')}"
            return [layout.statement(line, room_declared)], [], scale.variable
        text = self._value(scale.value)
        # Black hugs the operator between names and numbers only.
        power = "**" if text.replace(".", "").isidentifier() else " ** "
        if coefficient is not None:
            line = f"{coefficient.variable} = {self._param(coefficient, 'unit_interval')}"
            declared.append(layout.statement(line, room_declared))
            text = f"{grouped(text)}{power}-{coefficient.variable}"
        elif scale.power == 0:
            return [], [], "1"
        elif scale.power == 1:
            text = f"1 / {grouped(text)}"
        elif scale.power is not None:
            text = f"{grouped(text)}{power}-{scale.power!r}"
        line = f"{scale.variable} = {text}"
        return declared, [layout.statement(line, room_shifted)], scale.variable

    def _other(self, other: Other) -> str:
        """``LocScaleReparam(centered=0.0)``"""
        return f"{self._spell(f'numpyro.infer.reparam.{other.name}')}({other.arguments})"

    def _by_name(self, room: int) -> layout.Lines:
        """``if y is None: b_reparam = by_name(b_reparam)``, on two lines"""
        rewrite = self._rewrite
        missing = [f"{tidied(part, self._quote)} is None" for part in rewrite.given.optional]
        head = layout.statement(f"if {' or '.join(missing)}:", room)
        name, made = rewrite.reparam, self._spelling.by_name()
        return (*head, f"{' ' * layout.STEP}{name} = {made}({name})")

    def _warning(self, room: int) -> list[str]:
        """A comment above the reparameterizer, where draws mean something else with other data."""
        rewrite = self._rewrite
        if not rewrite.data:
            return []
        text = f"How {rewrite.site.name} comes from its base depends on "
        text += f"{' and '.join(rewrite.data)}: predict with the plain model."
        return wrap(text, min(room, COMMENT), initial_indent="# ", subsequent_indent="# ")

    def _explicit(self, scale: str) -> str:
        """``ExplicitReparam`` of what happens to the child, from left to right.

        Into unconstrained space if the child is constrained, then scaled and shifted, then into
        another basis.
        """
        rewrite = self._rewrite
        parts = []
        support = self._bijector()
        if support:
            parts.append(f"{support}.inv")
        if rewrite.terms or rewrite.scale is not None or rewrite.full:
            affine = self._spell("numpyro.distributions.transforms.AffineTransform")
            parts.append(f"{affine}({self._loc()}, {scale})")
        if rewrite.basis is not None:
            parts += self._bases(rewrite.basis)
        explicit = self._spell("numpyro.infer.reparam.ExplicitReparam")
        return f"{explicit}({parts[0] if len(parts) == 1 else '[' + ', '.join(parts) + ']'})"

    def _loc(self) -> str:
        rewrite = self._rewrite
        if not rewrite.terms:
            return f"{self._jnp('zeros')}({self._shape()})" if rewrite.full else "0"
        if rewrite.full:
            return f"{self._jnp('broadcast_to')}({rewrite.loc}, {self._shape()})"
        return rewrite.loc

    def _bijector(self) -> str:
        """The bijection from unconstrained space to the child's support, empty on the real line."""
        runtime = self._rewrite.runtime
        if runtime is not None and runtime.bijector:
            return runtime.bijector
        if runtime is not None and runtime.bijects:
            support = f"{runtime.prior}.support"
        elif self._rewrite.constraint:
            support = self._constraint(self._rewrite.constraint)
        else:
            return ""
        return f"{self._spell('numpyro.distributions.transforms.biject_to')}({support})"

    def _constraint(self, name: str) -> str:
        return f"{self._spell('numpyro.distributions.constraints')}.{name}"

    def _bases(self, basis: Basis) -> list[str]:
        """A transform for each axis."""
        transform = TRANSFORMS[basis.kind]
        settings = f", smooth={basis.smooth!r}" if basis.smooth else ""
        settings += ", flip=True" if basis.flip else ""
        found = []
        for dim in basis.dims:
            if dim in basis.over_plates:
                name = self._spelling.defined(transform)
            else:
                name = self._spell(f"numpyro.distributions.transforms.{transform}")
            found.append(f"{name}(dim={dim}{settings})")
        return found


def uses_jnp(text: str) -> bool:
    return "jnp" in text


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def shape_argument(sizes: tuple[str, ...]) -> str:
    """``n`` or ``(n, m)``, as `jnp.zeros` takes it."""
    return sizes[0] if len(sizes) == 1 else tuple_of(sizes)


def tuple_of(sizes: tuple[str, ...]) -> str:
    """``()``, ``(n,)``, ``(n, m)``"""
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def listed(init: object) -> str:
    """``[[0.5, 1.0], [0.0, 2.0]]``"""
    if isinstance(init, tuple):
        return f"[{', '.join(map(listed, init))}]"
    return repr(init)
