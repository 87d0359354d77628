"""The rewriter under LibCST's own tool: in place, in parallel, over trees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cases import CASES, golden, rewritten
from tests.support.cli import Ran, environment, run
from tests.support.mistakes import OFFSETS, PLAIN, model

COMMAND = "reparam_rewrite.codemod.ReparamCommand"

OTHER = model("""
    tau = numpyro.sample("tau", dist.Normal(0, 1))
    mu = numpyro.sample("mu", dist.Normal(tau, 1))
""")

NO_PARENT = model("""
    a = numpyro.sample("a", dist.Normal(0, 1))
""")


def codemod(folder: Path, *arguments: str | Path, stdin: bytes = b"") -> Ran:
    """``python -m libcst.tool codemod`` with our command, started in `folder`."""
    done = subprocess.run(
        [sys.executable, "-m", "libcst.tool", "codemod", "-x", COMMAND, *map(str, arguments)],
        cwd=folder,
        env=environment(),
        input=stdin,
        capture_output=True,
        timeout=120,
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode())


def lay_out(folder: Path, config: str = OFFSETS, **files: str | bytes) -> None:
    (folder / "offsets.toml").write_text(config)
    for name, content in files.items():
        file = folder / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)


def test_a_tree_is_rewritten_where_the_sites_are(tmp_path: Path) -> None:
    files = {f"tree__model_{i}": PLAIN for i in range(9)}  # several processes
    lay_out(tmp_path, **files, tree__other=OTHER, tree__empty="", tree__util="def a(mu): pass\n")
    done = codemod(tmp_path, "--config", "offsets.toml", "tree")
    assert done.status == 0, done.err
    assert "Transformed 9 files successfully" in done.err
    assert "Skipped 3 files" in done.err
    assert "it samples none of the sites that the config offsets" in done.err
    expected = run(tmp_path, "-", "--config", "offsets.toml", "-q", stdin=PLAIN.encode()).out
    for i in range(9):
        assert (tmp_path / f"tree/model_{i}.py").read_bytes() == expected
    assert (tmp_path / "tree/other.py").read_text() == OTHER


@pytest.mark.parametrize("case", CASES[:: max(1, len(CASES) // 12)], ids=lambda case: case.name)
def test_it_writes_what_the_command_line_writes(case: Path, tmp_path: Path) -> None:
    lay_out(tmp_path, (case / "offsets.toml").read_text(), model=(case / "model.py").read_bytes())
    done = codemod(tmp_path, "--config", "offsets.toml", "model.py")
    assert done.status == 0, done.err
    assert (tmp_path / "model.py").read_bytes() == golden(case)


@pytest.mark.parametrize(
    "source",
    [
        PLAIN.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        ("# -*- coding: latin-1 -*-\n# Müller\n" + PLAIN).encode("latin-1"),
        (PLAIN.rstrip("\n") + "   # ξ").encode(),
        PLAIN.replace(
            "dist.Normal(0, 1)", "dist.Normal( 0,1 )", 1
        ).encode(),  # as no formatter has it
    ],
    ids=["crlf", "mark", "latin-1", "no newline", "unformatted"],
)
def test_bytes_of_all_kinds(source: bytes, tmp_path: Path) -> None:
    lay_out(tmp_path, model=source)
    done = codemod(tmp_path, "--config", "offsets.toml", "model.py")
    assert done.status == 0, done.err
    assert (tmp_path / "model.py").read_bytes() == rewritten(source, OFFSETS).data != source


def test_the_line_length_is_that_of_the_project_of_each_file(tmp_path: Path) -> None:
    long = "n_observations_of_the_first_kind, n_of_the_second"
    source = PLAIN.replace("def model(n", f"def model(n, {long}").replace(
        '("n", n)', '("n", n_observations_of_the_first_kind + n_of_the_second)'
    )
    lay_out(tmp_path, wide__model=source, narrow__model=source)
    (tmp_path / "wide/pyproject.toml").write_text("[tool.black]\nline-length = 120\n")
    assert codemod(tmp_path, "--config", "offsets.toml", "wide", "narrow").status == 0
    for name, width in (("wide", 120), ("narrow", 88)):
        assert (tmp_path / name / "model.py").read_bytes() == rewritten(source, OFFSETS, width).data
    assert rewritten(source, OFFSETS, 120).data != rewritten(source, OFFSETS, 88).data


def test_a_refusal_is_a_failure_with_the_message_and_the_others_are_done(tmp_path: Path) -> None:
    lay_out(tmp_path, tree__good=PLAIN, tree__bad=NO_PARENT)
    done = codemod(tmp_path, "--config", "offsets.toml", "tree")
    assert done.status == 1
    message = (
        "\noffsets.toml:2:10: 'model' samples no site 'mu'\n"
        '    offset = "mu"\n'
        "             ^\n"
        "hint: it samples 'a'.\n"
    )
    assert message in done.err
    assert f"Failed to codemod {tmp_path / 'tree/bad.py'}" in done.err
    assert (tmp_path / "tree/bad.py").read_text() == NO_PARENT
    assert (tmp_path / "tree/good.py").read_bytes() == rewritten(PLAIN, OFFSETS).data


def test_places_in_models_are_paths_from_here(tmp_path: Path) -> None:
    lay_out(
        tmp_path, tree__bad=PLAIN.replace("1))\n        numpyro", "1), infer={})\n        numpyro")
    )
    done = codemod(tmp_path, "--config", "offsets.toml", "tree")
    assert "\ntree/bad.py:8:13: 'a'" in done.err, done.err


def test_what_libcst_would_not_give_back_is_refused(tmp_path: Path) -> None:
    source = b"\x0c" + PLAIN.encode()
    lay_out(tmp_path, model=source)
    done = codemod(tmp_path, "--config", "offsets.toml", "model.py")
    assert done.status == 1
    assert "\nmodel.py:1:1: LibCST would not give this file back unchanged" in done.err
    assert (tmp_path / "model.py").read_bytes() == source


def test_a_config_with_mistakes_is_refused_once_before_anything(tmp_path: Path) -> None:
    lay_out(tmp_path, OFFSETS.replace("offset", "ofset"), tree__one=PLAIN, tree__two=PLAIN)
    done = codemod(tmp_path, "--config", "offsets.toml", "tree")
    assert done.status == 2
    assert done.err.count("\noffsets.toml:2:1: unknown key 'ofset' in [sites.a]\n") == 1
    assert (tmp_path / "tree/one.py").read_text() == PLAIN


def test_the_listed_functions_tell_which_files_are_meant(tmp_path: Path) -> None:
    config = 'functions = ["second"]\n' + OFFSETS
    lay_out(tmp_path, config, one=PLAIN, two=PLAIN.replace("def model", "def second"))
    done = codemod(tmp_path, "--config", "offsets.toml", "one.py", "two.py")
    assert done.status == 0, done.err
    assert (tmp_path / "one.py").read_text() == PLAIN
    assert b"xi_a_mu" in (tmp_path / "two.py").read_bytes()


def test_a_chain_skips_files_that_share_but_its_first_site(tmp_path: Path) -> None:
    lay_out(tmp_path, 'chain = ["mu", "a"]\n', model=PLAIN, other=OTHER)
    done = codemod(tmp_path, "--config", "offsets.toml", "model.py", "other.py")
    assert done.status == 0, done.err
    assert (tmp_path / "other.py").read_text() == OTHER
    assert b"xi_a_mu" in (tmp_path / "model.py").read_bytes()


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    lay_out(tmp_path, model=PLAIN)
    assert codemod(tmp_path, "--config", "offsets.toml", "model.py").status == 0
    once = (tmp_path / "model.py").read_bytes()
    done = codemod(tmp_path, "--config", "offsets.toml", "model.py")
    assert (done.status, (tmp_path / "model.py").read_bytes()) == (0, once)


def test_its_diffs_write_nothing(tmp_path: Path) -> None:
    lay_out(tmp_path, model=PLAIN)
    done = codemod(tmp_path, "--config", "offsets.toml", "-u", "3", "model.py")
    assert b"+    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))" in done.out
    assert (tmp_path / "model.py").read_text() == PLAIN


@pytest.mark.parametrize("head", ["", "# coding: latin-1\n# \u00fc\n"], ids=["utf-8", "latin-1"])
def test_standard_input(head: str, tmp_path: Path) -> None:
    lay_out(tmp_path)
    source = head + PLAIN
    done = codemod(tmp_path, "--config", "offsets.toml", "-", stdin=source.encode())
    assert done.status == 0, done.err
    assert done.out.decode() == head + rewritten(PLAIN, OFFSETS).data.decode() + "\n"
