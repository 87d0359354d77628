"""The bases that a site can be sampled in: all that the program knows of each kind, in one table.

A basis is an orthonormal matrix along one axis: its determinant is 1. NumPyro has a transform for
each, and a reparameterizer that does nothing else. The config reader, the schema, the plan, the
generated code, `fit` and `verify` learn of a kind from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple


class Setting(NamedTuple):
    """What a basis can be told besides its axis: a keyword of NumPyro's transform."""

    name: str
    type: type
    default: Any
    description: str


class Kind(NamedTuple):
    """One kind of basis.

    `stem` is what the names of NumPyro's two classes begin with, the `transform` in
    `numpyro.distributions.transforms` and the `reparameterizer` in `numpyro.infer.reparam`, which
    samples ``a_dct`` instead of ``a``. `over_plates` is what the class is called that the generated
    code defines where the axis is that of a plate.
    """

    stem: str
    over_plates: str
    setting: Setting

    @property
    def transform(self) -> str:
        return f"{self.stem}Transform"

    @property
    def reparameterizer(self) -> str:
        return f"{self.stem}Reparam"


SMOOTH = Setting("smooth", float, 0.0, "For dct: 1 makes white noise of a random walk.")
FLIP = Setting("flip", bool, False, "For haar: from the other end.")

#: By the name that a config has for them.
BASES = {
    "dct": Kind("DiscreteCosine", "PlateDCT", SMOOTH),
    "haar": Kind("Haar", "PlateHaar", FLIP),
}

if TYPE_CHECKING:
    KindName = str
else:
    KindName = Literal[tuple(BASES)]  # which msgspec checks, and the schema lists
