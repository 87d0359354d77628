"""The structures that the coefficients of one parent may have, by the names of the config.

How many coefficients that makes and how they meet the parent is decided in `plan.coefficients`, and
`emit.write` writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple


class Structure(NamedTuple):
    """`single`: one number for all elements. `contracted`: the parent is as it is, not lined up."""

    single: bool = False
    contracted: bool = False


#: Besides these, a list of axes makes one for each of their elements.
STRUCTURES = {
    "elementwise": Structure(),
    "shared": Structure(single=True),
    "matrix": Structure(contracted=True),
}

if TYPE_CHECKING:
    StructureName = str
else:
    StructureName = Literal[tuple(STRUCTURES)]  # which the schema lists
