"""What does a local name stand for before which statement, and what was it assigned?"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from operator import itemgetter

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.survey.values import REST, Held, Prior, Shape, Use, closed


class Assigned(Struct, frozen=True, eq=False):
    """The value of an expression where it is evaluated: names in it mean what they do at `mark`.

    `depth` is the number of helpers that it stands in, as it is read where these are called.
    """

    node: ast.expr
    mark: int
    depth: int = 0


class Argument(Struct, frozen=True, eq=False):
    """An argument of the function, by its name."""

    name: str


class Part(Struct, frozen=True, eq=False):
    """What a target in a tuple gets of `whole`; `count` is 0 where a starred one is among them."""

    whole: RightSide | None
    place: int
    count: int


class Element(Struct, frozen=True, eq=False):
    """What the target of a loop is in one of its runs."""

    over: RightSide


class Either(Struct, frozen=True, eq=False):
    """What a name is after branches of which one ran, each by its position among them."""

    choice: int
    among: tuple[tuple[int, RightSide | None], ...]


class Repeated(Struct, frozen=True, eq=False):
    """What a name is after a block that ran any number of times, if at all."""

    now: RightSide | None
    before: RightSide | None


class Altered(Struct, frozen=True, eq=False):
    """An object after ``d["k"] = value`` or ``d.k = value``; `key` is the target as it is written.

    After ``d.append(value)`` it is ``d.append()``, and `value` the tuple of what is given.
    `direct`: the target is an element or an attribute of the name itself.
    """

    holder: RightSide | None
    key: str
    value: RightSide
    direct: bool


#: What a name stands for, by its right-hand side, of a function its dotted name.
RightSide = Assigned | Argument | Part | Element | Either | Repeated | Altered | str


class Binding(Struct, frozen=True):
    """What a local name stands for from some statement on.

    `certain` is False where the name may be unbound. `data` are the arguments of the call that the
    value is computed of, other than through sites; an argument is its own. A binding that says
    nothing else stands for a value that can't be told from the source; `opaque`: it may be any
    object, not just an array.
    """

    version: int
    site: int | None = None
    shape: Shape | None = None
    prior: Prior | None = None
    plates: Held | None = None  # that it is, or holds
    qualified: str | None = None
    certain: bool = True
    parts: tuple[Shape | None, ...] | None = None  # the shapes of the elements of a tuple
    sites: tuple[int, ...] = ()  # it is one of them, as another branch ran or not,
    else_value: bool = False  # or something else
    data: frozenset[str] = frozenset()
    era: int | None = 0  # see `Use`; None: nothing changes the value in place
    opaque: bool = False
    tail: Shape = (REST,)  # what shows of a shape that can't be read
    value: RightSide | None = None  # its right-hand side; imports have none
    anew: bool = False  # what a subsampled plate has drawn this time

    @property
    def drawn(self) -> tuple[int, ...]:
        """The sites of which it is one."""
        return self.sites if self.site is None else (self.site,)

    @property
    def fixed(self) -> bool:
        """Is the value one that can't be changed in place: a number, an array of JAX, a site?"""
        return self.era is None or (bool(self.drawn) and not self.else_value)

    @property
    def seen(self) -> Shape:
        """What shows of the shape, open to the left where it can't be read."""
        return self.shape if self.shape is not None else self.tail


#: What names stood for at the end of the branches under one condition: by the name, and by the
#: version that it had when these branches had come together with the others.
Ended = dict[tuple[str, int], Binding | None]

#: From which statement and which mark on a name stands for what; None: it isn't bound.
Bound = tuple[int, int, Binding | None]
statement_of, mark_of = itemgetter(0), itemgetter(1)

NO_VALUES: Mapping[str, RightSide | None] = {}


