"""What isn't rewritten stays byte for byte, in whatever shape the file is."""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Callable

import pytest

from reparam_rewrite.messages import Refusal
from tests.support.cases import rewritten
from tests.support.unchanged import assert_only_sites_changed

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
    output = rewritten(data, CONFIG).data
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
    assert rewritten(output, CONFIG).data == output
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
    assert b"  " * 3 + b"b_reparam = ExplicitReparam(AffineTransform(b_loc, 1))\n" in narrow


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
    output = rewritten(STRING, CONFIG.partition("[sites.b]")[0]).data
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
        rewritten(plain.encode(), '[sites.a]\noffset = "mu"')
    assert message in refused.value.diagnostics[0].message


# -- one more shape each ---------------------------------------------------------------------------

#: Characters at which `str.splitlines` ends a line and Python doesn't, and others that are odd.
ODD = "\v \f \x1c \x1d \x1e \x85 \u2028 \u2029 \ufeff \u200b \x7f é ∑ 😀"


def told(text: str) -> str:
    """The plain model with a text in a comment, in a docstring and in strings."""
    return (
        PLAIN.decode()
        .replace("# One a for every group", f"# One a for every {text}")
        .replace("A model of groups.", f"A model of {text}.")
        .replace("'total' :", f"'total{text}' :")
        .replace("a string of", f"a string of {text}")
    )


def declared(encoding: str, text: str) -> bytes:
    cookie = f"#!/usr/bin/env python\n# vim: set fileencoding={encoding} :\n"
    return (cookie + told(text)).encode(encoding)


OTHERS = {
    "characters that end no line": told(ODD).encode(),
    "escapes": told(r"\N{BULLET} \ud800 \x00 \u2028 \r \\").encode(),
    "what looks like code": told("with numpyro.plate(!r): # {").encode(),
    "very long lines": told("x" * 100_000).encode() + b"z = '" + b"z" * 100_000 + b"'\n",
    "names that Python reads otherwise": told("é").replace("total", "ﬁnal_𝐱").encode(),
    "form feeds on blank lines": PLAIN.replace(b"\n\n\n", b"\n\x0c\n\n"),
    "vertical tabs in comments": PLAIN.replace(b"# all of", b"# all\x0bof"),
    "a control Z in a comment": PLAIN.replace(b"# all of", b"# all\x1aof"),
    "blanks and tabs on blank lines": PLAIN.replace(b"\n\n", b"\n \t \n"),
    "blanks, tabs and form feeds behind code": re.sub(rb"(?m)(?<=[),])$", b" \t\x0c ", PLAIN),
    "tabs in one block and blanks in another": re.sub(rb"(?m)^    (?=[ptr])", b"\t", PLAIN),
    "tabs below blanks": PLAIN.replace(b"            ", b"        \t"),
    "three blanks": PLAIN.replace(b"    ", b"   "),
    "comments at any margin": PLAIN.replace(b"        # a is done.", b"  # a is\n\t\t\t# done."),
    "continued lines": PLAIN.replace(b"p + \\\n", b"p \\\n+ \\\n").replace(b"if y", b"if \\\n y"),
    "a carriage return more on a blank line": PLAIN.replace(b"\n\nLIMIT", b"\n\r\nLIMIT"),
    "only the first line ends otherwise": PLAIN.replace(b"\n", b"\r\n", 1),
    "only the last line ends otherwise": PLAIN[:-1] + b"\r\n",
    "no final newline behind blanks": PLAIN[:-1] + b"  \t",
    "no final newline behind a comment": PLAIN + b"# The end",
    "cp1252": declared("cp1252", "€ é “”"),
    "iso-8859-15": declared("iso-8859-15", "€ é"),
    "koi8-r": declared("koi8-r", "сумма"),
    "backslashes in halves of characters": declared("shift_jis", "ソ 表 ｱ"),
    "euc_jp": declared("euc_jp", "ソ 表"),
    "iso2022_jp": declared("iso2022_jp", "ソ 表"),
    "gb18030": declared("gb18030", "表 😀 €"),
    "big5": declared("big5", "表 功"),
    "utf-8 by name": declared("utf8", "∑"),
    "a byte order mark and the name of it": byte_order_mark(b"# coding: utf-8\n" + PLAIN),
}

other_shape = pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)


