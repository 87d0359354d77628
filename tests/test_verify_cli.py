"""``reparam-rewrite verify``: what it is given, what it prints, and how it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reparam_rewrite.cli.main import COMMANDS, main
from reparam_rewrite.cli.verify import command
from tests.support.cases import FIXTURES, golden
from tests.support.cli import environment, run, snapshot

CASE = FIXTURES / "conditional"
ARGS = ["--args", "example.py:example_args"]
CONFIG = ["--config", "offsets.toml"]
QUICK = [
    word
    for check in ("jit", "predictive", "data", "AutoNormal", "AutoDiagonalNormal", "NUTS")
    for word in ("--skip", check)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("model.py", "model_reparam.py", "by_hand.py", "example.py", "offsets.toml"):
        shutil.copy(CASE / name, tmp_path)
    return tmp_path


def test_a_function_that_runs_the_model_is_not_taken_for_it(folder: Path) -> None:
    model = folder / "model.py"
    model.write_text(f"{model.read_text()}\n\ndef main():\n    numpyro.infer.NUTS(model)\n")
    ran = run(folder, "verify", "model.py", "--config", "offsets.toml", *ARGS, *QUICK)
    assert (ran.status, ran.err) == (0, "")


def test_a_generated_file(folder: Path) -> None:
    before = snapshot(folder)
    ran = run(folder, "verify", "model.py", "model_reparam.py", *ARGS, "--points", "3")
    assert (ran.status, ran.err) == (0, "")
    first, *lines, last = ran.out.decode().splitlines()
    assert first == (
        "model.py and model_reparam.py, model: 11 latent dims, 3 points of seed 0, float64"
    )
    assert last == "model_reparam.py is equivalent to model.py"
    names = [line[10:31].strip() for line in lines]
    assert names == [
        "sites",
        "observed",
        "params",
        "density a",
        "density y",
        "density z",
        "density",
        "support",
        "values",
        "init",
        "effect a",
        "gradients",
        "offsets",
        "jit",
        "predictive",
        "data",
        "AutoNormal",
        "AutoDiagonalNormal",
        "NUTS",
    ]
    assert all(line.startswith(("ok ", "skipped ")) for line in lines)
    assert snapshot(folder).keys() == before.keys()


def test_a_difference_as_json(folder: Path) -> None:
    text = (folder / "model_reparam.py").read_text()
    (folder / "model_reparam.py").write_text(text.replace("(z + a, 0.1)", "(z + a, 0.2)"))
    arguments = ["verify", "model.py", "model_reparam.py", *ARGS, *QUICK, "--points", "2"]
    ran = run(folder, *arguments, "--format", "json")
    assert (ran.status, ran.err) == (1, "")
    report = json.loads(ran.out)
    assert (report["equivalent"], report["exit_status"]) == (False, 1)
    wrong = [check for check in report["checks"] if check["status"] == "different"]
    assert [(one["check"], one.get("site")) for one in wrong] == [
        ("density", "y"),
        ("density", None),
    ]
    assert wrong[0]["cause"] == "in its Normal, scale is 0.2, it was 0.1"
    assert wrong[0]["off"] > 1
    quiet = run(folder, *arguments, "--quiet").out.decode().splitlines()
    assert [line.split()[0] for line in quiet] == [
        "DIFFERENT",
        "cause:",
        "DIFFERENT",
        "model_reparam.py",
    ]
    assert quiet[-1] == "model_reparam.py is not equivalent to model.py: see y"


def test_what_the_config_gives_in_memory_and_the_arguments_that_it_names(folder: Path) -> None:
    """From another folder: the example file is beside the config, and prints."""
    with (folder / "offsets.toml").open("a") as config:
        config.write('\n[verify]\nargs = "example.py:example_args"\n')
    with (folder / "example.py").open("a") as example:
        example.write("\nprint('imported')\n")
    away = folder / "away"
    away.mkdir()
    arguments = ["verify", "../model.py", "--config", "../offsets.toml", *QUICK]
    ran = run(away, *arguments, "--points", "1", "--format", "json")
    assert (ran.status, ran.err) == (0, "imported\n")
    report = json.loads(ran.out)
    assert report["generated"] == "<../model.py with ../offsets.toml>"
    assert report["latent_dims"] == 11


TREES = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def model():
    w = numpyro.param("w", {"kernel": jnp.ones((2, 3)), "bias": jnp.zeros(3)})
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = numpyro.sample("a", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal((mu + a) * w["kernel"].sum(0) + w["bias"], 1), obs=jnp.ones(3))
"""


