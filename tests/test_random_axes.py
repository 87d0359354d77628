"""Random parents and children over groups: the offset is what numpy says, or it is said why not.

Groups have sizes that may be equal; sites have them in any order, as plates with names of their own
or as batch axes, from priors that can be read or not, and the config may say which axis is which.

    python -m pytest tests/test_random_axes.py -m long     # some hundred more
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from reparam_rewrite.messages import Refusal
from tests.support.cases import rewritten
from tests.support.shapes import Expected, Shape, assert_rewritten, usual

UNFIT = "can't be lined up with"
SWAPPED = (
    "'p' can't be lined up with 'c': its axes would have to be swapped, and it may have more than "
    "show"
)


@dataclass
class Drawn:
    """A site: its groups from left to right, how it is written, and the names of its plates.

    `style`: "plates", "expand", "helper" (nothing shows), "hidden scale in plates" (plates show).
    """

    site: str
    groups: list[int]
    style: str
    names: list[str]
    gap: int  # empty dims right of all plates

    @property
    def in_plates(self) -> bool:
        return "plates" in self.style

    def lines(self) -> list[str]:
        sizes = [f"n{group}" for group in self.groups]
        call = f'{self.site} = numpyro.sample("{self.site}", '
        if self.style == "expand":
            return [f"{call}dist.Normal(0, 1).expand([{', '.join(sizes)}]))"]
        if self.style == "helper":
            return [f"{call}hidden({', '.join(sizes)}))"]
        scale = "1" if self.style == "plates" else "scale()"
        dims = [at - len(sizes) - self.gap for at in range(len(sizes))]
        plates = [
            f'numpyro.plate("{name}", {size}, dim={dim})'
            for name, size, dim in zip(self.names, sizes, dims, strict=True)
        ]
        return [
            f"with {', '.join(plates)}:",
            f"    {call}dist.Normal(0, {scale}))",
        ]

    def shape(self, sizes: list[int]) -> tuple[int, ...]:
        gap = (1,) * self.gap if self.in_plates else ()
        return (*(sizes[group] for group in self.groups), *gap)


def drawn(rng: np.random.Generator, site: str) -> Drawn:
    groups = [int(g) for g in rng.permutation(3)[: rng.integers(1, 4)]]
    style = str(
        rng.choice(["plates", "expand", "helper", "hidden scale in plates"], p=[0.4, 0.2, 0.2, 0.2])
    )
    names = [f"{site if rng.random() < 0.4 else 'g'}{group}" for group in groups]
    gap = int(rng.random() < 0.2)
    return Drawn(site, groups, style, names, gap)


def shared(parent: Drawn, child: Drawn) -> list[int]:
    """The groups of the parent that can be told to be the child's, by name or by size."""
    found = []
    for at, group in enumerate(parent.groups):
        if group not in child.groups:
            continue
        there = child.groups.index(group)
        if parent.in_plates and child.in_plates and parent.names[at] != child.names[there]:
            dims = [s.groups.index(group) - len(s.groups) - s.gap for s in (parent, child)]
            if len(parent.groups) == len(child.groups) == 1 and dims[0] == dims[1]:
                continue  # they needed no two names
        found.append(group)
    return found


def by_group(parent: Drawn, child: Drawn, kept: list[int], sizes: list[int]) -> str:
    """The parent's mean over what isn't kept, in the axes of the child, as numpy computes it."""
    letters = "".join("abc"[group] for group in parent.groups)
    order = [group for group in child.groups if group in kept]
    lost = int(np.prod([sizes[group] for group in parent.groups if group not in kept]))
    bare = tuple(sizes[group] for group in parent.groups)
    subscripts = f"{letters}->{''.join('abc'[group] for group in order)}"
    full = [sizes[group] if group in kept else 1 for group in child.groups]
    full += [1] * (len(child.shape(sizes)) - len(full))
    return f'(jnp.einsum("{subscripts}", p.reshape({bare})) / {lost}).reshape({tuple(full)})'


def random_shape(seed: int) -> tuple[Shape, list[str]]:
    """A shape, and the message if it is to be refused."""
    rng = np.random.default_rng(seed)
    sizes = [int(size) for size in rng.choice([2, 3], size=3)]
    parent, child = drawn(rng, "p"), drawn(rng, "c")
    told = rng.random() < 0.3 and not (parent.gap or child.gap)
    source = "\n    ".join(["def model(n0, n1, n2):", *parent.lines(), *child.lines()])
    source += "\n\n\ndef hidden(*sizes):\n    return dist.Normal(0, 1).expand(sizes)\n"
    source += "\n\ndef scale():\n    return 2.0\n"
    config = '[sites.c]\noffset = "p"\n'
    expected, fails, refused = "", "", []
    if told:
        names = {s.site: [f"g{group}" for group in s.groups] for s in (parent, child)}
        config = f"axes = {{ p = {names['p']}, c = {names['c']} }}\n{config}"
        kept = [group for group in parent.groups if group in child.groups]
    else:
        kept = shared(parent, child)
    if not told and "helper" in (parent.style, child.style):
        if parent.shape(sizes) == child.shape(sizes):
            expected = "p"
        else:
            fails = UNFIT
    else:
        expected = by_group(parent, child, kept, sizes)
        order = [group for group in child.groups if group in kept]
        swapped = order != [group for group in parent.groups if group in kept]
        if not told and parent.style == "hidden scale in plates" and swapped:
            expected, refused = "", [SWAPPED]
    offsets = {"c": f"xi_c_p * {expected}"} if expected else {}
    expectation = Expected(offsets=offsets, fails=fails)
    return Shape(usual(source), config, str(tuple(sizes)), expectation), refused


@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=[pytest.mark.long] * (seed >= 12)) for seed in range(300)],
)
def test_the_offset_is_what_numpy_says(seed: int) -> None:
    shape, messages = random_shape(seed)
    if messages:
        with pytest.raises(Refusal) as refusal:
            rewritten(shape.source, shape.config)
        assert [problem.message for problem in refusal.value.diagnostics] == messages
    else:
        assert_rewritten(shape, rewritten(shape.source, shape.config).data)
