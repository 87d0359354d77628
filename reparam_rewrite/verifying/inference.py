"""Do the usual ways of inference take the generated model, wherever they take the plain one?

Each is traced, not run: what a guide or a sampler refuses, it refuses on its first look at the
shapes, and nothing is compiled. That densities and gradients are finite is seen elsewhere.
"""

from __future__ import annotations

from typing import Any

import jax
from numpyro import optim
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoDiagonalNormal, AutoNormal
from numpyro.infer.util import initialize_model

from reparam_rewrite.running.errors import site_of, summary
from reparam_rewrite.running.values import Model
from reparam_rewrite.verifying.points import Compared
from reparam_rewrite.verifying.values import Line, different, ok, skipped

GUIDES = {"AutoNormal": AutoNormal, "AutoDiagonalNormal": AutoDiagonalNormal}

WAYS = (*GUIDES, "NUTS")


def inference_lines(compared: Compared, way: str) -> list[Line]:
    """Whether a way of inference takes the generated model, if it takes the plain one."""
    plain, generated, (args, kwargs) = compared.change.models

    def first_step(model: Model, key: jax.Array) -> Any:
        if way == "NUTS":
            info = initialize_model(key, model, model_args=args, model_kwargs=kwargs)
            return info.param_info, info.postprocess_fn(info.param_info.z)
        svi = SVI(model, GUIDES[way](model), optim.Adam(1e-3), Trace_ELBO())
        state, loss = svi.update(svi.init(key, *args, **kwargs), *args, **kwargs)
        return loss, svi.get_params(state)

    def refused(model: Model) -> Exception | None:
        try:
            jax.eval_shape(lambda key: first_step(model, key), jax.random.key(0))
        except Exception as error:
            return error
        return None

    if way == "NUTS" and compared.change.pairing.subsampled:
        return [skipped("HMC takes no subsampled plates, those of the plain model neither")]
    error = refused(generated)
    if error is None:
        return [ok("it finds its first state" if way == "NUTS" else "SVI with it takes a step")]
    if before := refused(plain):
        return [skipped(f"not for such a model, nor for the plain one: {summary(before)}")]
    message = f"{way} takes the plain model, and not the generated one: {summary(error)}"
    return [different(site_of(error, compared.plain), message)]