def test_params_that_are_trees_are_as_in_the_config(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(TREES)
    (tmp_path / "offsets.toml").write_text('sites.a = { offset = "mu" }\n')
    assert run(tmp_path, "model.py", *CONFIG, "-o", "made.py").status == 0
    ran = run(tmp_path, "verify", "model.py", "made.py", *CONFIG, *QUICK, "--points", "1")
    assert (ran.status, ran.err) == (0, "")
    assert " 1 params as in the config" in ran.out.decode()


def test_a_file_that_is_not_what_its_config_asks_for(folder: Path) -> None:
    text = (folder / "model_reparam.py").read_text()
    (folder / "model_reparam.py").write_text(text.replace('"alpha", 0.0', '"alpha", 0.5'))
    arguments = ["verify", "model.py", "model_reparam.py", *ARGS, *QUICK, "--points", "1"]
    assert run(folder, *arguments).status == 0
    ran = run(folder, *arguments, "--config", "offsets.toml", "-q")
    assert ran.status == 1
    assert "param 'alpha' starts at 0.5, by the config at 0\n" in ran.out.decode()


NO_ARGUMENTS = """\
import numpyro
import numpyro.distributions as dist


def model():
    numpyro.sample("mu", dist.Normal(0, 1))
"""


def test_a_model_without_arguments_just_runs(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(NO_ARGUMENTS)
    ran = run(tmp_path, "verify", "model.py", "model.py", *QUICK, "--points", "1")
    assert (ran.status, ran.err) == (0, "")


# -- what can't be checked: exit status 2 ------------------------------------------------------


def refused(folder: Path, *arguments: str) -> str:
    ran = run(folder, "verify", *arguments)
    assert (ran.status, ran.out) == (2, b"")
    return ran.err


def test_arguments_that_are_missing(folder: Path) -> None:
    assert refused(folder, "model.py", "model_reparam.py") == (
        "model.py: 'model' needs arguments\n"
        'hint: write --args "(<n>,), {\'y\': <y>}", or --args "example.py:example_args", '
        "the name of a function that returns such a pair.\n"
    )


def test_arguments_that_the_model_does_not_take(folder: Path) -> None:
    assert refused(folder, "model.py", "model_reparam.py", "--args", "(1, 2, 3)") == (
        "model.py: the plain model does not run: TypeError: "
        "model() takes from 1 to 2 positional arguments but 3 were given\n"
        "hint: are these the arguments that it takes?\n"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("(8", "--args is no expression, and no file.py:function: '(' was never closed\n"),
        ("n", "--args can't be computed: NameError: name 'n' is not defined\n"),
        ("example.py:example", "example.py: there is no function 'example'\n"),
        ("exampel.py:example_args", "exampel.py: the file of the arguments does not exist\n"),
    ],
)
def test_arguments_that_are_none(folder: Path, given: str, message: str) -> None:
    assert refused(folder, "model.py", "model_reparam.py", "--args", given).startswith(message)


def test_an_error_in_a_file_has_its_place(folder: Path) -> None:
    text = (folder / "model_reparam.py").read_text()
    (folder / "model_reparam.py").write_text(f"{text}\n\nimport nowhere.to_be_found\n")
    line = text.count("\n") + 3
    arguments = ["model.py", "model_reparam.py", *ARGS]
    message = (
        f"model_reparam.py:{line}:1: the generated file can't be imported: "
        "ModuleNotFoundError: No module named 'nowhere'\n"
        "    import nowhere.to_be_found\n"
        "    ^\n"
        "hint: it must run by itself, in the Python that reparam-rewrite runs in.\n"
    )
    assert refused(folder, *arguments) == message
    loud = refused(folder, *arguments, "-v")
    assert loud.startswith("Traceback (most recent call last):\n")
    assert loud.endswith(message)


def test_an_error_in_the_model_has_its_place(folder: Path) -> None:
    text = (folder / "model.py").read_text()
    changed = text.replace('"a", dist.Normal(0, 1)', '"a", dist.Normal(0, unknown)')
    (folder / "model.py").write_text(changed)
    before, _, _ = changed.partition("unknown)")
    row, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
    found = refused(folder, "model.py", "model_reparam.py", *ARGS).splitlines()
    assert found[0] == (
        f"model.py:{row}:{column}: the plain model does not run: "
        "NameError: name 'unknown' is not defined"
    )
    assert found[2].index("^") == found[1].index("unknown)")
    assert found[3] == "hint: it must run with these arguments, as it does by itself."


def test_an_array_of_numpy_where_the_model_needs_one_of_jax(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "import numpyro\nimport numpyro.distributions as dist\n\n\n"
        "def model(n, y):\n"
        '    mu = numpyro.sample("mu", dist.Normal(0, 1))\n'
        '    with numpyro.plate("n", n, subsample_size=2) as rows:\n'
        '        a = numpyro.sample("a", dist.Normal(0, 1))\n'
        '        numpyro.sample("y", dist.Normal(mu + a, 1), obs=y[rows])\n'
    )
    given = ["suggest", "model.py", "--args", "(3, np.ones(3)), {}"]
    assert run(tmp_path, *given).err.splitlines()[-1] == (
        "hint: JAX traces what NumPy's array is indexed by or put in: let --args give jax arrays."
    )
    ran = run(tmp_path, *given[:3], "(3, jnp.ones(3)), {}", "-q")
    assert (ran.status, ran.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["model.py"],
            "there is nothing to compare the model with\n"
            "hint: name the generated file, or --config FILE to generate it in memory.\n",
        ),
        (
            [],
            "no MODEL is given\nhint: name the plain model: "
            "reparam-rewrite verify model.py model_reparam.py\n",
        ),
        (
            ["model.py", "model_repara.py"],
            "model_repara.py: the generated file does not exist\n"
            "hint: did you mean 'model_reparam.py' or 'model.py'?\n",
        ),
        (
            ["model_reparam.py", "-c", "offsets.toml"],
            "model_reparam.py: the model is rewritten already\n"
            "hint: give the plain model first, and this one second.\n",
        ),
        (
            ["model_reparam.py", "model.py", *ARGS],
            "model_reparam.py: the model is rewritten already\n"
            "hint: swap the two: reparam-rewrite verify model.py model_reparam.py\n",
        ),
        (
            ["model.py", "."],
            ".: the generated file is a folder\n"
            "hint: give the path of the generated file inside it.\n",
        ),
        (
            ["model.py", "model_reparam.py", "--args", "1", "--function", "other"],
            "model.py: there is no function 'other'\nhint: it has 'model'.\n",
        ),
        (
            ["-", "model_reparam.py"],
            "verify takes no model on standard input\n"
            "hint: save it as a file: verify runs it, with what it imports from beside it.\n",
        ),
        (
            ["model.py", "--skipp", "jit"],
            "there is no option --skipp\nhint: did you mean --skip?\n",
        ),
        (
            ["model.py", "model_reparam.py", "--args", "1", "--function", "modell"],
            "model.py: there is no function 'modell'\nhint: did you mean 'model'?\n",
        ),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
)
def test_mistakes(folder: Path, arguments: list[str], message: str) -> None:
    assert refused(folder, *arguments) == message


