"""The border to the disk: files are read whole, and written whole or not at all.

No error of the operating system leaves these functions; each is a `Refusal` that says what to do.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from reparam_rewrite.interrupts import raise_again
from reparam_rewrite.messages import Diagnostic, Refusal, listed, nearest
from reparam_rewrite.source import STDIN

#: Where new bytes are until they take the place of the old, and the age in seconds from which
#: nobody can be writing there any more.
TEMPORARY, ABANDONED = ".reparam-rewrite-*.tmp", 3600.0

TO_STDOUT = "choose another path, or leave out -o to print the result."


def read_stdin(what: str = "model") -> bytes:
    """All of standard input. Raises `Refusal` if it is closed or cannot be read."""
    try:
        return sys.stdin.buffer.read()
    except (OSError, ValueError, AttributeError) as error:  # sys.stdin is None after `<&-`
        reason = os_reason(error) if isinstance(error, OSError) else "it is closed"
        message = f"cannot read standard input: {reason}"
        raise Refusal(Diagnostic("<stdin>", message, f"give the {what}'s path.")) from None


def read_bytes(path: str, what: str) -> bytes:
    """The bytes of the regular file at `path`; `what` is its part in the program ("config").

    Raises `Refusal` for a missing file (with the nearest names of its folder), a folder, a pipe
    or device (without opening it), a lack of permission, and whatever else stops the reading.
    """
    refuse_unusable(path, what)
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            hint = f"give the path of the {what.removesuffix(' file')} file inside it."
            raise Refusal(Diagnostic(path, f"the {what} is a folder", hint))
        if not stat.S_ISREG(mode):
            hints = {"model": "pipe it in with the path -.", "output": TO_STDOUT}
            hint = hints.get(what, "save it as a file first.")
            raise Refusal(Diagnostic(path, f"the {what} is not a regular file", hint))
        # Should a pipe take the file's place just now, opening it must not wait for a writer.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise Refusal(missing(path, what)) from None
    except OSError as error:
        hint = "make it readable (chmod u+r)." if error.errno == errno.EACCES else ""
        message = f"cannot read the {what}: {os_reason(error)}"
        raise Refusal(Diagnostic(path, message, hint)) from None


def missing(path: str, what: str) -> Diagnostic:
    """There is no file at `path`: what its folder has instead, or why it has nothing."""
    file, message, hint = Path(path), f"the {what} does not exist", ""
    if file.is_symlink():
        message = f"the {what} is a link to '{os.path.realpath(path)}', which does not exist"
    elif not file.parent.is_dir():
        hint = f"there is no folder '{file.parent}'."
    else:
        with suppress(OSError):
            names = [entry.name for entry in file.parent.iterdir() if entry.is_file()]
            if similar := nearest(file.name, names):
                hint = f"did you mean {listed(similar, last='or')}?"
    return Diagnostic(path, message, hint)


def refuse_same_file(given: str, output: str, what: str = "model") -> None:
    """Refuse an output that is the model (or the config) itself, however the paths are spelt.

    By device and inode, so links of both kinds and file systems that ignore case are seen. A
    model on standard input is compared too: `reparam-rewrite - -o model.py < model.py`.
    """
    refuse_unusable(output, "output")
    with suppress(OSError, ValueError):  # one of them does not exist: they are not the same
        status = os.fstat(0) if given == STDIN else Path(given).stat()
        if os.path.samestat(status, Path(output).stat()) and stat.S_ISREG(status.st_mode):
            message = f"the output is the {what} itself, which is never overwritten"
            raise Refusal(Diagnostic(output, message, TO_STDOUT))


class Staged(NamedTuple):
    """New bytes that are on the disk beside their target. `old` is what it had, None if nothing."""

    path: str
    target: Path
    temporary: Path
    old: bytes | None


def write_outputs(outputs: Sequence[tuple[str, bytes]]) -> list[str]:
    """Make the bytes of files, by path, what they are to be: of all or of none.

    The paths that were written are returned; where the bytes were right already, nothing is done.
    Each file is replaced in one step, so that it is never seen half-written: a reader finds the old
    bytes or the new. Its mode is kept, and a symbolic link stays and its target is written. (Of
    several hard links to one file, only the path that is given gets the new bytes.)

    Raises `Refusal`, with all old files as they were and nothing left beside them, if a folder is
    missing or not writable, a file read-only (also for root, who could), a path a folder, pipe
    or device, or the bytes cannot be stored.
    """
    if any(path == "-" for path, _ in outputs):
        message = "'-' stands for standard output, and this is written into a file"
        raise Refusal(Diagnostic(None, message, "name one; a file that is called so is ./-"))
    raise_again()
    staged: list[Staged] = []
    moved: list[Staged] = []
    try:
        for path, data in outputs:
            if (new := stage(path, data)) is not None:
                staged.append(new)
        for file in staged:
            with refusing(file.path):
                file.temporary.replace(file.target)
            moved.append(file)
    except BaseException:  # also Ctrl-C
        for file in staged:
            with suppress(OSError):
                file.temporary.unlink()
        for file in moved:
            with suppress(OSError, Refusal):
                restore(file)
        raise
    for folder in {file.target.parent for file in staged}:
        settle(folder)
    return [file.path for file in staged]


def stage(path: str, data: bytes) -> Staged | None:
    """Write `data` beside the file at `path`, None if it is its content already.

    Raises `Refusal`, and then leaves nothing.
    """
    refuse_unusable(path, "output")
    with refusing(path):
        target = Path(os.path.realpath(path))
        before = existing(path, target)
        old = target.read_bytes() if before else None
        if old == data:
            return None
        refuse_read_only(path, target, before)
        # Not tempfile's: the mode of those is 0600, where a new file should have what the umask
        # leaves.
        temporary = target.parent / TEMPORARY.replace("*", os.urandom(8).hex())
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            # A file that others may not read is not to be readable while it is being written.
            descriptor = os.open(temporary, flags, 0o600 if before else 0o666)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            if before:
                temporary.chmod(stat.S_IMODE(before.st_mode))
                with suppress(OSError, AttributeError):  # for root alone, and not on Windows
                    os.chown(temporary, before.st_uid, before.st_gid)
        except BaseException:  # also Ctrl-C
            with suppress(OSError):
                temporary.unlink()
            raise
        return Staged(path, target, temporary, old)


def restore(moved: Staged) -> None:
    """What the target was. Raises OSError and `Refusal`."""
    if moved.old is None:
        moved.target.unlink()
    elif again := stage(str(moved.target), moved.old):
        again.temporary.replace(again.target)


def settle(folder: Path) -> None:
    """Let new names survive a power cut, and take away what runs that were killed have left."""
    with suppress(OSError):  # no folder can be opened on Windows, some not synced on networks
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    with suppress(OSError):
        for left in folder.glob(TEMPORARY):
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink()


def refuse_unwritable(path: str, otherwise: str = "choose another path.") -> None:
    """Refuse, before anything slow, a path that nothing could be written to."""
    refuse_unusable(path, "output")
    with refusing(path, otherwise):
        target = Path(os.path.realpath(path))
        refuse_read_only(path, target, existing(path, target, otherwise), otherwise)


@contextmanager
def refusing(path: str, otherwise: str = TO_STDOUT) -> Iterator[None]:
    """What the system says against writing the output at `path`, as a `Refusal`.

    `otherwise` is the way out where the path can't be made to do.
    """
    try:
        yield
    except OSError as error:
        message = f"cannot write the output: {os_reason(error)}"
        full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))
        hint = f"make room, or {otherwise}" if full else otherwise
        raise Refusal(Diagnostic(path, message, hint)) from None


def existing(path: str, target: Path, otherwise: str = TO_STDOUT) -> os.stat_result | None:
    """The regular file at `target`, None if there is none; `Refusal` if something else is there."""
    if path.endswith((os.sep, os.altsep or os.sep)) or target.is_dir():
        hint = "give the path of a file inside it."
        raise Refusal(Diagnostic(path, "the output is a folder", hint))
    try:
        status = target.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise Refusal(Diagnostic(path, "the output is not a regular file", otherwise))
    return status


def refuse_read_only(
    path: str, target: Path, before: os.stat_result | None, otherwise: str = TO_STDOUT
) -> None:
    """Refuse a target that is write-protected, or whose folder is missing or write-protected.

    The bits are looked at beside `os.access`, which grants root everything: a file without a
    `w` was protected on purpose.
    """
    folder = target.parent
    message, hint = "", f"make it writable (chmod u+w), or {otherwise}"
    if before and not (before.st_mode & 0o222 and os.access(target, os.W_OK)):
        message = "the output is read-only"
    elif not folder.is_dir():  # a file in its place was found before, as "not a directory"
        message = f"there is no folder '{folder if Path(path).is_symlink() else Path(path).parent}'"
        hint = f"create it first (mkdir -p), or {otherwise}"
    elif not (folder.stat().st_mode & 0o222 and os.access(folder, os.W_OK | os.X_OK)):
        message = "the output's folder is read-only"
    if message:
        raise Refusal(Diagnostic(path, message, hint))


def refuse_unusable(path: str, what: str) -> None:
    """Refuse a path that no file can have, which the system would answer with a ValueError."""
    try:
        usable = path != "" and b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        usable = False
    if not usable:
        raise Refusal(Diagnostic(None, f"{path!a} cannot be the path of the {what}"))


def os_reason(error: OSError) -> str:
    """What the system said, as a clause."""
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]
