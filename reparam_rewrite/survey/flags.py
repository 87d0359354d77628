"""Is a branch one that was taken before, under the same condition?

::

    if effects:
        tau = numpyro.sample("tau", dist.HalfNormal(1))
    ...
    if effects:  # tau is bound here
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import Struct

from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.purity import reads_of
from reparam_rewrite.survey.scopes import Scope
from reparam_rewrite.survey.values import Use

#: What a condition may be made of to be the same as long as its names stand for the same.
PLAIN = (ast.BoolOp, ast.Compare, ast.Constant, ast.Name, ast.UnaryOp)


class Condition(Struct, frozen=True):
    """A test that holds, or doesn't, with the bindings that it was read under."""

    test: str
    holds: bool
    reads: frozenset[Use]


def condition(scope: Scope, test: ast.expr, *, holds: bool) -> Condition | None:
    """None if calls or changes of objects may change it: ``self.flag``, ``ready()``."""
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, holds = test.operand, not holds
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        opposite = {ast.IsNot: ast.Is(), ast.NotEq: ast.Eq()}.get(type(test.ops[0]))
        if opposite is not None:
            test, holds = ast.Compare(test.left, [opposite], test.comparators), not holds
    for part in walk(test):
        if not isinstance(part, PLAIN):
            return None
        if isinstance(part, ast.Name) and scope.is_unstable(part.id):
            return None
    return Condition(ast.unparse(test), holds, reads_of(scope, test))


def conditions(scope: Scope, node: ast.If | ast.Match) -> Iterator[Condition | None]:
    """The condition of each block; a case is as an ``if subject == value``."""
    if isinstance(node, ast.If):
        for holds in (True, False):
            yield condition(scope, node.test, holds=holds)
        return
    plain = True
    for case in node.cases:
        value = case.pattern.value if isinstance(case.pattern, ast.MatchValue) else None
        plain = plain and isinstance(value, ast.Constant) and case.guard is None
        if plain and value is not None:
            test = ast.Compare(node.subject, [ast.Eq()], [value])
            yield condition(scope, test, holds=True)
        else:
            yield None


def takes_all(case: ast.match_case) -> bool:
    """``case _:`` or ``case other:``, which is what runs where no other case does."""
    pattern = case.pattern
    return case.guard is None and isinstance(pattern, ast.MatchAs) and pattern.pattern is None
