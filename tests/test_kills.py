"""A run that ends at any moment leaves each file as it was, or as it is to be."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reparam_rewrite.source import files
from tests.support.cases import FIXTURES
from tests.support.cli import environment, made_before

OUTPUTS = ["crossed", "grand_mean"]
KILLED = -signal.SIGKILL

TARGETS = """
[[tool.reparam-rewrite.targets]]
model = "*/model.py"
config = "*/offsets.toml"
output = "*/model_reparam.py"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two models whose outputs are to be written anew."""
    for name in OUTPUTS:
        case = tmp_path / name
        case.mkdir()
        for file in ("model.py", "offsets.toml"):
            shutil.copy(FIXTURES / name / file, case)
        # Longer than what a stream writes at once.
        model = (case / "model.py").read_bytes() + b"\n# " + b"x" * 20_000 + b"\n"
        (case / "model.py").write_bytes(model)
        (case / "model_reparam.py").write_bytes(made_before(b"# before\n" * 10_000))
    (tmp_path / "pyproject.toml").write_text(TARGETS)
    return tmp_path


def runs(folder: Path, kind: str, count: int) -> list[tuple[int, dict[str, bytes | None]]]:
    """The status of each run and the files that it left otherwise."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kills", kind, str(count)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [
        (status, {path: data and bytes.fromhex(data) for path, data in left.items()})
        for status, left in found
    ]


def wanted(folder: Path) -> dict[str, bytes | None]:
    """What a run that isn't killed makes of the files."""
    ((status, left),) = runs(folder, "event", 1_000_000)[-1:]
    assert status == 0
    assert sorted(left) == [f"{name}/model_reparam.py" for name in OUTPUTS]
    return left


def assert_old_or_new(
    left: dict[str, bytes | None], new: dict[str, bytes | None]
) -> tuple[int, int]:
    """How many outputs are new, and how many files are left that nobody asked for."""
    remains = [path for path in left if path not in new]
    for path in remains:
        assert Path(path).match(".reparam-rewrite-*.tmp"), path
    written = [path for path in left if path in new]
    for path in written:
        assert left[path] == new[path], f"{path} is neither what it was nor what it is to be"
    return len(written), len(remains)


def test_a_kill_at_every_call_of_the_system(folder: Path) -> None:
    found = runs(folder, "event", 1_000_000)
    new = found[-1][1]
    assert found[-1][0] == 0 and len(new) == len(OUTPUTS)
    assert {status for status, _ in found[:-1]} == {KILLED}
    seen = {assert_old_or_new(left, new) for _, left in found}
    assert {(0, 0), (0, 1), (0, 2), (1, 1), (2, 0)} <= seen, "no run was killed while it wrote"


@pytest.mark.parametrize("count", [10, pytest.param(200, marks=pytest.mark.long)])
def test_a_kill_at_random_moments(folder: Path, count: int) -> None:
    new = wanted(folder)
    found = runs(folder, "moment", count)
    assert len(found) == count
    assert sum(status == KILLED for status, _ in found) >= count // 4
    for status, left in found:
        written, remains = assert_old_or_new(left, new)
        assert status == KILLED or (status, written, remains) == (0, len(OUTPUTS), 0)


@pytest.mark.parametrize("count", [3, pytest.param(20, marks=pytest.mark.long)])
def test_pairs_of_runs_at_once(folder: Path, count: int) -> None:
    new = wanted(folder)
    found = runs(folder, "pair", count)
    assert len(found) == count
    for status, left in found:
        assert (status, left) == (0, new)


WRITER = """\
import sys
from reparam_rewrite.source.files import write_outputs

data = [bytes([number]) * 3_000_000 for number in (65, 66)]
print(flush=True)
while True:
    for one in data:
        write_outputs([("file", one)])
"""


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """While the writer is at it, and when it was killed."""
    file = tmp_path / "file"
    file.write_bytes(b"A" * 3_000_000)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    seen = set()
    for _ in range(300):
        data = file.read_bytes()
        assert len(data) == 3_000_000
        assert data.count(data[0]) == len(data)
        seen.add(data[0])
    writer.kill()
    writer.wait()
    writer.stdout.close()
    assert seen == {65, 66}
    assert set(file.read_bytes()) <= seen


def test_what_a_killed_run_left_goes_when_it_is_old(tmp_path: Path) -> None:
    left, young, other = (
        tmp_path / name
        for name in (".reparam-rewrite-1.tmp", ".reparam-rewrite-2.tmp", ".reparam-rewrite.toml")
    )
    for file in (left, young, other):
        file.write_bytes(b"half a fi")
    long_ago = time.time() - 2 * files.ABANDONED
    for file in (left, other):
        os.utime(file, (long_ago, long_ago))
    files.write_outputs([(str(tmp_path / "out.py"), b"x = 1\n")])
    assert not left.exists()
    assert young.exists() and other.exists()
