"""Files with random accidents: each is rewritten without touching what isn't a site's, or refused.

`tests.support.mutations` has the accidents and `tests.support.unchanged` the check, which asks
`ast` and not the rewriter what belongs to a site.
"""

from __future__ import annotations

import random
import tomllib
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import given, note, seed, settings
from hypothesis import strategies as st

from reparam_rewrite.messages import Refusal
from reparam_rewrite.source.stamp import read_stamp, stamped
from reparam_rewrite.source.up_to_date import origin
from tests import test_bytes
from tests.support.cases import CASES, golden, rewritten
from tests.support.mutations import mutated
from tests.support.unchanged import assert_only_sites_changed, compiles, parsed


class File(NamedTuple):
    name: str
    data: bytes
    config: str


FILES = [
    *[File(c.name, (c / "model.py").read_bytes(), (c / "offsets.toml").read_text()) for c in CASES],
    File("awkward", test_bytes.PLAIN, test_bytes.CONFIG),
]

REWRITTEN = "rewritten"


def sites_of(config: str) -> set[str]:
    """All that the config mentions where a site may stand, and more."""
    table = tomllib.loads(config)
    return set(texts_in([table.get(key, []) for key in ("chain", "sites", "conditional")]))


def assert_others_kept(before: bytes, after: bytes, config: str) -> None:
    """Only sites of the config may be others; what effects given the data need is moved up."""
    moves = "conditional" in tomllib.loads(config)
    assert_only_sites_changed(before, after, sites_of(config), moves)


def texts_in(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from texts_in(item)
        case dict():
            for key, item in value.items():
                yield from texts_in([key, item])


def outcome(file: File, data: bytes) -> str:
    """`REWRITTEN`, or what the first refusal says."""
    try:
        output = rewritten(data, file.config).data
    except Refusal as refusal:
        assert str(refusal)
        return refusal.diagnostics[0].message
    assert_others_kept(data, output, file.config)
    assert rewritten(output, file.config).data == output, "a second pass would change it"

    made_from = origin("0.1.0", "out.py", ("model.py", data), ("offsets.toml", b""), 88)
    whole = stamped(output, made_from)
    assert not compiles(output) or compiles(whole)
    stamp = read_stamp(whole)
    assert stamp is not None and stamp.rest == output
    parsed(whole)
    return REWRITTEN


#: A file, which accidents happen to it, and how many: the number is what can be made smaller.
ACCIDENTS = given(st.sampled_from(FILES), st.integers(0, 2**64 - 1), st.integers(1, 4))


def accident(file: File, number: int, count: int) -> str:
    data = mutated(file.data, random.Random(number), count)
    note(f"{file.name}: {data!r}")
    return outcome(file, data)


def test_random_accidents() -> None:
    @settings(max_examples=400, derandomize=True, deadline=None)
    @ACCIDENTS
    def run(file: File, number: int, count: int) -> None:
        found[accident(file, number, count)] += 1

    found: Counter[str] = Counter()
    run()
    assert found.total() >= 300
    assert found[REWRITTEN] >= 100, found


@pytest.mark.long
@pytest.mark.parametrize("share", range(8))
def test_many_random_accidents(share: int) -> None:
    @seed(share)
    @settings(max_examples=2500, database=None, deadline=None)
    @ACCIDENTS
    def run(file: File, number: int, count: int) -> None:
        accident(file, number, count)

    run()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"# all of them", b"", id="a comment is gone"),
        pytest.param(b"# the standard library", b"#the standard library", id="another comment"),
        pytest.param(b"LIMIT=( 1,2 , 3 )", b"LIMIT = (1, 2, 3)", id="other blanks"),
        pytest.param(b"        # a is done.\n", b"", id="a line is gone"),
        pytest.param(b"\n\n\nclass", b"\n\nclass", id="a blank line is gone"),
        pytest.param(b"return   c\n", b"return   c", id="the last line end is gone"),
        pytest.param(b"        else :\n", b"        else :\r\n", id="another line end"),
        pytest.param(b"  a string of", b" a string of", id="another string"),
        pytest.param(b"'mu'", b"'m'", id="another name"),
        pytest.param(b"p = 1 ; q = 2", b"q = 2 ; p = 1", id="another order"),
        pytest.param(b"jax.numpy as jnp\n", b"jax.numpy as jnp\r\n", id="a new line's end"),
    ],
)
def test_the_check_sees_what_became_of_other_bytes(old: bytes, new: bytes) -> None:
    output = rewritten(test_bytes.PLAIN, test_bytes.CONFIG).data
    sites = sites_of(test_bytes.CONFIG)
    assert_only_sites_changed(test_bytes.PLAIN, output, sites)
    assert output.count(old) == 1
    with pytest.raises(AssertionError):
        assert_only_sites_changed(test_bytes.PLAIN, output.replace(old, new), sites)


def test_the_check_takes_what_is_golden() -> None:
    for case in CASES:
        config = (case / "offsets.toml").read_text()
        assert_others_kept((case / "model.py").read_bytes(), golden(case), config)
