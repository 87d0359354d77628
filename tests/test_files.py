"""What can be read and what cannot, and that writing is all or nothing.

These run as root too, whom permissions do not stop: what only the system can refuse is refused
here by a stand-in for the call.
"""

from __future__ import annotations

import codecs
import encodings.aliases
import errno
import io
import os
import resource
import stat
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reparam_rewrite.messages import Place, Refusal
from reparam_rewrite.source.encoding import Source
from reparam_rewrite.source.files import read_bytes, refuse_same_file, write_outputs
from reparam_rewrite.source.line_length import line_length
from reparam_rewrite.source.reading import read


def write_output(path: str, data: bytes) -> bool:
    """Write one file; False if its bytes were `data` already."""
    return bool(write_outputs([(path, data)]))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, so that messages have short paths."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def source_of(data: bytes) -> Source:
    return read("<stdin>", data).module


def refused(call: Callable[..., object], *arguments: object) -> str:
    """The message of the refusal of a call."""
    with pytest.raises(Refusal) as caught:
        call(*arguments)
    return str(caught.value)


def refused_model(data: bytes) -> str:
    Path("model.py").write_bytes(data)
    return refused(read, "model.py")


# What is read


@pytest.mark.parametrize(
    ("data", "encoding", "text"),
    [
        pytest.param(b"", "utf-8", "", id="empty"),
        pytest.param("π = 3\n".encode(), "utf-8", "π = 3\n", id="utf-8"),
        pytest.param(codecs.BOM_UTF8 + b"x\n", "utf-8-sig", "x\n", id="byte order mark"),
        pytest.param(codecs.BOM_UTF8, "utf-8-sig", "", id="only a byte order mark"),
        pytest.param(
            codecs.BOM_UTF8 + b"# coding: utf-8\n", "utf-8-sig", "# coding: utf-8\n", id="both"
        ),
        pytest.param(
            b"# -*- coding: latin-1 -*-\n# caf\xe9\n",
            "iso-8859-1",
            "# -*- coding: latin-1 -*-\n# café\n",
            id="cookie",
        ),
        pytest.param(
            b"#!/usr/bin/python\r\n# vim: set fileencoding=cp1252 :\r\n'\x80'\r\n",
            "cp1252",
            "#!/usr/bin/python\r\n# vim: set fileencoding=cp1252 :\r\n'€'\r\n",
            id="cookie on the second line",
        ),
        pytest.param(
            b"# M\xfcller\n# coding: latin-1\n",
            "iso-8859-1",
            "# Müller\n# coding: latin-1\n",
            id="its encoding used above the cookie",
        ),
        pytest.param(
            b"# coding: shift_jis\n# \x83\x5c\n",
            "shift_jis",
            "# coding: shift_jis\n# ソ\n",
            id="jis",
        ),
        pytest.param(
            b"\n\n# coding: latin-1\n", "utf-8", "\n\n# coding: latin-1\n", id="cookie too late"
        ),
        pytest.param(
            b"x = 1\n# coding: latin-1\n", "utf-8", "x = 1\n# coding: latin-1\n", id="below code"
        ),
        pytest.param(
            b"# a\r# coding: latin-1\r\xe9", "iso-8859-1", "# a\r# coding: latin-1\ré", id="cr"
        ),
        pytest.param(b"a\x0cb\x1c\x1a\x7f\n", "utf-8", "a\x0cb\x1c\x1a\x7f\n", id="controls"),
        pytest.param(b'"\\ud800"\n', "utf-8", '"\\ud800"\n', id="lone surrogate as an escape"),
        pytest.param(b"x = 1\r\ny = 2\n\r", "utf-8", "x = 1\r\ny = 2\n\r", id="line ends stay"),
    ],
)
def test_encodings(data: bytes, encoding: str, text: str) -> None:
    Path("model.py").write_bytes(data)
    source = read("model.py")
    assert (source.path, source.data) == ("model.py", data)
    assert (source.encoding, source.text) == (encoding, text)
    assert source.text.encode(source.encoding) == data


