"""Models that are functions, imported or typed in a notebook: rewritten in memory, and run."""

from __future__ import annotations

import importlib
import inspect
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest
from numpyro.handlers import seed, trace
from numpyro.infer.util import log_density

from reparam_rewrite import Refusal, fit, reparameterize, suggest, tune, verify
from tests.support.cases import FIXTURES
from tests.support.cli import COMMAND, environment

HEAD = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

"""

MODEL = """\

def model(group, n, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(mu + a[group], 1), obs=y)
"""

WITH_HELPER = """\

def effects(n):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
    return mu, a


def model(group, n, y=None):
    mu, a = effects(n)
    numpyro.sample("y", dist.Normal(mu + a[group], 1), obs=y)
"""

CONFIG = 'chain = ["mu", "a"]\n'

GROUP = np.array([0, 1, 2, 0, 1, 2])
Y = np.array([1.0, 2.0, 3.5, 1.2, 2.2, 3.1])
ARGS, KWARGS = (GROUP, 3), {"y": Y}

Import = Callable[[str], ModuleType]


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Import]:
    """A module of this text, below the usual imports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    names: list[str] = []

    def made(text: str) -> ModuleType:
        names.append(f"made_{tmp_path.name}_{len(names)}")
        (tmp_path / f"{names[-1]}.py").write_text(HEAD + text)
        importlib.invalidate_caches()
        return importlib.import_module(names[-1])

    yield made
    for name in names:
        sys.modules.pop(name, None)


