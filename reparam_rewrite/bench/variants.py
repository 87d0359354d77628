"""The rows of the table: the model as written, configs, and what a person would try instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.infer.reparam import LocScaleReparam, NeuTraReparam, Reparam

from reparam_rewrite.bench.values import PLAIN, Cost, Variant
from reparam_rewrite.running.call import Call
from reparam_rewrite.running.trace import copied, traced
from reparam_rewrite.running.values import Model

#: Families that LocScaleReparam knows to take the location and scale out of.
LOC_SCALE = ("Normal", "StudentT", "Cauchy", "Laplace", "Gumbel", "Logistic")

#: Guides with covariances: what they are, and up to how many dims they are tried.
GUIDES = {"AutoLowRankMultivariateNormal": 20_000, "AutoMultivariateNormal": 2_000}

#: More masses than this are a matrix of gigabytes.
LARGEST_DENSE = 10_000


def plain(call: Call, identity: str) -> Variant:
    return Variant(PLAIN, "plain", call.model, identity)


def base_of(fn: Any) -> Any:
    """The distribution itself, without what plates, masks and events put around it."""
    while hasattr(fn, "base_dist") and not hasattr(fn, "transforms"):
        fn = fn.base_dist
    return fn


def hierarchical_sites(call: Call) -> list[str]:
    """Latent sites of loc-scale families whose location or scale depends on other latents."""
    traces = [traced(call.model, *copied(call.args, call.kwargs), key=key) for key in (0, 1)]
    found = []
    for name in call.latents:
        first, second = (base_of(trace[name]["fn"]) for trace in traces)
        if type(first).__name__ not in LOC_SCALE:
            continue
        if any(
            not np.array_equal(np.asarray(getattr(first, p)), np.asarray(getattr(second, p)))
            for p in ("loc", "scale")
        ):
            found.append(name)
    return found


def grouped_sites(call: Call) -> list[str]:
    """Normal sites of several elements around 0, which ZeroSumNormal could take the place of."""
    trace = traced(call.model, *copied(call.args, call.kwargs))
    return [
        name
        for name in call.latents
        if type(base_of(trace[name]["fn"])).__name__ == "Normal"
        and np.size(trace[name]["value"]) > 1
        and not np.any(np.asarray(base_of(trace[name]["fn"]).loc))
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


def reparameterized(model: Model, config: Mapping[str, Reparam]) -> Model:
    made: Model = handlers.reparam(model, config=dict(config))
    return made


def with_params(model: Model, params: Mapping[str, Any]) -> Model:
    """The model with its `numpyro.param` sites where SVI left them."""
    made: Model = handlers.substitute(model, data=dict(params))
    return made


def samplers(call: Call, identity: str, dims: int) -> Iterator[Variant]:
    """What else NUTS could be given, without training anything."""
    if dims <= LARGEST_DENSE:
        yield Variant("dense_mass=True", "rival", call.model, f"{identity} dense", dense=True)
    sites = hierarchical_sites(call)
    if sites:
        model = reparameterized(call.model, {name: LocScaleReparam(0) for name in sites})
        yield Variant("LocScaleReparam(0)", "rival", model, f"{identity} non-centred {sites}")


def zero_sum(call: Call, identity: str) -> Iterator[Variant]:
    sites = grouped_sites(call)
    if sites:
        model = reparameterized(call.model, {name: ZeroSum() for name in sites})
        yield Variant("ZeroSumNormal", "rival", model, f"{identity} zero {sites}", other_prior=True)


def untrained_vip(call: Call, identity: str) -> Variant | None:
    """Each site between centred and non-centred, as SVI learns it (Gorinova et al. 2020)."""
    sites = hierarchical_sites(call)
    if not sites:
        return None
    model = reparameterized(call.model, {name: LocScaleReparam(None) for name in sites})
    return Variant("VIP", "rival", model, f"{identity} vip {sites}")


def trained_vip(variant: Variant, params: Mapping[str, Any], cost: Cost) -> Variant:
    learned = {name: jnp.asarray(v) for name, v in params.items() if name.endswith("_centered")}
    return Variant(
        variant.name, "rival", with_params(variant.model, learned), variant.identity, cost=cost
    )


def low_rank(call: Call, identity: str) -> Variant:
    """A guide with a low-rank covariance, to sample in its coordinates."""
    guide = "AutoLowRankMultivariateNormal"
    return Variant("NeuTra, low rank", "rival", call.model, f"{identity} neutra", guide=guide)


def neutra(variant: Variant, guide: Any, params: Mapping[str, Any], cost: Cost) -> Variant:
    """NUTS where the trained guide is a standard normal (Hoffman et al. 2019)."""
    arrays = {name: jnp.asarray(value) for name, value in params.items()}

    def model(*args: Any, **kwargs: Any) -> Any:
        # What a run leaves in the reparameterizer when it is stopped stays out of the next.
        return NeuTraReparam(guide, arrays).reparam(variant.model)(*args, **kwargs)

    return Variant(variant.name, "rival", model, variant.identity, cost=cost)


def guides(call: Call, identity: str, dims: int) -> Iterator[Variant]:
    """Guides that know of correlations, on the model as written."""
    for name, largest in GUIDES.items():
        if dims <= largest:
            yield Variant(f"{PLAIN}, {name}", "rival", call.model, f"{identity} {name}", guide=name)


def named(paths: Sequence[str]) -> list[str]:
    """The names of configs in the table: of files, and of paths where files have the same name."""
    names = [Path(path).name for path in paths]
    return [
        name if names.count(name) == 1 else path for name, path in zip(names, paths, strict=True)
    ]
