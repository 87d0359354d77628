"""Plan and source in, bytes out: the only place that builds code."""

from __future__ import annotations

import libcst as cst

from reparam_rewrite.emit.definitions import definitions_of
from reparam_rewrite.emit.edit import Named, Prior
from reparam_rewrite.emit.edits import Edit, Editor, Mismatch
from reparam_rewrite.emit.imports import add_imports
from reparam_rewrite.emit.parsing import (
    form_feed,
    not_given_back,
    refuse_lone_returns,
    unparsed,
    unwritable,
)
from reparam_rewrite.emit.rendering import Rendering
from reparam_rewrite.emit.scanning import Passed, Renamed
from reparam_rewrite.emit.spell import Spelling
from reparam_rewrite.emit.write import Code, write
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.plan.names import Names, taken_in
from reparam_rewrite.plan.values import Plan, Rewrite, Threading
from reparam_rewrite.source.encoding import Source
from reparam_rewrite.survey.values import Survey

__all__ = ["emit"]


def emit(plan: Plan, survey: Survey, source: Source, width: int, cell: str = "") -> bytes:
    """The source with the plan carried out; `width` is the line length to keep to.

    `cell` is the border of the first cell that is rewritten, if the source is that of a notebook.

    Raises `Refusal` if LibCST would not give the file's other bytes back as they are.
    """
    rendering = Rendering()
    module = parse(source, rendering)
    spelling = Spelling(survey, Names(taken_in(survey.identifiers), plan.names))
    edits: dict[int, Edit] = {}
    for keep in plan.keeps:
        if keep.variable:
            at(edits, keep.after).after.append((f"{keep.name} = {keep.variable}",))
        else:
            at(edits, keep.after).named.append(Named(keep.site, keep.name))
    for threading in plan.threads:
        thread(edits, threading, width)
    for rewrite in plan.rewrites:
        place(edits, rewrite, write(rewrite, spelling, width))
    try:
        definitions = definitions_of(spelling)
        edited = Editor(module, edits, survey.statements, width).run(definitions)
    except (Mismatch, cst.ParserSyntaxError):
        raise Refusal(
            Diagnostic(
                source.path,
                "Python and LibCST read this file differently, so nothing can be edited safely",
                "please report this file.",
            )
        ) from None
    edited = add_imports(edited, spelling, width, cell)
    try:
        return rendering.bytes_of(edited)
    except UnicodeEncodeError as error:
        raise unwritable(source, error) from None


def parse(source: Source, rendering: Rendering) -> cst.Module:
    """The concrete tree of a file that LibCST gives back byte for byte."""
    refuse_lone_returns(source)
    try:
        module = cst.parse_module(source.data)
    except (cst.ParserSyntaxError, SyntaxError, UnicodeDecodeError, RecursionError) as error:
        raise unparsed(source, error) from None
    if rendering.bytes_of(module) != source.data:
        raise not_given_back(source, module.code)
    if module.default_indent.strip(" \t"):  # which LibCST then parses no statement with
        raise Refusal(form_feed(source))
    return module


def thread(edits: dict[int, Edit], threading: Threading, width: int) -> None:
    """Send coefficients and values through a scan, and give each step its part of them."""
    expressions = tuple(expression for expression, _ in threading.carried)
    names = [name for _, name in threading.carried]
    beside = not threading.packed
    at(edits, threading.call).passed.append(Passed(threading.body, expressions, beside))
    source = threading.argument
    if threading.packed:
        source = threading.packed
        at(edits, threading.definition).renamed = Renamed(threading.argument, source)
    else:
        names.insert(0, threading.argument)
    if names == [source]:
        return
    line = f"{', '.join(names)} = {source}"
    room = width - threading.indent
    lines = (
        [line] if len(line) <= room else ["(", *(f"    {name}," for name in names), f") = {source}"]
    )
    at(edits, threading.first).before.append(tuple(lines))


def at(edits: dict[int, Edit], number: int) -> Edit:
    return edits.setdefault(number, Edit())


def place(edits: dict[int, Edit], rewrite: Rewrite, code: Code) -> None:
    """Put the generated code of one child at its statements."""
    site = rewrite.site
    own = at(edits, site.statement)
    for choice in site.choices:
        own = own.parts.setdefault(choice, Edit())

    def edit(statement: int) -> Edit:
        return own if statement == site.statement else at(edits, statement)

    for statement, lines in code.before:
        edit(statement).before.append(lines)
    own.after[:0] = code.after
    if site.expands:
        own.expanded.append(site.name_segment.text)
    if code.moved is not None:
        own.moved = code.moved
    if code.handler is not None and rewrite.place.join is not None:
        at(edits, rewrite.place.join).join.append(code.handler)
    elif code.handler is not None:
        own.wrap.append(code.handler)
    if code.prior:
        assert site.prior_segment is not None
        own.priors.append(Prior(code.prior, site.prior_segment.text, site.name_segment.text))