def sites(model: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    found: dict[str, Any] = trace(seed(model, 0)).get_trace(*(args or ARGS), **kwargs)
    return found


def is_rewritten(model: Callable[..., Any]) -> bool:
    return "a_base" in sites(model)


def test_the_function_that_is_given_back_is_the_same_model(imported: Import) -> None:
    model = imported(MODEL).model
    made = reparameterize(model, CONFIG)
    assert is_rewritten(made)
    assert verify(model, made, ARGS, KWARGS, skip=["jit"]).equivalent


def test_the_function_that_was_given_stays_as_it_is(imported: Import) -> None:
    module = imported(MODEL)
    reparameterize(module.model, CONFIG)
    assert not is_rewritten(module.model)


def test_a_config_is_text_a_path_or_a_dictionary(imported: Import, tmp_path: Path) -> None:
    model = imported(MODEL).model
    (tmp_path / "offsets.toml").write_text(CONFIG)
    for config in (CONFIG, tmp_path / "offsets.toml", {"chain": ["mu", "a"]}):
        assert is_rewritten(reparameterize(model, config))


def test_what_was_generated_can_be_read(imported: Import) -> None:
    made = reparameterize(imported(MODEL).model, CONFIG)
    assert 'numpyro.param("xi_a_mu"' in inspect.getsource(made)


def test_a_config_that_asks_for_nothing_gives_the_function_itself(imported: Import) -> None:
    model = imported(MODEL).model
    assert reparameterize(model, "chain = []") is model


def test_a_helper_that_samples_is_rewritten_for_the_model_alone(imported: Import) -> None:
    module = imported(WITH_HELPER)
    assert is_rewritten(reparameterize(module.model, CONFIG))
    assert not is_rewritten(module.model)


def test_another_function_with_the_same_sites_stays_out_of_it(imported: Import) -> None:
    other = MODEL.replace("def model", "def other").replace("mu + a", "mu - a")
    module = imported(MODEL + other)
    for name in ("model", "other"):
        assert is_rewritten(reparameterize(getattr(module, name), CONFIG))


def test_nothing_else_of_the_file_is_run_again(imported: Import) -> None:
    module = imported("runs = []\nruns.append(1)\n" + MODEL + "\nruns.append(model)\n")
    reparameterize(module.model, CONFIG)
    assert len(module.runs) == 2


def python(text: str, folder: Path) -> str:
    """What a program of this text prints, in a folder."""
    (folder / "program.py").write_text(text)
    command = [sys.executable, "program.py"]
    ran = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_script_that_rewrites_its_own_model_doesnt_start_anew(tmp_path: Path) -> None:
    text = HEAD + MODEL + "\nfrom reparam_rewrite import reparameterize\n"
    text += f"made = reparameterize(model, {CONFIG!r})\nprint(made.__name__)\n"
    assert python(text, tmp_path) == "model\n"


def test_an_imported_name_may_be_another(imported: Import) -> None:
    renamed = imported(MODEL).model
    assert is_rewritten(reparameterize(renamed, CONFIG))


def test_a_file_with_annotations_that_are_text(imported: Import, tmp_path: Path) -> None:
    text = "from __future__ import annotations\n" + HEAD
    text += MODEL.replace("n, y=None", "n, y: unknown | None = None")
    (tmp_path / "annotated.py").write_text(text)
    model = importlib.import_module("annotated").model
    assert is_rewritten(reparameterize(model, CONFIG))
    del sys.modules["annotated"]


def test_a_method_keeps_its_instance(imported: Import) -> None:
    body = MODEL.replace("(group", "(self, group").replace("Normal(0, 10)", "Normal(0, self.scale)")
    head = "\nclass Schools:\n    def __init__(self, scale):\n        self.scale = scale\n"
    model = imported(head + indented(body)).Schools(3.0).model
    made = reparameterize(model, CONFIG)
    assert is_rewritten(made)
    assert verify(model, made, ARGS, KWARGS, skip=["jit"]).equivalent


def indented(text: str) -> str:
    return textwrap.indent(text, "    ")


def test_a_decorator_is_applied_again(imported: Import) -> None:
    decorator = """
import functools

def scaled(model):
    @functools.wraps(model)
    def wrapped(*args, **kwargs):
        with numpyro.handlers.scale(scale=0.5):
            return model(*args, **kwargs)
    return wrapped

"""
    text = decorator + MODEL.replace("\ndef model", "\n@scaled\ndef model")
    model = imported(text).model
    made = reparameterize(model, CONFIG)
    assert sites(made)["y"]["scale"] == 0.5
    assert verify(model, made, ARGS, KWARGS, skip=["jit"]).equivalent


def refused(make: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as caught:
        make()
    return str(caught.value)


def test_a_partial_is_refused_with_the_way_out(imported: Import) -> None:
    said = refused(lambda: reparameterize(partial(imported(MODEL).model, GROUP), CONFIG))
    assert "the model is a partial of 'model'" in said
    assert "give the function itself" in said


def test_a_jitted_function_is_refused(imported: Import) -> None:
    said = refused(lambda: reparameterize(jax.jit(imported(MODEL).model), CONFIG))
    assert "JAX compiles or transforms 'model'" in said


def test_a_function_made_by_another_is_refused(imported: Import) -> None:
    module = imported(f"\ndef make(scale):\n{indented(MODEL)}\n    return model\n")
    said = refused(lambda: reparameterize(module.make(1), CONFIG))
    assert "'make.<locals>.model' is made inside of another function" in said


def test_a_lambda_is_refused() -> None:
    assert "the model is a lambda" in refused(lambda: reparameterize(lambda y: y, CONFIG))


def test_what_is_generated_is_refused(imported: Import) -> None:
    made = reparameterize(imported(MODEL).model, CONFIG)
    for again in (lambda: reparameterize(made, CONFIG), lambda: tune(made, ARGS, KWARGS)):
        assert refused(again) == "the model is rewritten already\nhint: give the plain model."


def test_a_function_whose_file_changed_since_is_refused(imported: Import, tmp_path: Path) -> None:
    module = imported(MODEL)
    path = Path(module.__file__ or "")
    path.write_text(path.read_text().replace("dist.Normal(0, 10)", "dist.Normal(0, 5)"))
    said = refused(lambda: reparameterize(module.model, CONFIG))
    assert f"{path.name}: 'model' is no longer what its source says" in said
    assert "import it again" in said


def test_a_function_without_source_is_refused() -> None:
    names: dict[str, Any] = {}
    exec(HEAD + MODEL, names)
    assert "the source of 'model' is not known" in refused(
        lambda: reparameterize(names["model"], CONFIG)
    )


def test_what_was_made_of_a_helper_before_is_refused(imported: Import) -> None:
    text = WITH_HELPER.replace("\n\ndef model", "\n\nbound = effects\n\n\ndef model").replace(
        "= effects(n)", "= bound(n)"
    )
    module = imported(text)
    said = refused(lambda: reparameterize(module.model, f'functions = ["effects"]\n{CONFIG}'))
    assert "'bound' was made of what is rewritten" in said


def test_a_problem_is_told_with_its_place_in_the_config(imported: Import) -> None:
    model = imported(MODEL).model
    said = refused(lambda: reparameterize(model, '[sites.a]\noffset = "nu"\n'))
    assert said.startswith("<config>:2:10: 'model' samples no site 'nu'")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: tune(model, "abc"), "args is a tuple"),
        (lambda model: tune(model, ARGS, [1]), "kwargs is a dictionary"),
        (lambda model: tune("model.py", ARGS), "a model is a function or the Path"),
        (lambda model: reparameterize(Path("model.py"), CONFIG), "rewrite(Path(...), config)"),
    ],
    ids=["args", "kwargs", "a path as text", "a file"],
)
def test_arguments_of_other_types(
    imported: Import, call: Callable[..., object], message: str
) -> None:
    with pytest.raises(TypeError) as caught:
        call(imported(MODEL).model)
    assert message in str(caught.value)