@other_shape
def test_another_shape(data: bytes) -> None:
    assert data != PLAIN
    assert_only_sites_changed(data, check_bytes(data), ["mu", "a", "b"])


#: Together these aren't Python, which takes a tab for no number of blanks, and one mark alone.
IMPOSSIBLE = ("three blanks", tabs), ("a byte order mark and the name of it", byte_order_mark)


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        pytest.param(data, shape, id=f"{name}-{shape.__name__}")
        for name, data in OTHERS.items()
        for shape in (crlf, tabs, no_final_newline, byte_order_mark)
        if (name, shape) not in IMPOSSIBLE
    ],
)
def test_another_shape_and_a_common_one(data: bytes, shape: Shape) -> None:
    data = shape(data.replace(b"\r\n", b"\n"))
    if shape is byte_order_mark and b"coding" in data:
        with pytest.raises(Refusal, match="another encoding is declared"):
            check_bytes(data)
    else:
        assert_only_sites_changed(data, check_bytes(data), ["mu", "a", "b"])


MIXED = b"""\
import numpyro\r
import numpyro.distributions as dist
\r

def model(n):
  mu = numpyro.sample("mu", dist.Normal(0, 1))
  if n:
        a = numpyro.sample("a", dist.Normal(0, 1))  # deep
        return a
"""


def test_of_several_line_ends_and_indents_the_first_is_that_of_the_file() -> None:
    assert (
        rewritten(MIXED, '[sites.a]\noffset = "mu"').data
        == b"""\
import numpyro\r
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform\r
from numpyro.infer.reparam import ExplicitReparam\r
\r

def model(n):
  mu = numpyro.sample("mu", dist.Normal(0, 1))
  if n:
        a_loc = numpyro.param("xi_a_mu", 0.0) * mu\r
        a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))\r
        with numpyro.handlers.reparam(config={"a": a_reparam}):\r
          a = numpyro.sample("a", dist.Normal(0, 1))  # deep
        return a
"""
    )


# -- statements that are laid out anew -------------------------------------------------------------

HEAD = """\
import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan


def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
"""

#: What follows the head, and what must be in the output.
LAID_OUT = {
    "a string with a backslash at the end of a line": (
        '    a = numpyro.sample("a", make_prior(\n        "x \\\n        y", 1))\n',
        '    a_prior = make_prior(\n    "x \\\n        y", 1)\n',
    ),
    "a name with a backslash at the end of a line": (
        '    a = numpyro.sample("\\\na", dist.HalfNormal(make_scale()))\n',
        '        a = numpyro.sample("\\\na", a_prior)\n',
    ),
    "a name with a backslash and another line end": (
        '    a = numpyro.sample("\\\r\na", dist.HalfNormal(make_scale()))\n',
        '        a = numpyro.sample("\\\r\na", a_prior)\n',
    ),
    "a line that is continued with another line end": (
        '    def step(c, _):\n        a = numpyro.sample("a", dist.Normal(c, 1))\n'
        "        return a, a\n    _, (a, \\\r\nb) = scan(step, 0.0, None, length=n)\n",
        "    _, (a, \\\r\nb) = scan(step, 0.0, xi_a_mu, length=n)\n",
    ),
    "a parameter that Python reads otherwise": (
        '    def ﬁt(c, ﬁ):\n        a = numpyro.sample("a", dist.Normal(ｌoc=c, scale=1))\n'
        "        return a, a\n    _, a = scan(ﬁt, 0.0, ｘs=None, length=n)\n",
        "    def ﬁt(c, xi_a_mu_t):\n        a_loc = xi_a_mu_t * mu\n"
        '        a_base = numpyro.sample("a_base", dist.Normal(ｌoc=c + a_loc, scale=1))\n',
    ),
    "keywords that Python reads otherwise": (
        '    a = numpyro.sample(ｎame="a", ｆn=dist.Normal(0, 1), ｓample_shape=(n,))\n',
        'a = numpyro.sample(ｎame="a", ｆn=dist.Normal(0, 1).expand_by((n,)))\n',
    ),
    "variables that Python reads otherwise": (
        '    ａ_loc = 0.5\n    a = numpyro.sample("a", dist.Normal(ａ_loc, 1))\n',
        '    a_loc_2 = numpyro.param("xi_a_mu", 0.0) * mu\n',
    ),
}


