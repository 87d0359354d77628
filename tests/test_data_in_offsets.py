"""What draws mean must not depend on the data of another call.

tests/cases/data-in-offsets/ has what is generated.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cases import rewritten_text
from tests.support.shapes import read_case


def models_of(name: str) -> tuple[bytes, bytes]:
    """The plain model of a case, and the generated one."""
    shape = read_case(f"data-in-offsets/{name}").shape
    return shape.source, rewritten_text(shape.source, shape.config).encode()


def test_comment_is_broken_at_the_line_length() -> None:
    plain = read_case("data-in-offsets/an-argument").shape.source.decode()
    value = 'mu * x.mean() * data["weights"].mean() * data["exposures"].max()'
    config = f"[sites.b.offset]\nmu = {{ value = '{value}' }}\n"
    code = rewritten_text(plain.replace("(x, y=None)", "(x, data, y=None)"), config, 60)
    comment = [line for line in code.splitlines() if line.strip().startswith("#")]
    assert len(comment) > 1
    assert max(map(len, comment)) <= 60


@pytest.mark.parametrize(
    "shape",
    [
        "an-argument",
        pytest.param("a-scale", marks=pytest.mark.long),
        "bounds-of-the-support",
        "the-loc-that-locscalereparam-takes-apart",
        pytest.param("the-site-of-a-helper", marks=pytest.mark.long),
        "observations-that-are-computed-after-the-site",
    ],
)
def test_predictions_from_new_data(shape: str) -> None:
    """The generated model and the plain one predict the same from draws that were made with y.

    With observations of the new data, they say the same of how likely these are.
    """
    import jax
    import jax.numpy as jnp
    from numpyro.infer import Predictive, log_likelihood

    from tests.support.execution import load_model

    plain, generated = models_of(shape)
    models = [load_model(plain), load_model(generated)]
    x, y = jnp.array([1.0, 2.0, 3.0]), jnp.array([2.5, 4.5, 6.5])
    keys = jax.random.split(jax.random.PRNGKey(0))
    drawn: dict[str, Any] = Predictive(models[1], num_samples=3)(keys[0], x, y)
    assert {"b_base", "b_decentered"} & {*drawn}
    draws = {name: value for name, value in drawn.items() if name != "y"}
    new = jnp.array([1.0, 10.0, 4.0])
    first, second = (Predictive(m, draws)(keys[1], new)["y"] for m in models)
    assert jnp.allclose(first, second)
    first, second = (log_likelihood(m, draws, new, y)["y"] for m in models)
    assert jnp.allclose(first, second)


def test_draws_count_by_the_name_that_a_scope_gives() -> None:
    """``scope(model, hide_types=["param"])``: its coefficients are those of other models, too."""
    import jax
    import jax.numpy as jnp
    from numpyro.handlers import scope
    from numpyro.infer import Predictive

    from tests.support.execution import load_model

    plain, generated = map(load_model, models_of("an-argument"))
    x, new = jnp.array([1.0, 2.0, 3.0]), jnp.array([1.0, 10.0, 4.0])
    keys = jax.random.split(jax.random.PRNGKey(0))

    def scoped(model: Any) -> Any:
        return scope(model, prefix="q", hide_types=["param"])

    drawn = Predictive(scoped(generated), num_samples=3)(keys[0], x, 2 * x)
    draws = {name: value for name, value in drawn.items() if name != "q/y"}
    assert "q/b_base" in draws
    first, second = (Predictive(scoped(m), draws)(keys[1], new) for m in (plain, generated))
    assert jnp.allclose(first["q/y"], second["q/y"])


def test_verify_gives_both_models_the_draws_of_the_child() -> None:
    """An offset that reads data means another one with other data: draws of `b` count."""
    import jax.numpy as jnp

    from reparam_rewrite.testing import assert_equivalent
    from tests.support.execution import OTHERWISE, load_model

    plain, generated = map(load_model, models_of("an-argument"))
    left_out = [check for check in OTHERWISE if check != "data"]
    args = jnp.array([1.0, 2.0, 4.0]), jnp.array([2.5, 4.5, 6.5])
    assert_equivalent(plain, generated, args, points=2, skip=left_out)


def test_draws_of_a_guide_mean_what_they_meant() -> None:
    """A guide has draws of the base only: with the data of its training they give the child."""
    import jax
    import jax.numpy as jnp
    from numpyro.infer import Predictive

    from tests.support.execution import load_model

    generated = load_model(models_of("an-argument")[1])
    x, y = jnp.array([1.0, 2.0, 3.0]), jnp.array([2.5, 4.5, 6.5])
    drawn = Predictive(generated, num_samples=3)(jax.random.PRNGKey(0), x, y)
    of_guide = {name: drawn[name] for name in ("mu", "b_base")}
    found = Predictive(generated, of_guide)(jax.random.PRNGKey(1), x)
    assert jnp.allclose(found["b"], drawn["b"])
