"""Which children can share the handler of a `with`?"""

from __future__ import annotations

from collections import Counter

from msgspec.structs import replace

from reparam_rewrite.plan.values import Rewrite, ScanRewrite


def sharing(rewrites: list[Rewrite]) -> list[Rewrite]:
    """Two children or more of one `with` of plates have their handler in front of these.

    ::

        with numpyro.handlers.reparam(config={"a": a_reparam, "b": b_reparam}), plate_i:
            a = numpyro.sample("a", ...)
            b = numpyro.sample("b", ...)
    """
    count = Counter(front(rewrite) for rewrite in rewrites)
    return [
        replace(rewrite, place=replace(rewrite.place, join=front(rewrite)))
        if count[front(rewrite)] > 1
        else rewrite
        for rewrite in rewrites
    ]


def front(rewrite: Rewrite) -> int | None:
    """The `with` of plates that the child stands in, if its offset is computed before that."""
    frames = rewrite.site.frames
    if not frames or isinstance(rewrite, ScanRewrite) or rewrite.site.through:
        return rewrite.place.join
    last = frames[-1]
    plates = last.kind == "with" and last.items and len(last.plates) == len(last.items)
    return (
        last.statement if plates and rewrite.place.shift <= last.statement else rewrite.place.join
    )
