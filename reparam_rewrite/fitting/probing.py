"""What do the offsets of a generated model multiply, and what is left of a child without them?

The generated model is run with the children's values in their place: it is given draws of the plain
model's sites, and `ExplicitReparam` is made to hand on the draw, and to write down its location
and scale, where it would sample the base site. Offsets are linear in their coefficients, so that
what one of 1 adds is the location with it less that without.

A child in the body of a scan has no `ExplicitReparam`; its base site is given values, which are
corrected by what the child then lacks until it has its draw. Only a child whose parents are in the
carry needs more than one correction: one for each step.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
from msgspec.structs import replace
from numpyro.distributions import transforms
from numpyro.distributions.transforms import AffineTransform, ComposeTransform
from numpyro.infer.reparam import ExplicitReparam, LocScaleReparam

from reparam_rewrite.bases import BASES, Kind
from reparam_rewrite.config.rules import Config, ParentRule, SiteRule
from reparam_rewrite.fitting.values import Array, Child, Pilot, Regression, Regressor
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.plan.children import Child as Asked
from reparam_rewrite.plan.children import Pair, PowerScale, Snippet, Whitening
from reparam_rewrite.plan.offset import is_subsampled
from reparam_rewrite.plan.resolve import Request
from reparam_rewrite.plan.values import Plan, Value, terms_of
from reparam_rewrite.reparameterizers import DECENTERED
from reparam_rewrite.running.call import Call
from reparam_rewrite.running.trace import copied, double_precision, structure, traced
from reparam_rewrite.running.values import Trace, Values

#: The most weights of a matrix that are fitted.
LARGEST_MATRIX = 100

CLOSE = 1e-6

#: The transforms of a basis: NumPyro has none before 0.22, and no generated model then does.
TRANSFORMS: dict[Any, Kind] = {
    getattr(transforms, kind.transform): kind
    for kind in BASES.values()
    if hasattr(transforms, kind.transform)
}


def thawed(config: Config, stays: Collection[tuple[str, str]] = ()) -> Config:
    """The config without what is frozen in it, but for what `stays`, by child and parent.

    It is told anew, of the data that there are.
    """

    def rule_of(key: str, rule: SiteRule) -> SiteRule:
        def parent_of(one: ParentRule) -> ParentRule:
            frozen = one.is_frozen and one.value is None and (key, one.parent) not in stays
            return replace(one, per=None, places={}) if frozen else one

        return replace(rule, parents=tuple(map(parent_of, rule.parents)))

    return replace(config, sites={key: rule_of(key, rule) for key, rule in config.sites.items()})


def children_of(request: Request, config: Config) -> list[Child]:
    """What the config offsets, or divides by a power of a site, in the order of the file.

    The coefficients of vectors in units of a matrix stay what they are.
    """
    keys = {rule.place: key for key, rule in config.sites.items()}
    found = {
        child.name: Child(keys.get(child.place, child.name), child)
        for child in request.to_rewrite
        if child.reparam is None and (child.pairs or has_power(child)) and not is_whitened(child)
    }
    return list(found.values())


def is_whitened(child: Asked) -> bool:
    """Is it sampled in units of a matrix, which mixes what the coefficients of its elements do?"""
    return isinstance(child.scale, Whitening)


def has_power(child: Asked) -> bool:
    """Does the config divide a site by a power of a scale, with or without a loc to be around?"""
    return isinstance(child.scale, PowerScale) or child.centered is not None


def learning(config: Config, shared: bool = False) -> Config:
    """The config with every coefficient learned from 0, and powers of 1: all are non-centred.

    They have the shape that it asks for. With `shared` there is but one for each pair, except for
    the weights of a matrix.
    """

    def learned(table: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in table.items() if key not in ("init", "learn")}
        if shared and kept.get("coefficient", "matrix") != "matrix":
            kept["coefficient"] = "shared"
        return kept

    def rule_of(rule: SiteRule) -> SiteRule:
        parents = tuple(replace(one, overrides=learned(one.overrides)) for one in rule.parents)
        scale = rule.scale
        if scale is not None and scale.by:
            scale = replace(scale, power=1.0)
        overrides, centered = learned(rule.overrides), rule.centered
        if centered is not None:
            centered = replace(centered, value=0.0)
        return replace(rule, parents=parents, overrides=overrides, scale=scale, centered=centered)

    said = learned({"coefficient": config.defaults.coefficient})
    defaults = replace(config.defaults, init=0.0, learn=True, **said)
    sites = {key: rule_of(rule) for key, rule in config.sites.items()}
    return replace(config, defaults=defaults, sites=sites)


def instances(child: Child, trace: Trace) -> dict[str, dict[str, Pair]]:
    """By site of the trace, the params of its offsets: ``xi_beta_0_mu`` of beta_0.

    A site whose name is put together is there under each of its names.
    """
    parts = re.split(r"(\{[^{}]*\})", child.asked.sampled)  # every other one is in braces
    pattern = "".join("(.+)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    found: dict[str, dict[str, Pair]] = {}
    for name in trace:
        match = re.fullmatch(pattern, name)
        if match is None or not any(f"{name}_{base}" in trace for base in ("base", "decentered")):
            continue
        found[name] = {}
        for pair in child.asked.pairs:
            param = pair.coefficient.name
            for hole, text in zip(parts[1::2], match.groups(), strict=True):
                param = param.replace(hole, text)
            if param in trace:
                found[name][param] = pair
    return found


#: By the names of a child and a parent, the parent's value in the generated model.
Mets = Mapping[tuple[str, str], Value]


def mets_of(plan: Plan) -> Mets:
    return {
        (rewrite.site.name, term.label): term.value
        for rewrite in plan.rewrites
        for term in terms_of(rewrite)
    }


def regressions(
    call: Call, children: Sequence[Child], pilot: Pilot, mets: Mets
) -> list[Regression]:
    """The regression of every child, in the order in which the model samples them.

    call: of the model in which all coefficients are learned, which has parents as in `mets`. Raises
    `Refusal` where a child can't be put at its draws.
    """
    with double_precision():
        args, kwargs = copied(call.args, call.kwargs)
        call = call._replace(args=args, kwargs=kwargs)
        trace = structure(call.model, args, kwargs)
        sites: dict[str, tuple[Child, dict[str, Pair]]] = {}  # by child in the trace
        for one in children:
            for name, params in instances(one, trace).items():
                sites.setdefault(name, (one, params))
        counts = Counter(child.key for child, _ in sites.values())
        located = locations(call, pilot.draws, list(sites), [c for c in sites if in_scan(trace, c)])
        zeros = {
            param: np.zeros(np.shape(trace[param]["value"]))
            for _, params in sites.values()
            for param in params
        }
        without = located(zeros)

        def added(child: str, param: str, coefficient: Array) -> Array:
            return located({**zeros, param: coefficient})[child].location - without[child].location

        def regressors(child: str, params: Mapping[str, Pair]) -> Iterator[Regressor]:
            for param, pair in params.items():
                zero = zeros[param]
                matrix = pair.coefficient.structure == "matrix"
                if not matrix:
                    values = added(child, param, np.ones_like(zero))
                elif zero.size <= LARGEST_MATRIX:
                    units = (unit.reshape(zero.shape) for unit in np.eye(zero.size))
                    values = np.stack([added(child, param, unit) for unit in units], axis=-1)
                else:
                    continue
                center = None if isinstance(pair.center, Snippet) else float(pair.center or 0.0)
                met = mets.get((pair.child, pair.parent))
                yield Regressor(pair.parent, param, values, zero.shape, center, matrix, met)

        def regression(name: str) -> Regression:
            (child, params), own = sites[name], without[name]
            power = has_power(child.asked)
            return Regression(
                name,
                child.key,
                own.values * own.scale,
                tuple(regressors(name, params)),
                own.bases,
                1 / own.scale if power else None,
                float(power),
                counts[child.key] > 1,
                own.scale,
                child.asked.function.name,
                is_subsampled(child.asked.site),
                own.around if child.asked.centered is not None else None,
            )

        return [regression(name) for name in trace if name in sites]


class Located(NamedTuple):
    """A child in unconstrained space: its values, its location and scale, (n, *shape) each.

    Its values are without what they are `around`, the loc of a prior that it is non-centred around.
    """

    values: Array
    location: Array
    scale: Array
    around: Array
    bases: tuple[tuple[Array, int], ...] = ()


def locations(
    call: Call, draws: Mapping[str, Any], children: Sequence[str], scanned: Sequence[str]
) -> Callable[[Values], dict[str, Located]]:
    """A function of coefficients to where the children are in the model, at draws of its latents.

    It raises `Refusal` if a child of a scan can't be put there.
    """
    wanted = {name: jnp.asarray(value, float) for name, value in draws.items()}
    kinds: dict[str, list[Any]] = {}
    bases = {name: wanted[name] for name in scanned}
    steps = max((max(np.shape(wanted[name])) for name in scanned), default=0)

    def one(values: Values, bases: Values, coefficients: Values) -> Any:
        found: dict[str, Any] = {}
        own = {name: value for name, value in values.items() if name not in bases}
        data = {**own, **coefficients, **{f"{name}_base": v for name, v in bases.items()}}
        given = {name: values[name] for name in children if name not in bases}
        explicit, loc_scale = recording(given, found, kinds)
        with (
            patch.object(ExplicitReparam, "__call__", explicit),
            patch.object(LocScaleReparam, "__call__", loc_scale),
        ):
            trace = traced(call.model, call.args, call.kwargs, data)
        return found, {name: trace[name]["value"] for name in scanned}

    @jax.jit
    def every(values: Values, bases: Values, coefficients: Values) -> Any:
        return jax.lax.map(
            lambda both: one(both[0], both[1], coefficients), (values, bases), batch_size=32
        )

    def located(coefficients: Values) -> dict[str, Located]:
        for _ in range(steps + len(scanned) + 2):
            found, reached = jax.device_get(every(wanted, bases, coefficients))
            gaps = {name: np.asarray(wanted[name]) - reached[name] for name in scanned}
            bases.update({name: bases[name] + gap for name, gap in gaps.items()})
            if all(np.abs(gap).max(initial=0.0) < CLOSE for gap in gaps.values()):
                break
        else:
            message = f"the offset of {', '.join(scanned)} in a scan can't be told"
            raise Refusal(Diagnostic(None, message))
        placed = {}
        for name, parts in found.items():
            values, location, scale, around = map(np.asarray, parts)
            own = tuple(basis_of(kind, values.shape) for kind in kinds.get(name, []))
            placed[name] = Located(values, location, scale, around, own)
        for name in scanned:
            values = np.asarray(wanted[name])
            location, ones = np.asarray(bases[name]) - values, np.ones_like(values)
            placed[name] = Located(values, location, ones, 0 * ones)
        return placed

    return located


def in_scan(trace: Trace, child: str) -> bool:
    """Is the child offset by its distribution's location, as in a scan?"""
    if f"{child}_base" not in trace:
        return False
    fn = base_of(trace[f"{child}_base"]["fn"])
    parts = [part for transform in getattr(fn, "transforms", ()) for part in parts_of(transform)]
    return not any(isinstance(part, AffineTransform) for part in parts)


