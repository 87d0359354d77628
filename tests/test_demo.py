"""`demo`: what a user without a clone starts from, and that all of it works at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reparam_rewrite.cli.demo import DEMOS, FILES
from tests.support.cases import rewritten
from tests.support.cli import ROOT, Ran, run, snapshot
from tests.support.execution import assert_equivalent, load_model

SHIPPED = ROOT / "reparam_rewrite" / "demos"

each_demo = pytest.mark.parametrize("name", DEMOS)

#: What `tune` does to none of whose sites anything can be done, as it says.
LEFT = {
    "local_trend": "it is sampled step by step",
    "stochastic_volatility": "no two sites make up for each other, and no prior is a funnel",
}

# -- the list ----------------------------------------------------------------------------------


def test_the_list_has_a_line_for_each(tmp_path: Path) -> None:
    ran = run(tmp_path, "demo")
    assert (ran.status, ran.err) == (0, "to write one: reparam-rewrite demo radon --to radon\n")
    assert [line.split()[0] for line in ran.out.decode().splitlines()] == list(DEMOS)


def test_what_is_listed_is_what_is_shipped() -> None:
    assert {path.name for path in SHIPPED.iterdir()} - {"__pycache__"} == set(DEMOS)


def test_they_are_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.glob("*/data.csv")) < 200_000


# -- what is written ---------------------------------------------------------------------------


@each_demo
def test_a_demo_is_rewritten_at_once(name: str, tmp_path: Path) -> None:
    assert run(tmp_path, "demo", name, "--to", "here", "--quiet") == Ran(0, b"", "")
    done = run(tmp_path / "here", "model.py", "--config", "by_hand.toml", "--diff", "--quiet")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(b"diff --git a/model.py")


@each_demo
def test_what_is_written_by_hand_is_the_same_model(name: str) -> None:
    folder = SHIPPED / name
    made = rewritten((folder / "model.py").read_bytes(), (folder / "by_hand.toml").read_bytes())
    args, kwargs = load_model(folder / "example.py", "example_args")()
    assert_equivalent(load_model(folder / "model.py"), load_model(made.data), args, kwargs)


@each_demo
@pytest.mark.concerns(
    "tuning", "fitting", "suggesting", "running", "survey", "plan", "emit", "demos"
)
def test_tune_writes_a_model_or_says_to_leave_it(name: str, tmp_path: Path) -> None:
    run(tmp_path, "demo", name, "--to", ".")
    ran = run(tmp_path, "tune", "model.py", "--args", "example.py:example_args")
    assert ran.status == 0, ran.err
    last = ran.err.splitlines()[-1]
    if name in LEFT:
        assert last.startswith("leave the model as written") and LEFT[name] in last
    else:
        assert last == "wrote model_reparam.py"
        assert "given the data" in ran.err


@pytest.mark.parametrize("name", sorted(DEMOS.keys() - {"eight_schools", "tensor"}))
def test_all_rows_of_the_data_are_observed(name: str) -> None:
    _, kwargs = load_model(SHIPPED / name / "example.py", "example_args")()
    (observed,) = kwargs.values()
    rows = (SHIPPED / name / "data.csv").read_text().count("\n") - 1
    assert observed.shape == (rows,)
    assert np.isfinite(observed).all()


def test_it_says_what_was_written_and_what_to_type_next(tmp_path: Path) -> None:
    assert run(tmp_path, "demo", "radon", "--to", "my demos/radon").err == (
        "wrote my demos/radon/model.py\n"
        "wrote my demos/radon/data.csv\n"
        "wrote my demos/radon/example.py\n"
        "wrote my demos/radon/by_hand.toml\n"
        "next:\n"
        "  cd 'my demos/radon'\n"
        "  reparam-rewrite model.py --config by_hand.toml --diff\n"
        "  reparam-rewrite tune model.py --args example.py:example_args -o model_reparam.py\n"
    )
    written = {path.name for path in (tmp_path / "my demos" / "radon").iterdir()}
    assert written == set(FILES)


def test_the_next_commands_enter_no_folder_that_one_is_in(tmp_path: Path) -> None:
    assert "cd " not in run(tmp_path, "demo", "radon", "--to", ".").err


def test_what_is_there_already_is_left(tmp_path: Path) -> None:
    run(tmp_path, "demo", "radon", "--to", "here")
    before = snapshot(tmp_path)
    again = run(tmp_path, "demo", "radon", "--to", "here")
    assert again.status == 0
    assert again.err.startswith("here/model.py is up to date\n")
    assert snapshot(tmp_path) == before


# -- what isn't written ------------------------------------------------------------------------


def test_files_with_other_content_are_kept_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("mine\n")
    before = snapshot(tmp_path)
    assert run(tmp_path, "demo", "radon", "--to", ".") == Ran(
        2,
        b"",
        "model.py: the file exists, with other content\n"
        "hint: --force overwrites it, or choose another folder.\n",
    )
    assert snapshot(tmp_path) == before
    assert run(tmp_path, "demo", "radon", "--to", ".", "--force").status == 0
    assert (tmp_path / "model.py").read_bytes() == (SHIPPED / "radon" / "model.py").read_bytes()


def test_a_folder_that_fails_to_be_filled_is_not_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = run(tmp_path, "demo", "radon", "--to", "new/../file/x")
    assert (ran.status, [path.name for path in tmp_path.iterdir()]) == (2, ["file"]), ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["radn", "--to", "x"], "there is no demo 'radn'\nhint: did you mean 'radon'?\n"),
        (
            ["zebra", "--to", "x"],
            "there is no demo 'zebra'\nhint: reparam-rewrite demo lists them.\n",
        ),
        (
            ["radon"],
            "no folder is given for the demo\n"
            "hint: name the folder to write it to: reparam-rewrite demo radon --to radon\n",
        ),
        (
            ["--to", "x"],
            "--to is given without the NAME of a demo\n"
            "hint: reparam-rewrite demo lists them: reparam-rewrite demo radon --to x\n",
        ),
        (
            ["radon", "--to", "file"],
            "file: it is a file, not a folder\nhint: give the path of a folder, or a new one.\n",
        ),
    ],
    ids=["misspelt", "unknown", "no folder", "no name", "a file"],
)
def test_what_is_refused(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    before = snapshot(tmp_path)
    assert run(tmp_path, "demo", *words) == Ran(2, b"", said)
    assert snapshot(tmp_path) == before
