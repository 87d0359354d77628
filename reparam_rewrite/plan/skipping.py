"""Sites that the model itself says are to be left alone: ``# reparam: skip``.

They stay parents of others.
"""

from __future__ import annotations

from collections.abc import Iterator

from reparam_rewrite.plan.children import Found
from reparam_rewrite.survey.values import Site

SKIP = "# reparam: skip"


def left_alone(functions: Found) -> Found:
    """The children that are skipped, by their functions; of several places, the first."""
    found: Found = []
    for function, children in functions:
        skipped = {child.site.name: child for child in children[::-1] if child.site.skip}
        if skipped:
            found.append((function, list(skipped.values())[::-1]))
    return found


def to_rewrite(functions: Found) -> Found:
    """The functions that have other children, with those."""
    found = [
        (function, [c for c in children if not c.site.skip]) for function, children in functions
    ]
    return [(function, children) for function, children in found if children]


def remarks(site: Site) -> Iterator[str]:
    """What the account says of a comment on a rewritten site that may be prose."""
    for comment in site.comments:
        if comment.kind == "unknown":
            yield f"'{comment.text}' does nothing: '{SKIP}' would leave the site alone"