@settings(deadline=None)
@given(st.binary(max_size=40), st.sampled_from([b"", b"# coding: cp1252\n", codecs.BOM_UTF8]))
def test_any_bytes_are_read_back_or_refused(data: bytes, start: bytes) -> None:
    data = start + data
    try:
        source = source_of(data)
    except Refusal:
        return
    assert source.text.encode(source.encoding) == data
    if b"\r" not in data:
        assert source.encoding == tokenize.detect_encoding(io.BytesIO(data).readline)[0]


# Codecs that are not of text, not of ASCII, not to be had here, or that never say what is wrong.
ODD_CODECS = ["hex", "rot13", "idna", "undefined", "unicode_escape", "utf-7", "utf-16-le", "mbcs"]


@settings(deadline=None)
@given(st.from_regex(r"[-_.a-zA-Z0-9]{1,12}", fullmatch=True) | st.sampled_from(ODD_CODECS))
def test_any_cookie_is_obeyed_or_refused(name: str) -> None:
    data = b"# coding: " + name.encode() + b"\nx = '\\u00e9'\n"
    try:
        source = source_of(data)
    except Refusal:
        return
    assert source.text.encode(source.encoding) == data
    assert source.text == data.decode("ascii")


def test_every_codec_is_obeyed_or_refused() -> None:
    for name in sorted(set(encodings.aliases.aliases.values()) | set(ODD_CODECS)):
        data = b"# coding: " + name.encode() + b"\nx = 'a'\n"
        try:
            assert source_of(data).text.encode(name) == data
        except Refusal as refusal:
            assert "<stdin>:1:3" in str(refusal)


@pytest.mark.parametrize(
    ("text", "newline"),
    [
        ("", "\n"),
        ("x", "\n"),
        ("x\ny\r\n", "\n"),
        ("x\r\ny\n", "\r\n"),
        ("x\ry\r\n", "\r"),
        ("x\r", "\r"),
        ("x\x0cy\u2028z\r\n", "\r\n"),
    ],
)
def test_the_first_line_end(text: str, newline: str) -> None:
    assert source_of(text.encode()).newline == newline


def test_lines_end_where_python_ends_them() -> None:
    text = "a\x0cb\x0bc\nd\x1ce\x85f\r\n\u2028g\rh\r\ri"
    source = source_of(text.encode())
    lines = [source.line(number) for number in range(1, 8)]
    assert lines == ["a\x0cb\x0bc", "d\x1ce\x85f", "\u2028g", "h", "", "i", ""]
    assert source.line(0) == source.line(-1) == source.line(99) == ""


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x\r\n")))
    source = read("-").module
    assert (source.path, source.text) == ("<stdin>", "x\r\n")
    monkeypatch.setattr(sys, "stdin", None)
    assert refused(read, "-") == (
        "<stdin>: cannot read standard input: it is closed\nhint: give the model's path."
    )


def test_standard_input_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Broken()))
    message = "<stdin>: cannot read standard input: input/output error"
    assert refused(read, "-").startswith(message)


def test_a_file_named_like_standard_input() -> None:
    Path("-").write_bytes(b"x\n")
    assert read("./-").module.text == "x\n"


def test_bytes_of_a_config_are_not_decoded() -> None:
    Path("offsets.toml").write_bytes(b"\xff\x00\r\n")
    assert read_bytes("offsets.toml", "config") == b"\xff\x00\r\n"


# What is not read


def test_a_missing_file_names_the_nearest() -> None:
    for name in ("models.py", "model.py", "unlike.txt"):
        Path(name).touch()
    Path("modle.py").mkdir()
    assert refused(read, "modal.py") == (
        "modal.py: the model does not exist\nhint: did you mean 'model.py' or 'models.py'?"
    )


def test_a_module_that_is_mostly_data_is_refused_at_once() -> None:
    content = b"DATA = [\n" + b"    0.0,\n" * 600_000 + b"]\n"
    with pytest.raises(
        Refusal, match=r"^model\.py: the file has 5 MB, and models are read up to 4"
    ):
        read("model.py", content)


