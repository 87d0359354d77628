"""The sites of two traces, matched by name: what is missing, widened, moved or new is a finding."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np

from reparam_rewrite.bases import BASES
from reparam_rewrite.running import parts
from reparam_rewrite.running.trace import (
    constraint_of,
    full_value,
    is_discrete,
    is_latent,
    same_constraint,
)
from reparam_rewrite.running.values import Site, Trace
from reparam_rewrite.verify.values import Discrete, Line, Options, Pair, Pairing

#: What NumPyro's reparameterizers call the site that they sample instead of a child.
SUFFIXES = ("base", "decentered", "unwrapped", "normal", *BASES, "transformed")

WIDENED = "a value that broadcasts against it has axes that it lacks"


def pair(plain: Trace, generated: Trace, options: Options) -> tuple[Pairing, list[Line]]:
    """The pairs of sites, and how the sites differ.

    With a "different" line of "sites" or "observed" the pairs are incomplete.
    """
    lines: list[Line] = []
    bases = bases_of(plain, generated, options)
    pairs, fixed, kept, discrete = [], {}, [], {}
    for name, site in plain.items():
        if site["type"] not in ("sample", "deterministic", "plate"):
            continue
        base = bases.get(name, name)
        found = list(site_differences(name, site, base, generated))
        lines += found
        if held_fixed(site):
            # The same in both models, as it was first drawn.
            fixed[name] = site["value"]
            if site["type"] == "sample":
                discrete[name] = Discrete(
                    drawn=[site["value"], *site.get("draws", ())],
                    support=site.get("support"),
                    single=site["fn"].event_dim == 0,
                )
        elif is_latent(site) and not found:
            pairs.append(Pair(name=name, base=base, shape=real_shape(generated[base])))
            if pairs[-1].shape != real_shape(site) and size(generated[base]) != size(site):
                message = (
                    f"{size(generated[base])} unconstrained values are sampled instead of "
                    f"{size(site)}"
                )
                lines.append(difference(name, message))
        elif site["type"] == "deterministic":
            kept.append(name)

    known = {*plain, *bases.values()}
    for name, site in generated.items():
        if site["type"] in ("sample", "plate") and name not in known:
            what = "observed site" if site.get("is_observed") else f"{site['type']} site"
            check = "observed" if site.get("is_observed") else "sites"
            cause = "a factor that a change of variables needs is in its base site already"
            message = f"{what} {name!r} is not in the plain model"
            lines.append(difference(name, message, check, cause if check == "observed" else ""))

    new, of_params = params_of(plain, generated, options.coefficients)
    order = {name: at for at, name in enumerate(generated)}
    pairing = Pairing(
        pairs=tuple(sorted(pairs, key=lambda pair: order.get(pair.base, 0))),
        fixed=fixed,
        discrete=discrete,
        params={n: s for n, s in generated.items() if s["type"] == "param"},
        new=tuple(new),
        deterministic=tuple(kept),
        # The arguments of a plate are its size and its subsample size or None.
        subsampled=any(
            site["type"] == "plate" and site["args"][1] not in (None, site["args"][0])
            for site in plain.values()
        ),
    )
    return pairing, [*lines, *of_params]


def difference(site: str, message: str, check: str = "sites", cause: str = "") -> Line:
    return Line(check=check, status="different", site=site, message=message, cause=cause)


def bases_of(plain: Trace, generated: Trace, options: Options) -> dict[str, str]:
    """The site that is sampled for each latent that became deterministic, where there is one."""
    children = [
        name
        for name, site in plain.items()
        if is_latent(site) and generated.get(name, {}).get("type") == "deterministic"
    ]
    free = [name for name, site in generated.items() if is_latent(site) and name not in plain]
    bases = {name: base for name, base in options.bases.items() if name in children}
    if options.base_name:
        for name in children:
            bases.setdefault(name, options.base_name.format(name))
        return bases
    bases = {**conventional_bases(children, free), **bases}
    # Names by hand: a_raw, or whatever is left where just one child is left.
    left = [name for name in children if name not in bases]
    for name in left:
        longer = [other for other in left if other.startswith(name) and other != name]
        spare = [base for base in free if base not in bases.values()]
        found = [
            base
            for base in spare
            if base.startswith(name) and not any(base.startswith(other) for other in longer)
        ]
        if len(left) == len(spare) == 1 or len(found) == 1:
            bases[name] = (found or spare)[0]
    return bases


def conventional_bases(children: Iterable[str], latents: Collection[str]) -> dict[str, str]:
    """By child, the latent that NumPyro's reparameterizers sample instead of it."""
    named = {child: [f"{child}_{suffix}" for suffix in SUFFIXES] for child in children}
    found = {child: [base for base in names if base in latents] for child, names in named.items()}
    return {child: bases[0] for child, bases in found.items() if bases}


