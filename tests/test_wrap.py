"""How generated code is broken into lines, and what stays as it is."""

from __future__ import annotations

import random
from typing import NamedTuple

import black
import pytest

from reparam_rewrite.emit import wrap
from reparam_rewrite.emit.wrap import Lines
from reparam_rewrite.messages import Refusal
from reparam_rewrite.source.fingerprint import fingerprint
from tests.support.cases import rewritten_text
from tests.support.plain_models import WORDS, case

# -- one statement -------------------------------------------------------------------------------

ROOM = 40
STATEMENTS = [
    ("a_loc = xi * mu", ["a_loc = xi * mu"]),
    (
        'a = numpyro.sample("a", dist.Normal(0, 1))',
        ["a = numpyro.sample(", '    "a",', "    dist.Normal(0, 1),", ")"],
    ),
    (
        "a_loc = xi_a_mu * mu + xi_a_b * jnp.mean(b)",
        ["a_loc = (", "    xi_a_mu * mu + xi_a_b * jnp.mean(b)", ")"],
    ),
    (
        "x = sample(a)(jnp.zeros((n_a, n_b)), jnp.ones((n_a, n_b, n_c)))",
        ["x = sample(a)(", "    jnp.zeros((n_a, n_b)),", "    jnp.ones((n_a, n_b, n_c)),", ")"],
    ),
    (
        "x = f(number for number, _ in enumerate(numbers))",
        ["x = f(", "    number", "    for number, _ in enumerate(numbers)", ")"],
    ),
    (
        "x = f(lambda first, second: first + second + third)",
        ["x = f(", "    lambda first,", "    second: first + second + third,", ")"],
    ),
    (
        "some_long_target_name = another_long_name[0]",
        ["some_long_target_name = (", "    another_long_name[0]", ")"],
    ),
    (
        "x = a_name_that_is_longer_than_all_of_the_line",
        ["x = a_name_that_is_longer_than_all_of_the_line"],
    ),
    (
        "with handlers.reparam(config={'a': a_reparam}):",
        ["with handlers.reparam(", "    config={'a': a_reparam}", "):"],
    ),
    (
        "if jnp.shape(v)[:-2] != () or jnp.shape(v)[-2] != n:",
        ["if (", "    jnp.shape(v)[:-2] != ()", "    or jnp.shape(v)[-2] != n", "):"],
    ),
    (
        "if jnp.shape(w) not in ((), v_prior.shape()):",
        ["if jnp.shape(w) not in (", "    (),", "    v_prior.shape(),", "):"],
    ),
    (
        "x = zeros(n).at[group].add(w * s) / group_count",
        [
            "x = (",
            "    zeros(n).at[group].add(w * s)",
            "    / group_count",
            ")",
        ],
    ),
    (
        "x = zeros(n).at[g].add(w * s) / g_count",
        ["x = zeros(n).at[g].add(w * s) / g_count"],
    ),
    (
        "long_name = zeros(n).at[g].add(s) / count",
        ["long_name = (", "    zeros(n).at[g].add(s) / count", ")"],
    ),
    ("x = f('a, (b', 'c, [d', e, g, h, i, j, k)", None),
]


@pytest.mark.parametrize(("text", "lines"), STATEMENTS)
def test_statement(text: str, lines: list[str] | None) -> None:
    found = list(wrap.statement(text, ROOM))
    assert found == (lines or found)
    assert wrap.same(found, text)


def expression(pick: random.Random, depth: int = 0) -> str:
    """Any expression, of the kinds that priors and offsets are made of."""

    def name() -> str:
        return "_".join(pick.choices(WORDS, k=pick.randint(1, 3)))

    def inner() -> str:
        return expression(pick, depth + 1)

    if depth > 3 or pick.random() < 0.15:
        return name()
    arguments = ", ".join(inner() for _ in range(pick.randint(0, 3)))
    return pick.choice(
        [
            f"{name()}.{name()}({arguments})",
            f"{name()} * {inner()} + {inner()}",
            f"jnp.mean({inner()}, axis=-1)",
            f"[{arguments}]",
            f"({inner()}, {inner()})",
            f"dist.Normal(0, {inner()}).expand([{name()}]).to_event(1)",
            f"{name()}[:, None]",
            f"{name()}({name()}={inner()}, {name()}=-1)",
            f"{name()} @ {name()} / jnp.sqrt({inner()})",
            f"{name()} and not {name()} < {inner()}",
            f"[{name()}({inner()}) for x, y in {name()} if x]",
            f'{{"{name()}": {inner()}, **{name()}}}',
        ]
    )


