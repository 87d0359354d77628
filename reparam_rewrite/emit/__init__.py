"""Plan and source in, bytes out: the only place that builds code."""

from __future__ import annotations

from reparam_rewrite.emit import splices
from reparam_rewrite.emit.blocks import Blocks
from reparam_rewrite.emit.definitions import add_definitions
from reparam_rewrite.emit.edit import Change, Mismatch, spliced
from reparam_rewrite.emit.imports import add_imports
from reparam_rewrite.emit.layout import Layout
from reparam_rewrite.emit.parsing import checked, refuse_lone_returns, unwritable
from reparam_rewrite.emit.spell import Spelling
from reparam_rewrite.emit.statements import Editor
from reparam_rewrite.emit.write import Code, write
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.plan.names import Names, taken_in
from reparam_rewrite.plan.values import Keep, Plan, Rewrite, Threading
from reparam_rewrite.source.encoding import Source
from reparam_rewrite.survey.functions import Survey
from reparam_rewrite.survey.text import Text

__all__ = ["emit"]


#: What happens at statements, by their numbers.
Changes = dict[int, Change]


def emit(plan: Plan, survey: Survey, source: Source, width: int, cell: str = "") -> bytes:
    """The source with the plan carried out; `width` is the line length to keep to.

    `cell` is the border of the first cell that is rewritten, if the source is that of a notebook.

    Raises `Refusal` if LibCST would not give the file's other bytes back as they are.
    """
    refuse_lone_returns(source)
    spelling = Spelling(survey, Names(taken_in(survey.identifiers), plan.names))
    text = Text(source.path, source.text)
    layout = Layout(text, survey.statements, source.newline, width)
    try:
        changes = changes_of(plan, survey, layout, spelling)
        blocks = Blocks(layout)
        add_definitions(blocks, spelling)
        add_imports(blocks, spelling, cell)
        edits = [*blocks.splices(), *Editor(layout).splices(changes)]
        edited = spliced(source.text, edits)
    except Mismatch:
        message = "an edit can't be told from the lines around it, so nothing was edited"
        raise Refusal(Diagnostic(source.path, message, "please report this file.")) from None
    try:
        data = edited.encode(source.encoding)
    except UnicodeEncodeError as error:
        raise unwritable(source, error) from None
    return checked(source, data)


def changes_of(plan: Plan, survey: Survey, layout: Layout, spelling: Spelling) -> Changes:
    """What the plan makes happen at each statement."""
    changes: Changes = {}
    for kept in plan.keeps:
        keep(changes, kept, survey, layout)
    for threading in plan.threads:
        thread(changes, threading, survey, layout)
    for rewrite in plan.rewrites:
        code = write(rewrite, spelling, layout.width)
        place(changes, rewrite, code, survey, layout)
    return changes


def thread(changes: Changes, threading: Threading, survey: Survey, layout: Layout) -> None:
    """Send coefficients and values through a scan, and give each step its part of them."""
    expressions = tuple(expression for expression, _ in threading.carried)
    names = [name for _, name in threading.carried]
    call, definition = (survey.statements[n] for n in (threading.call, threading.definition))
    beside = not threading.packed
    at(changes, threading.call).splices.append(
        splices.passed(layout, call, threading.body, expressions, beside=beside)
    )
    source = threading.argument
    if threading.packed:
        source = threading.packed
        at(changes, threading.definition).splices.append(
            splices.renamed(layout, definition, threading.argument, source)
        )
    else:
        names.insert(0, threading.argument)
    if names == [source]:
        return
    line = f"{', '.join(names)} = {source}"
    room = layout.width - threading.indent
    lines = (
        [line] if len(line) <= room else ["(", *(f"    {name}," for name in names), f") = {source}"]
    )
    at(changes, threading.first).before.append(tuple(lines))


def keep(changes: Changes, kept: Keep, survey: Survey, layout: Layout) -> None:
    """Give the value of a site a name of its own."""
    change = at(changes, kept.after)
    if kept.variable:
        change.after.append((f"{kept.name} = {kept.variable}",))
        return
    statement = survey.statements[kept.after]
    call = splices.sample_of(layout, statement, kept.site)
    change.splices += splices.named(layout, statement, call, kept.name)


def at(changes: Changes, number: int) -> Change:
    return changes.setdefault(number, Change())


def place(changes: Changes, rewrite: Rewrite, code: Code, survey: Survey, layout: Layout) -> None:
    """Put the generated code of one child at its statements."""
    site = rewrite.site
    statement = survey.statements[site.statement]
    own = at(changes, site.statement)
    for choice in site.choices:
        own = own.parts.setdefault(choice, Change())

    def change(number: int) -> Change:
        return own if number == site.statement else at(changes, number)

    for number, lines in code.before:
        change(number).before.append(lines)
    own.after[:0] = code.after
    if code.moved is not None or code.prior or site.call.expands:
        call = splices.sample_of(layout, statement, site.call.name)
        if code.moved is not None:
            own.splices += splices.moved(layout, statement, call, code.moved)
        if site.call.expands:
            own.splices += splices.expanded(layout, call, code.prior)
        elif code.prior:
            own.splices += splices.with_prior(layout, call, code.prior)
    if code.handler is not None and rewrite.place.join is not None:
        at(changes, rewrite.place.join).join.append(code.handler)
    elif code.handler is not None:
        own.wrap.append(code.handler)