# -- with data -------------------------------------------------------------------------------------

DATA = "\nimport numpy as np\n\nGROUP = np.array([0, 1, 2, 0, 1, 2])\n" + MODEL.replace(
    "def model(group, n, y=None)", "def model(n, y=None)"
).replace("a[group]", "a[GROUP]")


def ran(model: Callable[..., Any], *args: Any) -> Any:
    """Its log density in the precision that users have, compiled."""
    values = {"mu": 1.0, "a": np.zeros(3)}
    return jax.jit(lambda: log_density(model, args, {"y": Y}, values)[0])()


def test_a_model_that_reads_arrays_of_its_module_goes_on_in_its_own_precision(
    imported: Import,
) -> None:
    """jax remembers such arrays by the precision that they first had."""
    model = imported(DATA).model
    before = ran(model, 3)
    tuned = tune(model, (3,), KWARGS)
    assert ran(model, 3) == before and before.dtype == "float32"
    assert verify(model, tuned.model, (3,), KWARGS, skip=["jit"]).equivalent


def test_tune_gives_the_model_its_config_and_where_to_start(imported: Import) -> None:
    model = imported(MODEL).model
    tuned = tune(model, ARGS, KWARGS)
    assert tuned.reason == "" and tuned.gain > 0.5
    assert {one.site for one in tuned.sites} == {"mu", "a"}
    assert str(tuned).startswith("site  sampled")
    assert {"mu_base", "a_base"} <= sites(tuned.model).keys()
    assert "inverse_mass_matrix" in tuned.warm_start()
    assert "+class Conditional(Reparam):" in tuned.diff()


def test_what_tune_found_is_what_its_config_and_arrays_make(imported: Import) -> None:
    model = imported(MODEL).model
    tuned = tune(model, ARGS, KWARGS)
    again = reparameterize(model, tuned.config, arrays=tuned.arrays)
    assert inspect.getsource(again) == inspect.getsource(tuned.model)
    assert verify(model, again, ARGS, KWARGS, skip=["jit"]).equivalent


def test_arrays_are_gone_when_the_program_ends(tmp_path: Path) -> None:
    text = HEAD + MODEL + "\nimport numpy as np\nfrom reparam_rewrite import tune\n"
    text += "args = (np.array([0, 1, 2, 0, 1, 2]), 3)\n"
    text += "y = np.array([1.0, 2.0, 3.5, 1.2, 2.2, 3.1])\n"
    text += "made = tune(model, args, {'y': y}).model\nprint(made.__globals__['__file__'])\n"
    beside = Path(python(text, tmp_path).strip())
    assert beside.name == "model.py" and not beside.parent.exists()


