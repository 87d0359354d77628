"""Do the usual ways of inference take the generated model, wherever they take the plain one?

Each is traced, not run: what a guide or a sampler refuses, it refuses on its first look at the
shapes, and nothing is compiled. That densities and gradients are finite is seen elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
from numpyro import optim
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoDiagonalNormal, AutoNormal
from numpyro.infer.util import initialize_model

from reparam_rewrite.running.errors import site_of, summary
from reparam_rewrite.running.values import Model
from reparam_rewrite.verify.values import Line, Options

Run = Callable[[Model, Sequence[Any], Mapping[str, Any], jax.Array], Any]


def by_guide(guide: Any) -> Run:
    def run(model: Model, args: Sequence[Any], kwargs: Mapping[str, Any], key: jax.Array) -> Any:
        svi = SVI(model, guide(model), optim.Adam(1e-3), Trace_ELBO())
        state = svi.init(key, *args, **kwargs)
        state, loss = svi.update(state, *args, **kwargs)
        return loss, svi.get_params(state)

    return run


def by_nuts(model: Model, args: Sequence[Any], kwargs: Mapping[str, Any], key: jax.Array) -> Any:
    info = initialize_model(key, model, model_args=tuple(args), model_kwargs=dict(kwargs))
    return info.param_info, info.postprocess_fn(info.param_info.z)


WAYS: dict[str, Run] = {
    "AutoNormal": by_guide(AutoNormal),
    "AutoDiagonalNormal": by_guide(AutoDiagonalNormal),
    "NUTS": by_nuts,
}

SAID = {
    "AutoNormal": "SVI with it takes a step",
    "AutoDiagonalNormal": "SVI with it takes a step",
    "NUTS": "it finds its first state",
}


def inference_lines(
    plain: Model,
    generated: Model,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    names: Sequence[str],
    subsampled: bool,
    options: Options,
) -> Iterator[Line]:
    for way, run in WAYS.items():
        if way in options.skip:
            continue
        if way == "NUTS" and subsampled:
            message = "HMC takes no subsampled plates, those of the plain model neither"
            yield Line(check=way, status="skipped", message=message)
            continue
        error = refused(run, generated, args, kwargs)
        if error is None:
            yield Line(check=way, status="ok", message=SAID[way])
            continue
        before = refused(run, plain, args, kwargs)
        if before is not None:
            message = f"not for such a model, nor for the plain one: {summary(before)}"
            yield Line(check=way, status="skipped", message=message)
            continue
        message = f"{way} takes the plain model, and not the generated one: {summary(error)}"
        yield Line(check=way, status="different", site=site_of(error, names), message=message)


def refused(
    run: Run, model: Model, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Exception | None:
    """What a way of inference raises, None if it takes the model."""
    try:
        jax.eval_shape(lambda key: run(model, args, kwargs, key), jax.random.key(0))
    except Exception as error:
        return error
    return None
