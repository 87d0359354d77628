"""Random models that add effects up: what conditional coordinates are made of."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

HEAD = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


"""

#: Observations, and groups by two ways of sorting them: some groups of each have no observation.
COUNT, SIZES = 14, {"i": 5, "j": 4, "t": 6}

ARGS = f"""(
    np.array([0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 0, 1, 2, 3]),
    np.array([0, 1, 0, 1, 2, 0, 2, 0, 1, 2, 2, 2, 1, 0]),
    np.array([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1]),
    np.array([0, 0, 1, 1, 3]),
    np.linspace(-1.0, 2.0, {COUNT}) ** 2,
    np.sin(np.arange({COUNT} * 2.0)).reshape({COUNT}, 2),
    {{y}},
)
"""


class Random(NamedTuple):
    """A model, its config and call; `exact`: its bases are to be standard normal given the data."""

    source: str
    config: str
    call: str
    exact: bool


class Effect(NamedTuple):
    """A site: its statement but for the scale, which summand it is, and which sites it needs.

    `prior` has {scale}, which is of one number or of each element.
    """

    name: str
    plate: str
    prior: str
    summand: str
    needs: tuple[str, ...] = ()
    normal: bool = True


def effects_of(rng: random.Random) -> list[Effect]:
    """Some effects, of which those that are the locations of others come first."""
    found = []
    loc = "0.0"
    centred = rng.random() < 0.3
    if rng.random() < 0.8:
        prior = rng.choice(["dist.Normal(1.5, {scale})", "dist.Normal(scale={scale}, loc=0.5)"])
        normal = rng.random() < 0.85
        if not normal:
            prior = "dist.StudentT(4.0, 0.5, {scale})"
        found.append(Effect("mu", "", prior, "" if centred else "mu", (), normal))
        loc = "mu" if centred else loc
    needs = ("mu",) if loc == "mu" else ()
    group = rng.choice(["plate", "expand", "event", "array", "vector", "laplace", "matrix"])
    plate, prior = "n_i", f"dist.Normal({loc}, {{scale}})"
    summand, normal = "a[i]", True
    match group:
        case "expand":
            plate, prior = "", f"dist.Normal({loc}, {{scale}}).expand([n_i])"
        case "event":
            plate, prior = "", f"dist.Normal({loc}, {{scale}}).expand([n_i]).to_event(1)"
        case "array":
            prior = f"dist.Normal({loc}, {{scale}} * jnp.arange(1.0, n_i + 1))"
        case "vector":
            tril = "{scale} * jnp.array([[1.0, 0.0], [0.5, 0.8]])"
            prior = f"dist.MultivariateNormal(jnp.stack([{loc}, 0.0]), scale_tril={tril})"
            summand = "a[i, 0] + a[i, 1] * x"
        case "laplace":
            prior, normal = f"dist.Laplace({loc}, {{scale}})", False
        case "matrix":
            plate, prior = "", f"dist.Normal({loc}, {{scale}}).expand([n_i, 2]).to_event(1)"
            summand = "jnp.sum(a[i] * X, -1)"
    if loc == "mu" or rng.random() < 0.9:
        found.append(Effect("a", plate, prior, summand, needs, normal))
    if rng.random() < 0.5:  # a slope of each group
        prior = rng.choice(["dist.Normal(0.0, {scale})", "dist.Normal(-0.5, {scale})"])
        found.append(Effect("b", "n_i", prior, "b[i] * x"))
    if rng.random() < 0.6:
        prior = rng.choice(["dist.Normal(0.0, {scale})", "dist.Normal(0.5, {scale} / 2)"])
        found.append(Effect("c", "n_j", prior, "c[j]"))
        if rng.random() < 0.4:  # groups in these
            nested = Effect("d", "n_i", "dist.Normal(2 * c[of], {scale})", "d[i]", ("c",))
            found[-1] = found[-1]._replace(summand="")
            found.append(nested)
    if rng.random() < 0.4:
        walk = "dist.GaussianRandomWalk({scale}, num_steps=n_t)"
        found.append(
            rng.choice([Effect("w", "", walk, "w[t]"), Effect("w", "n_j", walk, "w[j, t]")])
        )
    if rng.random() < 0.4:
        fixed = "dist.MultivariateNormal(jnp.zeros(2), {scale} * jnp.eye(2))"
        slopes = "dist.Normal(0.0, {scale}).expand([2]).to_event(1)"
        found.append(Effect("e", "", rng.choice([fixed, slopes]), "X @ e"))
    return found


