"""What the data say is in an .npz beside the generated file: if it doesn't fit, that is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reparam_rewrite.beside import refuse_missing_arrays
from reparam_rewrite.config.reading import config_at
from reparam_rewrite.fitting.writing import npz_bytes
from reparam_rewrite.generation import generate, generate_all
from reparam_rewrite.messages import Refusal
from reparam_rewrite.source.files import write_outputs
from reparam_rewrite.source.targets import Target
from tests.support.conditional import FILE, fitted
from tests.support.execution import load_model, structure
from tests.support.shapes import usual

MODEL = """\
def model(g, n, y=None):
    beta = numpyro.sample("beta", dist.Normal(0.0, 1.0))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1.0))
    mu = numpyro.sample("mu", dist.Normal(0.0, 2.0))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0.0, 1.5))
    numpyro.sample("y", dist.Normal(beta * g + mu + a[g], sigma), obs=y)
"""

#: Observations of three groups of four.
CALL = "(np.array([0, 0, 1, 2, 2]), {groups}, np.arange(5.0))"


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, the config that fit wrote, its .npz, and the generated file."""
    folder = tmp_path_factory.mktemp("fitted")
    found = fitted(folder, usual(MODEL), 'conditional = ["mu", "a"]\n', CALL.format(groups=4))
    (folder / "offsets.toml").write_text(found.config.text)
    return folder


@pytest.fixture
def target(once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    target = Target("model.py", "offsets.toml", "generated.py")
    Path("generated.py").unlink()
    outcome = generate(target)
    write_outputs([(outcome.target.output, outcome.new)])
    return target


def arrays() -> dict[str, Any]:
    with np.load(FILE) as found:
        return dict(found)


def without(key: str) -> None:
    Path(FILE).write_bytes(
        npz_bytes({name: of for name, of in arrays().items() if key not in name})
    )


def edit(old: str, new: str) -> None:
    config = Path("offsets.toml")
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, new))


AGAIN = "hint: run 'reparam-rewrite fit' again, which writes it."

#: What is done to the files, and what is said of it.
WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "no file": (
        lambda: Path(FILE).unlink(),
        "offsets.toml:3:20: there is no 'fitted.npz' beside generated.py, which would load it\n"
        '    conditional.data = "fitted.npz"\n'
        "                       ^\n"
        "hint: fit writes it beside the config: copy it, or generate into that folder.",
    ),
    "a damaged file": (
        lambda: Path(FILE).write_bytes(b"no zip"),
        "'fitted.npz' is no .npz: File is not a zip file",
    ),
    "a file of something else": (
        lambda: Path(FILE).write_bytes(npz_bytes({"xi_a_mu": np.zeros(3)})),
        "'fitted.npz' doesn't have what the data say of the sites of 'conditional'",
    ),
    "no texts": (
        lambda: Path(FILE).write_bytes(npz_bytes({**arrays(), "conditional.order": np.zeros(2)})),
        "'fitted.npz' doesn't have what the data say of the sites of 'conditional'",
    ),
    "another order": (
        lambda: edit('["mu", "a"]', '["a", "mu"]'),
        "'fitted.npz' has 'mu' and 'a' as the 'order' of 'conditional', and the config 'a' and "
        "'mu'",
    ),
    "other sites": (
        lambda: edit('["mu", "a"]', '["mu"]'),
        "'fitted.npz' has 'mu' and 'a' as the 'order' of 'conditional', and the config 'mu'",
    ),
    "another form": (
        lambda: edit('"exact"', '"sequential"'),
        "'fitted.npz' has 'exact' as the 'form' of 'conditional', and the config 'sequential'",
    ),
    "noise that is frozen": (
        lambda: edit('conditional.noise = { y = "sigma" }\n', ""),
        "'fitted.npz' has 'y' as the 'noise' of 'conditional', and the config nothing",
    ),
    "nothing is given": (
        lambda: edit('conditional.given = ["beta"]\n', ""),
        "'fitted.npz' has 'beta' as the 'given' of 'conditional', and the config nothing",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_beside_must_be_what_the_config_means(what: str, target: Target) -> None:
    break_it, said = WRONG[what]
    break_it()
    with pytest.raises(Refusal) as refused:
        refuse_missing_arrays(config_at(target.config), target.output)
    (told,) = refused.value.diagnostics
    assert said in str(told)
    assert "no file" in what or str(told).endswith(AGAIN)


@pytest.mark.parametrize("what", ["no file", "a damaged file", "a file of something else"])
def test_a_file_that_is_up_to_date_needs_its_arrays_too(what: str, target: Target) -> None:
    """As with ``--check``, which doesn't generate what is fresh."""
    (outcome,) = generate_all([target])
    assert not outcome.stale
    assert outcome.rewrite is None, "it is told from digests"
    break_it, said = WRONG[what]
    break_it()
    (outcome,) = generate_all([target])
    assert said in str(outcome.refused[0])


#: What is done to the arrays, how many groups the call has, and what the class says.
MISFITS: dict[str, tuple[Callable[[], object], int, str]] = {
    "no file": (lambda: Path(FILE).unlink(), 4, "'fitted.npz' doesn't have what the data say"),
    "no sites": (lambda: without("conditional.shapes"), 4, "doesn't have what the data say"),
    "other groups": (lambda: None, 5, r"'a' has the shape \(5,\), not \(4,\) as in 'fitted.npz'"),
    "another order": (
        lambda: Path(FILE).write_bytes(
            npz_bytes({**arrays(), "conditional.order": np.array(["a", "mu"])})
        ),
        4,
        r"it has \['a', 'mu'\]",
    ),
}


@pytest.mark.parametrize("what", MISFITS)
def test_what_is_beside_must_fit_when_the_model_runs(what: str, target: Target) -> None:
    break_it, groups, said = MISFITS[what]
    break_it()
    model = load_model(Path(target.output).resolve())
    with pytest.raises(ValueError, match=f"{said}.*: run 'reparam-rewrite fit' again"):
        structure(model, eval(CALL.format(groups=groups)), {})
