"""Which files can't be edited, as LibCST can't read them or would not give them back unchanged?

Statements are edited as text, so LibCST reads what comes out. Where it can't, or would not give
that back unchanged, the file itself is to blame: what is said is of the place in it.
"""

from __future__ import annotations

import re

import libcst as cst

from reparam_rewrite.emit.wrap import margin_of
from reparam_rewrite.messages import Diagnostic, Place, Refusal
from reparam_rewrite.source.encoding import Source, physical_lines

LONE_RETURN = re.compile(r"\r(?!\n)")


def checked(source: Source, edited: bytes) -> bytes:
    """An edited file, if LibCST gives that back byte for byte.

    Raises `Refusal` if it doesn't, and says so of the file itself where that is to blame.
    """
    try:
        module = cst.parse_module(edited)
        if module.bytes == edited and not module.default_indent.strip(" \t"):
            return edited
    except (cst.ParserSyntaxError, SyntaxError, UnicodeDecodeError, RecursionError):
        pass
    refuse_unreadable(source)
    message = "LibCST can't read what would be generated, so nothing was edited"
    raise Refusal(Diagnostic(source.path, message, "please report this file."))


def refuse_unreadable(source: Source) -> None:
    """Refuse a file that LibCST can't parse, or not give back."""
    try:
        module = cst.parse_module(source.data)
    except (cst.ParserSyntaxError, SyntaxError, UnicodeDecodeError, RecursionError) as error:
        raise unparsed(source, error) from None
    if module.bytes != source.data:
        raise not_given_back(source, module.code)
    if module.default_indent.strip(" \t"):  # which LibCST then parses no statement with
        raise Refusal(form_feed(source))


def refuse_lone_returns(source: Source) -> None:
    """Refuse a line that a carriage return ends alone, as on the Macintosh of old.

    LibCST loses it at the end of a file. Anywhere else it would become half of another line end:
    a generated line that ends with it, above a blank line, would swallow that.
    """
    found = LONE_RETURN.search(source.text)
    if found is None:
        return
    number = len(physical_lines(source.text[: found.start()]))
    line = source.line(number)
    raise Refusal(
        Diagnostic(
            Place(source.path, number, len(line) + 1),
            "a carriage return ends this line alone, which can't be kept as it is",
            "end all lines with a line feed, or a carriage return and a line feed.",
            line,
        )
    )


def unparsed(source: Source, error: Exception) -> Refusal:
    """The refusal of a file that Python can read and LibCST can't."""
    detail = str(error).strip().splitlines() or [type(error).__name__]
    reason = next((line for line in detail if "error: " in line), detail[0])
    message = f"LibCST can't parse this file: {reason.rpartition('error: ')[2]}"
    hint = ""
    if isinstance(error, SyntaxError):  # of the declaration, which it looks for in the first lines
        hint = "save the file as UTF-8, and remove the declaration of its encoding."
    return Refusal(Diagnostic(source.path, message, hint))


def not_given_back(source: Source, given: str) -> Refusal:
    """The refusal of a file of which LibCST would make the text `given`: the first other line."""
    kept = physical_lines(given)
    number = 1
    while number <= len(kept) and kept[number - 1] == source.line(number):
        number += 1
    hint = "please report this file."
    if number <= len(kept) and "\f" in margin_of(kept[number - 1]):  # it came from another line
        number = first_form_feed(source) or number
    line = source.line(number)
    if "\f" in margin_of(line):
        hint = "take out the form feed at the start of the line."
    elif not line.strip():
        hint = "take out this blank line."
    message = "LibCST would not give this file back unchanged from this line on"
    return Refusal(Diagnostic(Place(source.path, number, 1), message, hint, line))


def form_feed(source: Source) -> Diagnostic:
    """A form feed where the file is indented for the first time."""
    number = first_form_feed(source)
    message = "a form feed is part of the file's indent, which LibCST can't write"
    hint = "take out the form feed at the start of the line."
    return Diagnostic(Place(source.path, number, 1), message, hint, source.line(number))


def first_form_feed(source: Source) -> int:
    """The first line that has one before its code, 0 if there is none."""
    lines = range(1, len(physical_lines(source.text)) + 1)
    return next((n for n in lines if "\f" in margin_of(source.line(n))), 0)


def unwritable(source: Source, error: UnicodeEncodeError) -> Refusal:
    """The refusal of generated code that has what can't be written in the file's encoding."""
    char = error.object[error.start]
    message = f"the file is written in {source.encoding}, which has no '{char}'"
    hint = "save it as UTF-8, or say it otherwise in the config."
    return Refusal(Diagnostic(source.path, message, hint))
