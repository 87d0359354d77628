"""Which binding of a local name holds before which statement."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import chain, count

from msgspec.structs import replace

from reparam_rewrite.survey.values import REST, Binding, Read, closed


class Timeline:
    """The bindings of a function's local names, in the order of its statements.

    Branches need no tree: where an `else` starts, the names that the `if` bound are set back, and
    where both end, they are set to what can be said of both. So one list a name is enough, and
    a look-up is a bisection however long the function is.
    """

    def __init__(
        self, unstable: frozenset[str] = frozenset(), versions: Iterator[int] | None = None
    ) -> None:
        self._unstable = unstable
        # Shared with a function whose names are read here, so that no two bindings are alike.
        self.versions = count(1) if versions is None else versions
        self._moments: dict[str, list[int]] = {}
        self._bindings: dict[str, list[Binding | None]] = {}
        self._now: dict[str, Binding | None] = {}
        # Every name as it is bound, with what it stood for before: branches are told by what they
        # change, as there may be many, and many more names.
        self._changes: list[tuple[str, Binding | None]] = []

    def is_unstable(self, name: str) -> bool:
        """May any call bind the name anew?"""
        return name in self._unstable

    def __contains__(self, name: str) -> bool:
        return name in self._now

    def names(self) -> Iterator[str]:
        return iter(self._now)

    def version(self) -> int:
        return next(self.versions)

    def bind(self, name: str, statement: int, binding: Binding | None) -> None:
        """Let `name` stand for `binding` after `statement`; None: it isn't bound."""
        self._moments.setdefault(name, []).append(statement)
        self._bindings.setdefault(name, []).append(binding)
        self._changes.append((name, self._now.get(name)))
        self._now[name] = binding

    def touch(self, name: str, statement: int) -> None:
        """`statement` may change the value of `name` in place, if that can be changed at all."""
        known = self._now.get(name)
        if known is not None and known.site is None and known.shape is None and not known.plate:
            self.bind(name, statement, replace(known, version=self.version()))

    def forget(self, names: Iterable[str], statement: int, *, certain: bool = False) -> None:
        """From after `statement` on nothing is known of `names` but that they may be bound."""
        for name in sorted(names):
            self.bind(name, statement, Binding(self.version(), certain=certain))

    def now(self, name: str) -> Binding | None:
        return self._now.get(name)

    def before(self, name: str, statement: int) -> Binding | None:
        """The binding of `name` that holds when `statement` starts, None if there is none."""
        moments = self._moments.get(name)
        if not moments:
            return None
        found = bisect_left(moments, statement) - 1
        return self._bindings[name][found] if found >= 0 else None

    def holds(self, reads: Iterable[Read], statement: int) -> bool:
        """Do all `reads` mean before `statement` what they meant where they were read?"""
        for read in reads:
            if self.is_unstable(read.name):
                return False
            binding = self.before(read.name, statement)
            if binding is None or binding.version != read.version or not binding.certain:
                return False
        return True

    def mark(self) -> int:
        """The present, to come back to."""
        return len(self._changes)

    def before_branch(self, mark: int) -> dict[str, Binding | None]:
        """What the names that were bound since `mark` stood for then."""
        found: dict[str, Binding | None] = {}
        for name, binding in self._changes[mark:]:
            found.setdefault(name, binding)
        return found

    def since(self, mark: int) -> dict[str, Binding | None]:
        """What the names that were bound since `mark` stand for now."""
        return {name: self._now[name] for name, _ in self._changes[mark:]}

    def restore(self, mark: int, statement: int) -> None:
        """Set every name back to what it was at `mark`, as at the start of another branch."""
        for name, binding in self.before_branch(mark).items():
            if self._now[name] is not binding:
                self.bind(name, statement, binding)

    def join(self, mark: int, ends: list[dict[str, Binding | None]], statement: int) -> None:
        """After branches since `mark` that changed what `ends` say, keep what holds in all."""
        if not ends:
            return
        for name, start in self.before_branch(mark).items():
            found = [end.get(name, start) for end in ends]
            first = found[0]
            if all(binding is first for binding in found):
                if self._now.get(name) is not first:
                    self.bind(name, statement, first)
                continue
            shapes = {binding.seen if binding else (REST,) for binding in found}
            seen = shapes.pop() if len(shapes) == 1 else (REST,)
            sites = [sites_of(binding) for binding in found]
            self.bind(
                name,
                statement,
                Binding(
                    self.version(),
                    shape=closed(seen),
                    tail=seen,
                    certain=all(binding is not None and binding.certain for binding in found),
                    sites=tuple(dict.fromkeys(chain(*sites))) if all(sites) else (),
                    opaque=any(binding is not None and binding.opaque for binding in found),
                ),
            )


def sites_of(binding: Binding | None) -> tuple[int, ...]:
    """The sites of which a binding is one."""
    if binding is None:
        return ()
    return binding.sites if binding.site is None else (binding.site,)
