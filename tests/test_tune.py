"""`tune`: from a plain model and its data to files that are the same model, or to none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.cli import ROOT, Ran, run

pytestmark = pytest.mark.concerns("")  # all of the program

CROSSED = ROOT / "fixtures" / "crossed"
TUNE = ("tune", "model.py", "--args", "example.py:example_args")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A folder in which it ran, and what it said."""
    folder = tmp_path_factory.mktemp("tuned")
    for name in ("model.py", "example.py"):
        (folder / name).write_bytes((CROSSED / name).read_bytes())
    ran = run(folder, *TUNE, "-o", "model_reparam.py")
    assert ran.status == 0, ran.err
    return folder, ran


def test_it_says_how_each_site_is_sampled(tuned: tuple[Path, Ran]) -> None:
    head, *lines = tuned[1].err.splitlines()
    assert head.split() == ["site", "sampled", "narrower"]
    said = {line.split()[0]: line for line in lines[:6]}
    assert said.keys() == {"mu", "b_sample", "a_plate", "sigma_plate", "sigma_sample", "sigma"}
    assert "given the data, mu and b_sample" in said["a_plate"]
    assert float(said["b_sample"].split()[-2]) == pytest.approx(8.0, abs=0.5)
    assert said["sigma"].endswith("as written, in units of 1/15")
    assert lines[-3:] == ["wrote offsets.toml", "wrote offsets.npz", "wrote model_reparam.py"]


def test_what_it_writes_is_the_same_model(tuned: tuple[Path, Ran]) -> None:
    folder, _ = tuned
    words = ("model.py", "model_reparam.py", "--config", "offsets.toml", *TUNE[2:])
    ran = run(folder, "verify", *words, "--skip", "predictive", "--skip", "NUTS")
    assert ran.status == 0, ran.out.decode()


def test_what_it_writes_is_what_the_rewriter_writes(tuned: tuple[Path, Ran]) -> None:
    folder, _ = tuned
    words = ("model.py", "--config", "offsets.toml", "-o", "model_reparam.py", "--check")
    assert run(folder, *words, "--verbose").status == 0


def test_where_nuts_starts_is_in_the_middle_of_the_posterior(tuned: tuple[Path, Ran]) -> None:
    """Of sigma the mode is 0.55, and its logarithm 0.066 wide, in units of 1/15."""
    with np.load(tuned[0] / "offsets.npz") as arrays:
        assert arrays["start.a_plate_base"].tolist() == [0.0] * 24
        assert arrays["mass.a_plate_base"].tolist() == [1.0] * 24
        assert arrays["start.sigma_base"] == pytest.approx(15 * np.log(0.55), abs=0.5)
        assert arrays["mass.sigma_base"] == pytest.approx([1.0], abs=0.1)
        assert arrays["mass.sigma_sample"] == pytest.approx([0.36**2], rel=0.15)


def test_with_a_run_for_a_pilot(tmp_path: Path) -> None:
    for name in ("model.py", "example.py"):
        (tmp_path / name).write_bytes((CROSSED / name).read_bytes())
    ran = run(tmp_path, *TUNE, "--pilot", "nuts", "-o", "model_reparam.py")
    assert ran.status == 0, ran.err
    said = {line.split()[0]: line.split() for line in ran.err.splitlines()}
    assert float(said["b_sample"][-2]) == pytest.approx(8.0, abs=1.0)
    assert "NUTS with a dense mass matrix" in ran.err


def again(tuned: tuple[Path, Ran], tmp_path: Path) -> Path:
    """A copy of the folder."""
    for path in tuned[0].iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_a_second_run_changes_nothing(tuned: tuple[Path, Ran], tmp_path: Path) -> None:
    folder = again(tuned, tmp_path)
    ran = run(folder, *TUNE, "-o", "model_reparam.py")
    assert ran.status == 0, ran.err
    assert "wrote" not in ran.err


def test_fit_says_that_the_start_of_nuts_is_gone(tuned: tuple[Path, Ran], tmp_path: Path) -> None:
    folder = again(tuned, tmp_path)
    ran = run(folder, "fit", "model.py", "-c", "offsets.toml", *TUNE[2:])
    assert ran.status == 0, ran.err
    assert "offsets.npz no longer tells where NUTS is to start: tune does that\n" in ran.err
    with np.load(folder / "offsets.npz") as arrays:
        assert not [name for name in arrays.files if name.startswith("start.")]


MISSING = """

def with_missing():
    args, kwargs = example_args()
    name = next(name for name in kwargs if kwargs[name] is not None)
    return args, {**kwargs, name: kwargs[name] * float("nan")}
"""


def test_observations_that_are_no_numbers(tmp_path: Path) -> None:
    for name in ("model.py", "example.py"):
        (tmp_path / name).write_bytes((CROSSED / name).read_bytes())
    with (tmp_path / "example.py").open("a") as example:
        example.write(MISSING)
    words = ("tune", "model.py", "--args", "example.py:with_missing", "--pilot", "nuts")
    ran = run(tmp_path, *words, "-o", "model_reparam.py")
    assert (ran.status, [path.name for path in tmp_path.glob("*.npz")]) == (2, [])
    assert "has values that aren't finite" in ran.err


