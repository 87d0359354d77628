"""What one run of a model tells beside its source. Imports no jax."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from msgspec import Struct

Shape = tuple[int, ...]


class Facts(Struct, frozen=True):
    """A traced run.

    `shapes` are those of the values of all sites. `real` are the latents on the whole real line.
    `meeting` are the pairs of sites that depend on each other in the posterior, as
    `numpyro.infer.inspect.get_dependencies` tells. `evaluate` gives the mean of an expression of
    the model's arguments, None where it has others in it. `draws` are values of the latent sites
    from the prior, by name: arrays whose first axis is the draw.
    """

    shapes: dict[str, Shape]
    real: frozenset[str]
    meeting: frozenset[frozenset[str]]
    evaluate: Callable[[str], float | None]
    draws: Mapping[str, Any]

    def meet(self, one: str, other: str) -> bool:
        """Do two sites depend on each other? What the run didn't sample may."""
        known = one in self.shapes and other in self.shapes
        return not known or frozenset((one, other)) in self.meeting

    def observations_each(self, observed: str, site: str) -> float | None:
        """How many observations there are for an element of a site, in the mean."""
        if observed not in self.shapes or site not in self.shapes:
            return None
        return prod(self.shapes[observed]) / max(prod(self.shapes[site]), 1)

    def spread(self, site: str, kept: tuple[int, ...]) -> float | None:
        """The prior variance of a site's mean over all axes but those `kept`, counted from the end.

        The median over draws, as the scale of a prior may be one of heavy tails.
        """
        draws = self.draws.get(site)
        if draws is None:
            return None
        rest = tuple(at for at in range(1, draws.ndim) if at - draws.ndim not in kept)
        means = draws.mean(axis=rest) if rest else draws
        moved = (means - means.mean(axis=0)) ** 2
        each = sorted(float(one.mean()) for one in moved)
        return each[len(each) // 2]

    def fits(self, parent: str, child: str) -> bool:
        """Does the parent's value broadcast to the child's shape?"""
        if parent not in self.shapes or child not in self.shapes:
            return False
        inner, outer = self.shapes[parent], self.shapes[child]
        if len(inner) > len(outer):
            return False
        return all(
            size in (1, other)
            for size, other in zip(reversed(inner), reversed(outer), strict=False)
        )
