"""What black and ruff leave alone before, they leave alone after."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

import black
import pytest

from reparam_rewrite.emit import layout
from reparam_rewrite.emit.breaking import broken
from reparam_rewrite.emit.tidy import tidied
from reparam_rewrite.messages import Refusal
from tests.support.plain_models import WORDS, case
from tests.support.rewrites import rewritten


def blackened(text: str, width: int) -> str:
    """For the oldest Python that the program runs on: it has ``with (a, b):``."""
    mode = black.Mode({black.TargetVersion.PY311}, line_length=width)
    return black.format_str(text, mode=mode)


# -- one statement -------------------------------------------------------------------------------

ROOM = 40
STATEMENTS = [
    ("a_loc = xi * mu", ["a_loc = xi * mu"]),
    (
        'a = numpyro.sample("a", dist.Normal(0, 1))',
        ["a = numpyro.sample(", '    "a", dist.Normal(0, 1)', ")"],
    ),
    (
        'a = numpyro.sample("a", dist.Normal(0.0, a_scale))',
        ["a = numpyro.sample(", '    "a", dist.Normal(0.0, a_scale)', ")"],
    ),
    (
        "a_prior = dist.Normal(0, sigma).expand([n]).to_event(1)",
        ["a_prior = (", "    dist.Normal(0, sigma)", "    .expand([n])", "    .to_event(1)", ")"],
    ),
    (
        "a_loc = xi_a_mu * mu + xi * jnp.mean(b, axis=-1)",
        ["a_loc = xi_a_mu * mu + xi * jnp.mean(", "    b, axis=-1", ")"],
    ),
    (
        "a = sample(name, prior,)",
        ["a = sample(", "    name,", "    prior,", ")"],
    ),
    (
        "with handlers.reparam(config={'a': a_reparam}):",
        ["with handlers.reparam(", "    config={'a': a_reparam}", "):"],
    ),
]


@pytest.mark.parametrize(("text", "lines"), STATEMENTS)
def test_statement(text: str, lines: list[str]) -> None:
    assert list(layout.statement(text, ROOM)) == lines
    if not text.startswith("with"):
        assert blackened("\n".join(lines).replace("'", '"'), ROOM).splitlines() == lines


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
def test_statements_break_where_black_breaks_them(seed: int) -> None:
    pick = random.Random(seed)
    target = pick.choice(["x = ", "some_long_target_name = ", "a = b = ", "x += ", "return "])
    width = pick.randint(40, 110)
    head = "def f():\n    "
    one_line = blackened(f"{head}{target}{expression(pick)}", 10_000).removeprefix(head).strip()
    expected = blackened(f"{head}{one_line}", width).removeprefix("def f():\n").splitlines()
    got = [f"    {line}" for line in broken(one_line, width - 4)]
    assert got == expected


TERMS = ["xi_a_mu * mu", "+ xi_a_b * jnp.mean(b)", "- 0.5 * c"]


def test_a_sum_has_one_term_a_line() -> None:
    assert layout.sum_of("a_loc", TERMS, 88) == (f"a_loc = {' '.join(TERMS)}",)
    lines = ("a_loc = (", *(f"    {term}" for term in TERMS), ")")
    assert layout.sum_of("a_loc", TERMS, 40) == lines


def test_a_sum_of_two_is_added_up_where_black_would_tear_it() -> None:
    terms = [TERMS[0], "+ xi * jnp.mean(b, axis=-1)"]
    assert layout.sum_of("a_loc", terms, 40) is None
    added = [("a_loc = xi_a_mu * mu",), ("a_loc += xi * jnp.mean(b, axis=-1)",)]
    assert layout.added_up("a_loc", terms, 40) == added
    assert layout.added_up("a_loc", TERMS, 40)[-1] == ("a_loc -= 0.5 * c",)


def test_black_wants_no_parentheses_around_a_right_side() -> None:
    assert layout.sum_of("a_loc", ["(x if y else z)"], 88) == ("a_loc = x if y else z",)
    terms = ["(b - c)", "- (d - e)", "+ (f) * (g)"]
    lines = [("a_loc = b - c",), ("a_loc -= d - e",), ("a_loc += (f) * (g)",)]
    assert layout.added_up("a_loc", terms, 88) == lines


JOINED = [
    ("f(\n    a,\n    b\n)", "f(a, b)"),
    ("f(\n    a,\n)", "f(a,)"),
    ("dist.Normal(0, 1)\n.expand(\n    [n]\n)", "dist.Normal(0, 1).expand([n])"),
    ("f(\n    a,  # why\n)", None),
    ('f("# no comment",\n  b)', 'f("# no comment", b)'),
    ('f("""\n""")', None),
    ('f("""x""", "it\'s",\n  b)', None),
    ("a + \\\n    b", None),
]


@pytest.mark.parametrize(("code", "expected"), JOINED)
def test_joined(code: str, expected: str | None) -> None:
    assert layout.joined(code) == expected


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
def test_kept(code: str, expected: layout.Lines) -> None:
    assert layout.kept("p", code, 88) == expected


TIDIED = [
    "x_bar*beta",
    "f( x,'k' )*-y",
    "x**2 + f(x)**2 + x.y**-z + x**-y[0]",
    "x[:,None] @ y.T",
    "a if b>0 else -c",
    "not x is not None",
    "f(a = 1,*b,**c)",
    "(a,)",
    "1e-3*x//0.5",
    "f'{a}' in names",
]


@pytest.mark.parametrize("text", TIDIED)
def test_values_are_spaced_and_quoted_as_black_does(text: str) -> None:
    assert tidied(text, '"') == blackened(text, 88).rstrip("\n")


def test_values_that_take_more_thought_stay_as_they_are() -> None:
    for text in ("x[i+1:]", "{'k':1 + 2}", "lambda x:x+1", "'it''s'"):
        assert tidied(text, "'") == text


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
                "a", dist.Normal(0, 1)
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
    output = rewritten(HEAD + shape.plain, shape.config, shape.width)
    assert output.partition("dist.Normal(0, 10))\n")[2] == shape.after
    body = shape.after.replace("    ", "if True:\n    ", 1)
    assert blackened(body, shape.width) == body


SEEDS = range(110)


class Output(NamedTuple):
    width: int
    plain: str
    after: str


@cache
def outputs(*, by_ruff: bool, awkward: bool) -> dict[int, Output]:
    """Models at random, formatted and then rewritten; those that are refused are left out."""
    found = {}
    for seed in SEEDS:
        pick = random.Random(seed)
        width = pick.randint(60, 120)
        plain, config = case(pick, awkward=awkward)
        plain = ruffed(plain, width) if by_ruff else blackened(plain, width)
        try:
            after = rewritten(plain, config, width)
        except Refusal:
            continue
        compile(after, "model.py", "exec")
        assert rewritten(after, config, width) == after
        found[seed] = Output(width, plain, after)
    assert len(found) > len(SEEDS) / 2
    return found


def ruffed(text: str, width: int) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--no-cache", "-"]
    command += ["--line-length", str(width)]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def ruff_would_change(folder: Path, width: int) -> set[str]:
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--no-cache", "--check"]
    command += ["--line-length", str(width), str(folder)]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return {Path(line.split()[-1]).stem for line in lines.splitlines() if line.endswith(".py")}


def test_black_leaves_the_output_alone() -> None:
    for seed, output in outputs(by_ruff=False, awkward=False).items():
        assert blackened(output.after, output.width) == output.after, seed


def test_ruff_leaves_the_output_alone(tmp_path: Path) -> None:
    found = outputs(by_ruff=True, awkward=False)
    for seed, output in found.items():
        folder = tmp_path / str(output.width)
        folder.mkdir(exist_ok=True)
        (folder / f"{seed}.py").write_text(output.after)
    for folder in tmp_path.iterdir():
        assert not ruff_would_change(folder, int(folder.name))


def test_awkward_models_stay_valid() -> None:
    """`outputs` compiles them; black leaves nearly all of them alone."""
    found = outputs(by_ruff=False, awkward=True)
    changed = [seed for seed, out in found.items() if blackened(out.after, out.width) != out.after]
    assert len(changed) <= len(found) / 50


# -- time ----------------------------------------------------------------------------------------


def many_sites(count: int) -> tuple[str, str]:
    """Models of ten sites each, ten lines a site, and a config for all."""
    lines, config = HEAD.splitlines()[:3], []
    names = [f"model_{number}" for number in range(count // 10)]
    for name in names:
        lines += [f"def {name}(n):", f'    {name}_mu = numpyro.sample("{name}_mu", dist.Cauchy())']
        for number in range(10):
            site = f"{name}_site_{number}"
            lines += ["    with numpyro.plate('n', n):", f"        {site} = numpyro.sample("]
            lines += [f'            "{site}", dist.Normal(0, 1)', "        )"]
            lines += [f"    x = {site} + {step}" for step in range(6)]
            config.append(f'[sites.{site}]\noffset = "{name}_mu"')
    listed = ", ".join(f'"{name}"' for name in names)
    return "\n".join(lines) + "\n", f"functions = [{listed}]\n" + "\n".join(config)


def test_time_grows_with_the_size() -> None:
    def seconds(count: int) -> float:
        plain, config = many_sites(count)
        start = time.process_time()
        rewritten(plain, config)
        return time.process_time() - start

    seconds(20)
    small, large = min(seconds(50), seconds(50)), seconds(400)
    assert large < 8 * small * 2
