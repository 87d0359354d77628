"""All sites of a source, found by reading its syntax tree: nothing of the rewriter is used.

That makes the denominator of the census independent of what the rewriter can see.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from reparam_rewrite.survey.names import template_of

SAMPLE = frozenset(["numpyro.sample", "numpyro.primitives.sample"])

DISCRETE = (
    "Bernoulli",
    "BetaBinomial",
    "BetaNegativeBinomial",
    "Binomial",
    "Categorical",
    "DirichletMultinomial",
    "DiscreteUniform",
    "GammaPoisson",
    "Geometric",
    "Multinomial",
    "NegativeBinomial",
    "OrderedLogistic",
    "OrderedProbit",
    "Poisson",
    "ZeroInflated",
    "HurdlePoisson",
)

#: Families that begin like a discrete one and aren't.
NOT_DISCRETE = frozenset(["BetaProportion", "RelaxedBernoulli", "RelaxedBernoulliLogits"])

NO_DENSITY = frozenset(["Delta", "Unit"])

#: Calls around a distribution that leave its family alone.
WRAPPERS = frozenset(["Independent", "MaskedDistribution", "ExpandedDistribution"])

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Site:
    """One name in one function.

    key: what a config calls it. kind: "literal", "f-string", "variable" or "expression" of the
    name. nodes: the calls; a site may be sampled in several branches. statement: the simple
    statement (or header) that the first call is in, `statements` those of all calls, `withs` the
    with statements around the first. around: the functions that it is in, outermost first.
    branches: the blocks of if, for, while, try and match around the first call. elsewhere: is there
    an earlier site, but only in branches that needn't have run?
    """

    function: str
    key: str
    kind: str
    family: str
    nodes: list[ast.Call]
    statement: ast.stmt
    withs: list[ast.With | ast.AsyncWith]
    observed: bool
    position: tuple[int, int]
    around: tuple[FunctionNode, ...] = ()
    earlier: list[Site] = field(default_factory=list)
    branches: tuple[int, ...] = ()
    statements: list[ast.stmt] = field(default_factory=list)
    elsewhere: bool = False

    @property
    def discrete(self) -> bool:
        return self.family.startswith(DISCRETE) and self.family not in NOT_DISCRETE

    @property
    def continuous(self) -> bool:
        return not self.discrete and self.family not in NO_DENSITY

    @property
    def text(self) -> str:
        """The same for sites of functions that are copies of one another."""
        return f"{self.key} {ast.dump(self.around[0]) if self.around else ''}"

    @property
    def latent(self) -> bool:
        return not self.observed

    @property
    def in_guide(self) -> bool:
        return "guide" in self.function.lower()


def sites_of(tree: ast.Module) -> list[Site]:
    """Every site, in the order of the source, each with the latent ones before it, nearest first.

    Those before are the function's own and those of the functions around it, up to where the
    function is defined.
    """
    finder = Finder(tree)
    finder.body(Scope(""), tree.body)
    for site in finder.found:
        site.observed |= any(site.key in conditioned(function) for function in site.around[:1])
    return finder.found


def conditioned(function: FunctionNode) -> set[str]:
    """What a function gives values to: ``with condition(data={"y": y}): scan(step, ...)``"""
    keys: set[str] = set()
    for node in ast.walk(function):
        for item in node.items if isinstance(node, ast.With | ast.AsyncWith) else []:
            call = item.context_expr
            if isinstance(call, ast.Call) and last_of(call.func) == "condition":
                displays = (part for part in ast.walk(call) if isinstance(part, ast.Dict))
                parts = (key for display in displays for key in display.keys)
                keys |= {key.value for key in parts if isinstance(key, ast.Constant)}
    return keys


def last_of(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]


@dataclass
class Scope:
    """A function being read. `outside`: the sites around it that were sampled before it."""

    function: str
    around: tuple[FunctionNode, ...] = ()
    outside: list[Site] = field(default_factory=list)
    own: dict[str, Site] = field(default_factory=dict)
    prefix: str = ""


class Finder:
    def __init__(self, tree: ast.Module) -> None:
        self.branches: tuple[int, ...] = ()
        self.imports = imported(tree)
        self.found: list[Site] = []

    def body(self, scope: Scope, block: list[ast.stmt], *withs: ast.With | ast.AsyncWith) -> None:
        for node in block:
            self.statement(scope, node, *withs)

    def statement(self, scope: Scope, node: ast.stmt, *withs: ast.With | ast.AsyncWith) -> None:
        if isinstance(node, FunctionNode):
            self.expressions(scope, node, [*node.decorator_list, node.args], *withs)
            self.function(scope, node)
            return
        if isinstance(node, ast.ClassDef):
            inner = Scope(
                scope.function,
                scope.around,
                scope.outside,
                scope.own,
                f"{scope.prefix}{node.name}.",
            )
            self.body(inner, node.body, *withs)
            return
        blocks = list(blocks_of(node))
        inside = {id(part) for block in blocks for part in block}
        parts = [part for part in ast.iter_child_nodes(node) if id(part) not in inside]
        self.expressions(scope, node, parts, *withs)
        inner_withs = (*withs, node) if isinstance(node, (ast.With, ast.AsyncWith)) else withs
        around = self.branches
        for block in blocks:
            if not isinstance(node, (ast.With, ast.AsyncWith)):
                self.branches = (*around, id(block))
            self.body(scope, block, *inner_withs)
        self.branches = around

    def function(self, scope: Scope, node: FunctionNode) -> None:
        name = f"{scope.prefix}{node.name}"
        outside = [*scope.outside, *scope.own.values()] if scope.function else []
        inner = Scope(name, (*scope.around, node), outside, prefix=f"{name}.")
        self.body(inner, node.body)

    def expressions(
        self,
        scope: Scope,
        statement: ast.stmt,
        parts: list[ast.AST],
        *withs: ast.With | ast.AsyncWith,
    ) -> None:
        calls = [
            (part, perhaps)
            for top in parts
            if not isinstance(top, (ast.ExceptHandler, ast.match_case))
            for part, perhaps in walked(top, ())
            if isinstance(part, ast.Call) and self.is_sample(scope, part.func)
        ]
        around = self.branches
        for call, perhaps in sorted(calls, key=lambda c: (c[0].lineno, c[0].col_offset)):
            self.branches = (*around, *perhaps)
            self.site(scope, statement, call, list(withs))
        self.branches = around

    def site(
        self,
        scope: Scope,
        statement: ast.stmt,
        call: ast.Call,
        withs: list[ast.With | ast.AsyncWith],
    ) -> None:
        name, prior, obs = (argument(call, i, k) for i, k in enumerate(("name", "fn", "obs")))
        drawn = argument(call, 3, "rng_key") is not None and not scope.function
        if name is None or drawn:
            return
        kind, key = named(name)
        if key in scope.own:
            scope.own[key].nodes.append(call)
            scope.own[key].statements.append(statement)
            return
        site = Site(
            function=scope.function,
            key=key,
            kind=kind,
            family=family_of(prior, scope.around),
            nodes=[call],
            statement=statement,
            withs=withs,
            observed=obs is not None and not (isinstance(obs, ast.Constant) and obs.value is None),
            position=(call.lineno, call.col_offset),
            around=scope.around,
            branches=self.branches,
            statements=[statement],
        )
        before = [*scope.outside, *scope.own.values()]
        before = [other for other in reversed(before) if other.latent and other.key != key]
        site.earlier = [
            other for other in before if self.branches[: len(other.branches)] == other.branches
        ]
        site.elsewhere = bool(before) and not site.earlier
        scope.own[key] = site
        self.found.append(site)

    def is_sample(self, scope: Scope, node: ast.expr) -> bool:
        """``numpyro.sample``, ``npy.sample``, ``sample``, where nothing else has that name."""
        dotted = self.resolved(node)
        if dotted not in SAMPLE:
            return False
        first = node
        while isinstance(first, ast.Attribute):
            first = first.value
        assert isinstance(first, ast.Name)
        return not any(binds(function, first.id) for function in scope.around)

    def resolved(self, node: ast.expr) -> str:
        if isinstance(node, ast.Attribute):
            base = self.resolved(node.value)
            return f"{base}.{node.attr}" if base else ""
        return self.imports.get(node.id, "") if isinstance(node, ast.Name) else ""


def walked(node: ast.AST, perhaps: tuple[int, ...]) -> Iterator[tuple[ast.AST, tuple[int, ...]]]:
    """All parts of an expression, each with those around it that may not be evaluated."""
    yield node, perhaps
    choosing = isinstance(node, (ast.IfExp, ast.BoolOp, ast.Lambda, ast.ListComp, ast.DictComp))
    for part in ast.iter_child_nodes(node):
        yield from walked(part, (*perhaps, id(part)) if choosing else perhaps)


def blocks_of(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The blocks of a compound statement, those of its handlers and cases too."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list) and block:
            yield block
    for name in ("handlers", "cases"):
        for part in getattr(node, name, []):
            yield part.body


def imported(tree: ast.Module) -> dict[str, str]:
    """What names were imported as, anywhere in the file: ``{"npy": "numpyro"}``."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if alias.name == "*" and node.module == "numpyro":
                    names.setdefault("sample", "numpyro.sample")
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def binds(function: FunctionNode, name: str) -> bool:
    """Is a name the function's own, as an argument or by an assignment?"""
    for node in ast.walk(function):
        if isinstance(node, ast.arg) and node.arg == name:
            return True
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            return True
    return False


def argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    if len(call.args) > position:
        return call.args[position]
    return next((part.value for part in call.keywords if part.arg == keyword), None)


def named(node: ast.expr) -> tuple[str, str]:
    """The kind of a name, and what a config would call it: f"beta_{k}" is "beta_{k}"."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return "literal", node.value
    kinds = {ast.JoinedStr: "f-string", ast.Name: "variable"}
    return kinds.get(type(node), "expression"), template_of(node) or ast.unparse(node)


def family_of(node: ast.expr | None, around: tuple[FunctionNode, ...]) -> str:
    """The class of a distribution: of ``dist.Normal(0, 1).expand([3]).to_event(1)`` "Normal"."""
    if isinstance(node, ast.Name) and around:
        values = [
            part.value
            for part in ast.walk(around[-1])
            if isinstance(part, ast.Assign)
            and any(
                isinstance(target, ast.Name) and target.id == node.id for target in part.targets
            )
        ]
        return family_of(values[0], ()) if len(values) == 1 else ""
    if isinstance(node, ast.Call):
        function = node.func
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
            return family_of(function.value, around)
        last = function.attr if isinstance(function, ast.Attribute) else ""
        last = function.id if isinstance(function, ast.Name) else last
        if last in WRAPPERS and node.args:
            return family_of(node.args[0], around)
        return last
    return ""
