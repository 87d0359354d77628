"""What may a call give back, and whom may it call with what?

Of a function of another module it is known by its name what it does with functions: a handler
holds one, `partial` gives one back, `scan` runs one, and most may call what they are given.
"""

from __future__ import annotations

import ast

from reparam_rewrite.survey.calls import argument
from reparam_rewrite.survey.effects import RUNNERS, effect_of
from reparam_rewrite.survey.meanings import (
    ANYTHING,
    CALLABLE,
    FOREIGN,
    FUNCTIONS,
    MADE_ELSEWHERE,
    MESSENGER,
    NOTHING,
    OUTSIDE,
    PLATES,
    Frames,
    Given,
    Known,
    Made,
    Space,
    Value,
    Values,
)

HANDLERS = "numpyro.handlers."
#: Modules whose functions call one argument with the others.
APPLYING = ("builtins.", "functools.", "itertools.", "jax.lax.", "jax.tree", "multiprocessing.")


def keeps_out(dotted: str) -> bool:
    """Does a function of another module nothing with functions that it is given?"""
    effect = effect_of(dotted)
    return not (effect.calls or effect.returns)


class Invoking:
    """Carries out calls, as far as functions are concerned."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._made: dict[tuple[ast.AST, str], Made] = {}
        self._calls: dict[ast.AST, ast.Call] = {}

    def invoke(
        self, callees: Values, given: Given, node: ast.expr, space: Space, frames: Frames
    ) -> Values:
        """What a call gives back; it is noted who is called with what."""
        known = self._known
        found: set[Value] = set()
        for value in sorted(callees) or MADE_ELSEWHERE:
            kind, what = value
            if kind in FUNCTIONS:
                known.edge(space, what, node, frames)
                self._pass(value, given)
                found |= known.get((what, "return"))
                if what in known.managers:
                    found.add(("manager", what))
            elif kind == "manager":  # ``@tempered()`` calls it inside of the blocks that yield
                for inner in (one for _, values in given for one in values):
                    for callee in known.run_by(inner):
                        for around in known.yielding(what):
                            known.edges.setdefault((what, callee, around), node.lineno)
                            known.edge(space, what, node, frames)
                    found.add(inner)
            elif kind == "class":
                found |= self._instance(what, given, node, space, frames)
            elif kind == "object":
                called = known.member(what, "__call__", bound=True)
                found |= self.invoke(frozenset(called), given, node, space, frames)
            elif kind == "handler":
                made = known.handler(value)
                known.edge(space, made.node, node, frames)
                if not made.given:
                    known.put((made.node, "inner"), given[0][1] if given else ())
                if any(value[0] in CALLABLE for _, values in given for value in values):
                    found.add(value)  # it is given its function
                for inner in known.get((made.node, "inner")):
                    if made.given:
                        self._pass(inner, given)
                    found |= known.get((inner[1], "return"))
            elif kind == "import":
                found |= self._imported(what, given, node, space, frames)
            else:
                for one in known.run_by(value):
                    known.edge(space, one, node, frames)
                found |= self._foreign(given, node, space, frames, "")
        return frozenset(found)

    def _instance(
        self, name: str, given: Given, node: ast.expr, space: Space, frames: Frames
    ) -> Values:
        """``Part(n)``: an object, or a handler where the class is one of those."""
        if self._is_handler(name):
            return self._handler(MESSENGER, given, node)
        makers = [
            value
            for method in ("__init__", "__new__", "__post_init__")
            for value in self._known.member(name, method, bound=True)
        ]
        for value in makers:
            if value[0] == "method":
                self.invoke(frozenset([value]), given, node, space, frames)
        if not any(what.endswith("__init__") for _, what in makers):
            fields = [
                part.target.id
                for part in self._known.classes[name].body
                if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
            ]
            for position, (label, values) in enumerate(given):
                field = label or (fields[position] if position < len(fields) else "*")
                self._known.put(("attribute", field), values)
        return frozenset([("object", name)])

    def _is_handler(self, name: str) -> bool:
        """Does a class inherit one of NumPyro's handlers?"""
        seen, waiting = set(), [name]
        while waiting:
            one = waiting.pop()
            seen.add(one)
            for kind, what in self._known.get((one, "bases")):
                if kind == "import" and what.startswith((HANDLERS, MESSENGER)):
                    return True
                if kind == "class" and what not in seen:
                    waiting.append(what)
        return False

    def _imported(
        self, dotted: str, given: Given, node: ast.expr, space: Space, frames: Frames
    ) -> Values:
        if dotted.startswith(HANDLERS) or dotted in (*PLATES, MESSENGER):
            return self._handler(dotted, given, node)
        known = self._known
        first = given[0][1] if given else NOTHING
        called = node if isinstance(node, ast.Call) else None
        if dotted in ("functools.partial", "functools.partialmethod"):
            return self._partial(first, given, called)
        if dotted == "functools.wraps":
            return MADE_ELSEWHERE
        if dotted == "builtins.super":
            return ANYTHING
        if dotted == "builtins.getattr" and called is not None and len(called.args) > 1:
            name = called.args[1]
            if isinstance(name, ast.Constant):
                attribute = ast.Attribute(called.args[0], str(name.value), ast.Load())
                ast.copy_location(attribute, called)
                return known.attribute(first, attribute, space, frames)
            return ANYTHING
        if dotted == "builtins.setattr" and called is not None and len(given) == 3:
            name = called.args[1]
            key = str(name.value) if isinstance(name, ast.Constant) else "*"
            known.put(("attribute", key), given[2][1])
        if dotted in ("builtins.globals", "builtins.locals", "builtins.vars"):
            return ANYTHING
        if dotted in ("builtins.eval", "builtins.exec"):
            known.edge(space, OUTSIDE[1], node, frames)
            return ANYTHING
        if dotted.rpartition(".")[2] in RUNNERS:
            for kind, what in (value for _, values in given for value in values):
                if kind in FUNCTIONS:
                    known.enclosed.setdefault(what, node.lineno)
        return self._foreign(given, node, space, frames, dotted)

    def _partial(self, first: Values, given: Given, called: ast.Call | None) -> Values:
        """``partial(f, n)`` is `f`, and ``partial(handlers.scale, scale=2.0)`` a handler."""
        found: set[Value] = set()
        for kind, what in first:
            if kind == "import" and called is not None and called.args:
                made = ast.Call(called.args[0], called.args[1:], called.keywords)
                made = self._calls.setdefault(called, ast.copy_location(made, called))
                if what.startswith(HANDLERS):
                    found |= self._handler(what, given[1:], made)
                    continue
            if kind in ("function", "method"):
                self._pass((kind, what), given[1:])
                kind = "partial"
            found.add((kind, what))
        return frozenset(found)

    def _foreign(
        self, given: Given, node: ast.expr, space: Space, frames: Frames, dotted: str
    ) -> Values:
        """A call of what stands in another module: it may call what it is given."""
        if keeps_out(dotted):
            return MADE_ELSEWHERE
        everything = frozenset(v for _, vs in given for v in vs if v[0] in CALLABLE)
        for value in sorted(everything):
            kind, what = value
            if kind == "outside" or not effect_of(dotted).calls:
                continue
            if kind in FUNCTIONS:
                others = everything - {value}
                if others and dotted.startswith(APPLYING):
                    self._pass(("partial", what), [("", others)], shown=False)
            for one in self._known.run_by(value):
                self._known.hand(space, one, node, frames)
        return everything | {FOREIGN}

    def _handler(self, dotted: str, given: Given, node: ast.expr) -> Values:
        """``handlers.scale(model, scale=2.0)``, with or without the model."""
        made = self._made.get((node, dotted))
        if made is None:
            call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
            fn = argument(call, 0, "fn") if dotted not in PLATES else None
            given_one = fn is not None and not isinstance(fn, ast.Constant)
            number = len(self._known.handlers)
            made = Made(dotted, ast.copy_location(call, node), number, given_one)
            self._made[node, dotted] = made
            self._known.handlers.append(made)
        if dotted not in PLATES:
            for position, (label, values) in enumerate(given):
                if label == "fn" or (not label and not position):
                    self._known.put((made.node, "inner"), values)
        return frozenset([("handler", str(made.number))])

    def _pass(self, callee: Value, given: Given, *, shown: bool = True) -> None:
        """Bind the parameters of a function to what it is given."""
        kind, name = callee
        if shown:
            self._known.shown.add(name)
        for signature in self._known.signatures.get(name, ()):
            places = [*signature.posonlyargs, *signature.args]
            if kind == "method" or (kind == "partial" and self._is_method(name)):
                places = places[1:]
            names = {part.arg for part in (*places, *signature.kwonlyargs)}
            rest = [part.arg for part in (signature.vararg, signature.kwarg) if part]
            for position, (label, values) in enumerate(given):
                if not values:
                    continue
                if label in names:
                    targets = [label]
                elif kind == "partial" or label == "*":
                    targets = [*names, *rest]
                elif not label and position < len(places):
                    targets = [places[position].arg]
                else:
                    targets = rest
                for target in targets:
                    self._known.put((name, target), values)

    def _is_method(self, name: str) -> bool:
        return name.rpartition(".")[0] in self._known.classes
