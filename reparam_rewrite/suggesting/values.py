"""What a suggestion says: the values between reading a model and writing a config."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.plan.values import Met
from reparam_rewrite.survey.sums import Sums
from reparam_rewrite.survey.values import Site

#: Tells lines of the model, by their numbers, in the words of a sentence: ``lines 3 and 7``.
Lines = Callable[..., str]


#: What an effect is called that the model itself multiplies by its scale.
BY_HAND = "non-centred by hand"

#: Why the first of a chain is left alone.
AROUND = "the others are sampled around it"

#: Why a site is left alone that another one would have been sampled around.
NOBODY = "what could be sampled around it is left as it is"


class Offset(Struct, frozen=True):
    """A proposed offset of one site by another.

    `label` is what the config calls the parent: the site's name, or another word where `value`,
    an expression, is what is offset by. `reason` says by what of the data it makes up for the
    parent. `rivals` are sites that can make up for the parent too. `ratio` is what makes up for all
    of the parent, and if `weighed`, a run tells how much less it is. `expected`: the parent is in
    the location of the child's prior, as `reason` has it. `where` tells the lines of the two
    summands.
    """

    child: str
    parent: str
    init: float = 1.0
    value: str = ""
    label: str = ""
    reason: str = ""
    rivals: tuple[str, ...] = ()
    ratio: float = 1.0
    weighed: bool = False
    expected: bool = False
    where: str = ""

    @property
    def chained(self) -> bool:
        """Is it nothing but being in the chain? `init` is written where it isn't that of all."""
        return not (self.value or self.reason)


class Proposal(Struct, frozen=True):
    """What is proposed for one site; each of `reasons` is one comment, by the key that it is of.

    The scale of its prior is taken out `by` a site, or as `scale`, an expression; if the `power` of
    that site is `learned`, it is beside the offsets, and this is where it starts. `where` tells
    the line that samples the site, and `alone` why nothing is proposed for it: "" where that is
    that other sites are sampled around it. `refused`: the rewriter would not do what was proposed.
    """

    site: Site
    where: str = ""
    offsets: tuple[Offset, ...] = ()
    by: str = ""
    power: float = 1.0
    learned: bool = False
    scale: str = ""
    basis: str = ""
    elementwise: bool = False
    reasons: dict[str, str] = {}
    alone: str = ""
    refused: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.offsets or self.is_scaled or self.basis)

    @property
    def is_scaled(self) -> bool:
        return bool(self.by or self.scale)

    def without(self, parent: str, reason: str) -> Proposal:
        offsets = tuple(o for o in self.offsets if parent not in (o.parent, o.label))
        by = "" if self.learned and parent in ("", self.by) else self.by
        return replace(self, offsets=offsets, by=by, reasons={**self.reasons, parent: reason})

    def apart_from(self, names: Collection[str]) -> Proposal:
        """What is left of it where some sites have to do with no offset."""
        if self.site.name in names:
            return Proposal(self.site, self.where)
        pairs = [offset.parent for offset in self.offsets if offset.parent in names]
        return replace(self, offsets=tuple(o for o in self.offsets if o.parent not in pairs))

    def left_alone(self, reason: str) -> Proposal:
        return Proposal(self.site, self.where, alone=reason, refused=True)


class Alone(NamedTuple):
    """A site that is left as it is, and why."""

    site: str
    where: str
    reason: str


class Sum(Struct, frozen=True):
    """The summands of one observed site, in the order of sampling, and what a comment tells."""

    observed: str
    parameter: str
    where: str
    text: str
    sites: tuple[str, ...]


class Conditional(Struct, frozen=True):
    """The sites that are proposed to be sampled given the data, in their order; none without any.

    `reasons` are sentences of a comment. `why` are other sites that are added up, by name, and why
    they aren't among them.
    """

    order: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    why: dict[str, str] = {}


class Suggestion(Struct, frozen=True):
    """All that is proposed for one function, in the order in which its sites are sampled.

    `conditional` comes first; None where it wasn't asked for. `each` has a proposal for every
    latent site, if only an empty one. `locations` are the sums of all observed sites. `axes` are
    the names of those of some sites, by which they are lined up. `notes` are what is said of groups
    and their order, `late` pairs whose parent the model samples after the child, and `met` is how
    the rewriter lets a child, the first, meet a parent. `others` are functions of the file for
    which something would be proposed too. `named`: the config must say which function it is for.
    `ran`: a run told what the source doesn't. `model` is what the function adds up, where it was
    asked.
    """

    path: str
    function: str
    locations: tuple[Sum, ...] = ()
    each: tuple[Proposal, ...] = ()
    others: tuple[str, ...] = ()
    named: bool = False
    axes: dict[str, tuple[str, ...]] = {}
    notes: tuple[str, ...] = ()
    late: tuple[tuple[str, str], ...] = ()
    met: dict[tuple[str, str], Met] = {}
    ran: bool = False
    model: Sums | None = None
    conditional: Conditional | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.proposals or self.order)

    @property
    def order(self) -> tuple[str, ...]:
        """The sites that are sampled given the data."""
        return self.conditional.order if self.conditional is not None else ()

    def with_conditional(self, found: Conditional) -> Suggestion:
        """The same without offsets of and by the sites that are sampled given the data."""
        each = tuple(one.apart_from(found.order) for one in self.each)
        return replace(self, conditional=found, each=each)

    @property
    def proposals(self) -> list[Proposal]:
        return [one for one in self.each if not one.is_empty]

    @property
    def sums(self) -> list[Sum]:
        """Those that an offset is in."""
        pairs = [{o.child, o.parent} for one in self.proposals for o in one.offsets]
        return [one for one in self.locations if any(pair <= set(one.sites) for pair in pairs)]

    @property
    def chains(self) -> tuple[tuple[str, ...], ...]:
        """Lists of sites that are each offset by those before, with no more to say."""
        offsets = [offset for one in self.proposals for offset in one.offsets if offset.chained]
        pairs = [{offset.child, offset.parent} for offset in offsets]
        found = []
        for one in self.locations:
            joined = set().union(*(pair for pair in pairs if pair <= set(one.sites)))
            found.append(tuple(name for name in one.sites if name in joined))
        return tuple(dict.fromkeys(filter(None, found)))

    @property
    def bystanders(self) -> list[Proposal]:
        """The sites that nothing is proposed for: all that are refused, else the last of a name."""
        proposed = {one.site.name for one in self.proposals} | {*self.order}
        last = {one.site.name: one for one in self.each}
        last |= {one.site.name: one for one in self.each if one.refused}
        left = (one for one in self.each if one.site.name not in proposed)
        return [one for one in left if one.refused or one is last[one.site.name]]

    @property
    def alone(self) -> list[Alone]:
        """The same, and why."""
        parents = {offset.parent for one in self.proposals for offset in one.offsets}
        untaken: dict[str, str] = {}
        if self.conditional is not None and (self.order or not self.proposals):
            untaken = self.conditional.why

        def why(one: Proposal) -> str:
            return (
                untaken.get(one.site.name, "")
                or one.alone
                or (AROUND if one.site.name in parents else NOBODY)
            )

        return [Alone(one.site.name, one.where, why(one)) for one in self.bystanders]
