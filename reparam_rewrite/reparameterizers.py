"""The reparameterizers of `numpyro.infer.reparam` that a config may ask for by class name."""

from __future__ import annotations

from typing import NamedTuple


class Reparameterizer(NamedTuple):
    """Its constructor's arguments, and the name of the site that it samples instead."""

    arguments: tuple[str, ...]
    base: str


#: By class name. `ExplicitReparam` takes any transform, given as an expression.
REPARAMETERIZERS = {
    "CircularReparam": Reparameterizer((), "{}_unwrapped"),
    "DiscreteCosineReparam": Reparameterizer(("dim", "smooth"), "{}_dct"),
    "ExplicitReparam": Reparameterizer((), "{}_base"),
    "HaarReparam": Reparameterizer(("dim", "flip"), "{}_haar"),
    "LocScaleReparam": Reparameterizer(("centered", "shape_params"), "{}_decentered"),
    "ProjectedNormalReparam": Reparameterizer((), "{}_normal"),
    "TransformReparam": Reparameterizer((), "{}_base"),
}

#: Those that can't be written into a model, with the reason.
REFUSED = {
    "NeuTraReparam": "it needs a guide that was trained before, which a source file doesn't have",
    "Reparam": "it is the base class of the others",
    "UnitJacobianReparam": "give its transform to ExplicitReparam instead",
}