def test_without_jax(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("reparam_rewrite.running.environment.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as exit_of:
        main(["verify", "model.py", "model_reparam.py"])
    assert exit_of.value.code == 2
    assert capsys.readouterr().err == (
        "verify runs models, and jax is not installed\n"
        'hint: install it with pip install "reparam-rewrite[models]".\n'
    )


# -- the command among others ------------------------------------------------------------------


def test_help(tmp_path: Path) -> None:
    listed = run(tmp_path, "--help", COLUMNS="80").out.decode()
    for name, summary in COMMANDS.items():
        assert f"\n  {name:{max(map(len, COMMANDS))}}  {summary}" in listed
    ran = run(tmp_path, "verify", "--help", COLUMNS="80")
    assert (ran.status, ran.err) == (0, "")
    text = ran.out.decode()
    assert text.startswith("Usage: python -m reparam_rewrite verify [OPTIONS] MODEL [GENERATED]\n")
    for parameter in command.params:
        option = max(parameter.opts, key=len)
        assert option in text or parameter.name in ("model", "generated")


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"], ["verify", "x.py"]])
def test_imports_of_what_runs_no_model(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom reparam_rewrite.cli.main import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n"
        "    print(sorted({'libcst', 'jax', 'numpyro', 'numpy'} & set(sys.modules)), end='')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True
    )
    assert done.stdout.endswith(b"[]")


def test_a_model_that_is_called_like_a_command(folder: Path) -> None:
    """The command wins; with its folder it is the file."""
    shutil.copy(folder / "model.py", folder / "verify")
    assert run(folder, "verify", "-c", "offsets.toml").err.startswith("no MODEL is given\n")
    ran = run(folder, "./verify", "-c", "offsets.toml")
    assert (ran.status, ran.out) == (0, golden(folder))


MEETING = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def model(county, state, y=None):
    with numpyro.plate("states", 2):
        s = numpyro.sample("s", dist.Normal(0, 1))
    with numpyro.plate("counties", 4):
        a = numpyro.sample("a", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(s[state] + a[county], 1), obs=y)
"""


def test_the_arrays_of_a_frozen_projection(tmp_path: Path) -> None:
    """The last county has no observation; which states the others are in is in the file."""
    (tmp_path / "model.py").write_text(MEETING)
    (tmp_path / "offsets.toml").write_text('[sites.a.offset]\ns = { per = "met.npz" }\n')
    call = "(jnp.array([0, 1, 1, 2]), jnp.array([0, 0, 0, 1])), {'y': jnp.ones(4)}"
    other = "(jnp.array([3, 3]), jnp.array([1, 1])), {}"
    args = ["--args", call, "--predict-args", other, "--config", "offsets.toml"]
    for check in ("jit", "predictive", "NUTS", "AutoNormal", "AutoDiagonalNormal"):
        args += ["--skip", check]
    arrays = {
        "rows": np.array([[0, 1, 2]]),
        "columns": np.array([[0, 0, 1]]),
        "weights": np.ones(3),
        "shapes": np.array([4, -1, 2]),
    }

    def verified(folder: str, **changes: Any) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        if not (tmp_path / "met.npz").exists():
            np.savez(tmp_path / "met.npz", **{f"xi_a_s.{key}": arrays[key] for key in arrays})
            made = run(tmp_path, "model.py", "--config", "offsets.toml", "-o", "made.py")
            assert made.status == 0, made.err
        shutil.copy(tmp_path / "made.py", tmp_path / folder)
        changed = {f"xi_a_s.{key}": array for key, array in {**arrays, **changes}.items()}
        np.savez(tmp_path / folder / "met.npz", **changed)
        return run(tmp_path, "verify", "model.py", f"{folder}/made.py", *args).out.decode()

    right = verified("right")
    assert "1 of 4 elements of xi_a_s may move nothing: no observation has them" in right
    assert "with other data both models predict the same from one draw" in right
    assert right.endswith("made.py is equivalent to model.py\n")
    wrong = verified("wrong", columns=np.array([[1, 1, 0]]))
    assert "DIFFERENT config a " in wrong
    assert "DIFFERENT sites a " in verified("missing", rows=np.array([[0, 1]]))
