"""A bare ``reparam-rewrite``: the targets of a pyproject.toml, all of them or none."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from reparam_rewrite.messages import Refusal
from reparam_rewrite.source.targets import Target, find_targets
from tests.support.cli import Ran, run, snapshot
from tests.support.mistakes import OFFSETS, PLAIN

HEADER = "[[tool.reparam-rewrite.targets]]"


def entry(model: str, config: str = "offsets.toml", output: str = "out.py") -> str:
    return f'{HEADER}\nmodel = "{model}"\nconfig = "{config}"\noutput = "{output}"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "offsets.toml").write_text(OFFSETS)
    return tmp_path


def lay_out(folder: Path, *files: str, table: str = "") -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(PLAIN)
    (folder / "pyproject.toml").write_text(table)


def found(folder: Path) -> list[tuple[str, ...]]:
    return [tuple(target) for target in find_targets(folder)]


# -- which targets there are -------------------------------------------------------------------


def test_each_entry_is_a_target_in_the_order_of_the_file(folder: Path) -> None:
    lay_out(folder, "z.py", "a.py", table=entry("z.py", output="1.py") + entry("a.py"))
    expected = [("z.py", "offsets.toml", "1.py"), ("a.py", "offsets.toml", "out.py")]
    assert found(folder) == expected


def test_paths_are_from_the_pyproject_and_shown_from_where_one_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(folder, "models/m.py", table=entry("models/m.py", output="made/m.py"))
    monkeypatch.chdir(folder / "models")
    assert found(Path()) == [("m.py", "../offsets.toml", "../made/m.py")]


def test_the_nearest_pyproject_that_has_a_table(folder: Path) -> None:
    lay_out(folder, "m.py", table=entry("m.py"))
    (folder / "deep" / "down").mkdir(parents=True)
    (folder / "deep" / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert found(folder / "deep" / "down") == [("m.py", "offsets.toml", "out.py")]


def test_the_search_ends_at_the_repository(folder: Path) -> None:
    lay_out(folder, "m.py", table=entry("m.py"))
    (folder / "inner" / ".git").mkdir(parents=True)
    with pytest.raises(Refusal, match=r"there is no pyproject\.toml that lists targets"):
        find_targets(folder / "inner")


WILDCARDS = {
    "folders": (
        entry("*/model.py", "*/offsets.toml", "*/model_reparam.py"),
        ["b/model.py", "a/model.py", "a/offsets.toml", "b/offsets.toml"],
        [f"{x}/model.py {x}/offsets.toml {x}/model_reparam.py" for x in "ab"],
    ),
    "part of a name": (
        entry("m_*.py", output="made/*.py"),
        ["m_1.py", "m_x-y.py", "n.py"],
        ["m_1.py offsets.toml made/1.py", "m_x-y.py offsets.toml made/x-y.py"],
    ),
    "classes": (
        entry("m[12]_?.py", output="made/[12]/?.py"),
        ["m1_a.py", "m2_b.py", "m3_a.py", "m1_ab.py"],
        ["m1_a.py offsets.toml made/1/a.py", "m2_b.py offsets.toml made/2/b.py"],
    ),
    "any depth": (
        entry("src/**/*.py", output="made/**/*.py"),
        ["src/a.py", "src/x/b.py", "src/x/y/c.py"],
        [f"src/{x}.py offsets.toml made/{x}.py" for x in ("a", "x/b", "x/y/c")],
    ),
    "its own outputs": (
        entry("*.py", output="*_reparam.py"),
        ["a.py", "a_reparam.py", "b.py"],
        [f"{x}.py offsets.toml {x}_reparam.py" for x in "ab"],
    ),
    "hidden folders": (
        entry("**/*.py", output="**/*_r.py"),
        [".venv/lib/a.py", "b.py"],
        ["b.py offsets.toml b_r.py"],
    ),
}


@pytest.mark.parametrize(("table", "files", "expected"), WILDCARDS.values(), ids=WILDCARDS)
def test_wildcards(folder: Path, table: str, files: list[str], expected: list[str]) -> None:
    lay_out(folder, *files, table=table)
    assert [" ".join(target) for target in found(folder)] == expected


EXAMPLE = (
    'hint: write [[tool.reparam-rewrite.targets]] and under it model = "model.py", '
    'config = "offsets.toml" and output = "model_reparam.py".'
)

WRONG = {
    "no file matches": (
        entry("models/*.py", output="*.py"),
        'pyproject.toml:2:9: no file matches\n    model = "models/*.py"\n            ^',
    ),
    "no model": (
        entry("nn.py"),
        "pyproject.toml:2:9: nn.py: the model does not exist\n"
        '    model = "nn.py"\n            ^\n'
        "hint: did you mean 'n.py' or 'm.py'?",
    ),
    "no config": (
        entry("m.py", "sub/offsets.toml"),
        "pyproject.toml:3:10: sub/offsets.toml: the config does not exist\n"
        '    config = "sub/offsets.toml"\n             ^\n'
        "hint: there is no folder 'sub'.",
    ),
    "no config for what a wildcard matches": (
        entry("m*.py", "m*.toml", "o*.py"),
        "pyproject.toml:3:10: m.toml: the config does not exist\n"
        '    config = "m*.toml"\n             ^',
    ),
    "another wildcard in the output": (
        entry("*.py", output="made.py"),
        "pyproject.toml:4:10: 'output' must have the wildcards of 'model', in their order\n"
        '    output = "made.py"\n             ^\n'
        "hint: the model has *; each stands for what it matches there.",
    ),
    "more wildcards in the config": (
        entry("*.py", "*/*.toml", "*_r.py"),
        "pyproject.toml:3:10: 'config' must have the wildcards of 'model', in their order\n"
        '    config = "*/*.toml"\n             ^\n'
        "hint: the model has *; each stands for what it matches there.",
    ),
    "two of one output": (
        entry("m.py") + entry("n.py", output="./out.py"),
        "pyproject.toml:8:10: 'out.py' is the output of two targets\n"
        '    output = "./out.py"\n             ^\n'
        "hint: it is that of 'm.py' already; give each its own.",
    ),
    "a model that is an output": (
        entry("m.py") + entry("out.py", output="more.py"),
        "pyproject.toml:6:9: 'out.py' is also the output of a target\n"
        '    model = "out.py"\n            ^\n'
        "hint: a model is written by hand.",
    ),
    "a key that is misspelt": (
        entry("m.py").replace("output", "ouput"),
        "pyproject.toml:1:24: the target has no 'output'\n"
        f"    [[tool.reparam-rewrite.targets]]\n    {' ' * 23}^\n{EXAMPLE}\n"
        "pyproject.toml:4:1: unknown key 'ouput'\n"
        '    ouput = "out.py"\n    ^\n'
        "hint: did you mean 'output'?",
    ),
    "a number": (
        f'{HEADER}\nmodel = 1\nconfig = "o.toml"\noutput = ""\n',
        "pyproject.toml:2:9: 'model' must be the path of a file, as a string\n"
        "    model = 1\n            ^\n"
        "pyproject.toml:4:10: 'output' must be the path of a file, as a string\n"
        '    output = ""\n             ^',
    ),
    "standard input": (
        entry("-"),
        "pyproject.toml:2:9: 'model' of a target must be a file\n    model = \"-\"\n            ^",
    ),
    "a table instead of an array": (
        '[tool.reparam-rewrite.targets]\nmodel = "m.py"\n',
        "pyproject.toml:1:23: 'targets' must be an array of tables\n"
        f"    [tool.reparam-rewrite.targets]\n    {' ' * 22}^\n{EXAMPLE}",
    ),
    "no targets": (
        "[tool.reparam-rewrite]\n",
        "pyproject.toml:1:7: there are no targets\n"
        f"    [tool.reparam-rewrite]\n          ^\n{EXAMPLE}",
    ),
    "no table of ours": (
        "[project]\n",
        "pyproject.toml: no model is given, and there is no [[tool.reparam-rewrite.targets]]\n"
        + EXAMPLE,
    ),
    "not TOML": (
        "[project\n",
        "pyproject.toml: the file can't be read: Expected ']' at the end of a table declaration "
        "(at line 1, column 9)",
    ),
}


@pytest.mark.parametrize(("table", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_table(folder: Path, table: str, message: str) -> None:
    lay_out(folder, "m.py", "n.py", table=table)
    with pytest.raises(Refusal) as refusal:
        find_targets(folder)
    assert str(refusal.value) == message


# -- one file under several paths --------------------------------------------------------------


def two(first: str, second: str, config: str = "offsets.toml") -> str:
    return entry("m.py", output=first) + entry("n.py", config, second)


def refused(folder: Path, message: str) -> None:
    """There are no targets, and why is that."""
    with pytest.raises(Refusal) as refusal:
        find_targets(folder)
    assert str(refusal.value).split("\n")[0] == message


def test_two_outputs_in_one_folder_through_a_link(folder: Path) -> None:
    lay_out(folder, "m.py", "n.py", table=two("real/o.py", "alias/o.py"))
    (folder / "real").mkdir()
    (folder / "alias").symlink_to("real")
    before = snapshot(folder)
    said = (
        "pyproject.toml:8:10: 'alias/o.py' is the output of two targets\n"
        '    output = "alias/o.py"\n             ^\n'
        "hint: it is that of 'm.py' already, as 'real/o.py'; give each its own.\n"
    )
    assert run(folder) == Ran(2, b"", said)
    assert run(folder, "--check", "--force") == Ran(2, b"", said)
    assert snapshot(folder) == before


@pytest.mark.parametrize("there", [True, False], ids=["the file is there", "it is not"])
def test_an_output_that_is_a_link_to_another(folder: Path, there: bool) -> None:
    lay_out(folder, "m.py", "n.py", table=two("o.py", "p.py"))
    (folder / "p.py").symlink_to("o.py")
    if there:
        (folder / "o.py").write_text("")
    refused(folder, "pyproject.toml:8:10: 'p.py' is the output of two targets")


def test_two_outputs_of_wildcards_through_a_link(folder: Path) -> None:
    table = entry("a/*.py", output="made/*.py") + entry("b/*.py", output="again/*.py")
    lay_out(folder, "a/m.py", "b/m.py", table=table)
    (folder / "made").mkdir()
    (folder / "again").symlink_to(folder / "made")
    refused(folder, "pyproject.toml:8:10: 'again/m.py' is the output of two targets")


def test_a_model_that_is_an_output_through_a_link(folder: Path) -> None:
    table = entry("m.py", output="alias/n.py") + entry("real/n.py", output="o.py")
    lay_out(folder, "m.py", "real/n.py", table=table)
    (folder / "alias").symlink_to("real")
    refused(folder, "pyproject.toml:6:9: 'real/n.py' is also the output of a target")


def test_a_config_that_is_an_output(folder: Path) -> None:
    lay_out(folder, "m.py", "n.py", table=two("o.py", "p.py", "o.py"))
    refused(folder, "pyproject.toml:7:10: 'o.py' is also the output of a target")


def test_hard_links_of_one_file_are_two_files(folder: Path) -> None:
    """Each name gets a file of its own when it is written."""
    lay_out(folder, "m.py", "n.py", table=two("o.py", "p.py"))
    (folder / "o.py").write_text("")
    (folder / "p.py").hardlink_to(folder / "o.py")
    assert run(folder).err.endswith("2 targets: 2 written\n")
    assert run(folder, "--check").status == 0
    assert not (folder / "o.py").samefile(folder / "p.py")


def test_capitals_are_another_file_unless_the_system_ignores_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(folder, "m.py", "n.py", table=two("o.py", "O.py"))
    assert len(find_targets(folder)) == 2
    monkeypatch.setattr("os.path.samefile", lambda one, other: one.lower() == other.lower())
    with pytest.raises(Refusal, match=r"'O\.py' is the output of two targets"):
        find_targets(folder)


# -- what becomes of them ----------------------------------------------------------------------


@pytest.fixture
def three(folder: Path) -> Path:
    lay_out(folder, "a.py", "b.py", "c.py", table=entry("?.py", output="?_r.py"))
    return folder


ACCOUNT = "".join(f"{m}.py:8 a <- mu (offsets.toml:1)\nwrote {m}_r.py\n" for m in "abc")


def test_all_are_written_and_then_up_to_date(three: Path) -> None:
    assert run(three) == Ran(0, b"", f"{ACCOUNT}3 targets: 3 written\n")
    for name in "abc":
        single = run(three, f"{name}.py", "-c", "offsets.toml", "-o", f"{name}_r.py", "--check")
        assert single == Ran(0, b"", f"{name}_r.py is up to date\n")
    before = snapshot(three)
    assert run(three) == Ran(0, b"", "3 targets: 3 up to date\n")
    assert run(three, "--check", "-q") == Ran(0, b"", "")
    assert snapshot(three) == before


def test_only_what_changed_is_written(three: Path) -> None:
    run(three)
    before = snapshot(three)
    (three / "b.py").write_text(PLAIN.replace("Normal(0, 1)", "Normal(0, 2)"))
    ran = run(three, "--check")
    assert ran == Ran(
        1,
        b"",
        "b.py:8 a <- mu (offsets.toml:1)\nb_r.py would change\n"
        "3 targets: 2 up to date, 1 would change\n",
    )
    ran = run(three, "--diff")
    assert (ran.status, ran.out[:11]) == (0, b"diff --git ")
    assert run(three).err.endswith("wrote b_r.py\n3 targets: 2 up to date, 1 written\n")
    after = snapshot(three)
    assert {name for name in after if after[name] != before[name]} == {".", "b.py", "b_r.py"}


def test_a_bad_one_stops_the_writing_and_not_the_reports(three: Path) -> None:
    (three / "a.py").write_text("def model(:\n")
    (three / "b_r.py").write_text("import os\n")
    before = snapshot(three)
    ran = run(three)
    assert (ran.status, ran.out) == (2, b"")
    assert ran.err == (
        "a.py:1:11: not valid Python: invalid syntax\n    def model(:\n              ^\n"
        "hint: the model must parse before it can be rewritten.\n"
        "b_r.py:1:1: the output was not generated by reparam-rewrite\n    import os\n    ^\n"
        "hint: this line would be lost; --force overwrites it.\n"
        "c.py:8 a <- mu (offsets.toml:1)\n"
        "3 targets: 1 refused, 1 not overwritten, 1 would change; nothing was written\n"
    )
    assert snapshot(three) == before
    assert run(three, "--check").status == 2
    (three / "a.py").write_text(PLAIN)
    assert run(three, "--force") == Ran(0, b"", f"{ACCOUNT}3 targets: 3 written\n")


def test_an_output_that_can_not_be_written_leaves_all(three: Path) -> None:
    (three / "c_r.py").mkdir()
    before = snapshot(three)
    ran = run(three)
    assert (ran.status, ran.out) == (2, b"")
    assert "c_r.py: the output is a folder" in ran.err
    assert snapshot(three) == before


def test_a_model_is_needed_where_there_are_other_paths(three: Path) -> None:
    hint = "hint: name the file to rewrite: reparam-rewrite model.py --config offsets.toml\n"
    for option in ("--config", "-o"):
        ran = run(three, option, "offsets.toml")
        assert ran == Ran(2, b"", f"{option} is given, and no MODEL\n{hint}")


def test_many_are_shared_among_processes(folder: Path) -> None:
    """The same files as one by one, and the same report."""
    names = [f"m{number:02}.py" for number in range(12)]
    lay_out(folder, *names, table=entry("m*.py", output="r*.py"))
    for name in names:
        (folder / name).write_text(PLAIN + "# as long as a real one\n" * 300)
    (folder / names[5]).write_text("def model(:\n" + "# as long as a real one\n" * 300)
    ran = run(folder)
    assert ran.err.splitlines()[5].startswith("m05.py:1:11: not valid Python")
    assert ran.err.endswith("12 targets: 11 would change, 1 refused; nothing was written\n")
    (folder / names[5]).write_text(PLAIN)
    assert run(folder).err.endswith("12 targets: 12 written\n")
    for name in names:
        arguments = (name, "-c", "offsets.toml", "-o", name.replace("m", "r"), "--check", "-v")
        assert run(folder, *arguments).status == 0


# -- reports for programs ----------------------------------------------------------------------


def test_json_has_the_sites_of_what_is_up_to_date(three: Path) -> None:
    run(three)
    before = json.loads(run(three, "--force", "--format", "json").out)["targets"]
    now = json.loads(run(three, "--check", "--format", "json").out)["targets"]
    assert {target["status"] for target in now} == {"up to date"}
    assert [target["sites"] for target in now] == [target["sites"] for target in before]


def test_json(three: Path) -> None:
    (three / "b.py").write_text("x = (\n")
    ran = run(three, "--check", "--format", "json")
    assert (ran.status, ran.err) == (2, "")
    report = json.loads(ran.out)
    assert (report["version"], report["exit_status"], report["errors"]) == (1, 2, [])
    a, b, _ = report["targets"]
    assert a == {
        "model": "a.py",
        "config": "offsets.toml",
        "output": "a_r.py",
        "status": "would change",
        "sites": [
            {
                "site": "a",
                "function": "model",
                "path": "a.py",
                "line": 8,
                "parents": ["mu"],
                "config": {"path": "offsets.toml", "line": 1, "column": 8},
                "details": ["shape (n,)"],
                "notes": [],
                "skipped": False,
                "meets": [
                    {"parent": "mu", "value": "mu", "evidence": "number", "line": None},
                ],
            }
        ],
        "moves": [],
        "errors": [],
    }
    assert b["status"] == "refused"
    assert b["errors"] == [
        {
            "path": "b.py",
            "line": 1,
            "column": 5,
            "message": "not valid Python: '(' was never closed",
            "hint": "the model must parse before it can be rewritten.",
        }
    ]


def test_json_with_diffs(three: Path) -> None:
    ran = run(three, "--diff", "--format", "json")
    diffs = [target["diff"] for target in json.loads(ran.out)["targets"]]
    assert [diff.splitlines()[0] for diff in diffs] == [
        f"diff --git a/{name}_r.py b/{name}_r.py" for name in "abc"
    ]


def test_json_of_what_comes_to_nothing(folder: Path) -> None:
    lay_out(folder, table=entry("*.py", output="*_r.py"))
    ran = run(folder, "--format", "json")
    assert (ran.status, ran.err) == (2, "")
    assert json.loads(ran.out) == {
        "version": 1,
        "exit_status": 2,
        "targets": [],
        "errors": [
            {
                "path": "pyproject.toml",
                "line": 2,
                "column": 9,
                "message": "no file matches",
                "hint": "",
            }
        ],
    }
    ran = run(folder, "m.py", "-c", "offsets.toml", "--format", "json")
    assert "and so does the model" in json.loads(ran.out)["errors"][0]["message"]


def test_annotations_for_github(three: Path) -> None:
    (three / "b.py").write_text("x = (\n")
    (three / "c,d:e%.py").write_text("x = (\n")
    (three / "pyproject.toml").write_text(
        entry("?.py", output="?_r.py") + entry("c,d:e%.py", output="d.out")
    )
    assert run(three, "--check", "--format", "github") == Ran(
        2,
        b"",
        "a.py:8 a <- mu (offsets.toml:1)\na_r.py does not exist yet\n"
        "::error file=a_r.py,title=reparam-rewrite::it is not what a.py and offsets.toml give now"
        "%0Ahint: run reparam-rewrite, and commit what it writes.\n"
        "::error file=b.py,line=1,col=5,title=reparam-rewrite::"
        "not valid Python: '(' was never closed"
        "%0Ahint: the model must parse before it can be rewritten.\n"
        "c.py:8 a <- mu (offsets.toml:1)\nc_r.py does not exist yet\n"
        "::error file=c_r.py,title=reparam-rewrite::it is not what c.py and offsets.toml give now"
        "%0Ahint: run reparam-rewrite, and commit what it writes.\n"
        "::error file=c%2Cd%3Ae%25.py,line=1,col=5,title=reparam-rewrite::"
        "not valid Python: '(' was never closed"
        "%0Ahint: the model must parse before it can be rewritten.\n"
        "4 targets: 2 would change, 2 refused\n",
    )


def test_a_target_is_three_paths() -> None:
    assert Target._fields == ("model", "config", "output")


def test_the_table_of_the_docstring_is_one(folder: Path) -> None:
    from reparam_rewrite.source import targets

    table = textwrap.dedent((targets.__doc__ or "").split("::")[1].split("Paths")[0])
    lay_out(folder, "models/x.py", "offsets/x.toml", table=table)
    assert found(folder) == [("models/x.py", "offsets/x.toml", "generated/x.py")]
