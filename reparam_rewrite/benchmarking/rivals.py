"""What a person would try instead of a config: one entry of `RIVALS` for each.

An entry says what the model is made into, and whether that is for NUTS, for SVI or for both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.infer.reparam import LocScaleReparam, NeuTraReparam, Reparam

from reparam_rewrite.benchmarking.pathfinder import pathfinder
from reparam_rewrite.benchmarking.values import PLAIN, Variant
from reparam_rewrite.fitting.probing import base_of
from reparam_rewrite.running.call import Call
from reparam_rewrite.running.trace import copied, traced
from reparam_rewrite.running.values import Model

#: Families that LocScaleReparam knows to take the location and scale out of.
LOC_SCALE = ("Normal", "StudentT", "Cauchy", "Laplace", "Gumbel", "Logistic")

#: More masses than this are a matrix of gigabytes.
LARGEST_DENSE = 10_000

#: And as many of each of Pathfinder's steps are too.
LARGEST_PATH = 2_000


def hierarchical_sites(call: Call) -> list[str]:
    """Latent sites of loc-scale families whose location or scale depends on other latents."""
    traces = [traced(call.model, *copied(call.args, call.kwargs), key=key) for key in (0, 1)]
    found = []
    for name in call.latents:
        one, other = (base_of(trace[name]["fn"]) for trace in traces)
        if type(one).__name__ in LOC_SCALE:
            alike = (np.array_equal(getattr(one, p), getattr(other, p)) for p in ("loc", "scale"))
            found += [] if all(alike) else [name]
    return found


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


def rival(
    name: str,
    mark: str,
    reparam: Callable[[], Reparam] | None = None,
    sites_of: Callable[[Call], list[str]] = lambda call: [],
    most: float = math.inf,
    **more: Any,
) -> Callable[[Variant, int], Variant | None]:
    """One thing to compare with: makes a variant of the model as written, or None if it is none.

    `name` is that of its row, and `mark` tells its runs from others. `reparam` makes the
    reparameterizer of each of some sites; without, the model is as written. `most` is up to how
    many unconstrained values it is tried, the other argument of what is returned. `more` is what
    else the `Variant` has.
    """

    def variant(plain: Variant, dims: int) -> Variant | None:
        call, sites = plain.call, sites_of(plain.call) if dims <= most else []
        if dims > most or (reparam is not None and not sites):
            return None
        identity = f"{plain.identity} {mark}"
        if reparam is not None:
            config = {site: reparam() for site in sites}
            call = call._replace(model=handlers.reparam(call.model, config=config))
            identity += f" {sites}"
        return Variant(call, identity, name, "rival", **more)

    return variant


def with_nutpie(variant: Variant, low_rank: bool) -> Variant:
    """The same model for nutpie, with a mass matrix that is diagonal, or that and of low rank."""
    mass = {"low_rank_modified_mass_matrix": True} if low_rank else {}
    return variant._replace(
        identity=f"{variant.identity} nutpie {version('nutpie')}",
        name=f"{variant.name}, nutpie{' low rank' * low_rank}",
        kind="rival" if variant.kind == "plain" else variant.kind,
        sampler="nutpie",
        kernel=mass,
        svi=False,
    )


def has(package: str) -> bool:
    return find_spec(package) is not None


def from_pathfinder(variant: Variant, dims: int) -> Variant | None:
    """NUTS that starts where Pathfinder has been."""
    if dims > LARGEST_PATH or not has("blackjax"):
        return None
    return variant._replace(
        identity=f"{variant.identity} pathfinder {version('blackjax')}",
        name="from Pathfinder's draws",
        kind="rival",
        kernel={"dense_mass": True},
        svi=False,
        start=pathfinder,
    )


def with_centring(model: Model, guide: Callable[[], Any], params: Mapping[str, Any]) -> Model:
    """The model with each site as centred as SVI has learned."""
    learned = {name: value for name, value in params.items() if name.endswith("_centered")}
    made: Model = handlers.substitute(model, data=learned)
    return made


def straightened(model: Model, guide: Callable[[], Any], params: Mapping[str, Any]) -> Model:
    """The model where the trained guide is a standard normal."""
    trained = guide()

    def made(*args: Any, **kwargs: Any) -> Any:
        # What a run leaves in the reparameterizer when it is stopped stays out of the next.
        return NeuTraReparam(trained, dict(params)).reparam(model)(*args, **kwargs)

    return made


LOW_RANK, FULL_RANK = "AutoLowRankMultivariateNormal", "AutoMultivariateNormal"

#: In the order of the tables.
RIVALS: tuple[Callable[[Variant, int], Variant | None], ...] = (
    # Guides that know of correlations.
    rival(f"{PLAIN}, {LOW_RANK}", LOW_RANK, most=20_000, nuts=False, guide=LOW_RANK),
    rival(f"{PLAIN}, {FULL_RANK}", FULL_RANK, most=2_000, nuts=False, guide=FULL_RANK),
    lambda plain, dims: with_nutpie(plain, low_rank=True) if has("nutpie") else None,
    rival("dense_mass=True", "dense", most=LARGEST_DENSE, svi=False, kernel={"dense_mass": True}),
    from_pathfinder,
    rival("LocScaleReparam(0)", "non-centred", partial(LocScaleReparam, 0), hierarchical_sites),
    # Each site between centred and non-centred, as SVI learns it (Gorinova et al. 2020).
    rival("VIP", "vip", partial(LocScaleReparam, None), hierarchical_sites, trained=with_centring),
    # NUTS in the coordinates of a guide with a low-rank covariance (Hoffman et al. 2019).
    rival(
        "NeuTra, low rank", "neutra", most=20_000, svi=False, guide=LOW_RANK, trained=straightened
    ),
    rival("ZeroSumNormal", "zero", ZeroSum, grouped_sites, other_prior=True),
)
