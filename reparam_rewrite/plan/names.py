"""Names for what is generated: they never shadow or reuse a name of the file."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterable

from reparam_rewrite.reparameterizers import REPARAMETERIZERS

#: What the generated code may have to import.
IMPORTED = (
    "AffineTransform",
    "DiscreteCosineTransform",
    "HaarTransform",
    "biject_to",
    "constraints",
    "deterministic",
    "handlers",
    "jnp",
    "numpyro",
    "param",
)


class Names:
    """Hands out identifiers that nothing else in the file has."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {*taken, *dir(builtins), *keyword.kwlist}

    @classmethod
    def of_function(cls, identifiers: Iterable[str]) -> Names:
        """For variables: the names of imports to come are taken too."""
        return cls((*identifiers, *IMPORTED, *REPARAMETERIZERS))

    def is_free(self, name: str) -> bool:
        return name not in self._taken

    @property
    def taken(self) -> frozenset[str]:
        return frozenset(self._taken)

    def take(self, names: Iterable[str]) -> None:
        self._taken.update(names)

    def new(self, wanted: str) -> str:
        """`wanted`, or `wanted_2`, `wanted_3`, ... if that is taken."""
        name, count = wanted, 1
        while name in self._taken:
            count += 1
            name = f"{wanted}_{count}"
        self._taken.add(name)
        return name
