"""Every diff here is given to the real `git apply`, whose result must be the new bytes."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reparam_rewrite.source.diff import unified_diff
from tests.support.counted import lines_executed

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

OLD = b"one\ntwo\nthree\nfour\nfive\n"
NEW = b"one\ntwo\nthree and a half\nfour\nfive\n"


def git(cwd: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """The output of git without anyone's configuration; an error of git's is a failure."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    clean |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(["git", *arguments], cwd=cwd, env=clean, input=stdin, capture_output=True)
    assert done.returncode == 0, done.stderr.decode() + "\n" + stdin.decode("utf-8", "replace")
    return done.stdout


@pytest.fixture(scope="session")
def session_repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repo")
    git(root, "init", "--quiet")
    return root


@pytest.fixture
def repo(session_repo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty repository that is the current folder."""
    monkeypatch.chdir(session_repo)
    yield session_repo
    for entry in session_repo.iterdir():
        if entry.name != ".git":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def put(root: Path, name: str, data: bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def check_applies(repo: Path, old: bytes, new: bytes, name: str = "model.py") -> bytes:
    """The diff of a file at `name`, once git has made `new` of `old` with it."""
    path = put(repo, name, old)
    diff = unified_diff(old, new, path)
    git(Path.cwd(), "apply", stdin=diff)
    assert path.read_bytes() == new
    return diff


def test_the_whole_text_of_a_diff(repo: Path) -> None:
    assert check_applies(repo, OLD, NEW).decode() == (
        "diff --git a/model.py b/model.py\n"
        "--- a/model.py\n"
        "+++ b/model.py\n"
        "@@ -1,5 +1,5 @@\n"
        " one\n"
        " two\n"
        "-three\n"
        "+three and a half\n"
        " four\n"
        " five\n"
    )


def test_equal_bytes_have_no_diff() -> None:
    assert unified_diff(OLD, OLD, Path("model.py")) == b""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"a\r\nb\r\nc\r\n", b"a\r\nb\r\nX\r\nc\r\n", id="crlf"),
        pytest.param(b"a\r\nb\nc\r\n", b"a\nb\nc\r\n", id="mixed line ends, one changed"),
        pytest.param(b"a\rb\rc\r", b"a\rX\rc\r", id="lone cr is no line end"),
        pytest.param(b"a\nb", b"a\nX", id="no final newline on either side"),
        pytest.param(b"a\nb\n", b"a\nb", id="final newline goes"),
        pytest.param(b"a\nb", b"a\nb\n", id="final newline comes"),
        pytest.param(b"a\nb", b"X\nb", id="no final newline in the context"),
        pytest.param(b"a\r\nb\r", b"a\r\nb\r\n", id="cr at the very end"),
        pytest.param(b"# caf\xe9\nb\n", b"# caf\xe9\nc\xff\n", id="bytes that are no utf-8"),
        pytest.param(b"\xef\xbb\xbfa\nb\n", b"\xef\xbb\xbfa\nc\n", id="byte order mark"),
        pytest.param(b"a\x0cb\x1cc\xe2\x80\xa8d\n", b"a\x0cb\x1cX\xe2\x80\xa8d\n", id="form feed"),
        pytest.param(b"", b"a\nb\n", id="an empty file is filled"),
        pytest.param(b"a\nb\n", b"", id="a file is emptied"),
        pytest.param(b"\n\n\n\n", b"\n\n", id="blank lines"),
        pytest.param(b"--- a\n+++ b\n", b"--- a\n+++ c\n@@ -1 +1 @@\n", id="lines like headers"),
        pytest.param(b"\\ No newline\n", b"\\ No newline at end of file", id="lines like the note"),
    ],
)
def test_content_that_git_applies(repo: Path, old: bytes, new: bytes) -> None:
    check_applies(repo, old, new)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("sub/folder/model.py", "--- a/sub/folder/model.py\n"),
        ("my model.py", "--- a/my model.py\t\n"),
        ("π.py", '--- "a/\\317\\200.py"\n'),
        ('say "hi".py', '--- "a/say \\"hi\\".py"\t\n'),
        ("back\\slash.py", '--- "a/back\\\\slash.py"\n'),
        ("tab\tand\nline\x7f.py", '--- "a/tab\\tand\\nline\\177.py"\n'),
        ("x b/x.py", "--- a/x b/x.py\t\n"),
        (" ends in space ", "--- a/ ends in space \t\n"),
        ("-n'$(x).py", "--- a/-n'$(x).py\n"),
    ],
)
def test_paths_that_git_applies(repo: Path, name: str, header: str) -> None:
    diff = check_applies(repo, OLD, NEW, name)
    assert header.encode() in diff
    (repo / name).unlink()
    path = repo / name
    git(repo, "apply", stdin=unified_diff(None, NEW, path))
    assert path.read_bytes() == NEW


def test_paths_are_quoted_as_git_quotes_them(repo: Path) -> None:
    """Every byte that a name can have, against what `git diff` itself prints."""
    parts = [bytes([byte]) for byte in range(1, 256) if byte != ord("/")]
    for name in (b"x" + b"".join(parts[at : at + 64]) for at in range(0, len(parts), 64)):
        path = put(repo, os.fsdecode(name), OLD)
        git(repo, "add", "--all")
        path.write_bytes(NEW)
        theirs = git(repo, "diff").splitlines(keepends=True)
        ours = unified_diff(OLD, NEW, path).splitlines(keepends=True)
        assert ours == [line for line in theirs if not line.startswith(b"index ")]
        path.unlink()
        git(repo, "rm", "-rq", "--cached", ".")


def test_from_a_sub_folder(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path as given is relative to the current folder, the label to the repository."""
    path = put(repo, "sub/model.py", OLD)
    monkeypatch.chdir(repo / "sub")
    diff = unified_diff(OLD, NEW, Path("model.py"))
    assert b"+++ b/sub/model.py\n" in diff
    git(repo / "sub", "apply", stdin=diff)
    assert path.read_bytes() == NEW
    path.write_bytes(OLD)
    git(repo, "apply", stdin=diff)
    assert path.read_bytes() == NEW


def test_a_new_file(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo / "sub").mkdir()
    monkeypatch.chdir(repo / "sub")
    diff = unified_diff(None, b"a\nb", Path("new.py"))
    assert diff.decode() == (
        "diff --git a/sub/new.py b/sub/new.py\n"
        "new file mode 100644\n"
        "--- /dev/null\n"
        "+++ b/sub/new.py\n"
        "@@ -0,0 +1,2 @@\n"
        "+a\n"
        "+b\n"
        "\\ No newline at end of file\n"
    )
    git(repo / "sub", "apply", stdin=diff)
    assert (repo / "sub/new.py").read_bytes() == b"a\nb"


def test_a_model_without_a_path() -> None:
    assert b"--- a/stdin\n+++ b/stdin\n" in unified_diff(OLD, NEW, None)


def test_a_worktree_has_a_git_file(repo: Path) -> None:
    put(repo, "tree/.git", b"gitdir: elsewhere\n")
    path = repo / "tree/model.py"
    assert b"+++ b/model.py\n" in unified_diff(OLD, NEW, path)


def test_a_symbolic_link_is_labelled_as_its_target(repo: Path) -> None:
    target = put(repo, "real.py", OLD)
    (repo / "link.py").symlink_to("real.py")
    git(repo, "apply", stdin=unified_diff(OLD, NEW, repo / "link.py"))
    assert target.read_bytes() == NEW
    assert (repo / "link.py").is_symlink()


def test_a_loop_of_links_has_a_label(repo: Path) -> None:
    (repo / "loop.py").symlink_to("loop.py")
    assert b"+++ b/loop.py\n" in unified_diff(OLD, NEW, repo / "loop.py")


def test_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "sub/model.py", OLD)
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "apply", stdin=unified_diff(OLD, NEW, path))
    assert path.read_bytes() == NEW
    monkeypatch.chdir("/")
    path.write_bytes(OLD)
    git(Path("/"), "apply", stdin=unified_diff(OLD, NEW, path))
    assert path.read_bytes() == NEW


