"""Coefficients that are arrays: in the config, or in an .npz beside the generated file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from numpyro import handlers

from reparam_rewrite.messages import Refusal
from reparam_rewrite.running.load import load
from tests.support import notebooks
from tests.support.cases import FIXTURES, rewritten_case, rewritten_text, without_layout
from tests.support.cli import run
from tests.support.execution import assert_equivalent, load_model, traced

CROSSED = FIXTURES / "crossed"
TENSOR = FIXTURES / "tensor"
KALMAN = FIXTURES / "kalman"

PLAIN = """\
import numpyro
import numpyro.distributions as dist


def model(n, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(mu + a, 0.1), obs=y)
"""


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            "init = [0.5, 1, -2.0], learn = false",
            '    a_loc = fitted("a", "xi_a_mu", (n,), [0.5, 1.0, -2.0]) * mu\n',
        ),
        (
            "init = [0.5, 1, -2.0]",
            'numpyro.param("xi_a_mu", fitted("a", "xi_a_mu", (n,), [0.5, 1.0, -2.0])) * mu\n',
        ),
        (
            'init = "fit.npz", learn = false',
            '    a_loc = loaded("a", "xi_a_mu", (n,), "fit.npz") * mu\n',
        ),
        (
            'init = "fit.npz", learn = false, name = "w"',
            '    a_loc = loaded("a", "w", (n,), "fit.npz") * mu\n',
        ),
    ],
)
def test_what_is_written(settings: str, expected: str) -> None:
    code = rewritten_text(PLAIN, f"[sites.a.offset]\nmu = {{ {settings} }}")
    assert without_layout(expected) in without_layout(code)


def test_the_import_of_a_path_stands_with_the_standard_library() -> None:
    config = '[sites.a.offset]\nmu = { init = "fit.npz" }'
    alone = rewritten_text(PLAIN, config)
    assert alone.startswith("from pathlib import Path\n\nimport jax.numpy as jnp\nimport numpyro\n")
    among = rewritten_text("import math\nimport sys\n\n" + PLAIN, config)
    assert among.startswith("import math\nimport sys\nfrom pathlib import Path\n\nimport jax")
    there = rewritten_text("from pathlib import Path as P\n\n" + PLAIN, config)
    assert "P(__file__).with_name(file)" in there and there.count("pathlib") == 1
    own = rewritten_text("Path = 3\n" + PLAIN, config)
    found = re.search(r"from pathlib import Path as (\w+)\n", own)
    assert found is not None and f"{found[1]}(__file__)" in own


def values_of(shape: tuple[int, ...]) -> list[object]:
    return np.linspace(-1, 1, int(np.prod(shape))).round(3).reshape(shape).tolist()


@pytest.mark.parametrize("learn", ["true", "false"])
@pytest.mark.parametrize(
    ("child", "settings", "shape"),
    [
        ("A", "", ("n_i", "n_t")),
        ("A", 'coefficient = ["i"], ', ("n_i", 1)),
        ("B", 'coefficient = "matrix", ', ("n_j", "n_i")),
    ],
)
def test_the_density_is_the_plain_one_s(
    child: str, settings: str, shape: tuple[str | int, ...], learn: str
) -> None:
    args, kwargs = load_model(TENSOR / "example.py", "example_args")()
    sizes = dict(zip(("n_i", "n_j", "n_t"), args, strict=True))
    array = values_of(tuple(sizes[s] if isinstance(s, str) else s for s in shape))
    config = (
        f"[sites.{child}.offset]\n"
        f"{'A' if child == 'B' else 'mu'} = {{ {settings}init = {array}, learn = {learn} }}"
    )
    generated = rewritten_case(TENSOR, config).data.decode()
    assert f'fitted("{child}",' in without_layout(generated)
    model = load_model(generated)
    assert_equivalent(load_model(TENSOR / "model.py"), model, args, kwargs, points=3)


@pytest.mark.parametrize("learn", ["true", "false"])
def test_each_step_of_a_scan_has_its_part(learn: str) -> None:
    args, kwargs = load_model(KALMAN / "example.py", "example_args")()
    array = values_of((args[2],))
    config = f"[sites.z.offset]\nmu = {{ init = {array}, learn = {learn} }}"
    generated = rewritten_case(KALMAN, config).data.decode()
    assert "xi_z_mu_t * mu" in generated
    model = load_model(generated)
    assert_equivalent(load_model(KALMAN / "model.py"), model, args, kwargs, points=3)


def test_the_base_is_what_the_array_says() -> None:
    config = "[sites.a.offset]\nmu = { init = [0.0, 1.0, 2.0], learn = false }"
    model = load_model(rewritten_text(PLAIN, config))
    given = handlers.substitute(model, {"mu": 10.0, "a_base": np.zeros(3)})
    trace = handlers.trace(handlers.seed(given, jax.random.PRNGKey(0))).get_trace(3)
    np.testing.assert_allclose(trace["a"]["value"], [0, -10, -20])


@pytest.mark.parametrize("array", ["[0.5, 1.0]", "[[0.5, 1.0, 2.0]]", "[[0.5], [1.0]]"])
def test_an_array_that_does_not_fit_fails_rather_than_widen(array: str) -> None:
    model = load_model(
        rewritten_text(PLAIN, f"[sites.a.offset]\nmu = {{ init = {array}, learn = false }}")
    )
    shape = re.escape(str(np.shape(json.loads(array))))
    wrong = (
        f"^'a' can't use 'xi_a_mu' of shape {shape} for \\(3,\\): run 'reparam-rewrite fit' again$"
    )
    with pytest.raises(ValueError, match=wrong):
        traced(model, (3,), {})


# -- files -----------------------------------------------------------------------------------------


def test_a_file_beside_the_generated_one(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(PLAIN)
    (tmp_path / "o.toml").write_text('[sites.a.offset]\nmu = { init = "o.npz", learn = false }\n')
    words = ["model.py", "--config", "o.toml", "-o", "made.py"]
    ran = run(tmp_path, *words)
    assert (ran.status, ran.err) == (
        2,
        "o.toml:2:15: there is no 'o.npz' beside made.py, which would load it\n"
        '    mu = { init = "o.npz", learn = false }\n'
        "                  ^\n"
        "hint: coefficients in an .npz are read from the folder of the generated file.\n",
    )
    assert not (tmp_path / "made.py").exists()
    np.savez(tmp_path / "o.npz", xi_a_mu=np.array([0.25, 0.5, 1.0]))
    assert run(tmp_path, *words).status == 0
    model, plain = (
        load(str(tmp_path / "made.py"), "file", "model").model,
        load_model(tmp_path / "model.py"),
    )
    assert_equivalent(plain, model, (3,), {"y": np.zeros(3)}, points=3)
    given = handlers.substitute(model, {"mu": 4.0, "a_base": np.zeros(3)})
    trace = handlers.trace(handlers.seed(given, jax.random.PRNGKey(0))).get_trace(3)
    np.testing.assert_allclose(trace["a"]["value"], [-1, -2, -4])


@pytest.mark.parametrize(
    ("arrays", "wrong"),
    [
        ({"xi_a_mu": [1.0, 2.0]}, "Incompatible"),
        ({"xi_b_mu": [1.0, 2.0, 3.0]}, "xi_a_mu is not a file in the archive"),
        (None, "No such file"),
    ],
)
def test_a_file_that_does_not_fit_says_so_when_the_model_runs(
    tmp_path: Path, arrays: dict[str, list[float]] | None, wrong: str
) -> None:
    made = tmp_path / "made.py"
    made.write_text(rewritten_text(PLAIN, '[sites.a.offset]\nmu = { init = "o.npz" }'))
    if arrays is not None:
        np.savez(tmp_path / "o.npz", **{name: np.array(one) for name, one in arrays.items()})
    said = f"^'a' can't use 'xi_a_mu' of o.npz \\(.*{wrong}.*run 'reparam-rewrite fit' again$"
    with pytest.raises(ValueError, match=f"(?s){said}"):
        traced(load(str(made), "file", "model").model, (3,), {})


def test_fit_takes_a_config_that_was_fitted_to_other_groups(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(PLAIN)
    config = tmp_path / "o.toml"
    config.write_text("[sites.a.offset]\nmu = { init = [0.5, 1.0, -2.0], learn = false }\n")
    call = '(4,), {"y": __import__("numpy").arange(4.0)}'
    words = ["fit", "model.py", "--config", "o.toml", "--args", call, "--pilot", "laplace"]
    ran = run(tmp_path, *words)
    assert ran.status == 0
    assert "init = 0.9" in config.read_text()


# -- refused ---------------------------------------------------------------------------------------

SUBSAMPLED = PLAIN.replace('numpyro.plate("n", n)', 'numpyro.plate("n", n, subsample_size=2)')


@pytest.mark.parametrize(
    ("plain", "settings", "message"),
    [
        (
            PLAIN,
            'init = [1.0, 2.0], coefficient = "shared"',
            "the coefficient of 'mu' in 'a' is shared, so that 'init' must be a number",
        ),
        (PLAIN, "init = []", "'init' is empty"),
        (PLAIN, "init = [1.0, [2.0]]", "'init' mixes numbers and arrays"),
        (PLAIN, "init = [[1.0], [2.0, 3.0]]", "'init' has rows of different lengths"),
        (PLAIN, 'init = [1.0, "x"]', "'init' must be a number, not a string"),
        (PLAIN, "init = [1.0, nan]", "'init' must be a finite number, not nan"),
        (PLAIN, 'init = "../o.npz"', "'init' must be a number, an array or the name of an .npz"),
        (PLAIN, 'init = "o.npy"', "'init' must be a number, an array or the name of an .npz"),
        (PLAIN, 'init = "{x}.npz"', "'init' names a file whose name can't stand in code"),
        (
            SUBSAMPLED,
            "init = [1.0, 2.0], learn = false",
            "'a' is in a subsampled plate, which takes its part of a param only",
        ),
    ],
)
def test_refused_of_a_model(plain: str, settings: str, message: str) -> None:
    with pytest.raises(Refusal) as refused:
        rewritten_text(plain, f"[sites.a.offset]\nmu = {{ {settings} }}")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("config", "hint"),
    [
        (
            '[sites.a.offset]\nmu = { init = "o.npz" }',
            "give the coefficients as an array: init = [0.5, 1.0].",
        ),
        (
            '[sites.a.offset]\nmu = { per = "o.npz" }',
            'say how both meet: { value = "s[state]", per = "county" }, for example.',
        ),
        (
            '[conditional]\norder = ["mu", "a"]\ndata = "o.npz"',
            "write the model into a .py file, or take 'conditional' out.",
        ),
    ],
)
def test_refused_of_a_notebook(config: str, hint: str) -> None:
    with pytest.raises(Refusal) as refused:
        notebooks.rewritten_notebook(notebooks.notebook(PLAIN), config)
    assert "the code of a notebook doesn't know its folder" in str(refused.value)
    assert str(refused.value).endswith(f"hint: {hint}")
