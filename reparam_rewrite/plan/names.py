"""Names for what is generated: they never shadow or reuse a name of the file."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterable

from reparam_rewrite.bases import BASES
from reparam_rewrite.reparameterizers import REPARAMETERIZERS

#: What the generated code may have to import.
IMPORTED = (
    "AffineTransform",
    "biject_to",
    "constraints",
    "deterministic",
    "handlers",
    "jnp",
    "numpyro",
    "param",
    *(kind.transform for kind in BASES.values()),
)


class Names:
    """Hands out identifiers that nothing else in the file has.

    `taken` are those of the file, which every function shares, and `own` those that come to them.
    """

    def __init__(self, taken: frozenset[str], own: Iterable[str] = ()) -> None:
        self._taken = taken
        self.own = set(own)

    def is_free(self, name: str) -> bool:
        return name not in self.own and name not in self._taken

    def copy(self) -> Names:
        return Names(self._taken, self.own)

    def take(self, names: Iterable[str]) -> None:
        self.own.update(names)

    def new(self, wanted: str) -> str:
        """`wanted`, or `wanted_2`, `wanted_3`, ... if that is taken."""
        name, count = wanted, 1
        while not self.is_free(name):
            count += 1
            name = f"{wanted}_{count}"
        self.own.add(name)
        return name


def taken_in(identifiers: frozenset[str]) -> frozenset[str]:
    """What an import may not bind in a file with these identifiers."""
    return identifiers.union(dir(builtins), keyword.kwlist)


def reserved_in(identifiers: frozenset[str]) -> frozenset[str]:
    """What a variable may not be called: the names of imports to come are taken too."""
    return taken_in(identifiers).union(IMPORTED, REPARAMETERIZERS)
