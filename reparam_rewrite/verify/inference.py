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
from reparam_rewrite.verify.points import Compared
from reparam_rewrite.verify.values import Line

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


#: By the way of inference what is run of it, and what is said where it takes the model.
WAYS: dict[str, tuple[Run, str]] = {
    "AutoNormal": (by_guide(AutoNormal), "SVI with it takes a step"),
    "AutoDiagonalNormal": (by_guide(AutoDiagonalNormal), "SVI with it takes a step"),
    "NUTS": (by_nuts, "it finds its first state"),
}


def inference_lines(compared: Compared, way: str) -> Iterator[Line]:
    """Whether a way of inference takes the generated model, if it takes the plain one."""
    change, (run, said) = compared.change, WAYS[way]
    if way == "NUTS" and change.pairing.subsampled:
        message = "HMC takes no subsampled plates, those of the plain model neither"
        yield Line(check=way, status="skipped", message=message)
        return
    error = refused(run, change.generated, change.args, change.kwargs)
    if error is None:
        yield Line(check=way, status="ok", message=said)
        return
    before = refused(run, change.plain, change.args, change.kwargs)
    if before is not None:
        message = f"not for such a model, nor for the plain one: {summary(before)}"
        yield Line(check=way, status="skipped", message=message)
        return
    message = f"{way} takes the plain model, and not the generated one: {summary(error)}"
    site = site_of(error, list(compared.plain))
    yield Line(check=way, status="different", site=site, message=message)


def refused(
    run: Run, model: Model, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Exception | None:
    """What a way of inference raises, None if it takes the model."""
    try:
        jax.eval_shape(lambda key: run(model, args, kwargs, key), jax.random.key(0))
    except Exception as error:
        return error
    return None
