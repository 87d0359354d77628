"""What one run of a model tells beside its source. Imports no jax."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any

from msgspec import Struct

Shape = tuple[int, ...]


class Facts(Struct, frozen=True):
    """A traced run.

    `shapes` are those of the values of all sites. `real` are the latents on the whole real line.
    `meeting` are the pairs of sites that depend on each other in the posterior, as
    `numpyro.infer.inspect.get_dependencies` tells. `evaluate` gives an expression of the model's
    arguments and of what it computes from them, beside values of other names; None where it
    doesn't come to an array of numbers. `draws` are values of the latent sites from the prior, by
    name: arrays whose first axis is the draw. `sizes` are the mean absolute values of what is
    observed.
    """

    shapes: dict[str, Shape]
    real: frozenset[str]
    meeting: frozenset[frozenset[str]]
    evaluate: Callable[[str, Mapping[str, Any]], Any]
    draws: Mapping[str, Any]
    sizes: Mapping[str, float] = {}

    def meet(self, one: str, other: str) -> bool:
        """Do two sites depend on each other? What the run didn't sample may."""
        known = one in self.shapes and other in self.shapes
        return not known or frozenset((one, other)) in self.meeting

    def observations_each(self, observed: str, site: str, counted: bool = False) -> float | None:
        """How many observations there are for an element of a site, in the mean.

        observed: the name of a site, or the template of several, ``y_{k}``. counted: its values
        are counts of what was seen.
        """
        pattern = re.sub(r"\\\{.*?\\\}", ".*", re.escape(observed))
        found = [name for name in self.shapes if re.fullmatch(pattern, name)]
        if not found or site not in self.shapes:
            return None
        counts = [prod(self.shapes[name]) * (self.sizes[name] if counted else 1) for name in found]
        return sum(counts) / max(prod(self.shapes[site]), 1)

    def reach(self, site: str) -> float | None:
        """The variance of a site's elements in one draw of its prior; the median over draws."""
        draws = self.draws.get(site)
        if draws is None or draws.ndim < 2:
            return None
        return median(draws.reshape(len(draws), -1).var(axis=1))

    def typical(self, site: str) -> float | None:
        """The median of a site's elements over draws of its prior."""
        draws = self.draws.get(site)
        return median(draws.ravel()) if draws is not None and draws.size else None

    def spread(self, site: str, kept: tuple[int, ...]) -> float | None:
        """The prior variance of a site's mean over all axes but those `kept`, counted from the end.

        The median over draws, as the scale of a prior may be one of heavy tails.
        """
        draws = self.draws.get(site)
        if draws is None:
            return None
        rest = tuple(at for at in range(1, draws.ndim) if at - draws.ndim not in kept)
        means = draws.mean(axis=rest) if rest else draws
        return median(one.mean() for one in (means - means.mean(axis=0)) ** 2)


def median(values: Iterable[Any]) -> float:
    ordered = sorted(map(float, values))
    return ordered[len(ordered) // 2]