def test_what_a_person_has_set_is_kept(tuned: tuple[Path, Ran], tmp_path: Path) -> None:
    """With other data only what data decide is another."""
    folder = again(tuned, tmp_path)
    text = (folder / "offsets.toml").read_text()
    mine = text.replace("scale = 15.0 # by tune", "scale = 12.0 # mine")
    mine = mine.replace('conditional.order = ["mu", "b_sample", "a_plate"]', ORDER)
    (folder / "offsets.toml").write_text(mine)
    with (folder / "example.py").open("a") as example:
        example.write(WIDER)
    before = (folder / "offsets.npz").read_bytes()
    ran = run(folder, *TUNE, "-o", "model_reparam.py")
    assert ran.status == 0, ran.err
    assert (folder / "offsets.npz").read_bytes() != before
    now = (folder / "offsets.toml").read_text()
    kept = [line for line in mine.splitlines() if "by tune" not in line]
    assert [line for line in now.splitlines() if "by tune" not in line] == kept


ORDER = '# Plates first: they are fewer.\nconditional.order = ["mu", "a_plate", "b_sample"]'
WIDER = """

as_measured = example_args


def example_args():
    args, kwargs = as_measured()
    return args, {**kwargs, "diameter": 2 * kwargs["diameter"] - 20}
"""


def test_a_diff_writes_nothing(tuned: tuple[Path, Ran], tmp_path: Path) -> None:
    folder = again(tuned, tmp_path)
    for name in ("offsets.toml", "offsets.npz", "model_reparam.py"):
        (folder / name).unlink()
    ran = run(folder, *TUNE, "-o", "model_reparam.py", "--diff")
    assert ran.status == 0, ran.err
    assert sorted(path.name for path in folder.iterdir()) == ["example.py", "model.py"]
    assert b'+conditional.order = ["mu", "b_sample", "a_plate"]' in ran.out
    assert b"+    given = Conditional(" in ran.out


def test_for_programs(tuned: tuple[Path, Ran], tmp_path: Path) -> None:
    folder = again(tuned, tmp_path)
    ran = run(folder, *TUNE, "-o", "model_reparam.py", "--format", "json")
    said = json.loads(ran.out)
    assert said["gain"] > 10
    assert {one["site"]: one["how"] for one in said["sites"]}["mu"] == "given the data"
    assert said["config"] == (folder / "offsets.toml").read_text()


# -- where nothing is written ----------------------------------------------------------------------

HEAD = "import numpyro\nimport numpyro.distributions as dist\n\n\n"

LINE = f"""{HEAD}def model(x, y=None):
    slope = numpyro.sample("slope", dist.Normal(0, 1))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    numpyro.sample("y", dist.Normal(slope * x, sigma), obs=y)
"""

FINE = f"""{HEAD}def model(y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    with numpyro.plate("groups", 3):
        a = numpyro.sample("a", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(mu + a, 30.0), obs=y)
"""


#: Draws of this prior overflow.
VAGUE = f"""{HEAD}def model(y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 2))
    s2 = numpyro.sample("s2", dist.InverseGamma(0.001, 0.001))
    with numpyro.plate("arm", 4):
        theta = numpyro.sample("theta", dist.Normal(mu, s2**0.5))
        numpyro.sample("y", dist.BinomialLogits(theta, 20), obs=y)
"""


