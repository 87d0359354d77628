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

#: What LibCST raises of what it can't read.
UNREADABLE = (cst.ParserSyntaxError, SyntaxError, UnicodeDecodeError, RecursionError)


def checked(source: Source, edited: bytes) -> bytes:
    """An edited file, if LibCST gives that back byte for byte.

    Raises `Refusal` if it doesn't, and says so of the file itself where that is to blame.
    """
    try:
        if is_kept(cst.parse_module(edited), edited):
            return edited
    except UNREADABLE:
        pass
    try:
        module = cst.parse_module(source.data)
    except UNREADABLE as error:
        raise Refusal(unparsed(source, error)) from None
    if not is_kept(module, source.data):
        raise Refusal(not_given_back(source, module))
    message = "LibCST can't read what would be generated, so nothing was edited"
    raise Refusal(Diagnostic(source.path, message, "please report this file."))


def is_kept(module: cst.Module, data: bytes) -> bool:
    """Is a file written as it was read? LibCST can't write an indent with a form feed."""
    return module.bytes == data and not module.default_indent.strip(" \t")


def refuse_lone_returns(source: Source) -> None:
    """Refuse a line that a carriage return ends alone, as on the Macintosh of old.

    LibCST loses it at the end of a file. Anywhere else it would become half of another line end:
    a generated line that ends with it, above a blank line, would swallow that.
    """
    found = LONE_RETURN.search(source.text)
    if found is not None:
        number = len(physical_lines(source.text[: found.start()]))
        line = source.line(number)
        place = Place(source.path, number, len(line) + 1)
        message = "a carriage return ends this line alone, which can't be kept as it is"
        hint = "end all lines with a line feed, or a carriage return and a line feed."
        raise Refusal(Diagnostic(place, message, hint, line))


def unparsed(source: Source, error: Exception) -> Diagnostic:
    """What is wrong with a file that Python can read and LibCST can't."""
    detail = str(error).strip().splitlines() or [type(error).__name__]
    reason = next((line for line in detail if "error: " in line), detail[0])
    message = f"LibCST can't parse this file: {reason.rpartition('error: ')[2]}"
    hint = ""
    if isinstance(error, SyntaxError):  # of the declaration, which it looks for in the first lines
        hint = "save the file as UTF-8, and remove the declaration of its encoding."
    return Diagnostic(source.path, message, hint)


def not_given_back(source: Source, module: cst.Module) -> Diagnostic:
    """What is wrong with a file that LibCST would write in another way: the first other line."""
    lines = enumerate(physical_lines(source.text), 1)
    fed = next((number for number, line in lines if "\f" in margin_of(line)), 0)
    if module.bytes == source.data:  # where the file is indented for the first time
        message, number = "a form feed is part of the file's indent, which LibCST can't write", fed
    else:
        message = "LibCST would not give this file back unchanged from this line on"
        kept, number = physical_lines(module.code), 1
        while number <= len(kept) and kept[number - 1] == source.line(number):
            number += 1
        if number <= len(kept) and "\f" in margin_of(kept[number - 1]):
            number = fed or number  # it came from another line
    line, hint = source.line(number), "please report this file."
    if "\f" in margin_of(line):
        hint = "take out the form feed at the start of the line."
    elif not line.strip():
        hint = "take out this blank line."
    return Diagnostic(Place(source.path, number, 1), message, hint, line)


def unwritable(source: Source, error: UnicodeEncodeError) -> Refusal:
    """The refusal of generated code that has what can't be written in the file's encoding."""
    char = error.object[error.start]
    message = f"the file is written in {source.encoding}, which has no '{char}'"
    hint = "save it as UTF-8, or say it otherwise in the config."
    return Refusal(Diagnostic(source.path, message, hint))
