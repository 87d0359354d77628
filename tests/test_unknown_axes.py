"""Axes that the source doesn't show: what the account says of them."""

from __future__ import annotations

import pytest

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.source.reading import read
from tests.support.shapes import usual

TWO_SIZES = """\
def model(n, m):
    with numpyro.plate("i", n):
        v = numpyro.sample("v", dist.Normal(0, 1))
    with numpyro.plate("i", m):
        a = numpyro.sample("a", dist.Normal(0, 1))
"""


@pytest.mark.parametrize(
    ("source", "untold"),
    [
        (TWO_SIZES, "that their sizes fit"),
        (TWO_SIZES.replace("dist.Normal(0, 1)", "prior()"), "both shapes"),
    ],
)
def test_the_note_says_what_the_source_does_not_tell(source: str, untold: str) -> None:
    done = rewrite(
        read("m.py", usual(source)), read_config(b'[sites.a]\noffset = "v"', "o.toml"), 88
    )
    (account,) = done.accounts
    assert account.notes == (
        f"'v' must broadcast to 'a' when the model runs: the source doesn't tell {untold}",
    )
