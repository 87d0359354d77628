"""What does a name, or a call of a function of the file, stand for where it is evaluated?

The survey keeps the right-hand side of every binding, so that an expression is expanded by what
its names stood for then, through branches, loops and the functions of the file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.functions import Function, Returned, Survey
from reparam_rewrite.survey.helpers import matched
from reparam_rewrite.survey.names import dotted
from reparam_rewrite.survey.nodes import root_of, walk
from reparam_rewrite.survey.terms import (
    DATA,
    Form,
    both,
    either,
    hidden,
    in_branch,
    repeated,
    untold,
)
from reparam_rewrite.survey.timeline import (
    Altered,
    Argument,
    Assigned,
    Binding,
    Either,
    Element,
    Part,
    Repeated,
    RightSide,
)

#: How deep functions are followed, and how many expressions are read in all.
DEEPEST, LONGEST = 8, 50_000


class Key(NamedTuple):
    """``d[k]`` as it is written, and what the names in its brackets stand for."""

    text: str
    meanings: tuple[RightSide | None, ...]


#: An element that something else may have been stored in.
UNTOLD = Argument("")


class Activation(Struct, eq=False):
    """One call of a function: `given` are its arguments, and `around` is where it was called.

    `around` is None unless it sees the names there, `number` is its own, and `known` are the forms
    of its values.
    """

    number: int
    function: Function
    given: dict[str, Form] = {}
    around: Here | None = None
    depth: int = 0
    known: dict[int, Form] = {}
    elements: dict[tuple[int, Key], RightSide | None] = {}


class Here(Struct, frozen=True, eq=False):
    """Where an expression is evaluated: in a call, after the bindings until `mark`.

    `own` are the names of a lambda or a comprehension, and `depth` is the number of functions
    that were called to get there.
    """

    run: Activation
    mark: int
    depth: int
    own: dict[str, Form] = {}


class Expansion:
    """Expands names and calls in a function; `at` is the moment of the expression that is read."""

    def __init__(self, survey: Survey, function: Function) -> None:
        self.at = Here(Activation(0, function), 0, 0)
        self.fresh = count(1)
        self._survey = survey

    def form(self, node: ast.expr) -> Form:
        """What an expression adds up to where it is evaluated."""
        raise NotImplementedError

    def form_at(self, node: ast.expr, moment: Here) -> Form:
        """What it adds up to at another moment."""
        before, self.at = self.at, moment
        try:
            return self.form(node)
        finally:
            self.at = before

    # Right-hand sides

    def evaluate_all(self, run: Activation) -> list[Form]:
        """Expand all that a function evaluates, in its order, and tell what it returns."""
        for step in run.function.steps:
            self.value(step, run)
        return self.returned(run.function.returned, run)

    def returned(self, returned: Sequence[Returned], run: Activation) -> list[Form]:
        """What a function gives back, each as it is in the branch that returns it."""
        forms = []
        for value, chosen in returned:
            form = self.value(value, run)
            for choice, position in reversed(chosen):
                form = in_branch(form, (run.number, choice), position)
            forms.append(form)
        return forms

    def is_looped(self, site: int) -> bool:
        """Is a site sampled in a loop, so that each run has its own?"""
        raise NotImplementedError

    def value(self, value: RightSide | None, run: Activation) -> Form:
        """What a right-hand side adds up to in a run of the function that it stands in."""
        if value is None:
            return DATA
        if id(value) not in run.known:
            run.known[id(value)] = DATA  # while it is expanded
            run.known[id(value)] = self._expanded(value, run)
        return run.known[id(value)]

    def _expanded(self, value: RightSide, run: Activation) -> Form:
        match value:
            case Assigned(node, mark, depth):
                return self.form_at(node, Here(run, mark, run.depth + depth))
            case Argument(name):
                return run.given.get(name, Form(text=name))
            case Part(whole, place, count):
                form = self.value(whole, run)
                if form.parts is not None and count == len(form.parts):
                    return form.parts[place]
                return Form(hidden(form.terms, "a part of a tuple"))
            case Element(over):
                terms = self.value(over, run).terms
                return Form(tuple(untold(t, layout=None, single=True) for t in terms), loose=True)
            case Either(choice, among):
                forms = [(at, self.value(inner, run)) for at, inner in among]
                return either(forms, (run.number, choice))
            case Repeated(now, before):
                return repeated(self.value(now, run), self.value(before, run), self.is_looped)
            case Altered(holder, key, stored, direct):
                return altered(self.value(holder, run), key, self.value(stored, run), direct)
        return Form(function=self._survey.functions.get(value))

    # Names

    def _bound(self, name: str) -> tuple[Form | Binding | None, Here]:
        """What a name is bound to where it can be seen from here, and when."""
        moment: Here | None = self.at
        while moment is not None:
            found = moment.own.get(name) or moment.run.function.timeline.at(name, moment.mark)
            if found is not None:
                return found, moment
            moment = moment.run.around
        return None, self.at

    def variable(self, name: str) -> Form | None:
        """What a variable stands for, data by their name; None if the name isn't one."""
        binding, moment = self._bound(name)
        if not isinstance(binding, Binding):
            return binding
        value = binding.value
        if value is None:
            return None if binding.qualified else self.untold(name)
        form = self.value(value, moment.run)
        timeline, own = moment.run.function.timeline, moment.depth == 0
        if not form.is_data:
            return form
        stays = own and timeline.value(name) is value  # it means the same at the end
        if isinstance(value, Argument):
            return form if stays or not own else replace(form, text="")
        if isinstance(value, Altered):
            return replace(form, text=name if stays else "")
        whole: RightSide = value
        while isinstance(whole, Part) and whole.whole is not None:
            whole = whole.whole
        if isinstance(whole, (Element, Repeated)):
            return replace(form, text="")  # no other place can write it
        return replace(form, text=name) if stays else form

    def untold(self, name: str) -> Form:
        """The form of a name of which nothing is known: those of helpers can't be written."""
        return Form(text="" if "@" in name else name)

    def resolve(self, node: ast.expr) -> str | None:
        """The dotted name that an expression was imported as, None if something else has it."""
        return dotted(node, self._imported)

    def _imported(self, name: str) -> str | None:
        binding, _ = self._bound(name)
        if isinstance(binding, Binding) and binding.value is None:
            return binding.qualified
        if binding is not None:
            return None
        around = self.at.run.function.name.rpartition(".")[0]
        while around in self._survey.functions:
            known = self._survey.functions[around].timeline.at(name, LONGEST)
            if known is not None and known.qualified:
                return known.qualified
            around = around.rpartition(".")[0]
        return self._survey.imported.get(name)

    def element(self, node: ast.expr) -> Form | None:
        """What ``d["k"]`` or ``self.k`` is, if the function has stored it.

        It is data where the function has stored something else in what is data.
        """
        root, run = root_of(node), self.at.run
        if not isinstance(root, ast.Name) or root.id in self.at.own:
            return None
        binding = run.function.timeline.at(root.id, self.at.mark)
        if binding is None or not isinstance(binding.value, (Altered, Either, Repeated)):
            return None
        key = ast.unparse(node)
        stored = self._stored(binding.value, Key(key, self._meanings(key, self.at.mark)), run)
        base: RightSide | None = binding.value
        while isinstance(base, Altered):
            base = base.holder
        if stored is None and not isinstance(base, (Either, Repeated)):
            known = self.value(base, run)
            return DATA if known.is_data and not known.entries else None
        return None if stored in (None, UNTOLD) else self.value(stored, run)

    def _meanings(self, key: str, mark: int) -> tuple[RightSide | None, ...]:
        """What the names in the brackets of ``d[k]`` stand for."""
        timeline = self.at.run.function.timeline
        return tuple(
            binding.value if (binding := timeline.at(name, mark)) is not None else None
            for name in names_in(key)
        )

    def _stored(self, value: RightSide | None, key: Key, run: Activation) -> RightSide | None:
        """The right-hand side of an element of an object.

        None where none was stored, `UNTOLD` where another one may have been.
        """
        place = id(value), key
        if place in run.elements:
            return run.elements[place]
        found: RightSide | None = None
        match value:
            case Altered(holder, own, stored, _):
                if own == key.text and self._is_meant(key, stored):
                    found = stored
                else:
                    is_other = are_apart(own, key.text)
                    found = self._stored(holder, key, run) if is_other else UNTOLD
            case Repeated(now, before):
                last, first = self._stored(now, key, run), self._stored(before, key, run)
                found = last if first is None or first is last else Repeated(last, first)
                found = UNTOLD if UNTOLD in (last, first) else found
            case Either(choice, among):
                held = [(at, self._stored(inner, key, run)) for at, inner in among]
                held = [(at, inner) for at, inner in held if inner is not None]
                found = held[0][1] if held else None
                if UNTOLD in [inner for _, inner in held]:
                    found = UNTOLD
                elif len({id(inner) for _, inner in held}) > 1:
                    found = Either(choice, tuple(held))
        run.elements[place] = found
        return found

    def _is_meant(self, key: Key, stored: RightSide) -> bool:
        """Do the names in a key mean now what they did where it was stored, or loops alike?"""
        while isinstance(stored, Part) and stored.whole is not None:
            stored = stored.whole
        if not key.meanings:
            return True
        if not isinstance(stored, Assigned):
            return False
        pairs = zip(key.meanings, self._meanings(key.text, stored.mark), strict=True)
        return all(now is was or (is_run(now) and is_run(was)) for now, was in pairs)

    # Functions of the file

    def function_named(self, name: str) -> Form | None:
        """The function of the file that a name stands for, beside the function or around it."""
        around = self.at.run.function.name
        while around:
            around = around.rpartition(".")[0]
            found = self._survey.functions.get(f"{around}.{name}" if around else name)
            plain = found is not None and isinstance(found.node, ast.FunctionDef)
            if found is not None and plain and found.name not in self._survey.redefined:
                return Form(function=found)
        return None

    def run(self, function: Function, given: dict[str, Form]) -> list[Form]:
        """What a function that is called now returns; a nested one sees the names there."""
        inside = "." in function.name and not self._is_method(function)
        around = self.at if inside else None
        run = Activation(next(self.fresh), function, given, around, self.at.depth + 1)
        return self.evaluate_all(run)

    def _is_method(self, function: Function) -> bool:
        return function.name.rpartition(".")[0] in self._survey.classes

    def follow(self, node: ast.Call) -> Form | None:
        """What a function of the file gives back; None if it isn't one, or can't be followed."""
        followed = self.at.run.function.followed.get(node)
        if followed is not None:
            return self._joined(self.returned(followed, self.at.run))
        function, receiver = self._called(node.func)
        if function is None or self.at.depth >= DEEPEST or self._survey.patched:
            return None
        declared = (function if isinstance(function, ast.Lambda) else function.node).args
        found = matched(declared, node, receiver)
        if found is None:
            return None
        given = {name: DATA if one is None else self.form(one) for name, one in found.items()}
        return self.called(function, given)

    def called(self, function: Function | ast.Lambda, given: dict[str, Form]) -> Form:
        """What a function of the file gives back that is given these values."""
        if isinstance(function, ast.Lambda):
            own = {**self.at.own, **given}
            inside = replace(self.at, own=own, depth=self.at.depth + 1)
            return self.form_at(function.body, inside)
        return self._joined(self.run(function, given))

    def _joined(self, returned: Sequence[Form]) -> Form:
        """What a call gives back of which one of several is returned."""
        if len(returned) == 1:
            return returned[0]
        return either([*enumerate(returned)], next(self.fresh)) if returned else DATA

    def _called(self, node: ast.expr) -> tuple[Function | ast.Lambda | None, ast.expr | None]:
        """The function of the file that is called, with the object if it is a method of one."""
        if isinstance(node, ast.Name):
            return self.form(node).function, None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            functions = self._survey.functions.values()
            found = [f for f in functions if f.name.rpartition(".")[2] == node.attr]
            plain = len(found) == 1 and found[0].name not in self._survey.redefined
            function = found[0].node if plain and self._is_method(found[0]) else None
            if isinstance(function, ast.FunctionDef) and function.args.args:
                return (None, None) if function.decorator_list else (found[0], node.value)
        return None, None


