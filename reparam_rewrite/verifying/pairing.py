"""The sites of two traces, matched by name: what is missing, widened, moved or new is a finding."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from reparam_rewrite.bases import BASES
from reparam_rewrite.running import parts
from reparam_rewrite.running.trace import (
    constraint_of,
    full_value,
    is_discrete,
    is_latent,
    is_subsampled,
    same_constraint,
)
from reparam_rewrite.running.values import Site, Trace, Values
from reparam_rewrite.verifying.discrete import Discrete
from reparam_rewrite.verifying.values import Line, Options, different

#: What NumPyro's reparameterizers call the site that they sample instead of a child.
SUFFIXES = ("base", "decentered", "decentered_base", "unwrapped", "normal", *BASES, "transformed")


class Pairing(NamedTuple):
    """The sites of two traces, matched.

    bases: by continuous latent of the plain model the site that is sampled for it, in the order of
    sampling. shapes: theirs in unconstrained space. fixed: values that both models are given, of
    discrete latents and of the indices of subsampled plates. discrete: the former. params: all of
    the generated model's, in its order, and new: those that the plain model lacks.
    """

    bases: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    fixed: Values
    discrete: Mapping[str, Discrete]
    params: Mapping[str, Site]
    new: list[str]
    deterministic: list[str]
    subsampled: bool


def pair(plain: Trace, generated: Trace, options: Options) -> tuple[Pairing, list[Line]]:
    """The pairs of sites, and how the sites differ.

    With a "different" line of "sites" or "observed" the pairs are incomplete.
    """
    lines: list[Line] = []
    bases = bases_of(plain, generated, options)
    kept = {n: s for n, s in plain.items() if s["type"] in ("sample", "deterministic", "plate")}
    fixed = {name: site for name, site in kept.items() if held_fixed(site)}
    pairs = {}
    for name, site in kept.items():
        base = bases.get(name, name)
        found = list(site_differences(name, site, base, generated))
        if is_latent(site) and name not in fixed and not found:
            pairs[name] = base
            was, now = (math.prod(one["real_shape"]) for one in (site, generated[base]))
            if was != now:
                message = f"{now} unconstrained values are sampled instead of {was}"
                found.append(different(name, message, check="sites"))
        lines += found
    known = {*plain, *bases.values()}
    for name, site in generated.items():
        if site["type"] in ("sample", "plate") and name not in known:
            message, cause = f"{site['type']} site {name!r} is not in the plain model", ""
            if site.get("is_observed"):
                message = f"observed site {name!r} is not in the plain model"
                cause = "a factor that a change of variables needs is in its base site already"
            lines.append(different(name, message, cause, check=check_of(site)))
    order = list(generated)
    pairs = dict(sorted(pairs.items(), key=lambda item: order.index(item[1])))
    params = {name: site for name, site in generated.items() if site["type"] == "param"}
    pairing = Pairing(
        bases=pairs,
        shapes={name: generated[base]["real_shape"] for name, base in pairs.items()},
        # The same in both models, as they were first drawn.
        fixed={name: site["value"] for name, site in fixed.items()},
        discrete={name: Discrete.of(s) for name, s in fixed.items() if s["type"] == "sample"},
        params=params,
        new=[name for name in params if name not in plain],
        deterministic=[name for name, site in kept.items() if site["type"] == "deterministic"],
        subsampled=any(map(is_subsampled, plain.values())),
    )
    return pairing, [*lines, *params_differences(plain, pairing, options.coefficients)]


def check_of(site: Site) -> str:
    """The check that a difference of a site belongs to."""
    return "observed" if site.get("is_observed") else "sites"


def bases_of(plain: Trace, generated: Trace, options: Options) -> dict[str, str]:
    """The site that is sampled for each latent that became deterministic, where there is one."""
    children = [
        name
        for name, site in plain.items()
        if is_latent(site) and generated.get(name, {}).get("type") == "deterministic"
    ]
    bases = {name: base for name, base in options.bases.items() if name in children}
    if options.base_name:
        return {**{name: options.base_name.format(name) for name in children}, **bases}
    free = [name for name, site in generated.items() if is_latent(site) and name not in plain]
    bases = {**conventional_bases(children, free), **bases}
    # Names by hand: a_raw, or whatever is left where just one child is left.
    left = [name for name in children if name not in bases]
    for name in left:
        longer = tuple(other for other in left if other.startswith(name) and other != name)
        spare = [base for base in free if base not in bases.values()]
        found = [one for one in spare if one.startswith(name) and not one.startswith(longer)]
        if len(left) == len(spare) == 1 or len(found) == 1:
            bases[name] = (found or spare)[0]
    return bases


def conventional_bases(children: Iterable[str], latents: Collection[str]) -> dict[str, str]:
    """By child, the latent that NumPyro's reparameterizers sample instead of it."""
    found = {}
    for child in children:
        names = [f"{child}_{suffix}" for suffix in SUFFIXES]
        if base := next((name for name in names if name in latents), None):
            found[child] = base
    return found


def held_fixed(site: Site) -> bool:
    """Whether a site has no density to transform: a plate's indices, a discrete latent."""
    return site["type"] == "plate" or (is_latent(site) and is_discrete(site))


# -- sites -----------------------------------------------------------------------------------------


