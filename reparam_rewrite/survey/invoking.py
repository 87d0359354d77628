"""What may a call give back, and whom may it call with what?

Of a function of another module it is known by its name what it does with functions: a handler
holds one, `partial` gives one back, `scan` runs one, and most may call what they are given.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from reparam_rewrite.survey.calls import argument, is_reversed
from reparam_rewrite.survey.effects import RUNNERS, effect_of
from reparam_rewrite.survey.points_to import (
    ANYTHING,
    CALLABLE,
    FOREIGN,
    FUNCTIONS,
    MADE_ELSEWHERE,
    MESSENGER,
    NOTHING,
    OUTSIDE,
    PLATES,
    Aliases,
    At,
    Given,
    MadeHandler,
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

    def __init__(self, aliases: Aliases) -> None:
        self._aliases = aliases
        self._made: dict[tuple[ast.AST, str], MadeHandler] = {}
        self._calls: dict[ast.AST, ast.Call] = {}

    def invoke(self, callees: Iterable[Value], given: Given, node: ast.expr, at: At) -> Values:
        """What a call gives back; it is noted who is called with what."""
        aliases = self._aliases
        found: set[Value] = set()
        for value in sorted(callees) or MADE_ELSEWHERE:
            kind, what = value
            if kind in FUNCTIONS:
                aliases.edge(at, what, node)
                self._pass(value, given)
                found |= aliases.get((what, "return"))
                if what in aliases.managers:
                    found.add(("manager", what))
            elif kind == "manager":  # ``@tempered()`` calls it inside of the blocks that yield
                for inner in (one for _, values in given for one in values):
                    for callee in aliases.run_by(inner):
                        for blocks in aliases.yielding(what):
                            aliases.edges.setdefault((what, callee, blocks), node.lineno)
                            aliases.edge(at, what, node)
                    found.add(inner)
            elif kind == "class":
                found |= self._instance(what, given, node, at)
            elif kind == "object":
                found |= self.invoke(aliases.member(what, "__call__", bound=True), given, node, at)
            elif kind == "handler":
                made = aliases.handler(value)
                aliases.edge(at, made.node, node)
                if not made.given:
                    aliases.put((made.node, "inner"), given[0][1] if given else ())
                if any(one[0] in CALLABLE for _, values in given for one in values):
                    found.add(value)  # it is given its function
                for inner in aliases.get((made.node, "inner")):
                    if made.given:
                        self._pass(inner, given)
                    found |= aliases.get((inner[1], "return"))
            elif kind == "import":
                found |= self._imported(what, given, node, at)
            else:
                for one in aliases.run_by(value):  # a class's own methods, by what it inherits
                    aliases.edge(at, one, node, inherited=kind == "inherited")
                found |= self._foreign(given, node, at, "")
        return frozenset(found)

    def _instance(self, name: str, given: Given, node: ast.expr, at: At) -> Values:
        """``Part(n)``: an object, or a handler where the class is one of those."""
        aliases = self._aliases
        above = [what for kind, what in aliases.bases(name) if kind == "import"]
        if any(what.startswith((HANDLERS, MESSENGER)) for what in above):
            return self._handler(MESSENGER, given, node)
        methods = ("__init__", "__new__", "__post_init__")
        makers = [m for method in methods for m in aliases.member(name, method, bound=True)]
        for value in makers:
            if value[0] == "method":
                self.invoke([value], given, node, at)
        if not any(what.endswith("__init__") for _, what in makers):
            declared = (d for d in aliases.classes[name].body if isinstance(d, ast.AnnAssign))
            fields = [part.target.id for part in declared if isinstance(part.target, ast.Name)]
            for position, (label, values) in enumerate(given):
                field = fields[position] if position < len(fields) else "*"
                aliases.put(("attribute", label or field), values)
        return frozenset([("object", name)])

    def _imported(self, dotted: str, given: Given, node: ast.expr, at: At) -> Values:
        """A call of a function of another module, of which some are known by their names."""
        aliases = self._aliases
        if dotted.startswith(HANDLERS) or dotted in (*PLATES, MESSENGER):
            return self._handler(dotted, given, node)
        first = given[0][1] if given else NOTHING
        written = node.args if isinstance(node, ast.Call) else []
        name = written[1] if len(written) > 1 else None
        text = str(name.value) if isinstance(name, ast.Constant) else None
        match dotted:
            case "functools.partial" | "functools.partialmethod":
                return self._partial(first, given, node if isinstance(node, ast.Call) else None)
            case "functools.wraps":
                return MADE_ELSEWHERE
            case "builtins.super" | "builtins.globals" | "builtins.locals" | "builtins.vars":
                return ANYTHING
            case "builtins.getattr" if name is not None:
                if text is None:
                    return ANYTHING
                attribute = ast.Attribute(written[0], text, ast.Load())
                return aliases.attribute(first, ast.copy_location(attribute, node), at)
            case "builtins.setattr" if len(given) == 3:
                aliases.put(("attribute", "*" if text is None else text), given[2][1])
            case "builtins.eval" | "builtins.exec":
                aliases.edge(at, OUTSIDE[1], node)
                return ANYTHING
        if dotted.rpartition(".")[2] in RUNNERS:
            for kind, what in (value for _, values in given for value in values):
                if kind in FUNCTIONS:
                    aliases.enclosed.setdefault(what, node.lineno)
                    in_numpyro = dotted.startswith("numpyro.contrib.control_flow")
                    if in_numpyro and isinstance(node, ast.Call) and is_reversed(node):
                        aliases.backwards.add(what)
        return self._foreign(given, node, at, dotted)

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

    def _foreign(self, given: Given, node: ast.expr, at: At, dotted: str) -> Values:
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
            for one in self._aliases.run_by(value):
                self._aliases.edge(at, one, node, handed=True)
        return everything | {FOREIGN}

    def _handler(self, dotted: str, given: Given, node: ast.expr) -> Values:
        """``handlers.scale(model, scale=2.0)``, with or without the model."""
        handlers = self._aliases.handlers
        made = self._made.get((node, dotted))
        if made is None:
            call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
            fn = argument(call, 0, "fn") if dotted not in PLATES else None
            given_one = fn is not None and not isinstance(fn, ast.Constant)
            made = MadeHandler(dotted, ast.copy_location(call, node), len(handlers), given_one)
            self._made[node, dotted] = made
            handlers.append(made)
        if dotted not in PLATES:
            for position, (label, values) in enumerate(given):
                if label == "fn" or (not label and not position):
                    self._aliases.put((made.node, "inner"), values)
        return frozenset([("handler", str(made.number))])

    def _pass(self, callee: Value, given: Given, *, shown: bool = True) -> None:
        """Bind the parameters of a function to what it is given."""
        kind, name = callee
        if shown:
            self._aliases.shown.add(name)
        is_method = name.rpartition(".")[0] in self._aliases.classes
        for signature in self._aliases.signatures.get(name, ()):
            places = [part.arg for part in [*signature.posonlyargs, *signature.args]]
            if kind == "method" or (kind == "partial" and is_method):
                places = places[1:]
            names = {*places, *(part.arg for part in signature.kwonlyargs)}
            rest = [part.arg for part in (signature.vararg, signature.kwarg) if part]
            for position, (label, values) in enumerate(given):
                if not values:
                    continue
                if label in names:
                    targets = [label]
                elif kind == "partial" or label == "*":
                    targets = [*names, *rest]
                elif not label and position < len(places):
                    targets = [places[position]]
                else:
                    targets = rest
                for target in targets:
                    self._aliases.put((name, target), values)
