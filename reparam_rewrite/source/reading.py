"""The one reader of models: files, notebooks, standard input and text become documents."""

from __future__ import annotations

from msgspec.structs import astuple

from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.source import STDIN, is_notebook
from reparam_rewrite.source.document import Document
from reparam_rewrite.source.encoding import decode, find_encoding, utf8
from reparam_rewrite.source.files import read_bytes, read_stdin

#: How many bytes a module may have: its code is looked through for a second for each 70 kB or so.
LARGEST = 4_000_000


def read(path: str, content: bytes | str | None = None) -> Document:
    """Read the document at `path`, or on standard input if that is "-".

    If `content` is given, nothing is read, and `path` is only what messages call it. A notebook is
    known by its path, which ends in ".ipynb". Raises `Refusal` for what can't be read or decoded,
    and for modules of more than 4 MB.
    """
    if content is None and path == STDIN:
        path, content = "<stdin>", read_stdin()
    elif content is None:
        content = read_bytes(path, "model")
    elif isinstance(content, str):
        content = encoded(content, path)
    if is_notebook(path):
        from reparam_rewrite.source.notebook import Notebook

        return Notebook(*astuple(utf8(path, content)))
    if len(content) > LARGEST:
        size = f"the file has {len(content) / 1e6:.0f} MB"
        message = f"{size}, and models are read up to {LARGEST / 1e6:.0f} MB"
        raise Refusal(Diagnostic(path, message, "keep its data in a file of their own."))
    return Document(*astuple(decode(path, content)))


def encoded(text: str, path: str) -> bytes:
    """The bytes of a file with this text, in the encoding that it declares."""
    try:
        data = text.encode()
        if not is_notebook(path):
            # A cookie is ASCII, in whatever encoding the rest is.
            data = text.encode(find_encoding(path, data).removesuffix("-sig"))
    except UnicodeEncodeError as error:
        message = f"{error.object[error.start]!a} can't be encoded as {error.encoding}"
        raise Refusal(Diagnostic(path, message, "correct the declared encoding.")) from None
    return data
