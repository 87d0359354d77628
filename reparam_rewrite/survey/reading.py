"""What does an expression add up to? Operators, subscripts, calls and the functions of the file."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any, NamedTuple

from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument
from reparam_rewrite.survey.combining import (
    Operand,
    added,
    altered,
    array_function,
    array_method,
    operation,
)
from reparam_rewrite.survey.effects import ARRAY_MODULES, REDUCTIONS, words
from reparam_rewrite.survey.expansion import DEEPEST, LONGEST, Expansion
from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.helpers import matched, returned_by
from reparam_rewrite.survey.indexing import SIGNS, Item, Pick, indexed, turned
from reparam_rewrite.survey.nodes import GIVEN, copied, walk
from reparam_rewrite.survey.rows import Rows, mapped_along
from reparam_rewrite.survey.shapes import item_of
from reparam_rewrite.survey.terms import (
    DATA,
    HOLE,
    Form,
    apart,
    at_line,
    either,
    hidden,
    lost,
    scaled,
    untold,
)

#: Methods of arrays that change nothing.
METHODS = REDUCTIONS | words(
    """astype copy cumsum dot flatten ravel repeat reshape round squeeze swapaxes take to_numpy
    transpose"""
)

#: What a number is made of.
NUMERIC = (ast.BinOp, ast.Constant, ast.Name, ast.UnaryOp)


class Writing(NamedTuple):
    """Writes an expression where a reader reads it, and parts of what it adds up to."""

    reader: Reading
    node: ast.expr

    @property
    def fresh(self) -> Iterator[int]:
        return self.reader.fresh

    def as_is(self) -> str:
        return "" if self.reader.at.depth else ast.unparse(self.node)

    def around(self, part: ast.expr) -> str:
        return self.reader.written(self.node, part)

    def variable(self, site: int) -> str:
        return self.reader.function.sites[site].variable or ""


class Reading(Expansion):
    """Reads the expressions of one function; `sampled` tells what NumPyro makes of its part."""

    def __init__(self, survey: Survey, function: Function) -> None:
        super().__init__(survey, function)
        self.function = function
        self._left = LONGEST

    def sampled(self, node: ast.Call, name: str) -> Form:
        """What a function of NumPyro gives back, called by its dotted name."""
        raise NotImplementedError

    def form(self, node: ast.expr) -> Form:
        """What an expression adds up to."""
        self._left -= 1
        if self._left < 0:
            return DATA
        if GIVEN in node.__dict__:
            return at_line(self._given_value(node), node.lineno)
        made = self._form(node)
        return replace(made, text=made.text or self.written(node)) if made.is_data else made

    def _form(self, node: ast.expr) -> Form:
        match node:
            case ast.Constant(value=value):
                number = float(value) if isinstance(value, int | float) else None
                return Form(number=number, text=ast.unparse(node))
            case ast.Name(id=name):
                known = self.variable(name) or self.function_named(name)
                return self.untold(name) if known is None else at_line(known, node.lineno)
            case ast.Attribute(value=value, attr=attribute):
                known = self.element(node)
                if known is not None:
                    return at_line(known, node.lineno)
                owner = self.form(value)
                if attribute in ("T", "at"):
                    text = Writing(self, node).around(value) if owner.pure else ""
                    return turned(owner, text) if attribute == "T" else owner
                told = attribute in ("shape", "ndim", "dtype", "size")
                return DATA if told else Form(hidden(owner.terms, f".{attribute}"))
            case ast.Subscript():
                return self._subscript(node)
            case ast.UnaryOp(op=op, operand=operand):
                form = self.form(operand)
                if isinstance(op, ast.USub):
                    return scaled(form, -1.0)
                test = Form(hidden(form.terms, "a test"), mask=form.mask or isinstance(op, ast.Not))
                return form if isinstance(op, ast.UAdd) else test
            case ast.BinOp():
                left, right = ((part, self.form(part)) for part in (node.left, node.right))
                return operation(node.op, left, right, Writing(self, node))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.form(test)
                choice = next(self.fresh)
                return either([(0, self.form(body)), (1, self.form(orelse))], choice)
            case ast.Call():
                return self._call(node)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                parts = tuple(self.form(element) for element in elements)
                return self._listed(parts)
            case ast.Dict(keys=keys, values=values):
                forms = [self.form(one) for one in values]
                names = [key.value for key in keys if isinstance(key, ast.Constant)]
                all_known = len(names) == len(keys)
                entries = dict(zip(names, forms, strict=True)) if all_known else None
                return replace(lost("a dictionary", *forms), entries=entries)
            case ast.NamedExpr(value=value) | ast.Starred(value=value):
                return self.form(value)
            case ast.Lambda():
                return Form(function=node)
            case ast.GeneratorExp(elt=elt) | ast.ListComp(elt=elt) | ast.SetComp(elt=elt):
                return self._comprehension(node.generators, elt)
            case ast.DictComp(key=key, value=value):
                pair = ast.copy_location(ast.Tuple([key, value], ast.Load()), node)
                made = self._comprehension(node.generators, pair)
                return replace(lost("a dictionary", made), entries=entries_of(made))
        inside = (part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))
        is_test = isinstance(node, (ast.Compare, ast.BoolOp))
        why = "a test" if is_test else "an expression that isn't followed"
        return replace(lost(why, *map(self.form, inside)), mask=isinstance(node, ast.Compare))

    def _comprehension(self, generators: list[ast.comprehension], elt: ast.expr) -> Form:
        own, first = dict(self.at.own), generators[0]
        over = listed(self.form(first.iter))
        if len(generators) == 1 and not first.ifs and over.parts is not None:
            each = [{**own, **dict(bound_to(first.target, part))} for part in over.parts]
            parts = tuple(self.form_at(elt, replace(self.at, own=names)) for names in each)
            return self._listed(parts)
        for generator in generators:
            over = self.form_at(generator.iter, replace(self.at, own=own))
            one = Form(tuple(untold(term, layout=None, single=True) for term in over.terms))
            own = {**own, **dict(bound_to(generator.target, one))}
        return Form(self.form_at(elt, replace(self.at, own=own)).terms)

    def _subscript(self, node: ast.Subscript) -> Form:
        known = self.element(node)
        if known is not None:
            return at_line(known, node.lineno)
        owner, index = self.form(node.value), node.slice
        if owner.parts is not None and isinstance(index, ast.Constant):
            place = index.value
            if type(place) is int and -len(owner.parts) <= place < len(owner.parts):
                return owner.parts[place]
        if owner.entries and (key := self._key(index)) is not None:
            return owner.entries.get(key, DATA)
        if not owner.terms:
            return DATA
        items, texts, words = list[Item](), list[str](), ast.unparse(index).strip("()")
        for part, number in self._items(index):
            if number is None:
                items.append(self._kept(part))
                texts.append(self.written(part) if isinstance(part, ast.Slice) else "...")
                continue
            if number.terms:
                return lost("an index that is sampled", owner, number)
            one = number.number is not None or self.is_number(part)
            items.append(Pick("" if number.mask else number.text, one=one))
            texts.append(number.text)
        texts = [
            text if isinstance(item, Pick) else SIGNS.get(item, text)
            for item, text in zip(items, texts, strict=True)
        ]
        return indexed(owner, items, ", ".join(texts) if all(texts) else "", words)

    def _key(self, index: ast.expr) -> Any:
        """The key of a dictionary that an index is, None if that can't be told."""
        if isinstance(index, ast.Constant):
            return index.value
        form = self.form(index)
        constant = parsed(form.text) if form.is_data and form.text else None
        return constant.value if isinstance(constant, ast.Constant) else None

    def _items(self, index: ast.expr) -> Iterator[tuple[ast.expr, Form | None]]:
        """The items of an index, each with what picks by it; None for what picks nothing."""
        for part in index.elts if isinstance(index, ast.Tuple) else [index]:
            if isinstance(part, ast.Slice) or isinstance(item_of(self.resolve, part), str):
                yield part, None
                continue
            form = self.form(part)
            yield from ((part, one) for one in form.parts or [form])

    def _kept(self, part: ast.expr) -> Item:
        """What an item of an index does that picks by no value."""
        kind = item_of(self.resolve, part)
        return kind if isinstance(kind, str) else Pick("", part=True)

    def is_number(self, node: ast.expr) -> bool:
        """Is it one number, by what the survey knows of its names?"""
        parts, run = walk(node), self.at.run.function
        names = [part.id for part in parts if isinstance(part, ast.Name)]
        bound = [run.timeline.at(name, self.at.mark) for name in names]
        plain = all(isinstance(part, NUMERIC) for part in parts) and not self.at.own
        return plain and all(one is not None and one.shape == () for one in bound)

    def is_looped(self, site: int) -> bool:
        frames = self.function.sites[site].all_frames
        return any(frame.kind in ("for", "while") for frame in frames)

    # Calls

    def _call(self, node: ast.Call) -> Form:
        name = self.resolve(node.func)
        if name is not None and name.startswith("numpyro."):
            return self.sampled(node, name)
        if name is not None and name.startswith(ARRAY_MODULES):
            return array_function(name, self._operands(node), Writing(self, node))
        if name is None or name.startswith("."):
            followed = self.follow(node)
            if followed is not None:
                return followed
        if isinstance(node.func, ast.Call):
            mapped = self._mapped(node, node.func)
            if mapped is not None:
                return mapped
        given = self.given(node)
        if not isinstance(node.func, (ast.Attribute, ast.Name)):
            given.append(self.form(node.func))
        if isinstance(node.func, ast.Attribute) and name is None:
            holder = node.func.value
            owner = self.form(holder)
            if owner.made is not None:  # ``Normal(...).to_event(1)``
                return owner
            match holder:
                case ast.Subscript(value=ast.Attribute(value=whole, attr="at")):
                    return altered(node.func.attr, self.form(whole), owner, given)
            if owner.entries is not None and not given and node.func.attr in ("items", "values"):
                values = [*owner.entries.values()]
                if node.func.attr == "values":
                    return self._listed(values)
                pairs = zip(listed(owner).parts or (), values, strict=True)
                return self._listed([self._listed(pair) for pair in pairs])
            writing = Writing(self, node)
            return array_method(node.func.attr, (holder, owner), self._operands(node), writing)
        if isinstance(node.func, ast.Name) and name is None:
            lists = [form.parts for form in given]
            if node.func.id == "sum":
                return self._total(given)
            if node.func.id == "zip" and not node.keywords and None not in lists:
                parts = zip(*(one or () for one in lists), strict=False)
                return self._listed([self._listed(several) for several in parts])
        return self.unfollowed(node, given)

    def _listed(self, parts: Sequence[Form]) -> Form:
        return replace(apart(parts, self.fresh), parts=tuple(parts))

    def unfollowed(self, node: ast.Call, given: Sequence[Form]) -> Form:
        """What a call makes of what it is given, of which nothing is known."""
        if not any(form.terms for form in given):
            return DATA
        return lost(f"'{ast.unparse(node.func)}', which isn't followed", *given)

    def _total(self, given: Sequence[Form]) -> Form:
        """``sum(values, start)``"""
        values, *start = given
        if values.parts is None:
            several = (
                t if t.single else replace(t, weights=(*t.weights, "")) for t in values.terms
            )
            return reduce(added, start, Form(tuple(several), loose=True))
        return reduce(added, [*values.parts, *start]) if values.parts else DATA

    def _operands(self, node: ast.Call) -> list[Operand]:
        return [(part, self._handed(part)) for part in given_to(node)]

    def given(self, node: ast.Call) -> list[Form]:
        return [form for _, form in self._operands(node)]

    def _handed(self, node: ast.expr) -> Form:
        """What is given to something that may call it."""
        form = self.form(node)
        inside = form.function
        if inside is None or self.at.depth >= DEEPEST:
            return form
        if isinstance(inside, ast.Lambda):
            names = (part.arg for part in walk(inside.args) if isinstance(part, ast.arg))
            own = {**self.at.own, **dict.fromkeys(names, DATA)}
            moment = replace(self.at, own=own, depth=self.at.depth + 1)
            return lost("a function", self.form_at(inside.body, moment))
        declared = (part.arg for part in walk(inside.node.args) if isinstance(part, ast.arg))
        return lost("a function", *self.run(inside, dict.fromkeys(declared, DATA)))

    def _mapped(self, node: ast.Call, maker: ast.Call) -> Form | None:
        """``vmap(lambda i, w: a[i] * w)(county, x)``: as if the parameters were the arrays.

        None where the function doesn't make one number of one number of each array.
        """
        if self.resolve(maker.func) != "jax.vmap" or not maker.args or node.keywords:
            return None
        function, axes = self.form(maker.args[0]).function, argument(maker, 1, "in_axes")
        if (
            function is None
            or self.at.depth >= DEEPEST
            or len(maker.args) + len(maker.keywords) > 2
        ):
            return None
        declared = function.args if isinstance(function, ast.Lambda) else function.node.args
        body = function.body if isinstance(function, ast.Lambda) else returned_by(function.node)
        found = matched(declared, node)
        along = mapped_along(axes, len(node.args))
        if body is None or found is None or along is None or len(found) != len(node.args):
            return None
        forms = [self.form(arg) for arg in node.args]
        given = dict(zip(found, forms, strict=True))
        inside = isinstance(function, ast.Lambda) or "." in function.name
        names = {name for name, at in zip(found, along, strict=True) if at}
        rows = Rows(self, names, given, sees_names=inside)
        if not rows.is_number(body):
            return None
        return self.called(function, given)

    # Text

    def written(self, node: ast.expr, hole: ast.expr | None = None) -> str:
        """How a value without sites can be written in the function itself; "" if it can't.

        One of its parts may have sites: there stands `HOLE`.
        """
        left = {*walk(hole)} if hole is not None else ()
        parts = [part for part in walk(node) if part not in left]
        calls = [part.func for part in parts if isinstance(part, ast.Call)]
        methods = [f for f in calls if isinstance(f, ast.Attribute) and f.attr in METHODS]
        known = (
            (self.resolve(f) or "").startswith(ARRAY_MODULES)
            or (f in methods and self.resolve(f) is None)
            for f in calls
        )
        if not all(known):
            return ""
        texts: dict[ast.AST, str] = {}
        texts |= {part: self._spelled(part) for part in parts if isinstance(part, ast.Name)}
        texts |= {part: self._given_value(part).text for part in parts if GIVEN in part.__dict__}
        if not all(texts.values()):
            return ""
        same = all(isinstance(part, ast.Name) and text == part.id for part, text in texts.items())
        if same and hole is None:
            return ast.unparse(node)
        instead: dict[ast.AST, ast.AST] = {part: parsed(text) for part, text in texts.items()}
        if hole is not None:
            instead[hole] = ast.Name(HOLE, ast.Load())
        return ast.unparse(copied(node, instead))

    def _spelled(self, node: ast.Name) -> str:
        """How the value of a name can be written in the function itself; "" if it can't."""
        known = self.variable(node.id)
        if known is None:
            bound, moment = self._bound(node.id)
            own = bound is None or moment.run.function is self.function
            elsewhere = self.at.depth and (node.id in self.function.timeline or not own)
            return "" if elsewhere or "@" in node.id else node.id
        return known.text

    def _given_value(self, node: ast.AST) -> Form:
        """The value of an argument that stands in the place of a helper's parameter."""
        return self.value(getattr(node, GIVEN), self.at.run)


