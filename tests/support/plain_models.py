"""Plain models at random, of the shapes that decide how generated code is broken into lines."""

from __future__ import annotations

import random
from typing import NamedTuple

WORDS = ["a", "b", "mu", "tau", "eta", "beta", "item", "group", "slope", "trend", "effect"]
WORDS += ["weekly", "baseline", "interaction"]
SIZES = ["n", "n_a", "num_groups", "data.shape[0]", "number_of_observations_per_group"]
PRIORS = [
    "dist.Normal(0, 1)",
    "dist.Normal(0.0, {scale})",
    "dist.Normal(loc, {scale})",
    "dist.Normal(loc=0.0, scale={scale})",
    "dist.HalfNormal({scale})",
    "dist.Uniform(low, high)",
    "dist.Uniform(low=-1.5, high=high)",
    "dist.StudentT(df=4, loc=0.0, scale={scale})",
    "dist.LogNormal({scale}, 0.25)",
    "dist.GaussianRandomWalk({scale}, num_steps={size})",
    "dist.Normal(0, {scale}).expand([{size}])",
    "dist.Normal(0, {scale}).expand([{size}]).to_event(1)",
    "dist.Normal(jnp.zeros({size}), {scale}).to_event(1)",
    "dist.Normal(0, 1 / jnp.sqrt({size} * {scale}))",
    "dist.MultivariateNormal(jnp.zeros({size}), scale_tril={scale} * jnp.eye({size}))",
    "dist.TruncatedNormal(loc, {scale}, low=low)",
    "dist.TransformedDistribution(dist.Normal(0, 1), [transforms[0], transforms[1]])",
    "make_prior()",
    'make_prior(f"prior of {{loc}}", {scale})',
    'priors["{name}"]',
    "priors.{name}.expand((2, {size}))",
    "dist.Normal(0, {scale},)",
    "dist.Normal(0, {scale},).expand([{size}],)",
    "dist.Normal(\n0,  # no offset\n{scale},\n)",
    "dist.Normal(0, loc + {scale} * jnp.exp(low - high) + jnp.log(jnp.abs(loc) + high) / 2)",
    "dist.Normal(0, {scale} if high > low else 1.0)",
]
AWKWARD_TARGETS = ["{name}: jax.Array = ", "{name} = x = "]
OPTIONS = [
    "",
    'coefficient = "shared"',
    "learn = false, init = 1.0",
    "learn = false, init = -1",
    "learn = false, init = 0.25",
    "init = 0.5",
    "init = 1",
    "center = 20.0",
    'center = "loc * low"',
    'center = -3.5, coefficient = "shared"',
]
VALUES = [
    "high - low",
    "jnp.log(high) * loc",
    "weights @ design_matrix.T",
    "lookup[{parent!r}]",
    "loc*high**2",
    "jnp.mean(weights, axis=0) / jnp.sqrt(number_of_observations_per_group)",
    "high if loc else low",
    "-loc",
]


class Case(NamedTuple):
    """A model without offsets and a config that asks for some."""

    plain: str
    config: str


def case(rng: random.Random, *, awkward: bool = True) -> Case:
    """One model; format it before use.

    `awkward`: its samples may also have an annotation, a second target or a comment inside the
    call, which no one could break the lines of but black itself.
    """
    names: list[str] = []
    for _ in range(rng.randint(2, 7)):
        name = "_".join(rng.choices(WORDS, k=rng.choice([1, 1, 2, 2, 3, 4])))
        if name not in names and not name.endswith("_base"):
            names.append(name)
    depth = rng.randint(1, 4)
    lines = list(opening(depth))
    indent = "    " * depth
    used: set[str] = set()
    for name in names:
        lines += [f"{indent}{line}" for line in site(rng, name, used, awkward)]
    lines.append(f"{indent}return loc")
    return Case("\n".join(lines) + "\n", config(rng, names, opening_name(depth)))


HEADER = """\
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

ARGUMENTS
"""


def opening_name(depth: int) -> str:
    return "model" if depth in (1, 3) else "Forecaster.model"


