"""Scales that the model itself has: of vectors, and of effects given the data."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from reparam_rewrite.survey.values import Site

#: How the scale of an effect is written: as it is, for a walk of one scale or for walks of several,
#: as the lower triangular matrix of a vector, or made of its covariance or precision.
FactorKind = Literal["config", "scale", "walk", "walks", "tril", "covariance", "precision"]


class Factor(Struct, frozen=True):
    """The scale of an effect's prior: an expression and its kind, of walks with their length."""

    kind: FactorKind
    text: str
    size: str = ""


class Coordinates(Struct, frozen=True):
    """What effects share that are sampled given the data, in a variable before the first of them.

    `data` is an .npz beside the generated file. `noise` has the scales of observed sites, by name,
    and `given` the variables of sites that add to the same observations and stay as they are.
    """

    form: str
    data: str
    scales: tuple[tuple[Site, Factor], ...]
    noise: tuple[tuple[str, str], ...]
    given: tuple[tuple[Site, str], ...]