@pytest.mark.parametrize("shape", [bytes, crlf, tabs])
@pytest.mark.parametrize(("statement", "expected"), LAID_OUT.values(), ids=LAID_OUT)
def test_what_is_laid_out_anew_means_what_it_did(
    statement: str, expected: str, shape: Shape
) -> None:
    data, wanted = shape((HEAD + statement).encode()), shape(expected.encode())
    if shape is crlf:
        data, wanted = data.replace(b"\r\r", b"\r"), wanted.replace(b"\r\r", b"\r")
    output = rewritten(data, '[sites.a]\noffset = "mu"').data
    assert wanted in output
    assert_only_sites_changed(data, output, ["mu", "a"])


# -- what is refused -------------------------------------------------------------------------------


def refusal_of(data: bytes, config: str = CONFIG) -> str:
    with pytest.raises(Refusal) as refused:
        rewritten(data, config)
    return str(refused.value)


UNCHANGED = "LibCST would not give this file back unchanged from this line on"

REFUSED_FILES = {
    "a form feed before code": (
        PLAIN.replace(b"LIMIT=", b"\x0cLIMIT="),
        f"model.py:10:1: {UNCHANGED}\n    LIMIT=( 1,2 , 3 )\n    ^\n"
        "hint: take out the form feed at the start of the line.",
    ),
    "a form feed in an indent": (
        PLAIN.replace(b"    p = 1", b"  \x0c    p = 1"),
        f"model.py:15:1: {UNCHANGED}\n    p = 1 ; q = 2\n    ^\n"
        "hint: take out the form feed at the start of the line.",
    ),
    "a form feed in the first indent": (
        b"if True:\n\x0c    x = 1\n" + PLAIN,
        "model.py:2:1: a form feed is part of the file's indent, which LibCST can't write\n"
        "    x = 1\n    ^\nhint: take out the form feed at the start of the line.",
    ),
    "a form feed below the last line end of two kinds": (
        PLAIN + b"\n\r\n\x0c\n",
        f"model.py:48:1: {UNCHANGED}\nhint: take out the form feed at the start of the line.",
    ),
    "blanks above a last comment": (
        PLAIN + b"\n\n   \n# The end\n\n",
        f"model.py:46:1: {UNCHANGED}\nhint: take out this blank line.",
    ),
    "an encoding that is declared below its use": (
        b"# M\xfcller\n# coding: latin-1\n" + PLAIN,
        "model.py: LibCST can't parse this file: invalid or missing encoding declaration\n"
        "hint: save the file as UTF-8, and remove the declaration of its encoding.",
    ),
    "only carriage returns": (
        PLAIN.replace(b"\n", b"\r"),
        "model.py:1:25: a carriage return ends this line alone, which can't be kept as it is\n"
        '    """A model of groups."""\n                            ^\n'
        "hint: end all lines with a line feed, or a carriage return and a line feed.",
    ),
}


@pytest.mark.parametrize(("data", "message"), REFUSED_FILES.values(), ids=REFUSED_FILES)
def test_what_cannot_be_kept_is_refused(data: bytes, message: str) -> None:
    assert refusal_of(data) == message


BELOW_ITS_TITLE = """\
# My model
# -*- coding: latin-1 -*-
import sys
import numpyro
import numpyro.distributions as dist


def model(n, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
"""


def test_the_declaration_of_an_encoding_stays_in_the_second_line() -> None:
    config = '[sites.a]\noffset = { mu = { init = "xi.npz" } }'
    output = rewritten(BELOW_ITS_TITLE.encode("latin-1"), config).data
    assert output.splitlines()[1] == b"# -*- coding: latin-1 -*-"


def test_the_lines_of_a_string_stay_where_a_backslash_ends_one_with_a_carriage_return() -> None:
    prior = 'dist.Normal(f("abc\\\n    def", """x\n    y"""), 1).expand([n]).to_event(1)'
    body = BELOW_ITS_TITLE[BELOW_ITS_TITLE.index("import") :]
    body = body.replace('    with numpyro.plate("n", n):\n    ', "")
    before, _, after = body.rpartition("dist.Normal(0, 1)")
    source = f"{before}{prior}{after}".replace("\n", "\r\n")
    output = rewritten(source.encode(), '[sites.a]\noffset = "mu"\n').data
    assert b'"""x\r\n    y"""' in output