def opening(depth: int) -> list[str]:
    """The imports and the `def`; the body is `depth` steps in."""
    arguments = (
        "data, loc, low, high, transforms, make_prior, priors, weights, design_matrix, lookup, "
        "n, n_a, num_groups, number_of_observations_per_group, scale, a_rather_long_scale_name"
    )
    heads = {
        1: [f"def model({arguments}):"],
        2: ["class Forecaster:", f"    def model(self, {arguments}):"],
        3: [f"def model({arguments}):", "    if loc:", "        if low:"],
        4: [
            "class Forecaster:",
            f"    def model(self, {arguments}):",
            "        if loc:",
            "            if low:",
        ],
    }
    return [*HEADER.splitlines()[:-1], *heads[depth]]


def site(rng: random.Random, name: str, used: set[str], awkward: bool) -> list[str]:
    """The statement that samples a site, in its plates."""
    scale = rng.choice(["1.0", "scale", "a_rather_long_scale_name", "jnp.exp(scale)"])
    size = rng.choice(SIZES)
    prior = rng.choice(PRIORS).format(scale=scale, size=size, name=name)
    target = f"{name} = "
    if awkward and rng.random() < 0.4:
        target = rng.choice(AWKWARD_TARGETS).format(name=name)
    call = f'{target}numpyro.sample("{name}", {prior})'
    if rng.random() < 0.08:
        call = f'{target}numpyro.sample("{name}", fn={prior})'
    if awkward and rng.random() < 0.08:
        call = f'{target}numpyro.sample(\n"{name}",  # the name\n{prior},\n)'
    if rng.random() < 0.08:
        call = f'{target}numpyro.sample("{name}", {prior},)'
    if rng.random() < 0.15:
        call += "  # " + "note " * rng.randint(1, 9)
    body = call.split("\n")
    if rng.random() < 0.12:
        body.insert(0, "# A comment about " + name)
    if rng.random() < 0.12:
        body.append("# What follows.")
    lines = []
    if rng.random() < 0.2:
        lines.append("")
    if rng.random() < 0.2:
        lines.append(f"# The {name} of every group")
    if rng.random() < 0.08:
        body.append(f'numpyro.deterministic("{name}_twice", 2 * {name})')
    for _ in range(rng.choice([0, 0, 1, 1, 1, 2])):
        before, header = with_header(rng, used)
        lines = before + lines
        body = [header, *("    " + line for line in body)]
    return lines + body


def with_header(rng: random.Random, used: set[str]) -> tuple[list[str], str]:
    """``with plate:`` of many lengths, and what goes before it."""
    before, items = [], []
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
        plate = unused(rng, used)
        size = rng.choice(SIZES)
        held = rng.random() < 0.25
        dim = f", dim={-len(used)}" if held else rng.choice(["", "", f", dim={-len(used)}"])
        text = f'numpyro.plate("{plate}", {size}{dim})'
        if held:
            before.append(f"plate_{plate} = {text}")
            text = f"plate_{plate}"
        elif rng.random() < 0.2:
            text += f" as {plate}_index"
        items.append(text)
    joined = ", ".join(items)
    header = f"with {joined}:"
    if rng.random() < 0.2:
        header = f"with ({joined},):"
    elif rng.random() < 0.1 and len(items) > 1:
        header = f"with ({joined}):"
    if rng.random() < 0.1:
        header += "  # " + "remark " * rng.randint(1, 5)
    return before, header


def unused(rng: random.Random, used: set[str]) -> str:
    while True:
        name = "_".join(rng.choices(WORDS, k=rng.choice([1, 1, 2, 3]))) + str(len(used))
        if name not in used:
            used.add(name)
            return name


def config(rng: random.Random, names: list[str], function: str) -> str:
    """A chain of all sites, or parents one by one."""
    lines = []
    if rng.random() < 0.5:
        listed = ", ".join(f'"{name}"' for name in names)
        lines.append(f"chain = [{listed}]")
        if rng.random() < 0.3:
            lines += ["[defaults]", 'coefficient = "shared"']
        return "\n".join(lines) + "\n"
    for position, child in enumerate(names):
        parents = [name for name in names[:position] if rng.random() < 0.6]
        if rng.random() < 0.3:
            parents.append("extra")
        if not parents:
            continue
        lines.append(f"[sites.{child}.offset]")
        for parent in parents:
            options = rng.choice(OPTIONS)
            if parent == "extra":
                value = rng.choice(VALUES).format(parent=parent)
                options = ", ".join(filter(None, [f"value = '''{value}'''", options]))
            lines.append(f"{parent} = {{ {options} }}")
    if not lines:
        lines.append(f'[sites.{names[-1]}]\noffset = "{names[0]}"')
    return "\n".join(lines) + "\n"