def is_run(value: RightSide | None) -> bool:
    """Is it what the target of a loop is?"""
    while isinstance(value, Part):
        value = value.whole
    return isinstance(value, Element)


def altered(form: Form, key: str, stored: Form, direct: bool) -> Form:
    """What an object is that is given something, by the target as it is written."""
    place = path_of(key)[-1:]
    if direct and key.endswith(".append()") and form.parts is not None and stored.parts:
        parts = (*form.parts, stored.parts[0])
        return Form(both(form, stored.parts[0]), parts=parts, loose=True)
    entries = None
    if direct and form.entries is not None and place and isinstance(place[0], tuple):
        entries = {**form.entries, place[0][0]: stored}
    inside = hidden(stored.terms if direct else (), "an element of an array or a dictionary")
    return replace(form, terms=both(form, Form(inside)), parts=None, entries=entries, pure=False)


#: The name of a helper behind its local name, at the head of a key, and names of any kind.
OF_HELPER, NAME = re.compile(r"^(\w+)(?:@\w+)+"), re.compile(r"[^\W\d]\w*(?: ?@ ?\w+)*")

#: A step of a key: an attribute, an element by a constant in a tuple, or None for any other.
Step = str | tuple[Any] | None


@lru_cache
def path_of(key: str) -> tuple[Step, ...]:
    """The steps from a name to ``d.x["k"]``."""
    found: list[Step] = []
    node: ast.AST = parsed(OF_HELPER.sub(r"\1", key))
    while not isinstance(node, ast.Name):
        match node:
            case ast.Attribute(value=holder, attr=attribute):
                found.append(attribute)
            case ast.Subscript(value=holder, slice=ast.Constant(value=constant)):
                found.append((constant,))
            case ast.Subscript(value=holder) | ast.Call(func=ast.Attribute(value=holder)):
                found.append(None)
            case _:
                break
        node = holder
    return tuple(reversed(found))


@lru_cache
def names_in(key: str) -> tuple[str, ...]:
    """The names in the brackets of ``d[k]``."""
    node = parsed(OF_HELPER.sub(r"\1", key))
    root, text = root_of(node), ast.unparse(node)
    if "@" in text:  # a name of a helper is no Python
        return tuple(name.replace(" ", "") for name in NAME.findall(text))
    return tuple(p.id for p in walk(node) if isinstance(p, ast.Name) and p is not root)


def are_apart(one: str, other: str) -> bool:
    """Are ``d["i"]`` and ``d["j"]`` surely two places, neither in the other?"""
    for mine, its in zip(path_of(one), path_of(other), strict=False):
        if mine is None or its is None:
            return False
        if mine != its:
            return True
    return False