def test_a_folder_outside_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = tmp_path / "model.py"
    label = os.fsencode(path.resolve().as_posix()).lstrip(b"/")
    assert b"+++ b/" + label + b"\n" in unified_diff(OLD, NEW, path)


def test_a_current_folder_that_was_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert b"+++ b/model.py\n" in unified_diff(OLD, NEW, Path("model.py"))
    monkeypatch.chdir(tmp_path)


def numbered(count: int) -> list[bytes]:
    return [b"line %d\n" % number for number in range(count)]


@pytest.mark.parametrize(("apart", "hunks"), [(6, 1), (7, 2)])
def test_changes_whose_context_touches_share_a_hunk(repo: Path, apart: int, hunks: int) -> None:
    old = numbered(40)
    new = [*old[:10], b"X\n", *old[11 : 11 + apart], b"Y\n", *old[12 + apart :]]
    diff = check_applies(repo, b"".join(old), b"".join(new))
    assert diff.count(b"\n@@ ") == hunks


LINES = st.lists(
    st.sampled_from([b"a", b"b", b"c\r", b"", b" ", b"\\", b"-x", b"\xff"]), max_size=30
)


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Two versions with stretches in common, with or without a newline at their ends."""
    kept = draw(st.lists(LINES, max_size=4))
    versions = []
    for _ in range(2):
        lines = [line for stretch in kept for line in (*draw(LINES)[:3], *stretch)]
        versions.append(b"\n".join(lines) + draw(st.sampled_from([b"", b"\n"])))
    return versions[0], versions[1]


@given(edited())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_random_lines(repo: Path, versions: tuple[bytes, bytes]) -> None:
    old, new = versions
    if old != new:
        check_applies(repo, old, new)


def test_a_change_costs_only_its_own_lines() -> None:
    old = numbered(100)
    new = [*old[:50], b"X\n", b"Y\n", *old[50:]]
    diff = unified_diff(b"".join(old), b"".join(new), None)
    body = [line for line in diff.splitlines()[3:] if line[:1] in b"+-"]
    assert body == [b"+X", b"+Y"]


def test_moved_and_repeated_lines_keep_the_longest_match(repo: Path) -> None:
    """Lines that are unique in each version but stand in another order."""
    old = b"".join([b"def f():\n", b"    x\n", b"\n", b"def g():\n", b"    y\n", b"    z\n", b"\n"])
    new = b"".join([b"def g():\n", b"    y\n", b"    z\n", b"\n", b"def f():\n", b"    x\n", b"\n"])
    diff = check_applies(repo, old, new)
    assert sum(line[:1] == b"-" for line in diff.splitlines()[4:]) == 3


def python_like(count: int, seed: int) -> list[bytes]:
    """A file in which half of the lines repeat, as blank lines and lone brackets do."""
    choice = random.Random(seed).choice
    return [
        choice([b"\n", b"    )\n", b"x_%d = %d\n" % (n, n), b"y[%d]\n" % n]) for n in range(count)
    ]


def scattered(lines: list[bytes]) -> list[bytes]:
    rng = random.Random(1)
    for _ in range(50):
        lines.insert(rng.randrange(len(lines)), b"    a_loc = xi * mu\n")
    return lines


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(python_like(20_000, 0), scattered(python_like(20_000, 0)), id="50 inserts"),
        pytest.param(python_like(20_000, 0), python_like(20_000, 2), id="all other"),
        pytest.param([b"a\n", b"b\n"] * 10_000, [b"b\n", b"b\n", b"a\n"] * 7_000, id="no unique"),
    ],
)
def test_the_steps_grow_with_the_lines(repo: Path, old: list[bytes], new: list[bytes]) -> None:
    before, after = b"".join(old), b"".join(new)
    taken = lines_executed(lambda: unified_diff(before, after, repo / "model.py"))
    assert taken < 100 * (len(old) + len(new))
    check_applies(repo, before, after)
