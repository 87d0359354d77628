"""A planned rewrite as lines of NumPyro. Text only: what is written here is what is reviewed."""

from __future__ import annotations

from msgspec import Struct

from reparam_rewrite.emit import layout
from reparam_rewrite.emit.spelling import Spelling
from reparam_rewrite.emit.tidy import tidied
from reparam_rewrite.expressions import grouped, is_arithmetic
from reparam_rewrite.plan.values import Coefficient, Rewrite, Term, Value
from reparam_rewrite.survey.moment import Moment

#: Each of one or more lines, without the indent of its first.
Statements = list[layout.Lines]


class Code(Struct, frozen=True):
    """The generated code of one child, as statements of one or more lines without indent.

    `declarations` go before the statement `Rewrite.declare`, `shift` before `Rewrite.shift`;
    `handler` is the item of the `with`. `prior` replaces the distribution in the statement.
    """

    declarations: tuple[tuple[str, ...], ...]
    shift: tuple[tuple[str, ...], ...]
    handler: str
    prior: str = ""


class Writer:
    """Writes the code of one rewrite, in the spelling of its file."""

    def __init__(self, rewrite: Rewrite, spelling: Spelling, moment: Moment) -> None:
        self._rewrite = rewrite
        self._spelling = spelling
        self._moment = moment
        name = rewrite.site.name_segment.text
        self._quote = "'" if name.lstrip("rRuUbBfF").startswith("'") else '"'

    def code(self, room_declared: int, room_shifted: int) -> Code:
        """`room_...`: what the line length leaves to statements at the two places."""
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
        declared, summed = self._offset(room_declared, room_shifted)
        declarations += declared
        shift += summed
        line = f"{rewrite.reparam} = {self._transform()}"
        shift.append(layout.statement(line, room_shifted))
        handler = self._spell("numpyro.handlers.reparam")
        key = rewrite.site.name_segment.text
        hoisted = runtime is not None and runtime.hoisted
        return Code(
            tuple(declarations),
            tuple(shift),
            f"{handler}(config={{{key}: {rewrite.reparam}}})",
            runtime.prior if runtime is not None and hoisted else "",
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
            if term.coefficient.param:
                line = f"{term.coefficient.variable} = {self._param(term.coefficient)}"
                declared.append(layout.statement(line, room_declared))
        terms = self._terms(named=True)
        lines = layout.sum_of(rewrite.loc, terms, room_shifted)
        if lines is not None:
            return declared, [lines]
        return declared, layout.added_up(rewrite.loc, terms, room_shifted)

    def _spell(self, dotted: str) -> str:
        return self._spelling.of(dotted, self._moment)

    def _jnp(self, function: str) -> str:
        return f"{self._spell('jax.numpy')}.{function}"

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
            sizes = tuple_of(runtime.plates)
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

    def _shape(self) -> str:
        """The child's shape as an expression."""
        rewrite = self._rewrite
        if rewrite.sizes is not None:
            return tuple_of(rewrite.sizes)
        assert rewrite.runtime is not None
        return rewrite.runtime.shape or f"{rewrite.runtime.prior}.shape()"

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
        if coefficient.param:
            xi = coefficient.variable if named else self._param(coefficient)
            return f"{xi} * {grouped(value)}"
        if coefficient.init == 1:
            return value if is_arithmetic(value) else f"({value})"
        if coefficient.init == -1:
            return f"-{grouped(value)}"
        return f"{coefficient.init!r} * {grouped(value)}"

    def _param(self, coefficient: Coefficient) -> str:
        """``numpyro.param("xi_a_mu", jnp.zeros(n_a))``"""
        return (
            f"{self._spell('numpyro.param')}"
            f"({self._string(coefficient.param)}, {self._init(coefficient)})"
        )

    def _init(self, coefficient: Coefficient) -> str:
        init, sizes = float(coefficient.init), coefficient.sizes
        if sizes == ():
            return repr(init)
        shape = sizes[0] if sizes and len(sizes) == 1 else self._shape()
        if init in (0, 1):
            return f"{self._jnp('zeros' if init == 0 else 'ones')}({shape})"
        return f"{self._jnp('full')}({shape}, {init!r})"

    def _value(self, value: Value) -> str:
        """The parent's value, reduced, lined up, centred and guarded, in that order."""
        text = tidied(value.expression, self._quote)
        center = tidied(value.center, self._quote)
        if uses_jnp(text) or uses_jnp(value.center):
            self._spell("jax.numpy")  # imports it as jnp where the file doesn't have it
        if value.reduce:
            axes = ""
            if value.axes:
                axis = value.axes[0] if len(value.axes) == 1 else tuple(value.axes)
                axes = f", axis={axis}"
            keep = ", keepdims=True" if value.keepdims else ""
            text = f"{self._jnp(value.reduce)}({text}{axes}{keep})"
        if value.order:
            order = "" if value.order == (1, 0) else f", {value.order}"
            text = f"{self._jnp('transpose')}({text}{order})"
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

    def _transform(self) -> str:
        """The reparameterizer: a shift, in unconstrained space if the child is constrained."""
        explicit = self._spell("numpyro.infer.reparam.ExplicitReparam")
        affine = self._spell("numpyro.distributions.transforms.AffineTransform")
        shift = f"{affine}({self._rewrite.loc}, 1)"
        runtime = self._rewrite.runtime
        if runtime is not None and runtime.bijector:
            return f"{explicit}([{runtime.bijector}.inv, {shift}])"
        support = ""
        if runtime is not None and runtime.bijects:
            support = f"{runtime.prior}.support"
        elif self._rewrite.constraint:
            constraints = self._spell("numpyro.distributions.constraints")
            support = f"{constraints}.{self._rewrite.constraint}"
        if not support:
            return f"{explicit}({shift})"
        biject = self._spell("numpyro.distributions.transforms.biject_to")
        return f"{explicit}([{biject}({support}).inv, {shift}])"


def uses_jnp(text: str) -> bool:
    return "jnp." in text


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def tuple_of(sizes: tuple[str, ...]) -> str:
    """``()``, ``(n,)``, ``(n, m)``"""
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
