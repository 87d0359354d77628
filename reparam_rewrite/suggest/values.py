"""What a suggestion says: the values between reading a model and writing a config."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from reparam_rewrite.survey.sums import Sums, is_observed
from reparam_rewrite.survey.values import Site

#: Tells lines of the model, by their numbers, in the words of a sentence: ``lines 3 and 7``.
Lines = Callable[..., str]


class Offset(Struct, frozen=True):
    """A proposed offset of one site by another.

    `label` is what the config calls the parent: the site's name, or another word where `value`,
    an expression, is what is offset by. `reason` says by what of the data it makes up for the
    parent. `rivals` are sites that can make up for the parent too. `where` tells the lines of the
    two summands.
    """

    child: str
    parent: str
    init: float = 1.0
    value: str = ""
    label: str = ""
    reason: str = ""
    rivals: tuple[str, ...] = ()
    where: str = ""

    @property
    def chained(self) -> bool:
        """Is it nothing but being in the chain? `init` is written where it isn't that of all."""
        return not (self.value or self.reason)


class Proposal(Struct, frozen=True):
    """What is proposed for one site; each of `reasons` is one comment, by the key that it is of.

    The scale of its prior is taken out `by` a site, or as `scale`, an expression. `where` tells
    the line that samples the site.
    """

    site: Site
    where: str = ""
    offsets: tuple[Offset, ...] = ()
    by: str = ""
    power: float = 1.0
    scale: str = ""
    basis: str = ""
    elementwise: bool = False
    reasons: dict[str, str] = {}

    @property
    def is_empty(self) -> bool:
        return not (self.offsets or self.is_scaled or self.basis)

    @property
    def is_scaled(self) -> bool:
        return bool(self.by or self.scale)


class Alone(Struct, frozen=True):
    """A site that is left as it is, and why. `around`: other sites are sampled around it."""

    site: str
    where: str
    reason: str
    around: bool = False


class Sum(Struct, frozen=True):
    """The summands of one observed site: what the comment above a chain says."""

    observed: str
    parameter: str
    where: str
    text: str
    sites: tuple[str, ...]


class Suggestion(Struct, frozen=True):
    """All that is proposed for one function, in the order in which its sites are sampled.

    `chains` are lists of sites that are each offset by those before. `axes` are the names of those
    of some sites, by which they are lined up. `others` are functions of the file for which
    something would be proposed too. `named`: the config must say which function it is for. `ran`:
    a run told what the source doesn't. `model` is what the function adds up, where it was asked.
    """

    path: str
    function: str
    sums: tuple[Sum, ...] = ()
    chains: tuple[tuple[str, ...], ...] = ()
    proposals: tuple[Proposal, ...] = ()
    alone: tuple[Alone, ...] = ()
    others: tuple[str, ...] = ()
    named: bool = False
    axes: dict[str, tuple[str, ...]] = {}
    ran: bool = False
    model: Sums | None = None

    @property
    def is_empty(self) -> bool:
        return not self.proposals

    @property
    def sites(self) -> list[Site]:
        return self.model.function.sites if self.model is not None else []

    @property
    def latents(self) -> list[Site]:
        return [site for site in self.sites if not is_observed(site)]


def joined(
    chains: Iterable[Sequence[str]], proposals: Iterable[Proposal]
) -> tuple[tuple[str, ...], ...]:
    """The chains, each once, with only those sites that an offset of its own joins to another."""
    offsets = [offset for one in proposals for offset in one.offsets if offset.chained]
    pairs = [{offset.child, offset.parent} for offset in offsets]
    found = []
    for chain in chains:
        names = set().union(*(pair for pair in pairs if pair <= set(chain)))
        found.append(tuple(name for name in chain if name in names))
    return tuple(dict.fromkeys(filter(None, found)))