@pytest.mark.parametrize("seed", range(250))
def test_a_wrapped_statement_is_the_same(seed: int) -> None:
    """And its lines are as short as black's, or nearly: what can't be broken is long for both."""
    pick = random.Random(seed)
    target = pick.choice(["x = ", "some_long_target_name = ", "x += ", "return "])
    text = target + expression(pick)
    width = pick.randint(40, 110)
    lines = wrap.statement(text, width)
    assert fingerprint("\n".join(lines)) == fingerprint(text)
    assert lines == (text,) or len(text) > width
    if len(text) > width and wrap.pairs_of(text):
        assert max(map(len, lines)) < len(text)


TERMS = ["xi_a_mu * mu", "+ xi_a_b * jnp.mean(b)", "- 0.5 * c"]


def test_a_sum_has_one_term_a_line() -> None:
    assert wrap.sum_of("a_loc", TERMS, 88) == (f"a_loc = {' '.join(TERMS)}",)
    lines = ("a_loc = (", *(f"    {term}" for term in TERMS), ")")
    assert wrap.sum_of("a_loc", TERMS, 40) == lines


def test_a_sum_that_fits_in_parentheses_has_a_line_there() -> None:
    lines = ("a_loc = (", "    xi_a_mu * mu - 0.5 * c", ")")
    assert wrap.sum_of("a_loc", TERMS[::2], 26) == lines


def test_a_sum_of_two_with_a_call_at_the_end_is_added_up() -> None:
    terms = [TERMS[0], "+ xi * jnp.mean(b, axis=-1)"]
    assert wrap.sum_of("a_loc", terms, 40) is None
    added = [("a_loc = xi_a_mu * mu",), ("a_loc += xi * jnp.mean(b, axis=-1)",)]
    assert wrap.added_up("a_loc", terms, 40) == added
    assert wrap.added_up("a_loc", TERMS, 40)[-1] == ("a_loc -= 0.5 * c",)


def test_no_parentheses_are_put_around_a_right_side() -> None:
    assert wrap.sum_of("a_loc", ["(x if y else z)"], 88) == ("a_loc = x if y else z",)
    terms = ["(b - c)", "- (d - e)", "+ (f) * (g)"]
    lines = [("a_loc = b - c",), ("a_loc -= d - e",), ("a_loc += (f) * (g)",)]
    assert wrap.added_up("a_loc", terms, 88) == lines


JOINED = [
    ("f(\n    a,\n    b\n)", "f(a, b)"),
    ("f(\n    a,\n)", "f(a)"),
    ("x = (\n    a,\n)", "x = (a,)"),
    ("dist.Normal(0, 1)\n.expand(\n    [n]\n)", "dist.Normal(0, 1).expand([n])"),
    ("f(\n    a,  # why\n)", None),
    ('f("# no comment",\n  b)', 'f("# no comment", b)'),
    ('f("""\n""")', None),
    ('f("""x""", "it\'s",\n  b)', 'f("""x""", "it\'s", b)'),
    ("a + \\\n    b", None),
]


@pytest.mark.parametrize(("code", "expected"), JOINED)
def test_joined(code: str, expected: str | None) -> None:
    assert wrap.joined(code) == expected


KEPT = [
    (
        "dist.Normal(\n        0,  # why\n        1,\n    )",
        ("p = dist.Normal(", "    0,  # why", "    1,", ")"),
    ),
    (
        "dist.Normal(0, 1)  # why\n    .expand([n])",
        ("p = (", "    dist.Normal(0, 1)  # why", "    .expand([n])", ")"),
    ),
    (
        "f(  # don't (\n    a,  # won't\n)",
        ("p = f(  # don't (", "    a,  # won't", ")"),
    ),
    ('f("""\n    x\n""")', ('p = f("""', "    x", '""")')),
]


@pytest.mark.parametrize(("code", "expected"), KEPT)
def test_kept(code: str, expected: Lines) -> None:
    assert wrap.kept("p", code, 88) == expected


# -- whole models --------------------------------------------------------------------------------


class Shape(NamedTuple):
    name: str
    plain: str
    after: str
    width: int = 88
    config: str = '[sites.a]\noffset = "mu"'


HEAD = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def model(n, loc, scale):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
"""

SHAPES = [
    Shape(
        "joins_the_plate",
        """\
    with numpyro.plate("n", n):  # all
        a = numpyro.sample("a", dist.Normal(0, 1))  # centred