def test_a_missing_file_without_a_nearest() -> None:
    assert refused(read_bytes, "x.toml", "config") == "x.toml: the config does not exist"


def test_a_missing_folder() -> None:
    assert refused(read, "no/such/model.py") == (
        "no/such/model.py: the model does not exist\nhint: there is no folder 'no/such'."
    )


def test_a_link_to_nothing(folder: Path) -> None:
    Path("link.py").symlink_to("gone.py")
    assert refused(read, "link.py") == (
        f"link.py: the model is a link to '{folder / 'gone.py'}', which does not exist"
    )


def test_a_folder_is_no_model() -> None:
    Path("models").mkdir()
    assert refused(read, "models") == (
        "models: the model is a folder\nhint: give the path of the model file inside it."
    )


def test_a_pipe_is_refused_without_waiting_for_it() -> None:
    os.mkfifo("pipe")
    assert refused(read, "pipe") == (
        "pipe: the model is not a regular file\nhint: pipe it in with the path -."
    )


def test_a_device_is_no_config() -> None:
    assert refused(read_bytes, "/dev/null", "config") == (
        "/dev/null: the config is not a regular file\nhint: save it as a file first."
    )


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800.py"])
def test_what_cannot_be_a_path(path: str) -> None:
    for what, call in (("model", read), ("output", lambda path: write_output(path, b""))):
        assert refused(call, path) == f"{path!a} cannot be the path of the {what}"
    assert "cannot be the path" in refused(refuse_same_file, "model.py", path)


def test_a_file_as_a_folder_and_a_loop_and_a_long_name() -> None:
    Path("file").touch()
    Path("loop").symlink_to("loop")
    assert refused(read, "file/x") == "file/x: cannot read the model: not a directory"
    assert "too many levels" in refused(read, "loop")
    assert "name too long" in refused(read, "x" * 300)


def fail_with(number: int) -> Callable[..., object]:
    def call(*arguments: object, **keywords: object) -> object:
        raise OSError(number, os.strerror(number))

    return call


