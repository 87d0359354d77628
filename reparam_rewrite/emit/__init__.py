"""Plan and source in, bytes out: the only place that builds code."""

from __future__ import annotations

from reparam_rewrite.emit import splices
from reparam_rewrite.emit.blocks import Blocks
from reparam_rewrite.emit.definitions import add_definitions
from reparam_rewrite.emit.imports import add_imports
from reparam_rewrite.emit.layout import Mismatch, spliced
from reparam_rewrite.emit.parsing import checked, refuse_lone_returns, unwritable
from reparam_rewrite.emit.spell import Spelling
from reparam_rewrite.emit.statements import Editor
from reparam_rewrite.emit.wrap import Lines
from reparam_rewrite.emit.write import Code
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.plan.context import Names, taken_in
from reparam_rewrite.plan.values import Keep, Plan, Rewrite, Threading
from reparam_rewrite.source.encoding import Source
from reparam_rewrite.survey.functions import Survey

__all__ = ["emit"]


def emit(plan: Plan, survey: Survey, source: Source, width: int, cell: str = "") -> bytes:
    """The source with the plan carried out; `width` is the line length to keep to.

    `cell` is the border of the first cell that is rewritten, if the source is that of a notebook.

    Raises `Refusal` if LibCST would not give the file's other bytes back as they are.
    """
    refuse_lone_returns(source)
    spelling = Spelling(survey, Names(taken_in(survey.identifiers), plan.names))
    editor = Editor(source, survey.written, width)
    try:
        for kept in plan.keeps:
            keep(editor, kept)
        for threading in plan.threads:
            thread(editor, threading)
        for rewrite in plan.rewrites:
            place(editor, rewrite, spelling)
        blocks = Blocks(editor)
        add_definitions(blocks, spelling)
        add_imports(blocks, spelling, cell)
        edited = spliced(source.text, [*blocks.splices(), *editor.splices()])
        data = edited.encode(source.encoding)
    except Mismatch:
        message = "an edit can't be told from the lines around it, so nothing was edited"
        raise Refusal(Diagnostic(source.path, message, "please report this file.")) from None
    except UnicodeEncodeError as error:
        raise unwritable(source, error) from None
    return checked(source, data)


def keep(editor: Editor, kept: Keep) -> None:
    """Give the value of a site a name of its own."""
    change = editor.changes[kept.after]
    if kept.variable:
        change.after.append((f"{kept.name} = {kept.variable}",))
    else:
        statement = editor.statements[kept.after]
        change.splices += splices.named(editor, statement, kept.site, kept.name)


def thread(editor: Editor, threading: Threading) -> None:
    """Send coefficients and values through a scan, and give each step its part of them."""
    expressions, names = zip(*threading.carried, strict=True)
    scan, packed = threading.scan, threading.packed
    call, definition = (editor.statements[n] for n in (scan.statement, scan.definition))
    argument, body = scan.argument, scan.body.rpartition(".")[2]
    sent = splices.passed(editor, call, body, expressions, beside=not packed)
    editor.changes[scan.statement].splices.append(sent)
    if packed:
        renamed = splices.renamed(editor, definition, argument, packed)
        editor.changes[scan.definition].splices.append(renamed)
    else:
        names = (argument, *names)
    source = packed or argument
    if names == (source,):
        return
    lines: Lines = (f"{', '.join(names)} = {source}",)
    if len(lines[0]) > editor.width - scan.inner_indent:
        lines = ("(", *(f"    {name}," for name in names), f") = {source}")
    editor.changes[scan.first].before.append(lines)


def place(editor: Editor, rewrite: Rewrite, spelling: Spelling) -> None:
    """Put the generated code of one child at its statements."""
    site, code = rewrite.site, Code(rewrite, spelling, editor.width)
    own = editor.changes[site.statement]
    for choice in site.choices:
        own = own.parts[choice]
    for number, lines in (*code.declarations, *code.shifts):
        (own if number == site.statement else editor.changes[number]).before.append(lines)
    own.after[:0] = code.after
    own.splices += splices.of_child(editor, rewrite, code.base_site)
    if code.handled is not None:
        join = rewrite.place.join
        (own.wrap if join is None else editor.changes[join].join).append(code.handled)