""",
        """\
    a_loc = numpyro.param("xi_a_mu", jnp.zeros(n)) * mu
    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
    with numpyro.handlers.reparam(config={"a": a_reparam}), numpyro.plate("n", n):  # all
        a = numpyro.sample("a", dist.Normal(0, 1))  # centred
""",
        width=100,
    ),
    Shape(
        "puts_a_long_header_in_parentheses",
        """\
    with numpyro.plate("a_plate_with_a_long_name", n):
        # About a.
        a = numpyro.sample("a", dist.Normal(0, 1))
        # Behind a.
""",
        """\
    a_loc = numpyro.param("xi_a_mu", jnp.zeros(n)) * mu
    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
    with (
        numpyro.handlers.reparam(config={"a": a_reparam}),
        numpyro.plate("a_plate_with_a_long_name", n),
    ):
        # About a.
        a = numpyro.sample("a", dist.Normal(0, 1))
        # Behind a.
""",
    ),
    Shape(
        "is_first_of_one_item_a_line",
        """\
    with (  # plates
        # The rows
        numpyro.plate("the_rows_of_the_table", n, dim=-2),
        numpyro.plate("the_columns_of_the_table", n, dim=-1),  # columns
    ):
        a = numpyro.sample("a", dist.Normal(0, 1))
""",
        """\
    a_loc = numpyro.param("xi_a_mu", jnp.zeros((n, n))) * mu
    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
    with (  # plates
        numpyro.handlers.reparam(config={"a": a_reparam}),
        # The rows
        numpyro.plate("the_rows_of_the_table", n, dim=-2),
        numpyro.plate("the_columns_of_the_table", n, dim=-1),  # columns
    ):
        a = numpyro.sample("a", dist.Normal(0, 1))
""",
    ),
    Shape(
        "breaks_the_line_that_moves_in",
        """\
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
        b = 2 * a
""",
        """\
    a_loc = (
        numpyro.param("xi_a_mu", jnp.zeros(n)) * mu
    )
    a_reparam = ExplicitReparam(
        AffineTransform(a_loc, 1)
    )
    with numpyro.plate("n", n):
        with numpyro.handlers.reparam(
            config={"a": a_reparam}
        ):
            a = numpyro.sample(
                "a",
                dist.Normal(0, 1),
            )
        b = 2 * a
""",
        width=52,
    ),
    Shape(
        "two_in_one_statement",
        """\
    with numpyro.plate("n", n):
        c = numpyro.sample("a", dist.Normal(0, 1)) + numpyro.sample("b", dist.Normal(0, 1))
""",
        """\
    a_loc = numpyro.param("xi_a_mu", jnp.zeros(n)) * mu
    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
    b_loc = numpyro.param("xi_b_mu", jnp.zeros(n)) * mu
    b_reparam = ExplicitReparam(AffineTransform(b_loc, 1))
    with (
        numpyro.handlers.reparam(config={"a": a_reparam, "b": b_reparam}),
        numpyro.plate("n", n),
    ):
        c = numpyro.sample("a", dist.Normal(0, 1)) + numpyro.sample("b", dist.Normal(0, 1))
""",
        width=96,
        config='[sites.a]\noffset = "mu"\n[sites.b]\noffset = "mu"',
    ),
    Shape(
        "two_in_one_with_share_a_handler",
        """\
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
        # About b.
        b = numpyro.sample("b", dist.Normal(a, 1))
        c = a + b
""",
        """\
    a_loc = numpyro.param("xi_a_mu", jnp.zeros(n)) * mu
    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
    b_loc = numpyro.param("xi_b_mu", jnp.zeros(n)) * mu
    b_reparam = ExplicitReparam(AffineTransform(b_loc, 1))
    with numpyro.handlers.reparam(config={"a": a_reparam, "b": b_reparam}), numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
        # About b.
        b = numpyro.sample("b", dist.Normal(a, 1))
        c = a + b
""",
        width=100,
        config='[sites.a]\noffset = "mu"\n[sites.b]\noffset = "mu"',
    ),
    Shape(
        "two_in_one_with_share_a_handler_on_a_line_of_its_own",
        """\
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
        b = numpyro.sample("b", dist.Normal(0, 1))
""",
        """\
    a_loc = numpyro.param("xi_a_mu", jnp.zeros(n)) * mu
    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
    b_loc = numpyro.param("xi_b_mu", jnp.zeros(n)) * mu
    b_reparam = ExplicitReparam(AffineTransform(b_loc, 1))
    with (
        numpyro.handlers.reparam(config={"a": a_reparam, "b": b_reparam}),
        numpyro.plate("n", n),
    ):
        a = numpyro.sample("a", dist.Normal(0, 1))
        b = numpyro.sample("b", dist.Normal(0, 1))