def test_no_permission_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("model.py").touch()
    monkeypatch.setattr(os, "open", fail_with(errno.EACCES))
    assert refused(read, "model.py") == (
        "model.py: cannot read the model: permission denied\nhint: make it readable (chmod u+r)."
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(
            b"x = 1\n\ty = 'caf\xe9'\n",
            "model.py:2:10: byte 0xe9 is not valid utf-8\n"
            "    y = 'caf\ufffd'\n"
            "            ^\n"
            "hint: save the file as UTF-8, or declare its encoding in the first line: "
            "# -*- coding: latin-1 -*-",
            id="not utf-8",
        ),
        pytest.param(
            codecs.BOM_UTF8 + "π".encode() + b"\x0c\xff\r\n",
            "model.py:1:3: byte 0xff is not valid utf-8-sig\n"
            "    π\ufffd\ufffd\n"
            "      ^\n"
            "hint: save the file as UTF-8, or declare its encoding in the first line: "
            "# -*- coding: latin-1 -*-",
            id="not utf-8 behind a byte order mark",
        ),
        pytest.param(
            b"# coding: ascii\r\rx = '\xc3\xa9'",
            "model.py:3:6: byte 0xc3 is not valid ascii\n"
            "    x = '\ufffd\ufffd'\n"
            "         ^\n"
            "hint: correct the declaration of the encoding, "
            "or save the file as UTF-8 and remove it.",
            id="not the declared encoding",
        ),
        pytest.param(
            b"\n# coding: klingon\n",
            "model.py:2:3: Python knows no encoding 'klingon'\n"
            "    # coding: klingon\n"
            "      ^\n"
            "hint: correct the declaration, or remove it and save the file as UTF-8.",
            id="unknown encoding",
        ),
        pytest.param(
            codecs.BOM_UTF8 + b"# coding: latin-1\n",
            "model.py:1:3: another encoding is declared than that of the file's byte order mark, "
            "utf-8\n"
            "    # coding: latin-1\n"
            "      ^\n"
            "hint: correct the declaration, or remove it and save the file as UTF-8.",
            id="byte order mark against its cookie",
        ),
        pytest.param(
            b"# coding: utf-16-le\n",
            "model.py:1:3: Python source cannot be encoded as utf-16-le\n"
            "    # coding: utf-16-le\n"
            "      ^\n"
            "hint: correct the declaration, or remove it and save the file as UTF-8.",
            id="cookie that contradicts itself",
        ),
        pytest.param(
            b"# coding: iso2022_jp\nx = '\x1b(B'\n",
            "model.py:1:3: as iso2022_jp the text of the file would be written back as other "
            "bytes\n"
            "    # coding: iso2022_jp\n"
            "      ^\n"
            "hint: save the file as UTF-8 and remove this declaration.",
            id="cannot be written back",
        ),
        pytest.param(
            b"# coding: utf-7\nx = 'a'\n",
            "model.py:1:3: in utf-7 not every ASCII character stands for itself\n"
            "    # coding: utf-7\n"
            "      ^\n"
            "hint: save the file as UTF-8 and remove this declaration.",
            id="ASCII that is written otherwise",
        ),
        pytest.param(
            codecs.BOM_UTF8 + b"x = 1\r\ny\0z\n",
            "model.py:2:2: the file has a NUL byte\n"
            "    y\ufffdz\n"
            "     ^\n"
            "hint: if it is UTF-16 text, save the file as UTF-8; "
            "otherwise it is not Python source.",
            id="NUL",
        ),
        *[
            pytest.param(
                "\ufeffx = 1\n".encode(name),
                f"model.py: the file is {name[:6].upper()}, which Python can't read\n"
                "hint: save the file as UTF-8.",
                id=name,
            )
            for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
        ],
    ],
)
def test_bytes_that_are_refused(data: bytes, message: str) -> None:
    assert refused_model(data) == message


def test_the_place_of_a_bad_byte_is_a_place() -> None:
    Path("model.py").write_bytes(b"\xff")
    with pytest.raises(Refusal) as caught:
        read("model.py")
    assert caught.value.diagnostics[0].place == Place("model.py", 1, 1)


# The output is not the model


def test_the_model_is_no_output(folder: Path) -> None:
    Path("model.py").touch()
    Path("symbolic.py").symlink_to("model.py")
    os.link("model.py", "hard.py")
    for output in ("model.py", "./model.py", "symbolic.py", "hard.py", str(folder / "model.py")):
        assert refused(refuse_same_file, "model.py", output) == (
            f"{output}: the output is the model itself, which is never overwritten\n"
            "hint: choose another path, or leave out -o to print the result."
        )


def test_other_outputs_are_let_pass() -> None:
    Path("model.py").write_bytes(b"x\n")
    Path("copy.py").write_bytes(b"x\n")
    for model, output in (
        ("model.py", "copy.py"),
        ("model.py", "new.py"),
        ("model.py", "no/folder.py"),
        ("gone.py", "model.py"),
        ("-", "model.py"),
        ("-", "/dev/null"),
    ):
        refuse_same_file(model, output)


def test_a_model_on_standard_input_is_no_output() -> None:
    Path("model.py").write_bytes(b"x\n")
    program = "from reparam_rewrite.source.files import *; refuse_same_file('-', 'model.py')"
    with Path("model.py").open("rb") as stdin:
        done = run_python(program, stdin=stdin)
    assert "Refusal: model.py: the output is the model itself" in done.stderr


def run_python(
    program: str, stdin: IO[bytes] | None = None, preexec_fn: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdin=stdin,
        preexec_fn=preexec_fn,
        capture_output=True,
        text=True,
    )


# What is written


@pytest.fixture
def nothing_left(folder: Path) -> Iterator[None]:
    """At the end of the test only the names it began with are there, with their bytes."""
    Path("out.py").write_bytes(b"old\n")
    yield
    assert {entry.name: entry.read_bytes() for entry in folder.iterdir()} == {"out.py": b"old\n"}


