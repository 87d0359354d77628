"""``reparam-rewrite suggest``: read a model, propose its config.

    source -> survey -> reading -> proposal -> tried on the rewriter -> TOML

What the rewriter refuses isn't proposed: its reason is given in the place of the proposal.
"""

from __future__ import annotations

from reparam_rewrite.suggesting.finding import suggest
from reparam_rewrite.suggesting.values import Suggestion
from reparam_rewrite.suggesting.writing import to_json, to_text

__all__ = ["Suggestion", "suggest", "to_json", "to_text"]
