"""The frame of the pages of ``bench --report`` and ``suggest --dag``."""

from __future__ import annotations

import re

import pytest

from reparam_rewrite.pages import COLOURS, page, scrolled


def contrast(one: str, other: str) -> float:
    """That of WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(p * by for p, by in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("front", sorted(set(COLOURS) - {"back", "box", "line"}))
@pytest.mark.parametrize("back", ["back", "box"])
def test_text_stands_out_in_both_themes(front: str, back: str, theme: int) -> None:
    assert contrast(COLOURS[front][theme], COLOURS[back][theme]) >= 4.5


def test_what_a_browser_is_told_of_a_page() -> None:
    made = page("a <b>", "<p>text</p>\n")
    assert made.startswith('<!DOCTYPE html>\n<html lang="en">\n')
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in made
    assert "<title>a &lt;b&gt;</title>" in made and "<h1>a &lt;b&gt;</h1>" in made
    assert "@media screen and (prefers-color-scheme: dark)" in made
    assert not re.search(r"<script|<link|(src|href)=|url\(|@import", made)


def test_a_wide_table_scrolls_by_itself() -> None:
    assert "overflow-x: auto" in re.findall(r"\.scrolled\b[^}]*}", page("a", ""))[0]
    assert re.match(r'<section class="scrolled".*tabindex="0">', scrolled("all", "<table>"))