def test_files_that_are_saved_are_those_of_the_command_line(tmp_path: Path) -> None:
    for name in ("model.py", "example.py"):
        shutil.copy(FIXTURES / "grand_mean" / name, tmp_path)
    text = """
import subprocess, sys
from pathlib import Path
from example import example_args
from reparam_rewrite import tune
args, kwargs = example_args()
print(tune(Path("model.py"), args, kwargs).save("made.py", config="made.toml"))
"""
    assert python(text, tmp_path) == "('made.toml', 'made.npz', 'made.py')\n"
    made = {path.name: path.read_bytes() for path in tmp_path.glob("made.*")}
    words = ["tune", "model.py", "--args", "example.py:example_args", "-o", "made.py"]
    command = [*COMMAND, *words, "-c", "made.toml", "--force"]
    for name in made:
        (tmp_path / name).unlink()
    subprocess.run(command, cwd=tmp_path, env=environment(), check=True, capture_output=True)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("made.*")} == made


def test_a_config_that_is_there_is_not_overwritten(imported: Import, tmp_path: Path) -> None:
    tuned = tune(imported(MODEL).model, ARGS, KWARGS)
    (tmp_path / "offsets.toml").write_text('chain = ["mu", "a"]\n')
    assert "the file exists" in refused(lambda: tuned.save(config="offsets.toml"))
    assert not (tmp_path / "offsets.npz").exists()


def test_what_was_saved_is_saved_again(imported: Import, tmp_path: Path) -> None:
    tuned = tune(imported(MODEL).model, ARGS, KWARGS)
    first = tuned.save("made.py")
    assert [Path(path).name for path in first] == ["offsets.toml", "offsets.npz", "made.py"]
    assert tuned.save("made.py") == ()


def test_what_was_saved_is_read_again(imported: Import, tmp_path: Path) -> None:
    model = imported(MODEL).model
    tune(model, ARGS, KWARGS).save(config=tmp_path / "t.toml")
    assert "a_base" in sites(reparameterize(model, tmp_path / "t.toml"))


def test_fit_gives_the_config_with_numbers(imported: Import) -> None:
    model = imported(MODEL).model
    fitted = fit(model, CONFIG, ARGS, KWARGS)
    assert fitted.gains
    assert "learn = false" in fitted.config
    assert not any(site["type"] == "param" for site in sites(fitted.model).values())


def test_suggest_without_arguments_runs_nothing(imported: Import) -> None:
    model = imported(MODEL.replace("    mu =", "    assert False\n    mu =")).model
    found = suggest(model, offsets=True)
    assert found.chains == (("mu", "a"),)


def test_suggest_with_arguments_knows_the_data(imported: Import) -> None:
    found = suggest(imported(MODEL).model, ARGS, KWARGS)
    assert found.conditional == ("mu", "a")
    assert found.config == str(found)


def test_a_model_that_observes_nothing_is_refused(imported: Import) -> None:
    said = refused(lambda: tune(imported(MODEL).model, ARGS))
    assert "'model' observes nothing when it is called so" in said


def test_a_call_that_fails_says_where(imported: Import) -> None:
    module = imported(MODEL)
    said = refused(lambda: tune(module.model, (GROUP,), KWARGS))
    assert "missing 1 required positional argument: 'n'" in said


def test_files_are_compared_too() -> None:
    folder = FIXTURES / "grand_mean"
    report = verify(folder / "model.py", folder / "model_reparam.py", *example(), skip=["jit"])
    assert report.equivalent
    assert str(report).endswith("model_reparam.py is equivalent to " + str(folder / "model.py"))


def example() -> Any:
    from tests.support.execution import load_model

    return load_model(FIXTURES / "grand_mean" / "example.py", "example_args")()
