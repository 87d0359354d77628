"""A unified diff of two files' bytes that `git apply` takes as it is printed.

What git asks for, by experiment (tests/test_diffs.py runs it):

- Only under a `diff --git` line are the paths surely the repository's, wherever `git apply` is run.
  Those of a classical header, of two lines, are guessed at: from a sub-folder, sub/other/new.py may
  be made of other/new.py.
- Under it, `--- /dev/null` makes a new file only after a `new file mode` line.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

CONTEXT = 3  # lines around a change

NO_NEWLINE = b"\n\\ No newline at end of file\n"

# The bytes of a path that git puts in quotes, and how; those that C has no letter for are octal.
ESCAPES = {byte: b"\\%03o" % byte for byte in (*range(0x20), *range(0x7F, 0x100))}
ESCAPES |= {
    byte: b"\\" + bytes([letter])
    for byte, letter in zip(b'\a\b\t\n\v\f\r"\\', b'abtnvfr"\\', strict=True)
}


def unified_diff(
    old: bytes | None, new: bytes, path: Path | None, nameless: bytes = b"stdin"
) -> bytes:
    """The diff from `old` to `new`, b"" if they are equal; the same for the same arguments.

    Lines end at "\\n" alone and are kept byte for byte, so any line ends and encodings pass.
    `old` is None for a file that is not there yet, `path` for text without a file, which is called
    `nameless`. Symbolic links are followed, as git would not patch through one.
    """
    changed = hunks(old or b"", new)
    if not changed:
        return b""
    name = nameless if path is None else label(path)
    tab = b"\t" * (b" " in name)  # says where a name with a blank in it ends
    before, after = quoted(b"a/" + name), quoted(b"b/" + name)
    head = b"diff --git %s %s\n" % (before, after)
    before += tab
    if old is None:
        head += b"new file mode 100644\n"
        before = b"/dev/null"
    return head + b"--- %s\n+++ %s\n" % (before, after + tab) + changed


def label(path: Path) -> bytes:
    """`path` as git names it: from the root of its repository, with "/".

    Outside a repository from the current folder, and for files elsewhere from the file system's
    root.
    """
    try:
        full = Path(os.path.realpath(path))
        root = next((folder for folder in full.parents if (folder / ".git").exists()), None)
        root = root or Path.cwd().resolve()
    except OSError:  # the current folder was deleted, or one above may not be looked into
        full = root = path
    if full == root or not full.is_relative_to(root):
        root = Path(full.anchor)
    return os.fsencode(full.relative_to(root).as_posix())


def quoted(name: bytes) -> bytes:
    """`name` in double quotes if git would put it in them, else as it is."""
    escaped = b"".join(ESCAPES.get(byte, bytes([byte])) for byte in name)
    return name if escaped == name else b'"%s"' % escaped


def hunks(before: bytes, after: bytes) -> bytes:
    """The hunks of a diff: changes whose context would touch stand in one."""
    if before == after:
        return b""
    from difflib import SequenceMatcher  # which only a diff needs

    old, new = list(BytesIO(before)), list(BytesIO(after))
    head = equal_from_start(old, new)
    tail = equal_from_start(old[head:][::-1], new[head:][::-1])
    old_end, new_end = len(old) - tail, len(new) - tail
    matcher = SequenceMatcher(a=old[head:old_end], b=new[head:new_end])
    changes = [(kind, *(head + n for n in bounds)) for kind, *bounds in matcher.get_opcodes()]
    # What `get_grouped_opcodes` goes by, here for all lines.
    matcher.opcodes = [  # type: ignore[attr-defined]
        ("equal", 0, head, 0, head),
        *changes,
        ("equal", old_end, len(old), new_end, len(new)),
    ]
    lines: list[bytes] = []
    for group in matcher.get_grouped_opcodes(CONTEXT):
        (_, start, _, new_start, _), (*_, end, _, new_end) = group[0], group[-1]
        lines.append(b"@@ -%s +%s @@\n" % (span(start, end), span(new_start, new_end)))
        for kind, a, a_end, b, b_end in group:
            if kind == "equal":
                lines += [marked(b" ", line) for line in old[a:a_end]]
            else:
                lines += [marked(b"-", line) for line in old[a:a_end]]
                lines += [marked(b"+", line) for line in new[b:b_end]]
    return b"".join(lines)


def equal_from_start(old: list[bytes], new: list[bytes]) -> int:
    """How many lines are equal before the first that differs."""
    pairs = zip(old, new, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(old), len(new)))


def span(start: int, end: int) -> bytes:
    """The lines from `start` to `end`, counted from 0, as a hunk's header gives them."""
    # An empty one names the line before it.
    first = start + 1 if end > start else start
    return b"%d" % first if end - start == 1 else b"%d,%d" % (first, end - start)


def marked(mark: bytes, line: bytes) -> bytes:
    """`line` behind its mark, and the note that git reads if it is the last and does not end."""
    return mark + line if line.endswith(b"\n") else mark + line + NO_NEWLINE


def colored(diff: bytes) -> bytes:
    """A diff with the colours of a terminal, line by line."""
    colors = {b"+": b"\x1b[32m", b"-": b"\x1b[31m", b"@": b"\x1b[36m"}
    lines = []
    for line in BytesIO(diff):
        text = line.removesuffix(b"\n")
        color = b"\x1b[1m" if line[:4] in (b"diff", b"--- ", b"+++ ") else colors.get(line[:1])
        lines.append(color + text + b"\x1b[0m\n" if color else line)
    return b"".join(lines)
