"""What passes between the modules of `tune`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from reparam_rewrite.fitting.nested import Compared, Theta
from reparam_rewrite.fitting.values import Pilot


class Piloted(NamedTuple):
    """Draws from the posterior, and what they are in the coordinates of both models.

    theta: what is known of the sites beside the effects; None of a pilot that ran. how: in words.
    left: how far the draws are from the posterior (nats), 0 of a pilot that ran.
    """

    pilot: Pilot
    compared: Compared | None
    theta: Theta | None
    how: str
    left: float = 0.0


class Candidate(Struct, frozen=True):
    """A config of which all is known: its text, its arrays, and draws of what it makes."""

    text: str
    arrays: Mapping[str, Any]
    piloted: Piloted


class Sampled(NamedTuple):
    """How one site is sampled, and by how much the posterior gets narrower by it.

    narrower: the factor for each of its elements, in the geometric mean; None where it is not
    changed.
    """

    site: str
    how: str
    narrower: float | None = None


class Tuned(Struct, frozen=True):
    """What came of it. Without a `candidate` the model is better left as it is, for the `reason`.

    gain: by how much a diagonal normal gets closer to the posterior (nats).
    """

    sites: tuple[Sampled, ...]
    candidate: Candidate | None = None
    reason: str = ""
    gain: float = 0.0
