"""From a function's source: what each observed site's location adds up to.

The function is run by its source, with a `Form` in the place of every value. Helpers of the file
are followed; what isn't known hides what it is given.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.suggest.forms import (
    DATA,
    Form,
    Layout,
    Made,
    Term,
    as_wide,
    both,
    hidden,
    laid_out,
    own_layout,
    product,
    scaled,
    weighted,
)
from reparam_rewrite.suggest.functions import (
    ADDING,
    ELEMENTWISE_METHODS,
    JOINING,
    MOVING,
    MOVING_METHODS,
    SOFTMAX,
)
from reparam_rewrite.survey.calls import argument, is_none
from reparam_rewrite.survey.effects import ARRAY_MODULES
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.helpers import Substitution, is_patched
from reparam_rewrite.survey.imports import bound_by, dotted
from reparam_rewrite.survey.index import Index
from reparam_rewrite.survey.naming import template_of
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.scans import SCAN
from reparam_rewrite.survey.shapes import ELEMENTWISE
from reparam_rewrite.survey.text import Text
from reparam_rewrite.survey.values import Function, Handler, Site, Survey

#: How deep helpers are followed, and how many statements and expressions are read in all.
DEEPEST, LONGEST = 8, 50_000

#: Distributions over classes, of whose logits only the differences are seen.
CLASSES = frozenset(["Categorical", "Multinomial"])

#: The arguments of distributions that place them; others spread or shape them.
PLACING = ("loc", "logits", "rate", "probs", "mean", "predictor", "log_rate")


class Observed(Struct, frozen=True):
    """An observed site and what its arguments add up to.

    `arguments` are the forms of its distribution's, by their names; `parameter` is the one that
    places it, "" if that can't be told. `line` is the one to tell of its location.
    """

    site: Site
    family: str
    parameter: str
    arguments: dict[str, Form]
    line: int

    @property
    def location(self) -> Form:
        return self.arguments.get(self.parameter, DATA)


class Reading(Struct):
    """What was read of a function: its observed sites, and the priors of its latent ones.

    `factors` are the sites that a `numpyro.factor` reads.
    """

    function: Function
    factors: set[int] = set()
    observed: list[Observed] = []
    priors: dict[int, Made] = {}


def read(survey: Survey, index: Index, text: Text, function: Function) -> Reading:
    """Run a function by its source. RecursionError: an expression is nested too deeply."""
    found = [scoped for scoped in index.functions if scoped.name == function.name]
    reader = Reader(survey, index, text, function)
    node = found[-1].node
    for outer in found[-1].around:
        reader.imports.update(outer.imports)
        reader.define(outer.node.body)
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    for part in every:
        reader.names[part.arg] = Form(text=part.arg)
    for extra in (arguments.vararg, arguments.kwarg):
        if extra is not None:
            reader.names[extra.arg] = Form(text=extra.arg)
    reader.block(node.body)
    return reader.reading


class Reader:
    """Runs the statements of one function; `names` are what its names stand for."""

    def __init__(self, survey: Survey, index: Index, text: Text, function: Function) -> None:
        self.reading = Reading(function)
        self.names: dict[str, Form] = {}
        self.imports: dict[str, str] = {}
        self._survey = survey
        self._index = index
        self._text = text
        self._function = function
        self._depth = 0
        self._left = LONGEST
        self._choices = 0
        self._groups = 0
        self._returned: list[Form] = []
        #: The call in the function itself that led to what is read now.
        self._outermost: ast.expr | None = None
        self._sites: dict[tuple[int, int], list[Site]] = {}
        for site in function.sites:
            place = site.place if site.step is None else site.step.place
            self._sites.setdefault((place.line, place.column), []).append(site)

    # Statements

    def define(self, block: Sequence[ast.stmt]) -> None:
        """Let the functions of a block be known."""
        for node in block:
            if isinstance(node, ast.FunctionDef):
                self.names[node.name] = Form(function=node)

    def block(self, block: Sequence[ast.stmt]) -> None:
        for node in block:
            self.statement(node)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef():
                self.names[node.name] = Form(function=node)
            case ast.Import() | ast.ImportFrom():
                self.imports.update(bound_by(node))
            case ast.Assign(targets=targets, value=value):
                form = self.form(value)
                for target in targets:
                    self.store(target, form)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.store(target, self.form(value))
            case ast.AugAssign(target=target, op=op, value=value):
                made = ast.copy_location(ast.BinOp(loaded(target), op, value), node)
                self.store(target, self.form(made))
            case ast.Expr(value=value):
                self.form(value)
            case ast.Return(value=value):
                self._returned.append(DATA if value is None else self.form(value))
            case ast.If(test=test):
                self.form(test)
                self.choose([node.body, node.orelse])
            case ast.Match(subject=subject):
                self.form(subject)
                self.choose([*(case.body for case in node.cases), []])
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    form = self.form(item.context_expr)
                    if item.optional_vars is not None:
                        named = isinstance(item.optional_vars, ast.Name)
                        name = ast.unparse(item.optional_vars) if named else ""
                        self.store(item.optional_vars, replace(form, text=name))
                self.block(node.body)
            case ast.For() | ast.AsyncFor():
                self.loop(node.target, self.form(node.iter), [node.body, node.orelse])
            case ast.While():
                self.form(node.test)
                self.loop(None, DATA, [node.body, node.orelse])
            case ast.Try() | ast.TryStar():
                self.block(node.body)
                for handler in node.handlers:
                    self.choose([handler.body, []])
                self.block([*node.orelse, *node.finalbody])
            case _:
                for part in ast.iter_child_nodes(node):
                    if isinstance(part, ast.expr):
                        self.form(part)

    def choose(self, blocks: Sequence[Sequence[ast.stmt]]) -> None:
        """Blocks of which one runs: a name stands for what any of them makes of it."""
        self._choices += 1
        choice, before, ends = self._choices, self.names, []
        for position, block in enumerate(blocks):
            self.names = dict(before)
            known = len(self._returned)
            self.block(block)
            left = bool(block) and isinstance(block[-1], ast.Raise)
            self._returned[known:] = [
                in_branch(form, choice, position) for form in self._returned[known:]
            ]
            if not left:
                ends.append((position, self.names))
        self.names = dict(before)
        for name in dict.fromkeys(name for _, end in ends for name in end):
            forms = [(position, end[name]) for position, end in ends if name in end]
            first = forms[0][1]
            if all(form is first for _, form in forms):
                self.names[name] = first
                continue
            common = set.intersection(*(set(form.terms) for _, form in forms))
            parts = [in_branch(form, choice, position, common) for position, form in forms]
            made = next((form.made for _, form in forms if form.made), None)
            text = name if not any(form.terms for form in parts) and self._depth == 0 else ""
            self.names[name] = Form(both(*parts), text=text, made=made)

    def loop(self, target: ast.expr | None, over: Form, blocks: list[list[ast.stmt]]) -> None:
        """A block that may run several times; it is read once."""
        before = dict(self.names)
        if target is not None:
            each = tuple(replace(term, single=True) for term in over.terms)
            self.store(target, Form(each), own=True)
        for block in blocks:
            self.block(block)
        for name, form in before.items():
            now = self.names.get(name, form)
            if now is not form and not now.made and not now.function:
                self.names[name] = replace(now, terms=both(now, form), text="")

    def store(self, target: ast.expr, form: Form, *, own: bool = False) -> None:
        """Let a target stand for `form`. `own`: a name that only means something where it is."""
        match target:
            case ast.Name(id=name):
                if form.terms or form.made or form.function or form.parts:
                    self.names[name] = form
                else:
                    here = self._depth == 0 or own
                    self.names[name] = Form(
                        text=name if here and not own else form.text, number=form.number
                    )
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                parts: Sequence[Form] = form.parts or ()
                starred = any(isinstance(part, ast.Starred) for part in targets)
                if starred or len(parts) != len(targets):
                    each = Form(hidden(form.terms, "a part of a tuple"))
                    parts = [each] * len(targets)
                for part, value in zip(targets, parts, strict=True):
                    self.store(part, value, own=own)
            case ast.Starred(value=value):
                self.store(value, form, own=own)
            case ast.Subscript() | ast.Attribute():
                self.names[ast.unparse(target)] = form
                owner = target.value
                if isinstance(owner, ast.Name) and form.terms and owner.id in self.names:
                    known = self.names[owner.id]
                    inside = hidden(form.terms, "an element of an array or a dictionary")
                    self.names[owner.id] = replace(known, terms=both(known, Form(inside)))

    # Expressions

    def form(self, node: ast.expr) -> Form:
        """What an expression adds up to."""
        self._left -= 1
        if self._left < 0:
            return DATA
        made = self._form(node)
        if made.terms or made.made or made.function or made.parts:
            return made
        return replace(made, text=made.text or self.written(node))

    def _form(self, node: ast.expr) -> Form:
        match node:
            case ast.Constant(value=value):
                number = float(value) if isinstance(value, int | float) else None
                return Form(number=number, text=ast.unparse(node))
            case ast.Name(id=name):
                known = self.names.get(name)
                if known is not None:
                    return at(known, node.lineno)
                scoped = [s for s in self._index.by_last.get(name, ()) if s.name == name]
                if len(scoped) == 1 and isinstance(scoped[0].node, ast.FunctionDef):
                    return Form(function=scoped[0].node)
                return Form(text=name)
            case ast.Attribute(value=value, attr=attribute):
                known = self.names.get(ast.unparse(node))
                if known is not None:
                    return at(known, node.lineno)
                owner = self.form(value)
                if attribute in ("T", "mT", "at"):
                    return Form(laid_out(owner.terms, None))
                if attribute in ("shape", "ndim", "dtype", "size"):
                    return DATA
                return Form(hidden(owner.terms, f".{attribute}"))
            case ast.Subscript():
                return self.subscript(node)
            case ast.UnaryOp(op=op, operand=operand):
                form = self.form(operand)
                if isinstance(op, ast.USub):
                    return scaled(form, -1.0)
                return form if isinstance(op, ast.UAdd) else Form(hidden(form.terms, "a test"))
            case ast.BinOp():
                return self.operation(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.form(test)
                self._choices += 1
                first, second = self.form(body), self.form(orelse)
                common = set(first.terms) & set(second.terms)
                parts = [
                    in_branch(form, self._choices, position, common)
                    for position, form in enumerate((first, second))
                ]
                return Form(both(*parts), made=first.made or second.made)
            case ast.Call():
                return self.call(node)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                parts_ = tuple(self.form(element) for element in elements)
                return Form(self.apart(parts_), parts=parts_)
            case ast.Dict(values=values):
                forms = [self.form(value) for value in values]
                return Form(hidden(both(*forms), "a dictionary"))
            case ast.NamedExpr(target=target, value=value):
                form = self.form(value)
                self.store(target, form)
                return form
            case ast.Lambda():
                return Form(function=node)
            case ast.GeneratorExp(elt=elt) | ast.ListComp(elt=elt):
                return self.comprehension(node.generators, elt)
            case ast.Starred(value=value):
                return self.form(value)
            case ast.Compare() | ast.BoolOp():
                return Form(hidden(both(*self.inside_of(node)), "a test"))
        inside = self.inside_of(node)
        return Form(hidden(both(*inside), "an expression that isn't followed"))

    def inside_of(self, node: ast.expr) -> list[Form]:
        parts = ast.iter_child_nodes(node)
        return [self.form(part) for part in parts if isinstance(part, ast.expr)]

    def apart(self, forms: Sequence[Form]) -> tuple[Term, ...]:
        """The summands of the elements of one array: they are never added to each other."""
        if sum(bool(form.terms) for form in forms) < 2:
            return both(*forms)
        self._choices += 1
        return both(*(in_branch(form, self._choices, at) for at, form in enumerate(forms)))

    def comprehension(self, generators: list[ast.comprehension], elt: ast.expr) -> Form:
        before = dict(self.names)
        for generator in generators:
            over = self.form(generator.iter)
            each = tuple(replace(term, single=True) for term in over.terms)
            self.store(generator.target, Form(each), own=True)
        form = self.form(elt)
        self.names = before
        return Form(form.terms)

    def subscript(self, node: ast.Subscript) -> Form:
        known = self.names.get(ast.unparse(node))
        if known is not None:
            return at(known, node.lineno)
        owner = self.form(node.value)
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if owner.parts is not None and isinstance(node.slice, ast.Constant):
            place = node.slice.value
            if type(place) is int and -len(owner.parts) <= place < len(owner.parts):
                return owner.parts[place]
        if not owner.terms:
            return DATA
        picked, single = "", False
        indices: list[str | None] = []  # of each item: "" for a new axis, None for a whole one
        for item in items:
            indices.append(None)
            if isinstance(item, ast.Slice):
                single = single or bool(item.lower or item.upper or item.step)
                continue
            number = self.form(item)
            if number.terms:
                return Form(hidden(both(owner, number), "an index that is sampled"))
            if isinstance(item, ast.Constant) and item.value is Ellipsis:
                indices[-1] = "..."
                continue
            if is_new_axis(item) or (self.resolve(item) or "").endswith(".newaxis"):
                indices[-1] = ""
                continue
            if number.number is not None:
                single = True
            else:
                picked = ast.unparse(node.slice).strip("()")
            indices[-1] = ast.unparse(item)
        return Form(
            tuple(
                replace(
                    term,
                    picked=term.picked or picked,
                    single=term.single or single,
                    layout=None if single or owner.loose else indexed(term.layout, indices),
                    picks=picks_of(term, indices) if not (single or owner.loose) else (),
                )
                for term in owner.terms
            )
        )

    def operation(self, node: ast.BinOp) -> Form:
        left, right = self.form(node.left), self.form(node.right)
        untold = any(term.layout is None for term in (*left.terms, *right.terms))
        loose = left.is_loose or right.is_loose or untold
        return replace(self.combined(node, left, right), loose=loose)

    def combined(self, node: ast.BinOp, left: Form, right: Form) -> Form:
        match node.op:
            case ast.Add() | ast.Sub():
                other = right if isinstance(node.op, ast.Add) else scaled(right, -1.0)
                # Also what is there twice.
                return Form((*as_wide(left, other), *as_wide(other, left)))
            case ast.Mult():
                return self.times(left, right)
            case ast.Div():
                if right.terms:
                    return Form(product(left, right) if left.terms else self.linked(right, "/"))
                if right.number:
                    return scaled(left, 1 / right.number)
                return Form(weighted(left, f"1 / ({right.text})" if right.text else ""))
            case ast.MatMult():
                return self.contracted(node, [left, right])
            case ast.Pow() if not right.terms:
                return Form(self.linked(left, "**"))
        return Form(hidden(both(left, right), ast.unparse(node)[:40]))

    def times(self, left: Form, right: Form) -> Form:
        if left.terms and right.terms:
            return Form(product(left, right))
        if right.terms:
            left, right = right, left
        if not left.terms:
            return DATA
        if right.number is not None:
            return scaled(left, right.number)
        return Form(weighted(left, right.text))

    def contracted(self, node: ast.expr, operands: Sequence[Form]) -> Form:
        """``X @ beta``, ``jnp.einsum("ij,j->i", X, beta)``"""
        sampled = [form for form in operands if form.terms]
        if len(sampled) != 1:
            terms = product(sampled[0], sampled[1]) if len(sampled) > 1 else ()
            return Form((*terms, *hidden(both(*sampled[2:]), "a product of several sites")))
        text = ast.unparse(node) if self._depth == 0 else ""
        return Form(
            tuple(
                replace(term, summed=True, text=text, line=node.lineno, layout=None)
                for term in sampled[0].terms
            )
        )

    def linked(self, form: Form, name: str) -> tuple[Term, ...]:
        """What is added up in the argument of a function that works element by element."""
        self._groups += 1
        return tuple(replace(term, group=(*term.group, self._groups)) for term in form.terms)

    # Calls

    def resolve(self, node: ast.expr) -> str | None:
        def meaning(name: str) -> str | None:
            if name in self.names:
                return None
            return self.imports.get(name) or self._survey.aliases.get(name)

        return dotted(node, meaning)

    def call(self, node: ast.Call) -> Form:
        name = self.resolve(node.func)
        if name == "numpyro.sample":
            return self.sample(node)
        if name in ("numpyro.deterministic",):
            value = argument(node, 1, "value")
            return DATA if value is None else self.form(value)
        if name in SCAN:
            return self.scan(node)
        if name == "numpyro.factor":
            self.reading.factors |= {site for form in self.given(node) for site in form.sites}
            return DATA
        if name is not None and name.startswith("numpyro.distributions."):
            return self.distribution(node, name.removeprefix("numpyro.distributions."))
        if name is not None and name.startswith(ARRAY_MODULES):
            return self.array_function(node, name)
        if name is None or name.startswith("."):
            followed = self.follow(node)
            if followed is not None:
                return followed
        given = self.given(node)
        if isinstance(node.func, ast.Attribute) and name is None:
            return self.method(node, node.func, given)
        if isinstance(node.func, ast.Name) and name is None and node.func.id == "sum":
            return given[0] if len(given) == 1 else Form(both(*given))
        if name == "numpyro.plate" or not any(form.terms for form in given):
            return DATA
        called = ast.unparse(node.func)
        return Form(hidden(both(*given), f"'{called}', which isn't followed"))

    def given(self, node: ast.Call) -> list[Form]:
        parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        return [self.form(part) for part in parts]

    def array_function(self, node: ast.Call, name: str) -> Form:
        last = name.rpartition(".")[2]
        if last in ("einsum", "dot", "matmul", "inner", "tensordot", "vdot", "multi_dot"):
            return self.contracted(node, self.given(node))
        given = self.given(node)
        if not any(form.terms for form in given):
            return DATA
        called = ast.unparse(node.func)
        if last in ADDING and len(given) >= 2:
            first, second = given[:2]
            if ADDING[last] == 0:
                return self.times(first, second)
            return Form(both(first, scaled(second, ADDING[last])))
        if last == "negative":
            return scaled(given[0], -1.0)
        if last == "where" and len(given) == 3:
            return Form(self.apart(given[1:]))
        if last in ("clip", "float32", "float64"):
            return Form(given[0].terms)
        if last in SOFTMAX:
            return Form(self.softmax(node, given))
        if last in MOVING:
            moved = given if last in JOINING else given[:1]
            return Form(laid_out(both(*moved), None))
        if last in ("take",):
            picked = ast.unparse(node.args[1]) if len(node.args) > 1 else "an index"
            taken = laid_out(given[0].terms, None)
            return Form(tuple(replace(t, picked=t.picked or picked) for t in taken))
        if last in ("sum", "mean", "average", "nansum"):
            return self.reduced(node, given[0], scalar=len(given) == 1)
        if last in ELEMENTWISE and len([form for form in given if form.terms]) == 1:
            return Form(self.linked(Form(both(*given)), called))
        return Form(hidden(both(*given), f"'{called}'"))

    def softmax(self, node: ast.Call, given: list[Form]) -> tuple[Term, ...]:
        """``softmax(eta, axis=-1)``: what is added to all of eta isn't seen."""
        axis = argument(node, 1, "axis")
        called = ast.unparse(node.func)
        if (axis is not None and ast.unparse(axis) != "-1") or both(*given[1:]):
            return hidden(both(*given), f"'{called}' over another axis than the last one")
        linked = self.linked(given[0], called)
        return tuple(replace(term, softmax=True) for term in linked)

    def reduced(self, node: ast.expr, form: Form, *, scalar: bool) -> Form:
        """``jnp.sum(x * b, axis=-1)``: as a product with data is added up."""
        text = ast.unparse(node) if self._depth == 0 else ""
        return Form(
            tuple(
                replace(t, summed=True, scalar=scalar, text=text, line=node.lineno, layout=None)
                for t in form.terms
            )
        )

    def method(self, node: ast.Call, called: ast.Attribute, given: list[Form]) -> Form:
        """A method of a value: ``a.reshape(...)``, ``Normal(...).to_event(1)``."""
        owner = self.form(called.value)
        if owner.made is not None:
            return owner
        terms = both(owner, *given)
        if not terms:
            return DATA
        if called.attr in MOVING_METHODS:
            return Form(terms if called.attr == "astype" else laid_out(terms, None))
        if called.attr in ("sum", "mean"):
            return self.reduced(node, owner, scalar=not given)
        if called.attr in ("dot",):
            return self.contracted(node, [owner, *given])
        if called.attr in ELEMENTWISE_METHODS and not both(*given):
            return Form(self.linked(owner, called.attr))
        return Form(hidden(terms, f"'.{called.attr}', which isn't followed"))

    def sample(self, node: ast.Call) -> Form:
        prior_node = argument(node, 1, "fn")
        prior = DATA if prior_node is None else self.form(prior_node)
        site = self.site_of(node)
        if site is None:
            observed = not is_none(argument(node, 2, "obs"))
            return DATA if observed else Form(hidden(both(*arguments(prior)), "an unnamed site"))
        made = prior.made
        if is_observed(site):
            placed = parameter_of(made)
            line = node.lineno
            forms = made.arguments if made else {"": Form(both(prior))}
            if placed and forms[placed].terms:
                line = forms[placed].terms[0].line
            family = made.family if made else ""
            if placed == "logits" and family.removesuffix("Logits") in CLASSES:
                forms = {**forms, placed: Form(softmaxed(forms[placed].terms))}
            self.reading.observed.append(Observed(site, family, placed, forms, line))
            return DATA
        if made is not None:
            self.reading.priors.setdefault(site.index, made)
        elif prior.terms:
            self.reading.priors.setdefault(site.index, Made("", {"": Form(both(prior))}, {}))
        told = site.shape is not None and site.step is None
        layout = own_layout(len(site.shape or ())) if told else None
        return Form((Term((site.index,), node.lineno, layout=layout),))

    def site_of(self, node: ast.Call) -> Site | None:
        """The site that a call samples, as the survey knows it."""
        place = self._text.place(node)
        name = template_of(argument(node, 0, "name"))
        found = self._sites.get((place.line, place.column), [])
        if self._outermost is not None and not found:
            outer = self._text.place(self._outermost)
            found = self._sites.get((outer.line, outer.column), [])
            exact = [site for site in found if site.name == name]
            if len(exact) != 1 and len(found) > 1:
                # Its name is an argument: they are met in the order in which they were read.
                taken = self.reading.priors.keys() | {
                    one.site.index for one in self.reading.observed
                }
                exact = [site for site in found if site.index not in taken]
            found = exact or found
        return found[0] if found else None

    def scan(self, node: ast.Call) -> Form:
        """``scan(body, init, xs)``: the body is read once, its arguments are data."""
        body = argument(node, 0, "f")
        rest = self.given(node)
        carried = hidden(both(*rest), "the state of a scan")
        if isinstance(body, ast.Name):
            function = self.form(body).function
            if isinstance(function, ast.FunctionDef) and self._depth < DEEPEST:
                with self.inside(node, function):
                    self.define_arguments(function, [Form(carried), Form(carried)])
                    self.block(function.body)
                    returned = self._returned
                outputs = [
                    form.parts[1] for form in returned if form.parts and len(form.parts) == 2
                ]
                if outputs:
                    second = outputs[0]
                    return Form(
                        both(second),
                        parts=(Form(hidden(both(*returned), "the state of a scan")), second),
                    )
                carried = both(Form(carried), Form(hidden(both(*returned), "the state of a scan")))
        return Form(carried)

    def define_arguments(self, function: ast.FunctionDef | ast.Lambda, given: list[Form]) -> None:
        names = [part.arg for part in [*function.args.posonlyargs, *function.args.args]]
        for name in names:
            self.names[name] = DATA
        for name, form in zip(names, given, strict=False):
            self.names[name] = Form(form.terms)

    @contextmanager
    def inside(self, call: ast.expr, function: ast.AST) -> Iterator[None]:
        """A block that reads the body of a function that `call` calls."""
        names, returned, outermost = self.names, self._returned, self._outermost
        own = any(scoped.node is function and not scoped.around for scoped in self._index.functions)
        self.names, self._returned = {} if own else dict(names), []
        self._outermost = outermost or call
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            self.names, self._returned, self._outermost = names, returned, outermost

    def follow(self, node: ast.Call) -> Form | None:
        """What a function of the file gives back; None if it isn't one, or can't be followed."""
        function, method = self.called(node.func)
        if function is None or self._depth >= DEEPEST or is_patched(self._index):
            return None
        declared = function.args
        names = [part.arg for part in [*declared.posonlyargs, *declared.args]]
        keywords = [part.arg for part in declared.kwonlyargs]
        starred = any(isinstance(part, ast.Starred) for part in node.args)
        if (
            declared.vararg
            or declared.kwarg
            or starred
            or any(k.arg is None for k in node.keywords)
        ):
            return None
        given = dict(zip(names[1:] if method else names, map(self.form, node.args), strict=False))
        given |= {str(k.arg): self.form(k.value) for k in node.keywords}
        defaults = dict(zip(names[::-1], declared.defaults[::-1], strict=False))
        defaults |= {k: d for k, d in zip(keywords, declared.kw_defaults, strict=True) if d}
        for name, default in defaults.items():
            given.setdefault(name, self.form(default))
        if method:
            given[names[0]] = (
                self.form(node.func.value) if isinstance(node.func, ast.Attribute) else DATA
            )
        with self.inside(node, function):
            for name in (*names, *keywords):
                self.names[name] = given.get(name, DATA)
            if isinstance(function, ast.Lambda):
                return self.form(function.body)
            self.block(function.body)
            returned = self._returned
        if len(returned) == 1:
            return returned[0]
        made = next((form.made for form in returned if form.made), None)
        return Form(both(*returned), made=made)

    def called(self, node: ast.expr) -> tuple[ast.FunctionDef | ast.Lambda | None, bool]:
        """The function of the file that is called, and whether it is a method of an object."""
        if isinstance(node, ast.Name):
            return self.form(node).function, False
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found = self._index.by_last.get(node.attr, [])
            owners = [one for one in found if one.name.rpartition(".")[0] in self._index.classes]
            plain = len(found) == 1 == len(owners) and not found[0].node.decorator_list
            function = found[0].node if plain else None
            if isinstance(function, ast.FunctionDef) and function.args.args:
                return function, True
        return None, False

    def distribution(self, node: ast.Call, family: str) -> Form:
        known = FAMILIES.get(family)
        starred = any(isinstance(part, ast.Starred) for part in node.args)
        names = [name for name, _ in known.arguments] if known else []
        forms = self.given(node)
        if starred or (known and len(node.args) > len(names)):
            return Form(hidden(both(*forms), f"the arguments of {family}"))
        keys = names[: len(node.args)] if known else [f"{at}" for at in range(len(node.args))]
        keys += [keyword.arg or "**" for keyword in node.keywords]
        given = dict(zip(keys, forms, strict=True))
        inner = next((form.made for form in given.values() if form.made), None)
        if inner is not None and family in (
            "Independent",
            "ExpandedDistribution",
            "MaskedDistribution",
        ):
            return Form(made=inner)
        if inner is not None:
            terms = both(*(form for one in given.values() for form in (one, *arguments(one))))
            given = {"": Form(hidden(terms, f"the distribution {family}"))}
        parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        nodes = {key: ast.unparse(part) for key, part in zip(keys, parts, strict=True)}
        return Form(made=Made(family, given, nodes if self._depth == 0 else {}))

    # Text

    def written(self, node: ast.expr) -> str:
        """How a value without sites can be written in the function itself; "" if it can't."""
        names = {part.id for part in walk(node) if isinstance(part, ast.Name)}
        if any(isinstance(part, ast.Call) for part in walk(node)):
            calls = [part for part in walk(node) if isinstance(part, ast.Call)]
            if not all((self.resolve(call.func) or "").startswith(ARRAY_MODULES) for call in calls):
                return ""
        for name in names:
            known = self.names.get(name)
            if known is None and self._depth and name in self._function.timeline:
                return ""
            if known is not None and known.text != name:
                if not known.text:
                    return ""
                node = substituted(node, name, known.text)
        return ast.unparse(node)