def given_to(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def entries_of(form: Form) -> dict[Any, Form] | None:
    """The elements of a dictionary that is made of pairs; None if its keys aren't all known."""
    found: dict[Any, Form] = {}
    for pair in form.parts if form.parts is not None else (DATA,):
        key, value = pair.parts if pair.parts is not None and len(pair.parts) == 2 else (DATA, DATA)
        constant = parsed(key.text) if key.text else None
        if not isinstance(constant, ast.Constant):
            return None
        found[constant.value] = value
    return found


def listed(form: Form) -> Form:
    """A dictionary as the list of its keys; all else as it is."""
    if form.entries is None:
        return form
    return replace(form, parts=tuple(Form(text=repr(key)) for key in form.entries))


def bound_to(target: ast.expr, form: Form) -> Iterator[tuple[str, Form]]:
    """What the names of a comprehension's target stand for."""
    match target:
        case ast.Name(id=name):
            yield name, form
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            unknown = [Form(hidden(form.terms, "a part of a tuple"), loose=True)] * len(parts)
            same = form.parts is not None and len(form.parts) == len(parts)
            told = form.parts if same and form.parts is not None else unknown
            for part, one in zip(parts, told, strict=True):
                yield from bound_to(part, one)
        case ast.Starred(value=inner):
            yield from bound_to(inner, form)