@pytest.mark.parametrize(
    ("model", "args", "said"),
    [
        pytest.param(
            VAGUE,
            "((), {'y': np.array([0, 1, 9, 10.0])})",
            "leave the model as written: no site can be sampled better: mu: what 'y' tells",
            id="a vague prior",
        ),
        pytest.param(LINE, "((1.0,), {'y': 0.5})", "leave the model as written: ", id="a line"),
        pytest.param(
            FINE,
            "((), {'y': np.zeros(3)})",
            "leave the model as written: sampled given the data 'mu' and 'a' would gain nothing",
            id="data that say nothing",
        ),
    ],
)
def test_where_nothing_helps(model: str, args: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        model.replace("import numpyro\n", "import numpy as np\nimport numpyro\n", 1)
    )
    ran = run(tmp_path, "tune", "model.py", "--args", args)
    assert ran.status == 0, ran.err
    assert ran.err.startswith(said)
    assert len(ran.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["model.py"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(
            ("--args", "((1.0,), {})"),
            "model.py: 'model' observes nothing when it is called so\n"
            "hint: give --args with the data: what is best depends on them.\n",
            id="no observations",
        ),
        pytest.param(
            (),
            "model.py: 'model' needs arguments\n"
            'hint: write --args "(<x>,), {\'y\': <y>}", or --args "example.py:example_args", ',
            id="no arguments",
        ),
        pytest.param(
            ("--args", "((1.0,), {'y': 0.5})", "-o", "model.py"),
            "model.py: the output is the model itself, which is never overwritten\nhint: choose ",
            id="over the model",
        ),
    ],
)
def test_refused(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(LINE)
    ran = run(tmp_path, "tune", "model.py", *words)
    assert ran.status == 2
    assert ran.err.startswith(said)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["model.py"]


def test_a_file_that_was_not_generated_is_left_alone(
    tuned: tuple[Path, Ran], tmp_path: Path
) -> None:
    folder = again(tuned, tmp_path)
    (folder / "model_reparam.py").write_text("mine = 1\n")
    (folder / "offsets.toml").unlink()
    ran = run(folder, *TUNE, "-o", "model_reparam.py")
    assert ran.status == 2
    assert ran.err.startswith("model_reparam.py")
    assert (folder / "model_reparam.py").read_text() == "mine = 1\n"
    assert not (folder / "offsets.toml").exists()


def test_a_config_that_asks_for_nothing_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(LINE)
    (tmp_path / "offsets.toml").write_text("chain = []  # nothing, as I found\n")
    ran = run(tmp_path, "tune", "model.py", "--args", "((1.0,), {'y': 0.5})")
    assert ran.status == 2
    assert ran.err == (
        "offsets.toml: the config that is there asks for nothing\n"
        "hint: delete it, or --force overwrites it, and tune writes what it finds.\n"
    )


SCRIPT = """\
import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS, Predictive


def load():
    sd = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
    return {"sd": sd, "y": np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])}


def schools(sd, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    tau = numpyro.sample("tau", dist.HalfCauchy(5))
    with numpyro.plate("schools", len(sd)):
        theta = numpyro.sample("theta", dist.Normal(mu, tau))
        numpyro.sample("y", dist.Normal(theta, sd), obs=y)


def run(model, data):
    mcmc = MCMC(NUTS(model), num_warmup=10, num_samples=10)
    mcmc.run(jax.random.PRNGKey(0), **data)
    return mcmc.get_samples()


def predict(sd, draws):
    return Predictive(schools, draws)(jax.random.PRNGKey(1), sd)


def main():
    draws = run(schools, load())
    print(predict(load()["sd"], draws)["y"].shape)


if __name__ == "__main__":
    main()
"""


def test_what_runs_the_model_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(SCRIPT)
    ran = run(tmp_path, "tune", "work.py", "--args", "work.py:load")
    assert ran.status == 0, ran.err
    assert "theta  given the data" in ran.err


def test_without_arguments_nothing_is_run(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(SCRIPT)
    ran = run(tmp_path, "tune", "work.py")
    assert ran.status == 2
    assert ran.err.startswith("work.py: 'schools' needs arguments\n")


def test_arrays_of_another_model_are_not_overwritten(
    tuned: tuple[Path, Ran], tmp_path: Path
) -> None:
    shutil.copytree(tuned[0], tmp_path, dirs_exist_ok=True)
    shutil.copy(tmp_path / "model.py", tmp_path / "other.py")
    before = (tmp_path / "offsets.npz").read_bytes()
    ran = run(tmp_path, "tune", "other.py", "--args", "example.py:example_args")
    assert ran.status == 2
    assert "offsets.toml: it and offsets.npz are of model.py:model, and this is other.py" in ran.err
    assert "--config other.toml" in ran.err
    assert (tmp_path / "offsets.npz").read_bytes() == before


def test_a_generated_file_is_up_to_date_with_its_arrays_only(
    tuned: tuple[Path, Ran], tmp_path: Path
) -> None:
    shutil.copytree(tuned[0], tmp_path, dirs_exist_ok=True)
    words = ("model.py", "--config", "offsets.toml", "-o", "model_reparam.py", "--check")
    assert run(tmp_path, *words).status == 0
    (tmp_path / "offsets.npz").unlink()
    ran = run(tmp_path, *words)
    assert ran.status == 2
    assert "there is no 'offsets.npz'" in ran.err


def test_what_is_non_centred_by_hand_is_told_with_the_way_out(tmp_path: Path) -> None:
    plain = "dist.Normal(mu, tau)"
    text = SCRIPT.replace(plain, "dist.Normal(0, 1)")
    text = text.replace("(theta, sd)", "(mu + tau * theta, sd)")
    (tmp_path / "work.py").write_text(text)
    ran = run(tmp_path, "tune", "work.py", "--args", "work.py:load")
    assert ran.err.startswith("leave the model as written")
    assert "theta" in ran.err and "with the prior dist.Normal(0, tau)" in ran.err


def test_what_is_tuned_already_is_refused(tuned: tuple[Path, Ran], tmp_path: Path) -> None:
    shutil.copytree(tuned[0], tmp_path, dirs_exist_ok=True)
    words = ("tune", "model_reparam.py", "--args", "example.py:example_args", "-c", "again.toml")
    ran = run(tmp_path, *words)
    assert (ran.status, "the model is rewritten already" in ran.err) == (2, True)