def mode_of(path: str) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_mode_that_the_umask_leaves(folder: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        assert write_output("out.py", b"x\r\n\xff")
    finally:
        os.umask(before)
    assert mode_of("out.py") == mode
    assert [entry.name for entry in folder.iterdir()] == ["out.py"]
    assert Path("out.py").read_bytes() == b"x\r\n\xff"


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o640, 0o666])
def test_the_mode_of_an_old_file_is_kept(folder: Path, mode: int) -> None:
    Path("out.py").write_bytes(b"old\n")
    Path("out.py").chmod(mode)
    assert write_output("out.py", b"new\n")
    assert mode_of("out.py") == mode
    assert [entry.name for entry in folder.iterdir()] == ["out.py"]


def test_equal_bytes_are_not_written_again() -> None:
    Path("out.py").write_bytes(b"x\n")
    os.utime("out.py", ns=(1, 1))
    Path("out.py").chmod(0o444)  # nor does it matter that they could not be
    before = Path("out.py").stat()
    assert not write_output("out.py", b"x\n")
    after = Path("out.py").stat()
    assert (after.st_mtime_ns, after.st_ino) == (1, before.st_ino)


def test_an_empty_file_is_written() -> None:
    assert write_output("out.py", b"")
    assert not write_output("out.py", b"")


def test_a_link_stays_and_its_target_is_written() -> None:
    Path("sub").mkdir()
    Path("sub/real.py").write_bytes(b"old\n")
    Path("link.py").symlink_to("sub/real.py")
    assert write_output("link.py", b"new\n")
    assert Path("link.py").is_symlink()
    assert Path("sub/real.py").read_bytes() == b"new\n"
    assert not write_output("link.py", b"new\n")


def test_a_link_to_nothing_yet_makes_its_target() -> None:
    Path("link.py").symlink_to("real.py")
    assert write_output("link.py", b"new\n")
    assert Path("link.py").is_symlink()
    assert Path("real.py").read_bytes() == b"new\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another user")
def test_root_leaves_a_file_to_its_owner() -> None:
    Path("out.py").write_bytes(b"old\n")
    Path("out.py").chmod(0o666)
    os.chown("out.py", 1234, 1234)
    assert write_output("out.py", b"new\n")
    assert (Path("out.py").stat().st_uid, Path("out.py").stat().st_gid) == (1234, 1234)


def test_the_old_bytes_are_there_until_the_new_ones_are_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("out.py").write_bytes(b"old\n")
    seen: list[bytes] = []
    fsync = os.fsync

    def look(descriptor: int) -> None:
        seen.append(Path("out.py").read_bytes())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    assert write_output("out.py", b"new\n")
    assert seen == [b"old\n", b"new\n"]  # the file's own bytes, then its folder's entry


# What is not written

WAY_OUT = "choose another path, or leave out -o to print the result."


def refused_output(path: str) -> str:
    return refused(write_output, path, b"new\n")


@pytest.mark.usefixtures("nothing_left")
def test_a_missing_folder_for_the_output() -> None:
    assert refused_output("no/such/out.py") == (
        "no/such/out.py: there is no folder 'no/such'\n"
        f"hint: create it first (mkdir -p), or {WAY_OUT}"
    )


def test_a_link_into_a_missing_folder(folder: Path) -> None:
    Path("link.py").symlink_to("gone/out.py")
    assert f"there is no folder '{folder / 'gone'}'" in refused_output("link.py")


@pytest.mark.usefixtures("nothing_left")
def test_a_file_for_a_folder() -> None:
    assert (
        refused_output("out.py/x.py")
        == f"out.py/x.py: cannot write the output: not a directory\nhint: {WAY_OUT}"
    )


def test_a_folder_is_no_output() -> None:
    Path("out").mkdir()
    for path in ("out", "out/", "new/", ".", "/"):
        assert refused_output(path) == (
            f"{path}: the output is a folder\nhint: give the path of a file inside it."
        )


