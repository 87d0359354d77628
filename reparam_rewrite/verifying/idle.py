"""Which elements of a coefficient may do nothing? Those that meet nothing in the observations.

What a parent adds to the observations of a group is projected on the group's element of the child:
it is 0 for a group without observations, for one whose weights are all 0, and where the parent adds
nothing to them or what cancels. The plain model's own density shows each of these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reparam_rewrite.running.trace import compiled, traced
from reparam_rewrite.running.values import Values
from reparam_rewrite.verifying.points import Compared, Point

#: Below this share of the largest one, a mixed derivative is what rounding leaves of 0.
NONE = 1e-12


class Met(NamedTuple):
    """What depends on what in the plain model, at all points.

    seen, needed: by child, whether each element has an effect on the density of the observed sites,
    and of all sites but itself. crossed: by child and parent, whether what the parent adds to the
    observations has an effect on how the child's element counts in them.
    """

    seen: Mapping[str, Any]
    needed: Mapping[str, Any]
    crossed: Mapping[tuple[str, str], Any]

    def excuse(self, child: str, parent: str, idle: Any) -> str:
        """Why those elements of a coefficient do nothing that are `idle`, as a clause.

        The shape of `idle` broadcasts to the child's. "" if one of them should do something.
        """
        if child not in self.seen or jnp.ndim(idle) > jnp.ndim(self.seen[child]):
            return ""
        seen, needed = self.seen[child], self.needed[child]
        try:
            elements = np.broadcast_to(idle, seen.shape)
        except ValueError:
            return ""
        # A child that is observed nowhere, and is the mean of another site, isn't projected on.
        if not np.any(seen[elements]) and (np.any(seen) or not np.any(needed)):
            return "no observation has them"
        crossed = self.crossed.get((child, parent))
        if crossed is not None and np.any(seen) and not np.any(crossed[elements]):
            return f"what {parent} adds to their observations is 0 or cancels"
        return ""


def met(compared: Compared, points: Sequence[Point], pairs: Iterable[tuple[str, str]]) -> Met:
    """What meets in the plain model, of pairs of a child and its parent, which may be unknown.

    It is compiled once, and run at each point.
    """
    change = compared.change
    plain, call, fixed = change.models.plain, change.models.call, change.pairing.fixed
    pairs = [(c, p) for c, p in dict.fromkeys(pairs) if c in change.bases]
    children = {child for child, _ in pairs}
    parents = {parent for _, parent in pairs if parent in change.bases}
    observed: set[str] = set()

    def derivatives(values: Values, others: Values) -> dict[str, Any]:
        def densities(values: Values) -> Values:
            trace = traced(plain, *call, {**fixed, **others, **values})
            sampled = {name: site for name, site in trace.items() if site["type"] == "sample"}
            observed.update(name for name, site in sampled.items() if site["is_observed"])
            return {
                name: jnp.sum(site["fn"].log_prob(site["value"]))
                * (1.0 if site["scale"] is None else site["scale"])
                for name, site in sampled.items()
            }

        def of_observed(values: Values) -> Values:
            found, pull = jax.vjp(densities, values)
            pulled: Values = pull(among(found, observed))[0]
            return pulled

        found, pull = jax.vjp(densities, values)
        rng = np.random.default_rng(4)
        crossed = {}
        for parent in parents:
            along = jax.tree.map(jnp.zeros_like, values)
            along[parent] = jnp.asarray(rng.uniform(0.5, 1.5, jnp.shape(values[parent])))
            crossed[parent] = jax.jvp(of_observed, (values,), (along,))[1]
        return {
            "seen": of_observed(values),
            "needed": {
                child: pull(among(found, found.keys() - {child}))[0][child] for child in children
            },
            "crossed": {pair: crossed[pair[1]][pair[0]] for pair in pairs if pair[1] in parents},
        }

    def given(point: Point) -> tuple[Values, Values]:
        values = {name: point.at["values"][name] for name in change.bases}
        own = {name: jnp.asarray(values[name], float) for name in sorted(children | parents)}
        others = {**point.held, **point.at["params"], **values}
        return own, {name: value for name, value in others.items() if name not in own}

    program = compiled(derivatives, *given(points[0]))
    found = [jax.device_get(program(*given(point))) for point in points]

    def anywhere(kind: str, least: float = 0.0) -> dict[Any, Any]:
        """Whether each of some derivatives is more than a share of the largest at some point."""

        def counts(size: Any) -> Any:
            return ~(size <= least * np.max(np.nan_to_num(size, posinf=0.0), initial=0.0))

        names = found[0][kind]
        return {n: np.any([counts(np.abs(one[kind][n])) for one in found], axis=0) for n in names}

    seen = anywhere("seen")
    # A parent that no observation has adds nothing anywhere.
    crossed = {
        pair: is_ for pair, is_ in anywhere("crossed", NONE).items() if np.any(seen[pair[1]])
    }
    return Met(seen, anywhere("needed"), crossed)


def among(found: Values, names: Collection[str]) -> Values:
    """What picks the sum of some densities: 1 for those of these names, and 0."""
    return {name: jnp.asarray(name in names, one.dtype) for name, one in found.items()}
