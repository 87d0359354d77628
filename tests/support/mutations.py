"""Bytes of a Python file at random: what editors, merges, tools and accidents do to files."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Mutation = Callable[[bytes, random.Random], bytes]

ENDS = [b"\n", b"\r\n", b"\r"]

#: Blanks, controls, marks, and what isn't ASCII, valid in UTF-8 or not.
ODD = [b" ", b"\t", b"\x0c", b"\x0b", b"\0", b"\x1a", b"\x1c", b"\x7f", b"\r", b"\n", b"\\\n"]
ODD += [b"\xef\xbb\xbf", b"\xe9", b"\xff", b"\x80", b"\xa0", b"\xed\xa0\x80"]
ODD += [text.encode() for text in ("é", "\x85", "\xa0", "\u2028", "\u200b", "ﬁ", "𝐱", "ſ", "😀")]
ODD += [b"#", b'"', b"'", b'"""', b"\\", b";", b":", b"(", b")", b",", b"0", b"a", b"_", b"=", b"{"]

COOKIES = ["latin-1", "utf-8", "cp1252", "ascii", "shift_jis", "utf-7", "utf-16", "euc_jp", "x"]

INSIDE = ["é", "\x85", "\u2028", "\x1c", "\x0c", "\x0b", "\t", "  ", "ソ", "\ufeff", "{", "\\", "#"]