def test_a_loop_of_links_is_no_output() -> None:
    Path("loop").symlink_to("loop")
    assert "too many levels of symbolic links" in refused_output("loop")


@pytest.mark.usefixtures("nothing_left")
def test_a_device_is_no_output() -> None:
    assert refused_output("/dev/null") == (
        f"/dev/null: the output is not a regular file\nhint: {WAY_OUT}"
    )


@pytest.mark.usefixtures("nothing_left")
def test_a_read_only_file_is_kept_even_from_root() -> None:
    Path("out.py").chmod(0o444)
    assert refused_output("out.py") == (
        f"out.py: the output is read-only\nhint: make it writable (chmod u+w), or {WAY_OUT}"
    )


def test_a_read_only_folder_is_kept_even_from_root() -> None:
    Path("sub").mkdir(0o555)
    assert refused_output("sub/out.py") == (
        "sub/out.py: the output's folder is read-only\n"
        f"hint: make it writable (chmod u+w), or {WAY_OUT}"
    )
    Path("sub").chmod(0o755)
    assert not list(Path("sub").iterdir())


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, f"no space left on device\nhint: make room, or {WAY_OUT}"),
        (errno.EDQUOT, f"disk quota exceeded\nhint: make room, or {WAY_OUT}"),
        (errno.EIO, f"input/output error\nhint: {WAY_OUT}"),
    ],
)
@pytest.mark.parametrize("where", ["open", "fsync", "replace"])
def test_a_disk_that_fails_at_any_step(
    monkeypatch: pytest.MonkeyPatch, where: str, number: int, message: str
) -> None:
    monkeypatch.setattr(os, where, fail_with(number))
    for name in ("out.py", "new.py"):
        refusal = refused_output(name)
        assert refusal.lower() == f"{name}: cannot write the output: {message}".lower()