def substituted(node: ast.expr, name: str, text: str) -> ast.expr:
    """The expression with another in the place of a name."""
    made = ast.parse(text, mode="eval").body
    found: ast.expr = Substitution({name: made}).visit(copy.deepcopy(node))
    return found


def loaded(target: ast.expr) -> ast.expr:
    """The target of ``x += 1`` as what is read."""
    made = ast.parse(ast.unparse(target), mode="eval").body
    return ast.copy_location(made, target)


def at(form: Form, line: int) -> Form:
    """A name's meaning where it is read: a lone summand is told by that line."""
    if len(form.terms) != 1 or form.terms[0].weights or form.terms[0].group:
        return form
    return replace(form, terms=(replace(form.terms[0], line=line),))


def is_new_axis(item: ast.expr) -> bool:
    return isinstance(item, ast.Constant) and item.value is None


def indexed(layout: Layout, indices: Sequence[str | None]) -> Layout:
    """The axes of a value after ``[...]``; None if they can't be told.

    indices: for each item None for a whole axis, "" for a new one, else the index, of one axis.
    """
    if layout is None:
        return None
    taken = sum(index not in ("", "...") for index in indices)
    if taken > len(layout) or sum(bool(index) and index != "..." for index in indices) > 1:
        return None
    found: list[int | str] = []
    left = list(layout)
    for index in (*indices, *([] if "..." in indices else ["..."])):
        if index == "...":
            rest = len(layout) - taken
            found += left[:rest]
            left = left[rest:]
        elif index == "":
            found.append("")
        else:
            axis = left.pop(0)
            found.append(axis if index is None else index)
    return tuple(found)


