"""Bytes of a Python file to text that can be turned back into the same bytes.

The encoding is found as Python itself finds it (https://peps.python.org/pep-0263/): a byte order
mark, a cookie such as `# -*- coding: latin-1 -*-` in the first two lines, else UTF-8. A notebook is
UTF-8, as all JSON is.
"""

from __future__ import annotations

import codecs
import re
from functools import cached_property
from tokenize import detect_encoding

from msgspec import Struct

from reparam_rewrite.messages import Diagnostic, Place, Refusal

SAVE = "save the file as UTF-8"

NOT_ASCII = re.compile(rb"[^\x00-\x7f]")

PRINTABLE = bytes(range(32, 127))

NEWLINE = re.compile(r"\r\n|\r|\n")

# UTF-32 first: its little-endian mark begins with that of UTF-16.
WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class Source(Struct, frozen=True, dict=True):
    """A Python file, or a notebook, as read.

    `path` is the path as the user spelt it, or "<stdin>"; `data` the bytes; `encoding` what
    `tokenize.detect_encoding` says of them ("utf-8-sig" where there is a byte order mark); `text`
    the decoded bytes without the mark, line ends untouched, so that `text.encode(encoding)` is
    `data` again.
    """

    path: str
    data: bytes
    encoding: str
    text: str

    @cached_property
    def newline(self) -> str:
        """The first line end of the text, "\\n" where it has none."""
        found = NEWLINE.search(self.text)
        return found[0] if found else "\n"

    def line(self, number: int) -> str:
        """The physical line `number`, counted from 1, without its line end; "" past the last."""
        return self._lines[number - 1] if 1 <= number <= len(self._lines) else ""

    @cached_property
    def _lines(self) -> list[str]:
        return physical_lines(self.text)


def physical_lines(text: str) -> list[str]:
    """The lines of `text` as Python counts them, without their ends.

    `str.splitlines` would also split at form feeds and other characters that Python keeps inside
    a line, and every number after that would be wrong.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def decode(path: str, data: bytes) -> Source:
    """The `Source` of `data`.

    Raises `Refusal` for whatever Python could not read (an unknown encoding, bytes that are not
    valid in it, NUL bytes, UTF-16 and UTF-32, a byte order mark against its cookie) and for text
    that would not encode to the same bytes again.
    """
    for mark, name in WIDE_MARKS.items():
        if data.startswith(mark):
            message = f"the file is {name}, which Python can't read"
            raise Refusal(Diagnostic(path, message, f"{SAVE}."))
    if (at := data.find(b"\0")) >= 0:  # UTF-16 without a mark is mostly made of them
        hint = f"if it is UTF-16 text, {SAVE}; otherwise it is not Python source."
        raise refusal_at(path, data, at, "the file has a NUL byte", hint)
    encoding = find_encoding(path, data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        message = f"byte 0x{error.object[error.start]:02x} is not valid {encoding}"
        hint = f"correct the declaration of the encoding, or {SAVE} and remove it."
        if encoding in ("utf-8", "utf-8-sig"):
            example = "# -*- coding: latin-1 -*-"
            hint = f"{SAVE}, or declare its encoding in the first line: {example}"
        raise refusal_at(path, error.object, error.start, message, hint, encoding) from None
    except UnicodeError as error:  # "idna" and "undefined" say neither where nor which byte
        message = f"the bytes are not valid {encoding}: {error}"
        raise cookie_refusal(path, data, message, f"{SAVE} and remove it.") from None
    if not keeps(encoding, text, data):
        message = f"as {encoding} the text of the file would be written back as other bytes"
        raise cookie_refusal(path, data, message, f"{SAVE} and remove this declaration.")
    return Source(path, data, encoding, text)


def utf8(path: str, data: bytes) -> Source:
    """The `Source` of a notebook, which is UTF-8 as all JSON is. Raises `Refusal` if it isn't."""
    encoding = "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        message = f"byte 0x{error.object[error.start]:02x} is not valid utf-8, as all notebooks are"
        raise refusal_at(path, error.object, error.start, message, f"{SAVE}.", encoding) from None
    return Source(path, data, encoding, text)


def find_encoding(path: str, data: bytes) -> str:
    """What `tokenize.detect_encoding` says of `data`, its errors as `Refusal`."""
    # It would stop at a byte that is no UTF-8 even where the cookie allows it ("# Müller" above
    # the cookie, in Latin-1). Python does not, so only the ASCII of the lines is shown to it.
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    first, second = (*data[len(mark) :].splitlines(keepends=True)[:2], b"", b"")[:2]
    lines = iter([mark + NOT_ASCII.sub(b"?", first), NOT_ASCII.sub(b"?", second)])
    hint = f"correct the declaration, or remove it and {SAVE}."
    try:
        encoding, _ = detect_encoding(lambda: next(lines, b""))
    except SyntaxError as error:
        message = f"Python knows no encoding '{str(error).rpartition(': ')[2]}'"
        if mark:
            message = "another encoding is declared than that of the file's byte order mark, utf-8"
        raise cookie_refusal(path, data, message, hint) from None
    if mark or encoding == "utf-8":
        return encoding
    # The first must hold for the cookie to have been read.
    if not keeps(encoding, "\n# coding=", b"\n# coding="):
        raise cookie_refusal(path, data, f"Python source cannot be encoded as {encoding}", hint)
    # Whoever adds a line to a file trusts in this. In UTF-7 a + is another character, and so is a
    # backslash in some of the Japanese and Korean encodings.
    if not keeps(encoding, PRINTABLE.decode(), PRINTABLE):
        message = f"in {encoding} not every ASCII character stands for itself"
        raise cookie_refusal(path, data, message, f"{SAVE} and remove this declaration.")
    return encoding


def keeps(encoding: str, text: str, data: bytes) -> bool:
    """Does `text` encode to `data`? Not in every encoding is there one way to say it."""
    try:
        return text.encode(encoding) == data
    except (LookupError, UnicodeError):  # "hex" is a codec, though not of text
        return False


def cookie_refusal(path: str, data: bytes, message: str, hint: str) -> Refusal:
    """A refusal that points at the declaration of the encoding."""
    return refusal_at(path, data, data.find(b"coding"), message, hint)


def refusal_at(
    path: str, data: bytes, at: int, message: str, hint: str, encoding: str = "utf-8-sig"
) -> Refusal:
    """A refusal of the byte `at`; what can't be decoded of its line is a replacement mark."""
    before = physical_lines(data[:at].decode(encoding, "replace"))
    # Decoded from the byte on: a character cut in two would otherwise count twice.
    after = physical_lines(data[at:].decode(encoding.removesuffix("-sig"), "replace"))
    place = Place(path, len(before), len(before[-1]) + 1)
    line = (before[-1] + after[0]).replace("\0", "\ufffd")
    return Refusal(Diagnostic(place, message, hint, line))
