"""What does a name stand for: which import, and which sites, if it is put together in a run?

`npy.sample`, `sample` and `numpyro.sample` are one function, whatever it was imported as.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from string import Formatter

from reparam_rewrite.survey.effects import words
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.nodes import walk

#: What `from module import *` binds that matters here.
STAR: dict[str, list[str]] = {
    "numpyro": sorted(words("deterministic handlers param plate plate_stack sample")),
    "numpyro.distributions": list(FAMILIES),
    "numpyro.handlers": sorted(
        words(
            """block condition do lift mask reparam replay scale scope seed substitute trace
            uncondition"""
        )
    ),
}

#: Modules of distributions, which NumPyro's documentation doesn't tell apart.
KINDS = words("distribution continuous discrete directional truncated mixtures")

#: Where the documentation has the names that are defined in a module.
DOCUMENTED = {f"numpyro.distributions.{kind}": "numpyro.distributions" for kind in KINDS}
DOCUMENTED["numpyro.primitives"] = "numpyro"


def canonical(dotted: str) -> str:
    """The name under which NumPyro's documentation has it."""
    module, _, name = dotted.rpartition(".")
    return f"{DOCUMENTED[module]}.{name}" if module in DOCUMENTED else dotted


def dotted(node: ast.expr, meaning: Callable[[str], str | None]) -> str | None:
    """The dotted name that ``a.b.c`` stands for, where `meaning` says what the name `a` does."""
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, meaning)
        return canonical(f"{base}.{node.attr}") if base else None
    return meaning(node.id) if isinstance(node, ast.Name) else None


def bound_by(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """The names that an import binds, each with its dotted name.

    ``import numpyro.distributions as dist`` binds dist; ``import numpyro.distributions`` binds
    numpyro. Of ``from module import *`` those that matter.
    """
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            top = alias.name.partition(".")[0]
            yield (alias.asname, canonical(alias.name)) if alias.asname else (top, top)
        return
    module = statement.module or ""
    relative = bool(statement.level) or not module
    for alias in statement.names:
        if relative:
            yield alias.asname or alias.name, f".{module}.{alias.name}"
        elif alias.name == "*":
            yield from ((name, f"{module}.{name}") for name in STAR.get(module, ()))
        else:
            yield alias.asname or alias.name, canonical(f"{module}.{alias.name}")


def is_star_of_unknown(node: ast.ImportFrom) -> bool:
    """``from mylib import *``, which may bind any name"""
    star = any(alias.name == "*" for alias in node.names)
    return star and (node.level > 0 or node.module not in STAR)


def is_of_module(name: str) -> bool:
    """Is it ``N@1``, a name of the module of another file? Those of helpers are ``n@helper``."""
    return name.partition("@")[2].isdigit()


def is_written(node: ast.AST) -> bool:
    """Has an expression no names that can't be written in the file, as other files have them?"""
    return not any(isinstance(part, ast.Name) and is_of_module(part.id) for part in walk(node))


#: What is no file of a project, however it is called there.
LIBRARIES = sys.stdlib_module_names | words(
    "arviz jax jaxlib matplotlib numpy numpyro pandas scipy"
)


def is_of_project(statement: ast.Import | ast.ImportFrom) -> bool:
    """May an import be one of a file of the model's project?"""
    if isinstance(statement, ast.Import):
        tops = {alias.name.partition(".")[0] for alias in statement.names}
    else:
        tops = {(statement.module or "").partition(".")[0]} if not statement.level else {""}
    return not tops <= LIBRARIES


BRACES = frozenset("{}")


def template_of(node: ast.expr | None) -> str | None:
    """The name as a template: what is computed stands in braces. None where it can't be told.

    ========================  ==================
    ``"beta"``                ``beta``
    ``f"beta_{k}"``           ``beta_{k}``
    ``self.name + "_scale"``  ``{self.name}_scale``
    ``"{}_b".format(name)``   ``{name}_b``
    ``"%s_b" % name``         ``{name}_b``
    ``name``                  ``{name}``
    ``"a" if c else "b"``     ``{a|b}``
    ========================  ==================
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    choice = chosen_names(node)
    if choice:
        return f"{{{'|'.join(choice)}}}"
    parts = list(parts_of_name(node))
    known = [part for part in parts if part is not None]
    return "".join(known) if len(known) == len(parts) else None


def chosen_names(node: ast.expr | None) -> tuple[str, ...]:
    """The names in ``"a" if c else "b"``; none in anything else."""
    match node:
        case ast.IfExp(
            body=ast.Constant(value=str(one)), orelse=ast.Constant(value=str(other))
        ) if BRACES.isdisjoint(one + other):
            return one, other
    return ()


def parts_of_name(node: ast.expr | None) -> Iterator[str | None]:
    """The parts of a template; None for one that can't be told."""
    match node:
        case ast.Constant(value=str(text)) | ast.FormattedValue(value=ast.Constant(str(text))):
            yield text if BRACES.isdisjoint(text) else None  # it would be taken for a template
        case ast.Name() | ast.Attribute():
            yield braced(node)
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            yield braced(value)
        case ast.JoinedStr(values=parts):
            for part in parts:
                yield from parts_of_name(part)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from parts_of_name(left)
            yield from parts_of_name(right)
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod(), right=right):
            given = right.elts if isinstance(right, ast.Tuple) else [right]
            plain = "%" not in text.replace("%s", "") and BRACES.isdisjoint(text)
            yield from formatted(text.replace("%s", "{}"), numbered(given)) if plain else [None]
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            yield from formatted(text, numbered(node.args) | named)
        case _:
            yield None


def numbered(given: list[ast.expr]) -> dict[str | None, ast.expr]:
    return {str(at): argument for at, argument in enumerate(given)}


def formatted(text: str, given: Mapping[str | None, ast.expr]) -> Iterator[str | None]:
    """``"{}_{}".format(a, b)`` and ``"{0}_{k}".format(a, k=b)``, with nothing but plain fields."""
    read: list[str] = []
    try:
        fields = list(Formatter().parse(text))
    except ValueError:
        yield None
        return
    for before, field, spec, conversion in fields:
        yield before
        if field is not None:
            read.append(field or str(len(read)))
            argument = given.get(read[-1])
            if argument is None or spec or conversion:
                yield None
            else:
                yield from parts_of_name(ast.FormattedValue(argument, -1))
    if {*read} != {*given}:
        yield None


def braced(node: ast.expr) -> str | None:
    """``{name}``; not what has quotes or braces of its own, which no f-string takes everywhere."""
    text = ast.unparse(node)
    return f"{{{text}}}" if BRACES.union("\"'\\\n").isdisjoint(text) else None


def is_computed(node: ast.expr | None) -> bool:
    """Is anything of the name computed?"""
    if isinstance(node, ast.IfExp):
        return True
    for part in walk(node) if node is not None else ():
        match part:
            case ast.FormattedValue(value=ast.Constant(value=str())):
                pass
            case ast.Name() | ast.FormattedValue():
                return True
    return False


def may_be(name: str, others: Iterable[str]) -> bool:
    """May a site be one of the others, where either is a template? ``beta_{k}`` and ``beta_0``"""
    own = pattern(name)
    return any(
        name == other or own.fullmatch(other) or pattern(other).fullmatch(name) for other in others
    )


def pattern(template: str) -> re.Pattern[str]:
    """What the names match that a template stands for."""
    pieces = re.split(r"\{[^{}]*\}", template)
    return re.compile(".*".join(map(re.escape, pieces)), re.DOTALL)