def scale_of(rng: random.Random, name: str) -> tuple[str, list[str]]:
    """A scale, and the statements that it needs."""
    tau = f"tau_{name}"
    return rng.choice(
        [
            (repr(rng.choice([0.3, 1.0, 2])), []),
            (tau, [f'{tau} = numpyro.sample("{tau}", dist.HalfNormal(1.0))']),
            (
                tau,
                [
                    f'log_{tau} = numpyro.sample("log_{tau}", dist.Normal(-1.0, 0.5))',
                    f"{tau} = jnp.exp(log_{tau})",
                ],
            ),
        ]
    )


def merged(rng: random.Random, blocks: list[list[str]]) -> list[str]:
    """Blocks of statements, each in its order, one between the other."""
    found = []
    left = [list(block) for block in blocks if block]
    while left:
        block = rng.choice(left)
        found.append(block.pop(0))
        left = [block for block in left if block]
    return found


def sampled(effect: Effect, scale: str) -> list[str]:
    line = f'{effect.name} = numpyro.sample("{effect.name}", {effect.prior.format(scale=scale)})'
    if not effect.plate:
        return [line]
    return [f'with numpyro.plate("{effect.plate}_{effect.name}", {effect.plate}):\n        {line}']


def in_some_order(rng: random.Random, effects: list[Effect]) -> Iterator[Effect]:
    """Each after what it needs."""
    left = list(effects)
    while left:
        known = {effect.name for effect in left}
        free = [effect for effect in left if known.isdisjoint(effect.needs)]
        effect = rng.choice(free)
        left.remove(effect)
        yield effect


def observed(rng: random.Random, eta: str, name: str) -> tuple[list[str], str, bool]:
    """The statements of an observed site, its data, and whether bases are exact for it."""
    kind = rng.choice(["normal"] * 5 + ["number", "vector", "plate", "poisson", "bernoulli"])
    noise, before, exact = f"sigma_{name}", "", True
    values = f"np.cos(np.arange({COUNT}.0))"
    if kind in ("normal", "plate"):
        before = f'{noise} = numpyro.sample("{noise}", dist.HalfNormal(1.0))'
    prior = f"dist.Normal({eta}, {noise})"
    if kind == "number":
        prior = f"dist.Normal({eta}, 0.7)"
    if kind == "vector":
        prior = f"dist.Normal({eta}, jnp.arange(1.0, {COUNT} + 1))"
    if kind == "poisson":
        prior, values, exact = f"dist.Poisson(jnp.exp({eta}))", f"np.arange({COUNT}) % 4", False
    if kind == "bernoulli":
        prior, values, exact = f"dist.Bernoulli(logits={eta})", f"np.arange({COUNT}) % 2", False
    line = f'numpyro.sample("{name}", {prior}, obs={name})'
    if kind == "plate":
        line = f'with numpyro.plate("N_{name}", {COUNT}):\n        {line}'
    return [one for one in (before, line) if one], values, exact


def random_effects(seed: int) -> Random:
    rng = random.Random(seed)
    effects = effects_of(rng)
    written = list(in_some_order(rng, effects))
    blocks: list[list[str]] = []
    before: list[str] = []
    for effect in written:
        scale, needed = scale_of(rng, effect.name)
        before += [*needed, *sampled(effect, scale)]
    summands = [effect.summand for effect in effects if effect.summand]
    rng.shuffle(summands)
    eta = " + ".join(summands)
    lines, values, exact = observed(rng, eta, "y")
    two = rng.random() < 0.25
    if two:
        more, others, also = observed(rng, f"2 * ({' + '.join(summands[:2])})", "z")
        lines, exact = merged(rng, [lines, more]), exact and also
        values = f"{values},\n    {others}"
    noise = [line for line in lines if "obs=" not in line]
    blocks = [before, noise]
    body = [*merged(rng, blocks), *(line for line in lines if "obs=" in line)]
    # Fit takes each effect for one sum: the order may be another one than the model's.
    order = [effect.name for effect in in_some_order(rng, effects)]
    if rng.random() < 0.5:
        order = [effect.name for effect in written]
    arguments = "i, j, t, of, x, X, y, z" if two else "i, j, t, of, x, X, y"
    sizes = [f"n_{name} = {size}" for name, size in SIZES.items()]
    text = "\n    ".join([f"def model({arguments}):", *sizes, *body])
    config = "conditional = [" + ", ".join(f'"{name}"' for name in order) + "]\n"
    exact = exact and all(effect.normal for effect in effects)
    if rng.random() < 0.25:
        exact, config = False, f'[conditional]\norder{config[11:]}form = "sequential"\n'
    return Random(f"{HEAD}{text}\n", config, ARGS.format(y=values), exact)