def held_fixed(site: Site) -> bool:
    """Is it one without a density to transform: a plate's indices, a discrete latent?"""
    return site["type"] == "plate" or (is_latent(site) and is_discrete(site))


def real_shape(site: Site) -> tuple[int, ...]:
    """The shape of a latent site in unconstrained space."""
    shape: tuple[int, ...] = site["real_shape"]
    return shape


def size(site: Site) -> int:
    return math.prod(real_shape(site))


def site_differences(name: str, site: Site, base: str, generated: Trace) -> Iterable[Line]:
    """What is different about one site of the plain model; nothing more after what is fatal."""
    check = "observed" if site.get("is_observed") else "sites"
    if name not in generated:
        yield difference(name, f"site {name!r} is missing from the generated model", check)
        return
    other = generated[name]
    shapes = parts.shape(site["value"]), parts.shape(other["value"])
    if shapes[0] != shapes[1]:
        cause = WIDENED if wider(*shapes) else ""
        message = f"site {name!r} has shape {shapes[1]}, it was {shapes[0]}"
        yield difference(name, message, check, cause)
        return
    old, new = dtypes(site["value"]), dtypes(other["value"])
    if old != new:
        yield difference(name, f"site {name!r} has dtype {new}, it was {old}", check)
        return

    if site["type"] == "plate":
        was, sizes = site["args"], other.get("args")
        if other["type"] != "plate":
            message = f"{name!r} was a plate, it is a {other['type']} site"
            yield difference(name, message)
        elif was != sizes:
            message = f"plate {name!r} has (size, subsample size) {sizes}, it was {was}"
            yield difference(name, message)
        return
    if site["type"] == "deterministic":
        if other["type"] != "deterministic":
            yield difference(name, f"site {name!r} was deterministic, and is not any more")
        return
    yield from sampled_differences(name, site, base, generated)


def wider(old: Any, new: Any) -> bool:
    flat = all(isinstance(size, int) for size in (*old, *new))
    return flat and math.prod(new) > math.prod(old)


def dtypes(value: Any) -> str:
    found = [leaf.dtype if hasattr(leaf, "dtype") else leaf for _, leaf in parts.parts(value)]
    return " and ".join(str(jnp.result_type(one)) for one in found if not isinstance(one, str))


