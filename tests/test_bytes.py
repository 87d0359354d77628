"""What isn't rewritten stays byte for byte, in whatever shape the file is."""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable

import pytest

from reparam_rewrite.diagnostics import Refusal
from tests.support.rewrites import rewritten_bytes

PLAIN = b'''\
"""A model of groups."""

import os  # the standard library

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.infer.reparam import LocScaleReparam

LIMIT=( 1,2 , 3 )


@numpyro.handlers.seed ( rng_seed = 0 )
def  other( x ) :
    p = 1 ; q = 2
    total = p + \\
        q
    return {  'total' :total,   "x": x }


class Model :
    def  model(self, n,loc , y = None):
        """The grand mean and the groups."""
        # The grand mean comes first.
        mu=numpyro.sample ( 'mu',dist.Normal( 0,10 ) )
        text = """
  a string of
        several lines"""

        # One a for every group
        with numpyro.plate ( "groups" , n ):   # all of them
            a = numpyro.sample( "a",dist.Normal(0,1))  # centred
        # a is done.
        with numpyro.plate("others", n):
            # Not this one:
            c = numpyro.sample("c", dist.Normal(0, 1))
            b = numpyro.sample("b", dist.Normal(
                loc,   # its own
                1
            ))
        if y is None :
            return  mu,a , b

        else :
            return   c
'''

CONFIG = """
[sites.a]
offset = "mu"

[sites.b]
offset = ["mu", "a"]
"""

#: Lines that may go: the wrapped statements, the header that the handler joins, the import.
REWRITTEN = (
    b"with numpyro.plate ( ",
    b"a = numpyro.sample( ",
    b"b = numpyro.sample(",
    b"loc,   # its own",
    b"1",
    b"))",
    b"from numpyro.infer.reparam import LocScaleReparam",
)

Shape = Callable[[bytes], bytes]


def crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def mixed_line_ends(data: bytes) -> bytes:
    pick = random.Random(1)
    lines = data.split(b"\n")
    ends = [pick.choice([b"\n", b"\n", b"\r\n"]) for _ in lines[1:]]
    return lines[0] + b"".join(end + line for end, line in zip(ends, lines[1:], strict=True))


def byte_order_mark(data: bytes) -> bytes:
    return b"\xef\xbb\xbf" + data


def tabs(data: bytes) -> bytes:
    return data.replace(b"    ", b"\t")


def two_blanks(data: bytes) -> bytes:
    return data.replace(b"    ", b"  ")


def form_feeds(data: bytes) -> bytes:
    return data.replace(b"LIMIT=(", b"LIMIT=\x0c(").replace(b"p = 1 ;", b"p = 1 ; \x0c")


def trailing_blanks(data: bytes) -> bytes:
    return data.replace(b"\n\n", b"  \n \t\n").replace(b"q\n", b"q   \n")


def no_final_newline(data: bytes) -> bytes:
    return data.rstrip(b"\n")


def many_final_newlines(data: bytes) -> bytes:
    return data + b"\n\n\n# The end\n\n"


def latin_1(data: bytes) -> bytes:
    return b"# -*- coding: latin-1 -*-\n" + data.replace(b"One a", b"Ein \xe4")


def comments(data: bytes) -> bytes:
    return data.replace(b"\n\n", b"\n# \xe2\x88\x91 stray\n\n    # deeper\n\n")


def module_level_semicolons(data: bytes) -> bytes:
    return data.replace(b"LIMIT=", b"A=1;B = 2 ;\nLIMIT=")


#: In the order in which they may be applied together.
SHAPES: list[Shape] = [
    form_feeds,
    comments,
    module_level_semicolons,
    many_final_newlines,
    no_final_newline,
    trailing_blanks,
    tabs,
    two_blanks,
    latin_1,
    crlf,
    mixed_line_ends,
    byte_order_mark,
]


