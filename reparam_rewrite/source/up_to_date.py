"""Is a generated file what its sources give now, and as it was made? Told from its stamp alone.

The digests are SHA-256, cut to 64 bits: they tell mistakes, not attacks. That of the sources is of
the model, the config and the line length. There are two of the file without its stamp: the body's
is of its bytes, which is enough where they are as they were made; the code's is of what it says,
whatever its layout, so that formatters may do with it what they like (`fingerprint`). The version
makes nothing stale: another one that generates the same leaves the file alone.

An up-to-date file is known by this module and `stamp` alone, so they import nothing slow.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple


class Origin(NamedTuple):
    """What a file is generated from.

    model, config: paths from the file's folder. sources: their digest.
    """

    version: str
    model: str
    config: str
    sources: str


class Stamp(NamedTuple):
    """What a generated file says of itself, and the file without it.

    lines: as they stand in the file. first, paths: those that tell the version, and the sources.
    sources, body, code: the digests, of which older files have no `code`. rest: the bytes that
    `body` is the digest of, and `fingerprint` what gives `code`. told: what `first` and `paths` of
    a file with this `rest` would be.
    """

    lines: bytes
    first: str
    paths: str
    sources: str
    body: str
    code: str
    rest: bytes
    fingerprint: Callable[[bytes], str]
    told: Callable[[bytes, Origin], tuple[str, str]]

    @property
    def edited(self) -> bool:
        """Is anything but the layout of the file not as it was made?"""
        return digest(self.rest) != self.body and self.fingerprint(self.rest) != self.code

    def is_fresh(self, made_from: Origin) -> bool:
        """Is the file what its sources give now, for all that the digests can tell?"""
        if self.sources != made_from.sources:
            return False
        return (self.first, self.paths) == self.told(self.rest, made_from) and not self.edited

    def same(self, other: Stamp) -> bool:
        """Do the two files differ in layout and in the version that generated them, if at all?"""
        if (self.sources, self.paths) != (other.sources, other.paths):
            return False
        return self.rest == other.rest or self.fingerprint(self.rest) == other.code


def digest(*parts: bytes) -> str:
    """16 hexadecimal digits that tell these texts, in this division, from any others."""
    total = hashlib.sha256()
    for part in parts:
        text = part.replace(b"\r\n", b"\n")
        total.update(len(text).to_bytes(8, "big") + text)
    return total.hexdigest()[:16]


def origin(
    version: str,
    output: str,
    model: tuple[str, bytes],
    config: tuple[str, bytes],
    width: int,
    others: Sequence[bytes] = (),
) -> Origin:
    """That of a file at the path `output`: `model` and `config` are paths with their contents.

    width: the line length of generated code, which decides as much as they do. others: files whose
    functions the model calls. Which these are is not told without reading the model, so that a file
    which depends on any isn't known to be up to date, but generated and compared.
    """
    decisive = digest(model[1], config[1], str(width).encode(), *others)
    return Origin(version, seen_from(output, model[0]), seen_from(output, config[0]), decisive)


def seen_from(output: str, path: str) -> str:
    """`path` from the folder of `output`, with slashes; standard input is "-"."""
    if path == "-":
        return path
    try:
        found = os.path.relpath(path, Path(output).absolute().parent)
    except ValueError:  # another drive
        found = str(Path(path).absolute())
    return found.replace(os.sep, "/")