def sampled_differences(name: str, site: Site, base: str, generated: Trace) -> Iterable[Line]:
    other = generated[name]
    check = "observed" if site["is_observed"] else "sites"
    if site["is_observed"]:
        if not (other["type"] == "sample" and other["is_observed"]):
            message = f"site {name!r} was observed and is not any more"
            yield difference(name, message, check)
            return
        old, new = np.asarray(site["value"]), np.asarray(other["value"])
        # Missing values are NaN in both, under a mask.
        differing = np.sum((old != new) & ~((old != old) & (new != new)))
        if differing:
            message = f"site {name!r} has {differing} other observed values"
            yield difference(name, message, check)
    elif other["type"] == "deterministic":
        if base not in generated or base == name or not is_latent(generated[base]):
            missing = f"{name}_base" if base == name else base
            message = f"site {name!r} became deterministic, and there is no latent {missing!r}"
            yield difference(name, message)
            return
    elif not is_latent(other):
        yield difference(name, f"site {name!r} was latent and is not any more")
        return
    inferred = inferring(site), inferring(other if is_latent(other) else generated[base])
    if inferred[0] != inferred[1] and check == "sites":
        message = f"site {base!r} has infer={inferred[1] or '{}'}, it was {inferred[0] or '{}'}"
        cause = "the density is the same, and how inference treats the site is not"
        yield difference(name, message, check, cause)
    were, are = plates(site), plates(generated[base])
    if were != are:
        message = f"site {base!r} is in the plates {are}, {name!r} was in {were}"
        yield difference(name, message, check)


def inferring(site: Site) -> str:
    """What ``infer=`` tells samplers and guides of a site, without what NumPyro adds itself."""
    said = {str(key): value for key, value in (site.get("infer") or {}).items()}
    told = {key: parts.described_in_full(said[key]) for key in sorted(said) if key[0] != "_"}
    return ", ".join(f"{key}: {value}" for key, value in told.items())


def plates(site: Site) -> list[tuple[str, int, int]]:
    """(name, dim, size) of the plates that hold a site, in an order of their own."""
    return sorted((frame.name, frame.dim, frame.size) for frame in site["cond_indep_stack"])


def params_of(
    plain: Trace, generated: Trace, expected: Iterable[str] | None
) -> tuple[list[str], list[Line]]:
    """The names of the params that only the generated model has, and what differs in the others."""
    lines = []
    new = [n for n, site in generated.items() if site["type"] == "param" and n not in plain]
    for name, site in plain.items():
        if site["type"] != "param":
            continue
        if generated.get(name, {}).get("type") != "param":
            message = f"param {name!r} is missing from the generated model"
            lines.append(difference(name, message, "params"))
        elif message := other_param(site, generated[name]):
            lines.append(difference(name, f"param {name!r} {message}", "params"))
    if expected is not None and set(new) != set(expected):
        message = f"the new params are {new}, not {list(expected)}"
        lines.append(difference("", message, "params"))
    subsampled = {
        name
        for name, site in plain.items()
        if site["type"] == "plate" and site["args"][1] not in (None, site["args"][0])
    }
    for name in new:
        if line := misplaced(name, generated[name], subsampled):
            lines.append(line)
    return new, lines


def other_param(old: Site, new: Site) -> str:
    """What is different about a param of the plain model, as a clause; "" if nothing is."""
    one, other = full_value(old), full_value(new)
    if parts.shape(one) != parts.shape(other):
        return f"has shape {parts.shape(other)}, it was {parts.shape(one)}"
    if not old.get("random") and not parts.equal(one, other):
        return "has another initial value"
    was, now = constraint_of(old), constraint_of(new)
    if not same_constraint(was, now):
        return f"has the constraint {now}, it was {was}"
    dims = [site["kwargs"].get("event_dim") for site in (old, new)]
    if dims[0] != dims[1]:
        return f"has event_dim={dims[1]}, it was {dims[0]}"
    return ""


def misplaced(name: str, param: Site, subsampled: set[str]) -> Line | None:
    """In a subsampled plate a coefficient's elements are those of places in the draw, unless it has
    the full size and the plate takes its part. In any other plate a param is what it is outside.
    """
    around = [frame.name for frame in param.get("cond_indep_stack", ())]
    local = [plate for plate in around if plate in subsampled]
    if not local or param["kwargs"].get("event_dim") is not None:
        return None
    if not jnp.shape(full_value(param)):
        return None  # one for all of the plate
    what = (
        f"param {name!r} is declared inside of plate {local[-1]!r}: its elements belong to places "
        "in the draw, not to elements of the plate"
    )
    cause = "declare it before the plate, or in it with its full size and event_dim="
    return difference(name, what, "params", cause)