def site_differences(name: str, site: Site, base: str, generated: Trace) -> Iterator[Line]:
    """What is different about one site of the plain model; nothing more after what is fatal."""
    check = check_of(site)
    if message := fatal_difference(name, site, base, generated):
        yield different(name, message, widened(site, generated.get(name)), check=check)
        return
    if site["type"] != "sample":
        return
    other, sampled = generated[name], generated[base]
    if site["is_observed"]:
        old, new = np.asarray(site["value"]), np.asarray(other["value"])
        # Missing values are NaN in both, under a mask.
        differing = np.sum((old != new) & ~((old != old) & (new != new)))
        if differing:
            message = f"site {name!r} has {differing} other observed values"
            yield different(name, message, check=check)
    else:
        was, now = inferring(site), inferring(other if is_latent(other) else sampled)
        if was != now:
            message = f"site {base!r} has infer={now or '{}'}, it was {was or '{}'}"
            cause = "the density is the same, and how inference treats the site is not"
            yield different(name, message, cause, check=check)
    # By name, dim and size, in an order of their own.
    were, are = (
        sorted((frame.name, frame.dim, frame.size) for frame in one["cond_indep_stack"])
        for one in (site, sampled)
    )
    if were != are:
        message = f"site {base!r} is in the plates {are}, {name!r} was in {were}"
        yield different(name, message, check=check)


def fatal_difference(name: str, site: Site, base: str, generated: Trace) -> str:
    """What leaves nothing else to compare of a site: it is gone, or has another form or role."""
    kind, other, what = site["type"], generated.get(name), f"site {name!r}"
    if other is None:
        return f"{what} is missing from the generated model"
    for aspect, form in (("shape", parts.shape), ("dtype", dtypes)):
        was, now = form(site["value"]), form(other["value"])
        if was != now:
            return f"{what} has {aspect} {now}, it was {was}"
    if kind == "plate" and other["type"] != "plate":
        return f"{name!r} was a plate, it is a {other['type']} site"
    if kind == "plate":
        was, now = site["args"], other["args"]
        message = f"plate {name!r} has (size, subsample size) {now}, it was {was}"
        return message if was != now else ""
    if kind == "deterministic":
        kept = other["type"] == "deterministic"
        return "" if kept else f"{what} was deterministic, and is not any more"
    if site["is_observed"]:
        kept = other["type"] == "sample" and other["is_observed"]
        return "" if kept else f"{what} was observed and is not any more"
    if other["type"] != "deterministic":
        return "" if is_latent(other) else f"{what} was latent and is not any more"
    if base != name and is_latent(generated.get(base, {"type": ""})):
        return ""
    missing = f"{name}_base" if base == name else base
    return f"{what} became deterministic, and there is no latent {missing!r}"


def widened(site: Site, other: Site | None) -> str:
    """The cause of a larger shape; "" for any other one."""
    was, now = (parts.shape(one["value"]) for one in (site, other or site))
    flat = all(isinstance(size, int) for size in (*was, *now))
    larger = flat and was != now and math.prod(now) > math.prod(was)
    return "a value that broadcasts against it has axes that it lacks" if larger else ""


def dtypes(value: Any) -> str:
    found = [leaf.dtype if hasattr(leaf, "dtype") else leaf for _, leaf in parts.parts(value)]
    return " and ".join(str(jnp.result_type(one)) for one in found if not isinstance(one, str))


def inferring(site: Site) -> str:
    """What ``infer=`` tells samplers and guides of a site, without what NumPyro adds itself."""
    said = {str(key): value for key, value in (site.get("infer") or {}).items()}
    told = {key: parts.described_in_full(said[key]) for key in sorted(said) if key[0] != "_"}
    return ", ".join(f"{key}: {value}" for key, value in told.items())


# -- params ----------------------------------------------------------------------------------------


def params_differences(
    plain: Trace, pairing: Pairing, expected: Collection[str] | None
) -> Iterator[Line]:
    """What differs in the params of the plain model, and what is wrong with new ones."""
    for name, site in plain.items():
        if site["type"] == "param" and (message := param_differs(site, pairing.params.get(name))):
            yield different(name, f"param {name!r} {message}", check="params")
    if expected is not None and set(pairing.new) != set(expected):
        message = f"the new params are {pairing.new}, not {list(expected)}"
        yield different("", message, check="params")
    for name in pairing.new:
        # In a subsampled plate a coefficient's elements are those of places in the draw, unless it
        # has the full size and the plate takes its part, or one element for all of the plate. In
        # any other plate a param is what it is outside.
        param = pairing.params[name]
        local = [one for one in declared_in(param) if one in plain and is_subsampled(plain[one])]
        sized = param["kwargs"].get("event_dim") is not None
        if local and not sized and jnp.shape(full_value(param)):
            message = (
                f"param {name!r} is declared inside of plate {local[-1]!r}: its elements belong to "
                "places in the draw, not to elements of the plate"
            )
            cause = "declare it before the plate, or in it with its full size and event_dim="
            yield different(name, message, cause, check="params")


def declared_in(param: Site) -> list[str]:
    """The plates that a param is declared in."""
    return [frame.name for frame in param.get("cond_indep_stack", ())]


def param_differs(old: Site, new: Site | None) -> str:
    """What is different about a param of the plain model, as a clause; "" if nothing is."""
    if new is None:
        return "is missing from the generated model"
    one, other = full_value(old), full_value(new)
    if parts.shape(one) != parts.shape(other):
        return f"has shape {parts.shape(other)}, it was {parts.shape(one)}"
    if not old.get("random") and not parts.equal(one, other):
        return "has another initial value"
    was, now = constraint_of(old), constraint_of(new)
    if not same_constraint(was, now):
        return f"has the constraint {now}, it was {was}"
    before, after = (site["kwargs"].get("event_dim") for site in (old, new))
    return f"has event_dim={after}, it was {before}" if before != after else ""
