"""Which lines of two versions of a file are the same lines: the part of a diff that is hard.

`difflib` alone takes time with the square of a file's length, and worse where lines repeat. Here
the lines that occur once in each version are matched first ("patience diff", Bram Cohen's), which
cuts the files into short gaps; only these are left to `difflib`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

# Gaps of more pairs of lines than this, without one line that is unique, count as rewritten.
LARGEST_GAP = 40_000


class Match(NamedTuple):
    """`length` equal lines, from `old` in the old version and from `new` in the new one."""

    old: int
    new: int
    length: int


def matches(old: Sequence[bytes], new: Sequence[bytes]) -> list[Match]:
    """The equal stretches of two versions in their order, none of them touching the next.

    The last one is empty and stands at the ends of both.
    """
    found: list[Match] = []
    gaps = [(0, len(old), 0, len(new))]
    while gaps:
        a, a_end, b, b_end = gaps.pop()
        head = common_head(old, new, a, a_end, b, b_end)
        found.append(Match(a, b, head))
        a, b = a + head, b + head
        tail = common_tail(old, new, a, a_end, b, b_end)
        a_end, b_end = a_end - tail, b_end - tail
        found.append(Match(a_end, b_end, tail))
        if a == a_end or b == b_end:
            continue
        if pairs := unique_pairs(old, new, a, a_end, b, b_end):
            for i, j in pairs:
                gaps.append((a, i, b, j))
                a, b = i, j
            gaps.append((a, a_end, b, b_end))
        elif (a_end - a) * (b_end - b) <= LARGEST_GAP:
            gap = SequenceMatcher(None, old[a:a_end], new[b:b_end], autojunk=False)
            found += [Match(a + i, b + j, n) for i, j, n in gap.get_matching_blocks()]
    return [*joined(found), Match(len(old), len(new), 0)]


def common_head(
    old: Sequence[bytes], new: Sequence[bytes], a: int, a_end: int, b: int, b_end: int
) -> int:
    """How many lines are equal from `a` and `b` on."""
    most = min(a_end - a, b_end - b)
    return next((n for n in range(most) if old[a + n] != new[b + n]), most)


def common_tail(
    old: Sequence[bytes], new: Sequence[bytes], a: int, a_end: int, b: int, b_end: int
) -> int:
    """How many lines are equal up to `a_end` and `b_end`."""
    most = min(a_end - a, b_end - b)
    return next((n for n in range(most) if old[a_end - 1 - n] != new[b_end - 1 - n]), most)


def unique_pairs(
    old: Sequence[bytes], new: Sequence[bytes], a: int, a_end: int, b: int, b_end: int
) -> list[tuple[int, int]]:
    """The places of lines that occur once in each gap: the longest run that ascends in both."""
    once_old = Counter(old[a:a_end])
    once_new = Counter(new[b:b_end])
    place_new = {new[j]: j for j in range(b, b_end) if once_new[new[j]] == 1}
    pairs = [
        (i, place_new[old[i]])
        for i in range(a, a_end)
        if once_old[old[i]] == 1 and old[i] in place_new
    ]
    return longest_ascent(pairs)


def longest_ascent(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence of `pairs` (ascending in the first) that ascends in the second.

    By patience sorting: each pair goes on the leftmost pile whose top is not below it, and
    remembers the top of the pile to its left.
    """
    tops: list[int] = []  # the second of the pair on each pile
    indices: list[int] = []  # and its index
    left: list[int] = []
    for index, (_, second) in enumerate(pairs):
        pile = bisect_left(tops, second)
        left.append(indices[pile - 1] if pile else -1)
        tops[pile : pile + 1] = [second]
        indices[pile : pile + 1] = [index]
    chain = []
    index = indices[-1] if indices else -1
    while index >= 0:
        chain.append(pairs[index])
        index = left[index]
    return chain[::-1]


def joined(found: list[Match]) -> list[Match]:
    """The matches in their order, those that touch made one, the empty ones dropped."""
    result: list[Match] = []
    for match in sorted(match for match in found if match.length):
        if result and result[-1].old + result[-1].length == match.old:
            last = result[-1]
            if last.new + last.length == match.new:
                result[-1] = Match(last.old, last.new, last.length + match.length)
                continue
        result.append(match)
    return result
