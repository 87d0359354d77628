"""One request to the rewriter, and what became of it."""

from __future__ import annotations

import ast
import json
import re
import traceback
import warnings
from dataclasses import dataclass

from reparam_rewrite.messages import Refusal
from tests.corpus.finding import Site, blocks_of
from tests.corpus.reading import Source
from tests.support.cases import rewritten

#: How many parents are tried, if it is the parent that a refusal speaks of.
MOST_PARENTS = 3


@dataclass
class Outcome:
    """`kind`: "rewritten", "refused" or "crashed".

    `tried`: the parents. `reason`: the first message without names, or the last line of a
    traceback. `text`: the whole message or traceback. `lost`: lines of the plain file that are
    neither the child's nor kept. `broken`: why the output doesn't compile.
    """

    kind: str
    tried: list[str]
    reason: str = ""
    text: str = ""
    lost: tuple[str, ...] = ()
    broken: str = ""
    data: bytes = b""


def ask(source: Source, site: Site) -> Outcome:
    """Ask for an offset by the nearest earlier site, then by others if the parent won't do."""
    tried: list[str] = []
    first: Outcome | None = None
    for parent in candidates(site):
        tried.append(parent)
        outcome = attempt(source, site, parent, tried)
        if outcome.kind != "refused":
            return outcome
        first = first or outcome
        if not about_parent(outcome, parent):
            return outcome
    assert first is not None
    first.tried = tried
    return first


def candidates(site: Site) -> list[str]:
    """The nearest earlier sites with literal names; others only if there are none."""
    continuous = [other for other in site.earlier if other.continuous]
    literal = [other.key for other in continuous if other.kind == "literal"]
    return list(dict.fromkeys(literal or [other.key for other in continuous]))[:MOST_PARENTS]


def config_of(site: Site, parent: str) -> str:
    functions = f"functions = [{quoted(site.function)}]\n\n" if site.function else ""
    return f"{functions}[sites.{quoted(site.key)}]\noffset = {quoted(parent)}\n"


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def attempt(source: Source, site: Site, parent: str, tried: list[str]) -> Outcome:
    try:
        data = rewritten(source.data, config_of(site, parent), path=source.module).data
    except Refusal as refusal:
        message = refusal.diagnostics[0].message
        reason = (
            normalised(message, site, parent) if site.function else "<child> is at module level"
        )
        return Outcome("refused", tried, reason, str(refusal))
    except Exception as error:
        text = traceback.format_exc()
        return Outcome("crashed", tried, f"{type(error).__name__}: {error}", text)
    broken = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(data, "model.py", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError as error:
        broken = str(error)
    if data == source.data:
        broken = "the output is the input"
    return Outcome(
        "rewritten", tried, lost=lost_lines(source, site, parent, data), broken=broken, data=data
    )


def about_parent(outcome: Outcome, parent: str) -> bool:
    """``'tau' is sampled in another branch than 'a'``"""
    return "<parent>" in outcome.reason or f"offsets.toml:4:10: '{parent}'" in outcome.text


def normalised(message: str, site: Site, parent: str) -> str:
    """``'a' is sampled in a loop (line 7)`` -> ``<child> is sampled in a loop (line N)``"""
    kind = "" if site.kind == "literal" else f": {site.kind}"
    message = message.replace(f"'{site.key}'", f"<child{kind}>").replace(f"'{parent}'", "<parent>")
    message = message.replace(f"'{site.key}_base'", "<base>")
    message = re.sub(r"(?<!\w)'[^'\n]*'(?!\w)", "'...'", message)
    message = re.sub(r"`[^`\n]*`", "`...`", message)
    message = re.sub(r"\([\w* ]+\)(?=, which isn't|: it can't)", "(...)", message)
    message = re.sub(r"lines? \d+(, \d+)*( and \d+)?", "line N", message)
    return re.sub(r"\b\d+\b", "N", message)


def lost_lines(source: Source, site: Site, parent: str, data: bytes) -> tuple[str, ...]:
    """The lines that had to be kept, in their order, and aren't."""
    plain = source.data.split(b"\n")
    theirs = own_lines(source, site)
    for other in site.earlier:
        if other.key == parent:  # its value may be given a name
            theirs |= set(range(other.statement.lineno, (other.statement.end_lineno or 0) + 1))
    kept = [line for number, line in enumerate(plain, 1) if number not in theirs]
    remaining = data.split(b"\n")
    lost = []
    position = 0
    for line in kept:
        try:
            position = remaining.index(line, position) + 1
        except ValueError:
            lost.append(line.decode("utf-8", "replace"))
    return tuple(lost)


def own_lines(source: Source, site: Site) -> set[int]:
    """The lines that may change: the child's statement, headers of withs around it, imports."""
    lines: set[int] = set()
    for statement in site.statements:
        first = next(blocks_of(statement), None)  # of ``if sample(...) > 0:`` only the header
        end = first[0].lineno - 1 if first else statement.end_lineno or 0
        lines |= set(range(statement.lineno, end + 1))
    for around in site.withs:
        end = max(item.context_expr.end_lineno or 0 for item in around.items)
        lines |= set(range(around.lineno, max(end, around.body[0].lineno - 1) + 1))
    for node in ast.walk(source.tree):
        call = isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "scan"
        if call or isinstance(node, (ast.Import, ast.ImportFrom)):  # coefficients go through it
            lines |= set(range(node.lineno, (node.end_lineno or 0) + 1))
    return lines
