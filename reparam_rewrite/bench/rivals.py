"""What a person would try instead of a config: one entry of `RIVALS` for each.

An entry says what the model is made into, and whether that is for NUTS, for SVI or for both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.infer.reparam import LocScaleReparam, NeuTraReparam, Reparam

from reparam_rewrite.bench.values import PLAIN, Cost, Variant
from reparam_rewrite.fit.probing import base_of
from reparam_rewrite.running.call import Call
from reparam_rewrite.running.trace import copied, traced
from reparam_rewrite.running.values import Model

#: Families that LocScaleReparam knows to take the location and scale out of.
LOC_SCALE = ("Normal", "StudentT", "Cauchy", "Laplace", "Gumbel", "Logistic")

#: More masses than this are a matrix of gigabytes.
LARGEST_DENSE = 10_000


def hierarchical_sites(call: Call) -> list[str]:
    """Latent sites of loc-scale families whose location or scale depends on other latents."""
    first, second = (traced(call.model, *copied(call.args, call.kwargs), key=key) for key in (0, 1))
    priors = {
        name: [base_of(trace[name]["fn"]) for trace in (first, second)] for name in call.latents
    }
    return [
        name
        for name, (one, other) in priors.items()
        if type(one).__name__ in LOC_SCALE
        and not all(np.array_equal(getattr(one, p), getattr(other, p)) for p in ("loc", "scale"))
    ]


def grouped_sites(call: Call) -> list[str]:
    """Normal sites of several elements around 0, which ZeroSumNormal could take the place of."""
    trace = traced(call.model, *copied(call.args, call.kwargs))
    return [
        name
        for name in call.latents
        for prior in [base_of(trace[name]["fn"])]
        if type(prior).__name__ == "Normal"
        and np.size(trace[name]["value"]) > 1
        and not np.any(np.asarray(prior.loc))
    ]


class ZeroSum(Reparam):  # type: ignore[misc]
    """The site of a ZeroSumNormal of the same scale, for one of a Normal around 0.

    A ZeroSumNormal is a Normal without its means, along all axes. It is sampled as that: the means
    are values of their own that the data say nothing of, and that meet nothing else.
    """

    def __call__(self, name: str, fn: Any, obs: Any) -> Any:
        import numpyro

        raw = numpyro.sample(f"{name}_raw", fn)
        for axis in range(-jnp.ndim(raw), 0):
            if jnp.shape(raw)[axis] > 1:
                raw = raw - jnp.mean(raw, axis=axis, keepdims=True)
        return None, raw


#: Gives a guide that knows its model.
Guide = Callable[[], Any]


class Rival(NamedTuple):
    """One thing to compare with.

    `name` is that of its row, and `mark` tells its runs from others. `reparam` makes the
    reparameterizer of each of the `sites`; without, the model is as written. `most` is up to how
    many unconstrained values it is tried, and `dense` asks NUTS for a dense mass matrix. `guide` is
    what SVI fits, the name of a class of numpyro.infer.autoguide. `trained` makes what NUTS samples
    of what SVI has learned.
    """

    name: str
    mark: str
    reparam: Callable[[], Reparam] | None = None
    sites: Callable[[Call], list[str]] = lambda call: []
    nuts: bool = True
    svi: bool = True
    most: float = math.inf
    dense: bool = False
    guide: str = "AutoDiagonalNormal"
    trained: Callable[[Model, Guide, Mapping[str, Any]], Model] | None = None
    other_prior: bool = False

    def variant(self, plain: Variant, dims: int) -> Variant | None:
        """The rival, before anything is trained, of the model as written, if it is one for it.

        dims: how many unconstrained values that has.
        """
        call, mark = plain.call, self.mark
        if dims > self.most:
            return None
        if self.reparam is not None:
            sites = self.sites(call)
            if not sites:
                return None
            config = {name: self.reparam() for name in sites}
            call = call._replace(model=handlers.reparam(call.model, config=config))
            mark = f"{mark} {sites}"
        identity = f"{plain.identity} {mark}"
        found = Variant(call, identity, self.name, "rival", self.dense, self.guide)
        return found._replace(other_prior=self.other_prior)

    def after(
        self, variant: Variant, guide: Guide, params: Mapping[str, Any], cost: Cost
    ) -> Variant:
        """The variant as NUTS samples it once its guide has been trained at a `cost`."""
        assert self.trained is not None
        arrays = {name: jnp.asarray(value) for name, value in params.items()}
        model = self.trained(variant.call.model, guide, arrays)
        # How it was trained is in its cost: what NUTS samples has no guide of its own.
        call, default = variant.call._replace(model=model), Variant._field_defaults["guide"]
        return variant._replace(call=call, guide=default, cost=cost)


def with_centring(model: Model, guide: Guide, params: Mapping[str, Any]) -> Model:
    """The model with each site as centred as SVI has learned."""
    learned = {name: value for name, value in params.items() if name.endswith("_centered")}
    made: Model = handlers.substitute(model, data=learned)
    return made


def straightened(model: Model, guide: Guide, params: Mapping[str, Any]) -> Model:
    """The model where the trained guide is a standard normal."""
    trained = guide()

    def made(*args: Any, **kwargs: Any) -> Any:
        # What a run leaves in the reparameterizer when it is stopped stays out of the next.
        return NeuTraReparam(trained, dict(params)).reparam(model)(*args, **kwargs)

    return made


LOW_RANK, FULL_RANK = "AutoLowRankMultivariateNormal", "AutoMultivariateNormal"

#: In the order of the tables.
RIVALS = (
    # Guides that know of correlations.
    Rival(f"{PLAIN}, {LOW_RANK}", LOW_RANK, nuts=False, most=20_000, guide=LOW_RANK),
    Rival(f"{PLAIN}, {FULL_RANK}", FULL_RANK, nuts=False, most=2_000, guide=FULL_RANK),
    Rival("dense_mass=True", "dense", svi=False, most=LARGEST_DENSE, dense=True),
    Rival("LocScaleReparam(0)", "non-centred", partial(LocScaleReparam, 0), hierarchical_sites),
    # Each site between centred and non-centred, as SVI learns it (Gorinova et al. 2020).
    Rival("VIP", "vip", partial(LocScaleReparam, None), hierarchical_sites, trained=with_centring),
    # NUTS in the coordinates of a guide with a low-rank covariance (Hoffman et al. 2019).
    Rival(
        "NeuTra, low rank", "neutra", svi=False, most=20_000, guide=LOW_RANK, trained=straightened
    ),
    Rival("ZeroSumNormal", "zero", ZeroSum, grouped_sites, other_prior=True),
)