class Timeline:
    """The bindings of a function's local names, in the order of its statements.

    Branches need no tree: where an `else` starts, the names that the `if` bound are set back, and
    where both end, they are set to what can be said of both. So one list a name is enough, and a
    look-up is a bisection. `unstable` are the names that any call may bind anew, and `versions`
    the numbers of bindings, shared with a function that is read within.
    """

    def __init__(
        self, unstable: frozenset[str] = frozenset(), versions: Iterator[int] | None = None
    ) -> None:
        self._unstable = unstable
        self.versions = count(1) if versions is None else versions
        self._bound: dict[str, list[Bound]] = {}
        # Every name as it is bound: branches are told by what they change, as there may be many,
        # and many more names.
        self._changes: list[str] = []
        # From which statement on what the branches around it recall.
        self._recalls: list[tuple[int, tuple[Ended, ...]]] = [(-1, ())]
        self._acts: list[int] = []
        self._guards: list[int] = []

    @property
    def era(self) -> int:
        """How many statements may have changed something in place until now."""
        return len(self._acts)

    def era_before(self, statement: int) -> int:
        """How many statements may have changed something in place when `statement` starts."""
        return bisect_left(self._acts, statement)

    def act(self, statement: int) -> None:
        """`statement` may change, in place, whatever can be changed so: what, isn't looked into."""
        self._acts.append(statement)

    def act_between(self, start: int, end: int) -> int | None:
        """The first statement from `start` on, and before `end`, that may change something."""
        at = bisect_left(self._acts, start)
        return self._acts[at] if at < bisect_left(self._acts, end) else None

    def guard(self, statement: int) -> None:
        """`statement` may leave the block that it stands in, or the function."""
        self._guards.append(statement)

    def is_guarded(self, start: int, end: int) -> bool:
        """May a statement from `start` on keep `end` from being come to?"""
        return bisect_left(self._guards, start) < bisect_left(self._guards, end)

    def is_unstable(self, name: str) -> bool:
        """May any call bind the name anew?"""
        return name in self._unstable

    def __contains__(self, name: str) -> bool:
        return name in self._bound

    def names(self) -> Iterator[str]:
        return iter(self._bound)

    def version(self) -> int:
        """A number that no other binding has."""
        return next(self.versions)

    def bind(self, name: str, statement: int, binding: Binding | None) -> None:
        """Let `name` stand for `binding` after `statement`; None: it isn't bound."""
        self._bound.setdefault(name, []).append((statement, self.mark(), binding))
        self._changes.append(name)

    def bound_at(self, name: str, version: int) -> int | None:
        """The statement that bound a name to a version, None if none here did."""
        bound = self._bound.get(name, ())
        own = (at for at, _, made in bound if made is not None and made.version == version)
        return next(own, None)

    def touch(self, name: str, statement: int, data: frozenset[str] = frozenset()) -> None:
        """`statement` may change the value of `name` in place, if that can be changed at all.

        `data` are the arguments of the call that it may put into that.
        """
        known = self._current(name)
        if known is None or known.site is not None or known.plates:
            return
        version = self.version() if known.shape is None else known.version
        self.bind(name, statement, replace(known, version=version, data=known.data | data))

    def revalue(self, name: str, statement: int, value: RightSide) -> None:
        """`statement` changes what the value of a name is made of, and nothing else of it."""
        known = self._current(name)
        if known is not None and known.value is not None:
            self.bind(name, statement, replace(known, value=value))

    def forget(
        self,
        names: Iterable[str],
        statement: int,
        values: Mapping[str, RightSide | None] = NO_VALUES,
        *,
        certain: bool = False,
    ) -> None:
        """From after `statement` on nothing is known of `names` but that they may be bound.

        `values` are their right-hand sides, if these are others than before.
        """
        for name in sorted(names):
            value = values[name] if name in values else self.value(name)
            before = self._raw(name)
            unknown = Binding(self.version(), certain=certain, data=frozenset([name]), value=value)
            unknown = replace(unknown, anew=before is not None and before.anew)
            self.bind(name, statement, unknown)

    def value(self, name: str) -> RightSide | None:
        """The right-hand side that a name has now."""
        binding = self._raw(name)
        return None if binding is None else binding.value

    def is_certain(self, name: str) -> bool:
        """Is the name surely bound now?"""
        binding = self._current(name)
        return binding is not None and binding.certain

    def now(self, name: str) -> Binding | None:
        """The binding of `name` that holds now, None if there is none."""
        return self._fresh(name, self._current(name), self.era)

    def at(self, name: str, mark: int) -> Binding | None:
        """The binding that a name had at a `mark`, as it was bound."""
        return self._last(name, mark, mark_of)

    def before(self, name: str, statement: int) -> Binding | None:
        """The binding of `name` that holds when `statement` starts, None if there is none."""
        last = bisect_left(self._recalls, statement, key=statement_of) - 1
        binding = self._last(name, statement, statement_of)
        binding = self._recalled(name, binding, self._recalls[last][1])
        return binding and self._fresh(name, binding, self.era_before(statement))

    def _last(self, name: str, moment: int, key: Callable[[Bound], int]) -> Binding | None:
        """What a name was bound to last before a moment."""
        bound = self._bound.get(name, ())
        found = bisect_left(bound, moment, key=key)
        return bound[found - 1][2] if found else None

    def _raw(self, name: str) -> Binding | None:
        """The binding of a name now, as it was bound."""
        return self._bound[name][-1][2] if name in self._bound else None

    def _current(self, name: str) -> Binding | None:
        return self._recalled(name, self._raw(name), self._recalls[-1][1])

    def holds(self, reads: Iterable[Use], statement: int) -> bool:
        """Do all `reads` mean before `statement` what they meant where they were read?"""
        for read in reads:
            if read.name in self._unstable or read.era not in (None, self.era_before(statement)):
                return False
            if read.version:
                binding = self.before(read.name, statement)
                if binding is None or binding.version != read.version or not binding.certain:
                    return False
        return True

    def _fresh(self, name: str, binding: Binding | None, era: int) -> Binding | None:
        """What can be said of a binding at a time: an array may have been reshaped in place."""
        if binding is None:
            return None
        if (binding.fixed or binding.era == era) and name not in self._unstable:
            return binding
        return replace(binding, shape=None, tail=(REST,), parts=None)

    def enter(self, start: int, ended: Ended) -> None:
        """A branch starts after `start`: what names stood for at the end of others holds in it."""
        self._recalls.append((start, (*self._recalls[-1][1], ended)))

    def leave(self, end: int) -> None:
        """That branch ends with the statement `end`."""
        self._recalls.append((end, self._recalls[-1][1][:-1]))

    def kept(self, mark: int, ended: Ended) -> dict[str, Binding | None]:
        """What means something else in a branch of `ended` than at `mark`, where it started."""
        return {
            name: binding
            for (name, version), binding in ended.items()
            if (before := self.at(name, mark)) is not None
            and before.version == version
            and name not in self._unstable
        }

    def _recalled(
        self, name: str, binding: Binding | None, recalls: tuple[Ended, ...]
    ) -> Binding | None:
        """What `binding` is in branches whose conditions earlier ones had, the outermost first."""
        for ended in recalls if name not in self._unstable else ():
            binding = binding and ended.get((name, binding.version), binding)
        return binding

    def mark(self) -> int:
        """The present, to come back to."""
        return len(self._changes)

    def _since(self, mark: int) -> Iterable[str]:
        """The names that were bound since `mark`."""
        return dict.fromkeys(self._changes[mark:])

    def meant_before(self, mark: int) -> Iterator[tuple[str, Binding | None]]:
        """What the names that were bound since `mark` stood for then."""
        for name in self._since(mark):
            yield name, self._recalled(name, self.at(name, mark), self._recalls[-1][1])

    def since(self, mark: int) -> dict[str, Binding | None]:
        """What the names that were bound since `mark` stand for now."""
        return {name: self._raw(name) for name in self._since(mark)}

    def restore(self, mark: int, statement: int) -> None:
        """Set every name back to what it was at `mark`, as at the start of another branch."""
        for name in self._since(mark):
            if self._raw(name) is not self.at(name, mark):
                self.bind(name, statement, self.at(name, mark))

    def join(
        self,
        mark: int,
        ends: list[dict[str, Binding | None]],
        statement: int,
        data: frozenset[str],
        names: Callable[[int], str],
        choice: int,
        positions: list[int],
    ) -> None:
        """After branches since `mark` that changed what `ends` say, keep what holds in all.

        `data` are the arguments of the call that decide between the branches, which matters unless
        the values are draws of one name; `names` tells those of sites. `choice` is a number for
        these branches, and `positions` tells which of them `ends` are.
        """
        for name, start in self.meant_before(mark) if ends else ():
            found = [end.get(name, start) for end in ends]
            first, bound = found[0], [binding for binding in found if binding is not None]
            among = tuple((at, b.value) for at, b in zip(positions, found, strict=True) if b)
            if all(is_same(binding, first) for binding in found):
                if first is not None and any(value is not first.value for _, value in among):
                    first = replace(first, value=Either(choice, among))
                if self._raw(name) is not first:
                    self.bind(name, statement, first)
                continue
            always = len(bound) == len(found)
            fresh = [self._fresh(name, binding, self.era) for binding in bound]
            shapes = {binding.seen for binding in fresh if binding is not None}
            seen = shapes.pop() if always and len(shapes) == 1 else (REST,)
            draws = {names(site) for binding in bound for site in binding.drawn}
            sure = all(binding.drawn and not binding.else_value for binding in bound)
            one = len({b.version for b in bound}) < 2 or (len(draws) == 1 and sure)
            joined = Binding(
                self.version(),
                shape=closed(seen),
                tail=seen,
                certain=always and all(b.certain for b in bound),
                sites=tuple(dict.fromkeys(site for b in bound for site in b.drawn)),
                else_value=any(b.else_value or not b.drawn for b in bound),
                data=(frozenset() if one else data).union(*(b.data for b in bound)),
                era=None if always and all(b.fixed for b in bound) else self.era,
                opaque=any(b.opaque for b in bound),
                value=Either(choice, among),
                anew=any(b.anew for b in bound),
            )
            self.bind(name, statement, joined)


def is_same(one: Binding | None, other: Binding | None) -> bool:
    """Do two bindings say the same, wherever a name was given the other's value?"""
    if one is other or one is None or other is None:
        return one is other
    return one.version == other.version and one == replace(other, value=one.value)
