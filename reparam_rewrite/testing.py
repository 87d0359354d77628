"""For test suites: ``assert_equivalent(plain, generated, args, kwargs)``.

    from reparam_rewrite.testing import assert_equivalent

    def test_the_generated_model_is_the_plain_one():
        assert_equivalent(model.model, model_reparam.model, *example_args())

Needs jax and numpyro (``pip install "reparam-rewrite[models]"``). It computes in float64 whatever
the tests around it use, and leaves their setting as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reparam_rewrite.api.verifying import verify
from reparam_rewrite.running.values import Model
from reparam_rewrite.verifying.values import Report

__all__ = ["assert_equivalent", "difference"]


def assert_equivalent(
    plain: Model,
    generated: Model,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    points: int = 20,
    seed: int = 0,
    rtol: float = 1e-8,
    skip: Sequence[str] = (),
    coefficients: Iterable[str] | None = None,
    bases: Mapping[str, str] | None = None,
    base_name: str = "",
) -> Report:
    """Assert that the generated model is the plain one with other coordinates for its latents.

    Both are called with `args` and `kwargs`, and must pass all that ``reparam-rewrite verify``
    checks, at `points` random points drawn by `seed`, to a relative tolerance of `rtol`. `skip`
    are names of checks to leave out ("jit" is the slowest). `coefficients` are the names that the
    generated model's new params must have, and no others. `bases` tells the latent sampled for a
    site where that can't be told, such as {"theta": "theta_decentered"}, and `base_name` is a
    template that the name of every other one must follow, such as "{}_base".

    Returns the report. Raises AssertionError with what is different or could not be told, by site
    and with figures; whatever the plain model raises is a `Refusal` with its place.
    """
    report = verify(
        plain,
        generated,
        args,
        kwargs,
        points=points,
        seed=seed,
        rtol=rtol,
        skip=skip,
        coefficients=coefficients,
        bases=bases,
        base_name=base_name,
    )
    if not report.equivalent:
        raise AssertionError(difference(report))
    return report


def difference(report: Report) -> str:
    """What is wrong, as the message of a failed assertion: log densities last, and by site."""
    wrong = [*report.different, *report.unchecked]
    said = [line.message for line in wrong if not line.density]
    by_site = [f"  {line.site}: {line.message}" for line in wrong if line.density == "site"]
    total = [line.message for line in wrong if line.density == "model"][:1]
    if by_site:
        total = [
            "\n".join([f"{total[0] if total else 'log densities differ'}; by site:", *by_site])
        ]
    return "\n".join([*said, *total])