@pytest.mark.usefixtures("nothing_left")
def test_a_file_that_grows_too_large() -> None:
    """The system itself stops the writing in the middle."""
    program = (
        "from reparam_rewrite.source.files import *;write_outputs([('out.py', bytes(100_000))])"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    done = run_python(program, preexec_fn=limit)
    assert "Refusal: out.py: cannot write the output: file too large" in done.stderr


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("where", ["fsync", "chmod", "replace"])
def test_an_interrupt_leaves_nothing(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def interrupt(*arguments: object, **keywords: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, where, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_output("out.py", b"new\n")


def test_a_folder_that_cannot_be_synced_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def files_only(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    assert write_output("out.py", b"new\n")


def test_a_current_folder_that_was_deleted() -> None:
    gone = Path("gone").absolute()
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert "cannot write the output" in refused_output("out.py")
    assert refused(read, "model.py") == "model.py: the model does not exist"
    refuse_same_file("model.py", "out.py")
    assert line_length(Path("model.py")) == 88


# The line length


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, 88, id="nothing configured"),
        pytest.param({"pyproject.toml": "[tool.black]\nline-length = 99"}, 99, id="black"),
        pytest.param({"pyproject.toml": "[tool.black]\nline_length = 99"}, 99, id="underscore"),
        pytest.param({"pyproject.toml": "[tool.ruff]\nline-length = 99"}, 99, id="ruff"),
        pytest.param({"ruff.toml": "line-length = 99"}, 99, id="ruff.toml"),
        pytest.param({".ruff.toml": "line-length = 99"}, 99, id=".ruff.toml"),
        pytest.param(
            {"pyproject.toml": "[tool.black]\nline-length = 99\n[tool.ruff]\nline-length = 77"},
            99,
            id="black before ruff",
        ),
        pytest.param(
            {"pyproject.toml": "[tool.ruff]\nline-length = 77", "ruff.toml": "line-length = 99"},
            99,
            id="ruff's own file before pyproject",
        ),
        pytest.param(
            {"ruff.toml": "line-length = 77", ".ruff.toml": "line-length = 99"},
            99,
            id="ruff's hidden file before the other",
        ),
        pytest.param(
            {"pyproject.toml": "[tool.black]\nline-length = 77", "pkg/ruff.toml": "line-length=99"},
            99,
            id="the nearest first",
        ),
        pytest.param(
            {"pyproject.toml": "[tool.ruff]\nline-length = 99", "pkg/pyproject.toml": "[project]"},
            99,
            id="a nearer one that configures neither",
        ),
        pytest.param(
            {"ruff.toml": "line-length = 77", "pkg/pyproject.toml": "[tool.ruff]"},
            88,
            id="a nearer one that leaves the default",
        ),
        pytest.param(
            {"ruff.toml": "line-length = 77", "pkg/pyproject.toml": "[tool.black]"},
            88,
            id="a nearer black that leaves the default",
        ),
        pytest.param(
            {"ruff.toml": "line-length = 99", "pkg/ruff.toml": 'extend = "../ruff.toml"'},
            99,
            id="ruff extends",
        ),
        pytest.param(
            {
                "pyproject.toml": "[tool.ruff]\nline-length = 99",
                "pkg/ruff.toml": 'extend = "../pyproject.toml"',
            },
            99,
            id="ruff extends pyproject",
        ),
        pytest.param({"ruff.toml": 'extend = "ruff.toml"'}, 88, id="ruff extends itself"),
        pytest.param(
            {"../pyproject.toml": "[tool.black]\nline-length = 99"}, 99, id="out of the folder"
        ),
        pytest.param(
            {"../ruff.toml": "line-length = 99", ".git/HEAD": ""}, 88, id="not out of a repository"
        ),
        pytest.param(
            {"ruff.toml": "line-length = 99", ".git": ""}, 99, id="the repository's own folder"
        ),
        pytest.param({"pyproject.toml": "[tool.black\nline-length = 99"}, 88, id="broken toml"),
        pytest.param({"ruff.toml": "line-length = 99 # \udcff"}, 88, id="not utf-8"),
        pytest.param({"ruff.toml": "x = " + "[" * 5000}, 88, id="too deep"),
        pytest.param({"pyproject.toml": "tool = 1"}, 88, id="tool is no table"),
        pytest.param({"pyproject.toml": "[tool]\nruff = 1\nblack = []"}, 88, id="no tables"),
        pytest.param({"ruff.toml/x": ""}, 88, id="a folder of that name"),
        *[
            pytest.param({"ruff.toml": f"line-length = {value}"}, 88, id=f"silly {value}")
            for value in ("0", "-5", "true", '"99"', "99.5", "inf", "[99]")
        ],
    ],
)
def test_line_lengths(folder: Path, files: dict[str, str], expected: int) -> None:
    (folder / "root/pkg").mkdir(parents=True)
    for name, text in files.items():
        file = folder / "root" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8", errors="surrogateescape")
    assert line_length(folder / "root/pkg/model.py") == expected
    assert line_length(folder / "root/pkg") == expected


def test_a_linked_model_has_the_line_length_of_its_target() -> None:
    Path("real").mkdir()
    Path("real/model.py").touch()
    Path("real/ruff.toml").write_text("line-length = 99")
    Path("model.py").symlink_to("real/model.py")
    assert line_length(Path("model.py")) == 99


def test_what_is_not_needed_is_not_imported() -> None:
    program = (
        "import sys; from pathlib import Path; import reparam_rewrite.source.files;"
        "from reparam_rewrite.source.line_length import line_length;"
        "line_length(Path.cwd()); print(*sys.modules)"
    )
    loaded = set(run_python(program).stdout.split())
    assert "reparam_rewrite.source.files" in loaded
    assert not loaded & {
        "tomllib",
        "tempfile",
        "libcst",
        "click",
        "reparam_rewrite.source.matching",
    }


def test_no_file_is_called_as_standard_output_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refusal, match="'-' stands for standard output"):
        write_outputs([("a.toml", b""), ("-", b"")])
    assert not list(tmp_path.iterdir())
