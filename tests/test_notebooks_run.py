"""Models in notebooks that are run: which cells are, and where their errors are said to be."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cli import run
from tests.support.notebooks import IMPORTS, MODEL, OFFSETS, notebook, text

ARGS = "(5,), {'y': np.arange(5.0)}"

#: What makes the arguments, in a cell of its own.
EXAMPLE = "import numpy as np\n\ndef example_args():\n    return (N,), {'y': np.arange(N)}"


def ran(
    folder: Path, *cells: str, args: str = ARGS, command: str = "verify", more: Any = ("-q",)
) -> Any:
    (folder / "model.ipynb").write_bytes(notebook(text("# A model"), *cells))
    if not (folder / "offsets.toml").exists():
        (folder / "offsets.toml").write_text(OFFSETS)
    words = ["model.ipynb", "--config", "offsets.toml", "--args", args, *more]
    return run(folder, command, *words)


EQUIVALENT = b"<model.ipynb with offsets.toml> is equivalent to model.ipynb\n"


def test_cells_down_to_the_model_s_are_run(tmp_path: Path) -> None:
    """In the notebook's folder, without magics; cells below, of other languages and texts not."""
    (tmp_path / "n.txt").write_text("5")
    above = [
        f"%matplotlib inline\n{IMPORTS}",
        "%%bash\nexit 1",
        "files = !ls\nN = int(open('n.txt').read())\nprint(N)",
    ]
    done = ran(tmp_path, *above, f"%%time\n{MODEL}", "raise SystemExit", args="(N,), {}")
    assert (done.status, done.out) == (0, EQUIVALENT), done.err


def test_a_notebook_is_run_in_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "n.txt").write_text("5")
    cells = [IMPORTS, "N = int(open('n.txt').read())", MODEL]
    (tmp_path / "inside" / "model.ipynb").write_bytes(notebook(*cells))
    (tmp_path / "offsets.toml").write_text(OFFSETS)
    words = ["--config", "offsets.toml", "--args", "(N,), {}", "-q"]
    assert run(tmp_path, "verify", "inside/model.ipynb", *words).status == 0


def test_the_generated_notebook_is_run_as_well(tmp_path: Path) -> None:
    ran(tmp_path, IMPORTS, MODEL)
    words = ["--config", "offsets.toml", "-o", "made.ipynb"]
    assert run(tmp_path, "model.ipynb", *words).status == 0
    done = run(tmp_path, "verify", "model.ipynb", "made.ipynb", "--args", ARGS, "-q")
    assert (done.status, done.out) == (0, b"made.ipynb is equivalent to model.ipynb\n"), done.err


@pytest.mark.parametrize("below", [False, True])
def test_arguments_by_a_function_of_the_notebook(below: bool, tmp_path: Path) -> None:
    """Above the model, or below what isn't run."""
    cells = [IMPORTS, "N = 5", MODEL]
    cells = [*cells, "raise SystemExit", EXAMPLE] if below else [EXAMPLE, *cells]
    done = ran(tmp_path, *cells, args="model.ipynb:example_args")
    assert (done.status, done.out) == (0, EQUIVALENT), done.err


def test_what_is_imported_from_the_future_holds_in_the_cells_below(tmp_path: Path) -> None:
    cells = ["from __future__ import annotations", IMPORTS, "def f(x: Undefined): ...", MODEL]
    assert ran(tmp_path, *cells).status == 0


@pytest.mark.parametrize(
    ("cells", "args", "message"),
    [
        pytest.param(
            (IMPORTS, "%%time\n# λ\n%matplotlib inline\nx = nope", MODEL),
            ARGS,
            "model.ipynb:cell 3:4:5: the model can't be imported: NameError: name 'nope' is not "
            "defined\n    x = nope\n        ^\n",
            id="a cell above",
        ),
        pytest.param(
            (IMPORTS, MODEL.replace("0, 1))", "0, nope))", 1)),
            ARGS,
            "model.ipynb:cell 3:2:46: the plain model does not run: NameError: name 'nope'",
            id="the model",
        ),
        pytest.param(
            (IMPORTS, "return 3", MODEL),
            ARGS,
            "model.ipynb:cell 3:1:1: the model can't be imported: 'return' outside function\n"
            "    return 3\n",
            id="no function around it",
        ),
        pytest.param(
            (IMPORTS, MODEL, f"{EXAMPLE}\nexample_args()"),
            "model.ipynb:example_args",
            "model.ipynb:cell 4: the cell of 'example_args' is below the model's, and does more "
            "than define functions\nhint: give it a cell of its own",
            id="arguments below",
        ),
        pytest.param(
            (IMPORTS, MODEL, EXAMPLE),
            "model.ipynb:example_arg",
            "model.ipynb: no cell has a function 'example_arg'\n"
            "hint: did you mean 'example_args'?\n",
            id="no such arguments",
        ),
        pytest.param(
            (IMPORTS, MODEL, EXAMPLE),
            "model.ipynb:example_args",
            "model.ipynb:cell 4:4:13: 'example_args' gives no arguments: NameError: name 'N'",
            id="arguments that fail",
        ),
    ],
)
def test_errors_say_the_cell(
    cells: tuple[str, ...], args: str, message: str, tmp_path: Path
) -> None:
    done = ran(tmp_path, *cells, args=args)
    assert (done.status, done.out) == (2, b"")
    assert done.err.startswith(message)


def test_fit_writes_arrays_into_the_config(tmp_path: Path) -> None:
    """The code of a notebook doesn't know where an .npz would be."""
    model = MODEL.replace("mu + a, 1)", "mu + a, np.where(np.arange(n) % 2, 0.01, 5.0))")
    args = "(12,), {'y': 3 + np.arange(12.0) % 5}"
    more = ["--pilot", "laplace"]
    cells = [f"import numpy as np\n{IMPORTS}", model.replace("Normal(0, 1)", "Normal(0, 9)", 1)]
    done = ran(tmp_path, *cells, "boom()", args=args, command="fit", more=more)
    assert done.status == 0, done.err
    config = tomllib.loads((tmp_path / "offsets.toml").read_text())
    found = config["sites"]["a"]["offset"]["mu"]["init"]
    np.testing.assert_allclose(found, [0.0, 1.0] * 6, atol=0.3)
    assert not list(tmp_path.glob("*.npz"))


def test_bench_runs_notebooks(tmp_path: Path) -> None:
    short = ["--nuts", "--no-rivals", "--keys", "1", "--draws", "100", "--warmup", "25"]
    more = [*short, "--chains", "2", "--format", "json"]
    done = ran(tmp_path, IMPORTS, MODEL, "boom()", command="bench", more=more)
    assert done.status == 0, done.err
    rows = json.loads(done.out)["rows"]
    assert [row["variant"] for row in rows] == ["as written", "offsets.toml"]