def check_bytes(data: bytes) -> bytes:
    """Rewrite, and compare what was removed with what may be."""
    output = rewritten_bytes(data, CONFIG)
    before, after = data.splitlines(keepends=True), output.splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            continue
        for line in before[start:end]:
            assert line.strip().startswith(REWRITTEN), line
            kept = [new.strip() for new in after[new_start:new_end]]
            if line.strip().startswith(b"a = "):
                assert line.strip() in kept, "a statement moves inwards as it is"
    compile(output, "model.py", "exec")
    assert rewritten_bytes(output, CONFIG) == output
    return output


@pytest.mark.parametrize("shape", [bytes, *SHAPES], ids=lambda shape: shape.__name__)
def test_one_shape(shape: Shape) -> None:
    check_bytes(shape(PLAIN))


@pytest.mark.parametrize("seed", range(150))
def test_several_shapes_at_once(seed: int) -> None:
    pick = random.Random(seed)
    data = PLAIN
    chosen = sorted(pick.sample(SHAPES, pick.randint(2, 5)), key=SHAPES.index)
    if crlf in chosen and mixed_line_ends in chosen:
        chosen.remove(crlf)
    for shape in chosen:
        data = shape(data)
    try:
        check_bytes(data)
    except Refusal as refusal:
        told = {diagnostic.message for diagnostic in refusal.diagnostics}
        # A mark and a cookie contradict; LibCST loses some blank lines above a last comment.
        reasons = {byte_order_mark, latin_1}, {many_final_newlines, trailing_blanks}
        assert any(reason <= set(chosen) for reason in reasons), told


def generated_lines(data: bytes) -> list[bytes]:
    before = set(data.splitlines(keepends=True))
    return [line for line in check_bytes(data).splitlines(keepends=True) if line not in before]


def test_generated_lines_end_as_the_file_does() -> None:
    assert all(line.endswith(b"\r\n") for line in generated_lines(crlf(PLAIN)))
    assert not any(line.endswith(b"\r\n") for line in generated_lines(PLAIN))


def test_generated_lines_are_indented_as_the_file_is() -> None:
    wide = tabs(PLAIN)
    for line in generated_lines(wide):
        assert not line.startswith(b" "), line
    narrow = generated_lines(two_blanks(PLAIN))
    assert b"  " * 2 + b"b_reparam = ExplicitReparam(AffineTransform(b_loc, 1))\n" in narrow


STRING = b'''\
import numpyro
import numpyro.distributions as dist


def model(scale):
\tmu = numpyro.sample("mu", dist.Normal(0, 1))
\ta = numpyro.sample("a", make_prior("""
      as it
   is
\t"""))
'''


def test_a_string_of_several_lines_in_a_prior_keeps_its_lines() -> None:
    output = rewritten_bytes(STRING, CONFIG.partition("[sites.b]")[0])
    assert b'\ta_prior = make_prior("""\n      as it\n   is\n\t""")\n' in output
    assert b'\t\ta = numpyro.sample("a", a_prior)\n' in output


REFUSED = [
    ("x = 1; a = numpyro.sample('a', dist.Normal(0, 1))", "shares its line"),
    ("a = numpyro.sample('a', dist.Normal(0, 1)); x = 1", "shares its line"),
    ("if n: a = numpyro.sample('a', dist.Normal(0, 1))", "shares its line"),
    ("with numpyro.plate('n', n): a = numpyro.sample('a', dist.Normal(0, 1))", "shares its line"),
]


@pytest.mark.parametrize(("statement", "message"), REFUSED)
def test_a_statement_that_shares_its_line_is_refused(statement: str, message: str) -> None:
    plain = f"""\
import numpyro
import numpyro.distributions as dist


def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    {statement}
"""
    with pytest.raises(Refusal) as refused:
        rewritten_bytes(plain.encode(), '[sites.a]\noffset = "mu"')
    assert message in refused.value.diagnostics[0].message


UNKEPT = [
    PLAIN.replace(b"LIMIT=", b"\x0cLIMIT="),
    PLAIN + b"\n\n   \n# The end\n\n",
]


@pytest.mark.parametrize("plain", UNKEPT, ids=["form feed", "blanks at the end"])
def test_what_libcst_would_change_is_refused(plain: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        rewritten_bytes(plain, CONFIG)
    assert "would not give this file back unchanged" in refused.value.diagnostics[0].message
