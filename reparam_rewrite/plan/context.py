"""What the offsets of one function share: names for what is generated, and values to be kept."""

from __future__ import annotations

import builtins
import keyword
from collections import Counter
from collections.abc import Iterable
from functools import cached_property

from msgspec import Struct

from reparam_rewrite.bases import BASES
from reparam_rewrite.plan.values import Keep, Threading
from reparam_rewrite.reparameterizers import REPARAMETERIZERS
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.shapes import opened
from reparam_rewrite.survey.sums import Sums, sums_of
from reparam_rewrite.survey.terms import Term
from reparam_rewrite.survey.values import Scan, Site


def taken_in(identifiers: frozenset[str]) -> frozenset[str]:
    """What an import may not bind in a file with these identifiers."""
    return identifiers.union(dir(builtins), keyword.kwlist)


def reserved_in(identifiers: frozenset[str]) -> frozenset[str]:
    """What a variable may not be called: the names of imports to come are taken too."""
    classes = ("AffineTransform", *(kind.transform for kind in BASES.values()), *REPARAMETERIZERS)
    others = ("biject_to", "constraints", "deterministic", "handlers", "jnp", "numpyro", "param")
    return taken_in(identifiers).union(classes, others)


class Names:
    """Hands out identifiers that nothing else in the file has: they shadow and reuse none.

    `taken` are those of the file, which every function shares, and `own` those that come to them.
    """

    def __init__(self, taken: frozenset[str], own: Iterable[str] = ()) -> None:
        self._taken = taken
        self.own = set(own)

    def copy(self) -> Names:
        return Names(self._taken, self.own)

    def is_free(self, name: str) -> bool:
        return name not in self.own and name not in self._taken

    def new(self, wanted: str) -> str:
        """`wanted`, or `wanted_2`, `wanted_3`, ... if that is taken."""
        name, count = wanted, 1
        while not self.is_free(name):
            count += 1
            name = f"{wanted}_{count}"
        self.own.add(name)
        return name


class Context(Struct, dict=True):
    """What the offsets of one function share.

    `keeps` are by the index of the site, and what its scans share by the names of their bodies.
    `coordinates` are the place and the variable of what effects share that are sampled given the
    data.
    """

    survey: Survey
    function: Function
    names: Names
    keeps: dict[int, Keep] = {}
    scans: dict[str, ScanContext] = {}
    coordinates: tuple[int, str] | None = None

    def of_scan(self, scan: Scan) -> ScanContext:
        """What the children in the body of one scan share."""
        if scan.body not in self.scans:
            body = Context(self.survey, self.survey.functions[scan.body], self.names)
            self.scans[scan.body] = ScanContext(scan, self, body)
        return self.scans[scan.body]

    @cached_property
    def sums(self) -> Sums:
        """What the function adds up; nothing where that is nested too deeply to be followed."""
        try:
            return sums_of(self.survey, self.function)
        except RecursionError:
            return Sums(self.function)

    @cached_property
    def summands(self) -> dict[int, dict[int, list[Term]]]:
        """By the index of a site the terms that have it, of each location by its number."""
        found: dict[int, dict[int, list[Term]]] = {}
        for number, observed in enumerate(self.sums.observed):
            for term in observed.location.terms:
                for index in dict.fromkeys(term.sites):
                    found.setdefault(index, {}).setdefault(number, []).append(term)
        return found

    @cached_property
    def twice(self) -> frozenset[str]:
        """The sizes that some site of the function has two axes of."""
        found: set[str] = set()
        for site in self.function.sites:
            plates = [plate.axis for frame in site.all_frames for plate in frame.plates]
            for axes in (opened(site.extent.seen), plates):
                count = Counter(axis.size_key for axis in axes)
                found.update(key for key in count if key and count[key] > 1)
        return frozenset(found)

    def keep(self, site: Site) -> str:
        """The name that the value of a site is kept by, where its own is bound again later.

        A value without a name has the site's, if nothing else in the file has.
        """
        if site.index not in self.keeps:
            variable, wanted = site.variable or "", identifier(site.name)
            if variable.isidentifier():
                wanted = f"{variable}_site"
            elif not self.names.is_free(wanted):
                wanted = f"{wanted}_site"
            name = self.names.new(wanted)
            self.keeps[site.index] = Keep(site.statement, name, variable, site.call.name)
        return self.keeps[site.index].name


class ScanContext(Struct):
    """What the children in the body of one scan share.

    `outer` is of the function that calls scan, and `body` of its body; they share their names.
    `carried` maps what goes through `xs` to the name of a step's part of it.
    """

    scan: Scan
    outer: Context
    body: Context
    carried: dict[str, str] = {}

    def carry(self, expression: str, wanted: str) -> str:
        if expression not in self.carried:
            self.carried[expression] = self.outer.names.new(wanted)
        return self.carried[expression]

    def threading(self) -> Threading:
        carried, packed = tuple(self.carried.items()), ""
        if not self.scan.passes and carried:
            packed = carried[0][1] if len(carried) == 1 else self.outer.names.new("xs")
        return Threading(self.scan, carried, packed)
