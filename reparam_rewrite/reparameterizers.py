"""The reparameterizers of `numpyro.infer.reparam` that a config may ask for by class name."""

from __future__ import annotations

from typing import NamedTuple

from reparam_rewrite.bases import BASES


class Reparameterizer(NamedTuple):
    """Its constructor's arguments, and the name of the site that it samples instead."""

    arguments: tuple[str, ...]
    base: str


#: What `LocScaleReparam` samples instead of a site.
DECENTERED = "{}_decentered"

_KNOWN = {
    "CircularReparam": Reparameterizer((), "{}_unwrapped"),
    "ExplicitReparam": Reparameterizer((), "{}_base"),
    "LocScaleReparam": Reparameterizer(("centered", "shape_params"), DECENTERED),
    "ProjectedNormalReparam": Reparameterizer((), "{}_normal"),
    "TransformReparam": Reparameterizer((), "{}_base"),
}
for _name, _kind in BASES.items():
    _KNOWN[_kind.reparameterizer] = Reparameterizer(("dim", _kind.setting.name), f"{{}}_{_name}")

#: By class name. `ExplicitReparam` takes any transform, given as an expression.
REPARAMETERIZERS = dict(sorted(_KNOWN.items()))

#: Those that can't be written into a model, with the reason.
REFUSED = {
    "NeuTraReparam": "it needs a guide that was trained before, which a source file doesn't have",
    "Reparam": "it is the base class of the others",
    "UnitJacobianReparam": "give its transform to ExplicitReparam instead",
}
