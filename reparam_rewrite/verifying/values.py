"""What `verify` is asked for, and what it hands out. Imports no jax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from reparam_rewrite.config.rules import ConditionalRule
from reparam_rewrite.running.values import Arguments

Status = Literal["ok", "warning", "different", "unchecked", "skipped"]


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the report: what a check found, of all sites or of one.

    check: its name, which is filled in where the checks are asked. status: "warning" is of what is
    the same model and samples badly, "different" is a difference, "unchecked" says that nobody can
    tell, "skipped" that the check was switched off or has nothing to look at. message: a clause.
    off: by how much at the worst `point`, beside a quantity of the size `of`. cause: what it most
    often comes from. density: the message tells how far off the log density is, that of one site or
    of the "model", in which case it says at which point too.
    """

    check: str = ""
    status: Status
    message: str
    site: str = ""
    off: float | None = None
    of: float | None = None
    point: int | None = None
    cause: str = ""
    density: Literal["", "site", "model"] = ""


def ok(message: str, site: str = "", **more: Any) -> Line:
    return Line(status="ok", message=message, site=site, **more)


def different(site: str, message: str, cause: str = "", **more: Any) -> Line:
    return Line(status="different", message=message, site=site, cause=cause, **more)


def warning(message: str, site: str = "", **more: Any) -> Line:
    return Line(status="warning", message=message, site=site, **more)


def skipped(message: str, **more: Any) -> Line:
    return Line(status="skipped", message=message, **more)


def unchecked(message: str, **more: Any) -> Line:
    return Line(status="unchecked", message=message, **more)


class Report(Struct, frozen=True, kw_only=True):
    """What `verify` found. `dims`: how many unconstrained latent values there are."""

    points: int
    seed: int
    dims: int
    lines: tuple[Line, ...]

    @property
    def different(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.status == "different")

    @property
    def unchecked(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.status == "unchecked")

    @property
    def equivalent(self) -> bool:
        """Whether every check that was to be made was made, and found nothing."""
        return not (self.different or self.unchecked)


class Options(Struct, frozen=True, kw_only=True):
    """How to compare two models.

    rtol: a difference is none below this share of the largest term that it is made of.
    coefficients: the names that the generated model's new params must have, if given.
    bases: the site sampled instead of a child, where it has another name than NumPyro's
    reparameterizers give it; base_name: a template that it must follow otherwise, "{}_base".
    dense: up to how many latent values the whole jacobian is taken; a larger one is taken by
    blocks, none of more than `largest_block` elements. expected: the model that the config asks
    for, to compare the other with. other_offsets: coefficients of expressions, whose names don't
    say what they multiply. keys, draws: how many draws of the priors are compared, with equal
    keys and, where those differ, in all. predict_args: the arguments of the call that draws are
    used to predict with, instead of the same ones with other rows of their data. conditional: what
    the config says of sites that are sampled given the data.
    """

    points: int = 20
    seed: int = 0
    rtol: float = 1e-8
    skip: Sequence[str] = ()
    coefficients: Sequence[str] | None = None
    bases: Mapping[str, str] = {}
    base_name: str = ""
    dense: int = 256
    largest_block: int = 1500
    keys: int = 3
    draws: int = 2000
    expected: Any = None
    other_offsets: Sequence[str] = ()
    predict_args: Arguments | None = None
    conditional: ConditionalRule | None = None