def picks_of(term: Term, indices: Sequence[str | None]) -> tuple[str, ...]:
    """What picks from each axis of a site of which none is gone; () if that isn't told."""
    if term.layout is None or "..." in indices:
        return ()
    own = tuple(axis for axis in term.layout if axis != "")
    picks = [index or "" for index in indices if index != ""]
    if own != own_layout(len(own)) or len(picks) > len(term.layout):
        return ()
    picks += [""] * (len(term.layout) - len(picks))
    mine = tuple(pick for axis, pick in zip(term.layout, picks, strict=True) if axis != "")
    return mine if any(mine) else ()


def softmaxed(terms: Sequence[Term]) -> tuple[Term, ...]:
    """The summands of logits; what is in the argument of a function of them is none."""
    return tuple(term if term.group else replace(term, softmax=True) for term in terms)


def in_branch(form: Form, choice: int, position: int, common: set[Term] | None = None) -> Form:
    """As it is where one of several blocks ran; what is `common` to all is as it was."""
    chosen = (choice, position)
    terms = tuple(
        term if common and term in common else replace(term, branches=term.branches | {chosen})
        for term in form.terms
    )
    return replace(form, terms=terms)


def arguments(prior: Form) -> list[Form]:
    return list(prior.made.arguments.values()) if prior.made else [prior]


def parameter_of(made: Made | None) -> str:
    """The argument that places a distribution, "" if that can't be told."""
    found = [name for name in PLACING if made and name in made.arguments]
    return found[0] if found else ""


def is_observed(site: Site) -> bool:
    """Has it an `obs`, or is it under a handler that conditions it?"""
    return site.observed or any(
        isinstance(item, Handler)
        and item.qualified == "numpyro.handlers.condition"
        and item.sites is not None
        and site.name in item.sites
        for frame in site.all_frames
        for item in frame.items
    )
