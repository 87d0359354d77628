"""Plan and source in, bytes out: the only place that builds code."""

from __future__ import annotations

import libcst as cst

from reparam_rewrite.emit.code import Code, Writer
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
from reparam_rewrite.emit.spelling import Spelling
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.plan.names import Names, taken_in
from reparam_rewrite.plan.values import Plan, Rewrite, Threading
from reparam_rewrite.source.encoding import Source
from reparam_rewrite.survey.moment import Moment
from reparam_rewrite.survey.values import Survey

__all__ = ["emit"]


def emit(plan: Plan, survey: Survey, source: Source, width: int, cell: str = "") -> bytes:
    """The source with the plan carried out; `width` is the line length to keep to.

    `cell` is the border of the first cell that is rewritten, if the source is that of a notebook.

    Raises `Refusal` if LibCST would not give the file's other bytes back as they are.
    """
    rendering = Rendering()
    module = parse(source, rendering)
    spelling = Spelling(survey, Names(taken_in(survey.identifiers), generated(plan)))
    edits: dict[int, Edit] = {}
    for keep in plan.keeps:
        if keep.variable:
            at(edits, keep.after).after.append((f"{keep.name} = {keep.variable}",))
        else:
            at(edits, keep.after).named.append(Named(keep.site, keep.name))
    for threading in plan.threads:
        thread(edits, threading, width)
    for rewrite in plan.rewrites:
        within = Moment(survey, survey.functions[rewrite.function], rewrite.shift)
        declared_in = within.function
        indent = indent_of(rewrite, rewrite.declare)
        if rewrite.scanned is not None:
            declared_in, indent = within.runner, rewrite.scanned.indent
        moment = Moment(survey, declared_in, rewrite.declare)
        room_shifted = width - indent_of(rewrite, rewrite.shift)
        sized = rewrite.runtime.sized if rewrite.runtime is not None else rewrite.shift
        room_sized = width - indent_of(rewrite, sized)
        writer = Writer(rewrite, spelling, moment, within)
        code = writer.code(width - indent, room_shifted, room_sized)
        place(edits, rewrite, code)
    try:
        definitions = definitions_of(plan, survey, spelling)
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


def generated(plan: Plan) -> list[str]:
    """Every variable that the plan makes up."""
    names = [keep.name for keep in plan.keeps]
    for threading in plan.threads:
        names += [threading.packed, *(name for _, name in threading.carried)]
    for rewrite in plan.rewrites:
        names += [rewrite.loc, rewrite.reparam]
        names += [term.coefficient.variable for term in rewrite.terms]
        if rewrite.scale is not None:
            names.append(rewrite.scale.variable)
            if rewrite.scale.coefficient is not None:
                names.append(rewrite.scale.coefficient.variable)
        if rewrite.scanned is not None:
            names.append(rewrite.scanned.base)
        if rewrite.runtime is not None:
            runtime = rewrite.runtime
            names += [runtime.prior, runtime.bijector, runtime.shape, runtime.sizes]
    return names


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

    if code.sizes and rewrite.runtime is not None:
        edit(rewrite.runtime.sized).before.append(code.sizes)
    edit(rewrite.declare).before.extend(code.declarations)
    edit(rewrite.shift).before.extend(code.shift)
    own.after[:0] = code.after
    if site.expands:
        own.expanded.append(site.name_segment.text)
    if code.moved is not None:
        own.moved = code.moved
    if code.handler is not None and rewrite.join is not None:
        at(edits, rewrite.join).join.append(code.handler)
    elif code.handler is not None:
        own.wrap.append(code.handler)
    if code.prior:
        assert site.prior_segment is not None
        own.priors.append(Prior(code.prior, site.prior_segment.text, site.name_segment.text))


def indent_of(rewrite: Rewrite, statement: int) -> int:
    """How far the site's statement, or a `with` around it, is indented."""
    for frame in reversed(rewrite.site.frames):
        if frame.statement == statement:
            return frame.indent
    return rewrite.site.indent