def base_of(fn: Any) -> Any:
    """The distribution itself, without what plates, masks and events put around it."""
    while hasattr(fn, "base_dist") and not hasattr(fn, "transforms"):
        fn = fn.base_dist
    return fn


def recording(
    values: Mapping[str, Any], found: dict[str, Any], kinds: dict[str, list[Any]]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`ExplicitReparam` and `LocScaleReparam` for children that have the given values.

    They leave the value, the location, the scale and what it is around of each in `found`, its
    bases in `kinds`.
    """
    explicit, loc_scale = ExplicitReparam.__call__, LocScaleReparam.__call__
    decentered = {DECENTERED.format(name): name for name in values}

    def called(self: Any, name: str, fn: Any, obs: Any) -> Any:
        child = decentered.get(name, name)
        if child not in values:
            return explicit(self, name, fn, obs)
        at, own, around = values[child], 1.0, 0.0
        if name != child:  # in units of its prior's scale
            at, _, own, around = found.pop(child)
        kinds[child] = []
        for transform in parts_of(self.transform):
            if isinstance(transform, AffineTransform):
                scale = transform.scale * own
                found[child] = jnp.broadcast_arrays(at, transform.loc, scale, around)
            elif isinstance(transform, tuple(TRANSFORMS)):
                kinds[child].append(transform)
            elif child not in found:
                at = transform(at)
        if child not in found:
            found[child] = jnp.broadcast_arrays(at, 0.0, own, around)
        return None, values[child] if name == child else (at * own)

    def non_centred(self: Any, name: str, fn: Any, obs: Any) -> Any:
        if name in values:
            prior = base_of(fn)
            found[name] = jnp.broadcast_arrays(
                values[name] - prior.loc, 0.0, 1 / prior.scale, prior.loc
            )
        made = loc_scale(self, name, fn, obs)
        return (None, values[name]) if name in values else made

    return called, non_centred


def parts_of(transform: Any) -> Iterator[Any]:
    """Transforms in the order in which they are applied."""
    if isinstance(transform, ComposeTransform):
        for part in transform.parts:
            yield from parts_of(part)
    else:
        yield transform


def basis_of(transform: Any, shape: tuple[int, ...]) -> tuple[Array, int]:
    """The matrix of a basis and its axis; `shape` is that of the values."""
    (made,) = (made for made in TRANSFORMS if isinstance(transform, made))
    setting = getattr(transform, TRANSFORMS[made].setting.name)
    return matrix_of(made, setting, shape[transform.dim]), transform.dim


@cache
def matrix_of(transform: Any, setting: Any, size: int) -> Array:
    """The orthonormal matrix of a transform with its setting: (size, size)."""
    return np.asarray(jax.vmap(transform(-1, setting))(jnp.eye(size))).T