""",
        width=88,
        config='[sites.a]\noffset = "mu"\n[sites.b]\noffset = "mu"',
    ),
    Shape(
        "a_second_site_that_needs_the_first_has_a_handler_of_its_own",
        """\
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
        b = numpyro.sample("b", dist.Normal(0, 1))
""",
        """\
    a_loc = numpyro.param("xi_a_mu", jnp.zeros(n)) * mu
    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
    xi_b_a = numpyro.param("xi_b_a", jnp.zeros(n))
    with numpyro.plate("n", n):
        with numpyro.handlers.reparam(config={"a": a_reparam}):
            a = numpyro.sample("a", dist.Normal(0, 1))
        b_loc = xi_b_a * a
        b_reparam = ExplicitReparam(AffineTransform(b_loc, 1))
        with numpyro.handlers.reparam(config={"b": b_reparam}):
            b = numpyro.sample("b", dist.Normal(0, 1))
""",
        width=100,
        config='[sites.a]\noffset = "mu"\n[sites.b]\noffset = "a"',
    ),
    Shape(
        "a_parent_without_a_name_gets_one",
        """\
    params = {}
    params["b"] = numpyro.sample("b", dist.Normal(0, 1))  # in a dictionary
    numpyro.sample("c", dist.Normal(0, 1))
    x = 2 * numpyro.sample("d", dist.Normal(0, 1)) + 1
    found = [numpyro.sample("e", dist.Normal(0, 1))]
    a = numpyro.sample("a", dist.Normal(0, 1))
""",
        """\
    params = {}
    params["b"] = b = numpyro.sample("b", dist.Normal(0, 1))  # in a dictionary
    c = numpyro.sample("c", dist.Normal(0, 1))
    x = 2 * (d := numpyro.sample("d", dist.Normal(0, 1))) + 1
    found = [e := numpyro.sample("e", dist.Normal(0, 1))]
    a_loc = b + c + d + e
    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
    with numpyro.handlers.reparam(config={"a": a_reparam}):
        a = numpyro.sample("a", dist.Normal(0, 1))
""",
        config='[sites.a]\noffset = ["b", "c", "d", "e"]\nlearn = false\ninit = 1.0',
    ),
    Shape(
        "a_sample_shape_becomes_an_expand_by",
        """\
    a = numpyro.sample("a", dist.Normal(0, 1), sample_shape=(n, 2))
""",
        """\
    a_loc = numpyro.param("xi_a_mu", jnp.zeros((n, 2))) * mu
    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
    with numpyro.handlers.reparam(config={"a": a_reparam}):
        a = numpyro.sample("a", dist.Normal(0, 1).expand_by((n, 2)))
""",
    ),
    Shape(
        "hoists_the_prior_with_its_comment",
        """\
    # About a.
    a = numpyro.sample(
        "a",
        dist.Normal(
            loc,  # its own
            scale,
        ),  # the prior
    )
""",
        """\
    # About a.
    a_prior = dist.Normal(
        loc,  # its own
        scale,
    )
    a_loc = numpyro.param("xi_a_mu", jnp.zeros(a_prior.shape())) * mu
    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
    with numpyro.handlers.reparam(config={"a": a_reparam}):
        a = numpyro.sample(
            "a",
            a_prior,  # the prior
        )
""",
    ),
]


@pytest.mark.parametrize("shape", SHAPES, ids=[shape.name for shape in SHAPES])
def test_shape(shape: Shape) -> None:
    output = rewritten_text(HEAD + shape.plain, shape.config, shape.width)
    assert output.partition("dist.Normal(0, 10))\n")[2] == shape.after


SEEDS = range(30)


@pytest.mark.parametrize("awkward", [False, True])
def test_what_black_makes_of_an_output_is_the_same(awkward: bool) -> None:
    """And one that is rewritten again stays as it is."""
    count = 0
    for seed in SEEDS:
        pick = random.Random(seed)
        width = pick.randint(60, 120)
        plain, config = case(pick, awkward=awkward)
        try:
            after = rewritten_text(plain, config, width)
        except Refusal:
            continue
        compile(after, "model.py", "exec")
        assert rewritten_text(after, config, width) == after
        formatted = black.format_str(after, mode=black.Mode(line_length=pick.randint(40, 120)))
        assert fingerprint(formatted) == fingerprint(after), seed
        count += 1
    assert count > len(SEEDS) / 2