def lines_of(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def somewhere(data: bytes, rng: random.Random) -> int:
    return rng.randint(0, len(data))


def insert_odd(data: bytes, rng: random.Random) -> bytes:
    at = somewhere(data, rng)
    return data[:at] + rng.choice(ODD) + data[at:]


def insert_any(data: bytes, rng: random.Random) -> bytes:
    at = somewhere(data, rng)
    return data[:at] + bytes([rng.randint(0, 255)]) + data[at:]


def replace(data: bytes, rng: random.Random) -> bytes:
    at = somewhere(data, rng)
    return data[:at] + bytes([rng.randint(0, 255)]) + data[at + 1 :]


def delete(data: bytes, rng: random.Random) -> bytes:
    at = somewhere(data, rng)
    return data[:at] + data[at + rng.choice([1, 1, 1, 2, 5, 30]) :]


def double(data: bytes, rng: random.Random) -> bytes:
    at = somewhere(data, rng)
    end = at + rng.choice([1, 2, 10])
    return data[:end] + data[at:]


def double_line(data: bytes, rng: random.Random) -> bytes:
    lines = lines_of(data) or [b""]
    at = rng.randrange(len(lines))
    return b"".join([*lines[: at + 1], *lines[at:]])


def delete_line(data: bytes, rng: random.Random) -> bytes:
    lines = lines_of(data) or [b""]
    at = rng.randrange(len(lines))
    return b"".join([*lines[:at], *lines[at + 1 :]])


def swap_lines(data: bytes, rng: random.Random) -> bytes:
    lines = lines_of(data)
    if len(lines) > 1:
        at = rng.randrange(len(lines) - 1)
        lines[at : at + 2] = lines[at + 1], lines[at]
    return b"".join(lines)


def cut_off(data: bytes, rng: random.Random) -> bytes:
    """The end of a file that was copied in half, or just its last line end."""
    return data[: -rng.choice([1, 1, 2, rng.randint(1, len(data) + 1)])]


def change_runs(pattern: bytes, choices: list[bytes], share: float) -> Mutation:
    """One of the choices for some of what matches: one, a share of all, or all."""

    def mutate(data: bytes, rng: random.Random) -> bytes:
        found = list(re.finditer(pattern, data))
        if not found:
            return data
        how = rng.random()
        one = rng.choice(found).start()
        new = rng.choice(choices)

        def other(match: re.Match[bytes]) -> bytes:
            if how < 0.4:
                return new.replace(b"*", match[0]) if match.start() == one else match[0]
            if how < 0.7:
                return new.replace(b"*", match[0])
            chosen = rng.choice(choices) if rng.random() < share else b"*"
            return chosen.replace(b"*", match[0])

        return re.sub(pattern, other, data)

    return mutate


def indent(data: bytes, rng: random.Random) -> bytes:
    """Another width of all indents, or of those of a few lines that follow each other."""
    step = rng.choice([b" ", b"  ", b"   ", b"\t", b" \t", b"\t ", b"        ", b"\x0c    "])
    lines = lines_of(data)
    start, end = 0, len(lines)
    if rng.random() < 0.4 and lines:
        start = rng.randrange(len(lines))
        end = start + rng.randint(1, 8)
    for at in range(start, min(end, len(lines))):
        code = lines[at].lstrip(b" ")
        steps, rest = divmod(len(lines[at]) - len(code), 4)
        lines[at] = step * steps + b" " * rest + code
    return b"".join(lines)


def declare(data: bytes, rng: random.Random) -> bytes:
    """A declaration of an encoding, in which the file may be written or not."""
    name = rng.choice(COOKIES)
    cookie = rng.choice(["# -*- coding: {} -*-", "# vim: set fileencoding={} :", "#coding={}"])
    end = rng.choice(ENDS) if rng.random() < 0.2 else b"\n"
    data = cookie.format(name).encode() + end + data
    if rng.random() < 0.6:
        try:
            return data.decode().encode(name)
        except (UnicodeError, LookupError):
            pass
    return data


def mark(data: bytes, rng: random.Random) -> bytes:
    return (
        rng.choice([b"\xef\xbb\xbf", b"\xef\xbb\xbf", b"\xff\xfe", b"#!/usr/bin/python\n"]) + data
    )


def comment(data: bytes, rng: random.Random) -> bytes:
    """A comment behind a line or above it, with something odd in it."""
    lines = lines_of(data)
    if not lines:
        return b"# " + rng.choice(INSIDE).encode()
    at = rng.randrange(len(lines))
    code = lines[at].rstrip(b"\r\n")
    text = b"# so" + rng.choice(INSIDE).encode() + b"it is" + rng.choice([b"", b" ", b"\t"])
    end = lines[at][len(code) :]
    if rng.random() < 0.5:
        lines[at] = code + rng.choice([b"  ", b"", b"\t"]) + text + end
    else:
        margin = code[: len(code) - len(code.lstrip())] if rng.random() < 0.7 else b"  "
        lines[at] = margin + text + (end or b"\n") + lines[at]
    return b"".join(lines)


def in_string(data: bytes, rng: random.Random) -> bytes:
    """Something odd behind a quote, which mostly begins or ends a string."""
    found = [match.end() for match in re.finditer(rb"[\"']", data)]
    if not found:
        return data
    at = rng.choice(found)
    odd = [*INSIDE, "\\N{BULLET}", "\\ud800", "\\x00", "\\\n", "\\\r\n", "\r\n", "\n"]
    return data[:at] + rng.choice(odd).encode() + data[at:]


def blank_lines(data: bytes, rng: random.Random) -> bytes:
    """Blank lines, some with blanks in them, between two lines or at either end."""
    lines = lines_of(data)
    blanks = [b"\n", b"  \n", b"\t\n", b"\x0c\n", b"    \n", b"\r\n", b"   "]
    new = [rng.choice(blanks) for _ in range(rng.randint(1, 3))]
    at = rng.choice([0, len(lines), rng.randint(0, len(lines))])
    return b"".join([*lines[:at], *new, *lines[at:]])


def long_line(data: bytes, rng: random.Random) -> bytes:
    lines = lines_of(data)
    at = rng.randint(0, len(lines))
    text = b"x" * rng.choice([100, 5000, 70000])
    wrapped = rng.choice([b"# *\n", b"# *  \n", b'_ = "*"\n']).replace(b"*", text)
    return b"".join([*lines[:at], wrapped, *lines[at:]])


def continued(data: bytes, rng: random.Random) -> bytes:
    """A line that goes on behind a backslash."""
    found = [match.end() for match in re.finditer(rb"(?<=\S) ", data)]
    if not found:
        return data
    at = rng.choice(found)
    return data[:at] + rng.choice([b"\\\n", b"\\\n    ", b"\\\r\n\t", b"\\ \n"]) + data[at:]


line_ends = change_runs(rb"\r\n|\r|\n", [b"\n", b"\r\n", b"\r"], 0.3)
#: `*` is what was there.
trailing = change_runs(rb"(?=\r?\n)", [b" ", b"\t", b"\x0c", b"  ;", b" \\"], 0.2)
blanks = change_runs(
    rb"(?<=[^ \n]) +(?=[^ \n])", [b"**", b"\t", b"*\x0c", b"  *", b"", b"\xc2\xa0"], 0.1
)
brackets = change_runs(rb"[(\[]", [b"* ", b"*\n", b"*\n  # so\n", b"*\\\n", b"*\r\n", b"(("], 0.1)

MUTATIONS: list[Mutation] = [
    *[insert_odd, insert_any, replace, delete, double, double_line, delete_line, swap_lines],
    *[cut_off, line_ends, line_ends, trailing, blanks, brackets, indent, indent, declare, mark],
    *[comment, comment, in_string, blank_lines, blank_lines, long_line, continued],
]


def mutated(data: bytes, rng: random.Random, count: int) -> bytes:
    """A file after some accidents."""
    for _ in range(count):
        data = rng.choice(MUTATIONS)(data, rng)
    return data
