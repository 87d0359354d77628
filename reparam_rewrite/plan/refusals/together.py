"""Reasons why rewrites that are each right can't be made together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from reparam_rewrite.messages import OfSite, Problem
from reparam_rewrite.plan.values import OffsetRewrite, Rewrite, terms_of


def moved_from_company(rewrites: list[Rewrite]) -> Iterable[Problem]:
    """``a = sample("a", Normal(sample("b", ...), x))`` with both rewritten, and a's prior moved."""
    count = Counter(map(part_of, rewrites))
    for rewrite in rewrites:
        prior = rewrite.prior if isinstance(rewrite, OffsetRewrite) else None
        if prior is not None and prior.moved and count[part_of(rewrite)] > 1:
            yield Problem(
                "prior-moves-from-others",
                OfSite(rewrite.site.name),
                rewrite.site.place,
                "'{site}' shares its statement with another rewritten site, and its prior would "
                "have to move",
                "give each a statement of its own.",
            )


def offset_twice(rewrites: list[Rewrite]) -> Iterable[Problem]:
    """``r`` is offset in a helper and where that is called: only the inner handler finds it."""
    own = {(rewrite.function, rewrite.site.name) for rewrite in rewrites}
    for rewrite in rewrites:
        site = rewrite.site
        if site.through and (site.through, site.name) in own:
            label = next((term.label for term in terms_of(rewrite)), "")
            yield Problem(
                "offset-twice",
                OfSite(site.name),
                site.place,
                "'{site}' would be offset where '{helper}' is called and again inside of that, "
                "which NumPyro doesn't do twice",
                "drop what it is offset by in one of the two: {label} = false in "
                "[sites.{site}.offset], for example."
                if label
                else "take '{helper}' out of 'functions'.",
                {"helper": site.through, "label": label},
            )


def part_of(rewrite: Rewrite) -> tuple[str, int, tuple[str, ...]]:
    """The statement that samples a child, or the part of a conditional expression."""
    return rewrite.function, rewrite.site.statement, rewrite.site.choices
