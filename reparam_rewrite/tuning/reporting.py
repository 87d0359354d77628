"""What `tune` found, as a table for a person or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from reparam_rewrite.benchmarking.tables import aligned
from reparam_rewrite.tuning.values import Tuned

VERSION = 1
"""Of the form of the JSON: it grows when a key changes its meaning or goes away."""

HEAD = ("site", "sampled", "narrower")


def as_text(tuned: Tuned) -> list[str]:
    """A line for each site, what all of it gains, and what it took."""
    if tuned.candidate is None:
        return [f"leave the model as written: {tuned.reason}"]
    rows = [HEAD, *((one.site, one.how, times(one.narrower)) for one in tuned.sites)]
    return [
        *aligned(rows).splitlines(),
        f"a normal of independent values is {tuned.gain:.3g} nats nearer to the posterior",
        f"pilot: {tuned.candidate.piloted.how}",
    ]


def times(narrower: float | None) -> str:
    return "" if narrower is None else f"{narrower:.3g} times"


def as_json(tuned: Tuned, written: Sequence[str]) -> str:
    """The same for programs; `written` are the files that were."""
    candidate = tuned.candidate
    said: dict[str, Any] = {
        "version": VERSION,
        "sites": [one._asdict() for one in tuned.sites],
        "gain": tuned.gain,
        "pilot": candidate and candidate.piloted.how,
        "reason": tuned.reason,
        "config": candidate and candidate.text,
        "written": list(written),
    }
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"
