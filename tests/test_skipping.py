"""``# reparam: skip``: the site is left alone, and nobody is left in doubt about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reparam_rewrite.messages import Refusal
from reparam_rewrite.rewriting import Rewrite
from tests.support.cases import rewritten
from tests.support.cli import Ran, run
from tests.support.mistakes import model
from tests.support.notebooks import IMPORTS, notebook, rewritten_notebook, sources

CHAIN = 'chain = ["mu", "a", "b"]\n'

LINE = '    a = numpyro.sample("a", dist.Normal(0, 1))'


def plain(comment: str = "", line: str = LINE) -> str:
    """A model whose site a, in line 7, has a comment."""
    return model(f"""
    mu = numpyro.sample("mu", dist.Normal(0, 1))
{line}{comment and "  "}{comment}
    b = numpyro.sample("b", dist.Normal(a, 1))
    numpyro.sample("y", dist.Normal(mu + a + b, 1), obs=y)
""")


def children(result: Rewrite) -> list[tuple[str, bool]]:
    return [(account.site, account.skipped) for account in result.accounts]


def refusal(source: str, config: str = CHAIN) -> str:
    with pytest.raises(Refusal) as caught:
        rewritten(source, config)
    return str(caught.value)


@pytest.mark.parametrize(
    "comment",
    [
        "# reparam: skip",
        "# reparam:skip",
        "#reparam: skip",
        "# Reparam: Skip",
        "# noqa: E501  # reparam: skip",
        "# reparam: skip  # noqa",
        "# reparam: skip, the data pin it down",
        "# reparam: skip (see the paper)",
    ],
)
def test_a_site_is_left_alone_and_stays_a_parent(comment: str) -> None:
    result = rewritten(plain(comment), CHAIN)
    assert children(result) == [("a", True), ("b", False)]
    code = result.data.decode()
    assert f"{LINE}  {comment}\n" in code
    assert "xi_a_mu" not in code
    assert 'numpyro.param("xi_b_a", 0.0) * a' in code


def test_all_else_is_as_without_the_site_in_the_config() -> None:
    comment = "  # reparam: skip"
    config = '[sites.b]\noffset = ["mu", "a"]\n'
    assert (
        rewritten(plain(comment.strip()), CHAIN).data
        == rewritten(plain(comment.strip()), config).data
    )


@pytest.mark.parametrize(
    "statement",
    [
        '    a = numpyro.sample(  # reparam: skip\n        "a", dist.Normal(0, 1)\n    )',
        '    a = numpyro.sample(\n        "a",\n        dist.Normal(0, 1),  # reparam: skip\n    )',
        '    a = numpyro.sample(\n        "a", dist.Normal(0, 1)\n    )  # reparam: skip',
        '    a = numpyro.sample(\n        # reparam: skip\n        "a", dist.Normal(0, 1)\n    )',
        '    with numpyro.plate("n", 3): a = numpyro.sample("a", dist.Normal(0, 1))  '
        "# reparam: skip",
        '    if numpyro.sample("a", dist.Normal(0, 1)) > 0:  # reparam: skip\n        pass\n'
        "    a = 1.0",
    ],
)
def test_any_line_of_the_statement_will_do(statement: str) -> None:
    config = '[sites.a]\noffset = "mu"\n[sites.b]\noffset = "mu"\n'
    assert children(rewritten(plain("", statement), config)) == [("a", True), ("b", False)]


@pytest.mark.parametrize(
    "config",
    [
        '[sites.a]\noffset = "mu"\n',
        '[sites."[ax]"]\noffset = "mu"\n',
        "[sites.a]\nscale = 2.0\n",
        '[sites.a]\nreparam = "LocScaleReparam"\n',
        'chain = ["mu", "a"]\n',
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_where_all_sites_are_left_alone_the_file_is_its_own_bytes(
    config: str, newline: str
) -> None:
    source = plain("# reparam: skip").replace("\n", newline).encode()
    result = rewritten(source, config)
    assert (result.data, result.already) == (source, False)
    assert children(result) == [("a", True)]


def test_what_makes_a_child_impossible_does_not_matter_where_it_is_left_alone() -> None:
    line = '    a = numpyro.sample("a", dist.Normal(0, 1), infer={"x": 1})'
    assert "infer" in refusal(plain("", line))
    assert children(rewritten(plain("# reparam: skip", line), CHAIN))[0] == ("a", True)


def test_a_string_is_no_comment() -> None:
    line = '    a = numpyro.sample("a", dist.Normal(0, len("# reparam: skip")))'
    assert children(rewritten(plain("", line), CHAIN)) == [("a", False), ("b", False)]


def test_the_report_says_so(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(plain("# reparam: skip"))
    (tmp_path / "offsets.toml").write_text(CHAIN)
    arguments = ("model.py", "--config", "offsets.toml", "-o", "out.py")
    assert run(tmp_path, *arguments) == Ran(
        0,
        b"",
        "model.py:7 a is left alone: # reparam: skip\n"
        "model.py:8 b <- mu, a (offsets.toml:1)\n"
        "wrote out.py\n",
    )
    assert run(tmp_path, *arguments, "-v").err.splitlines()[0] == (
        "model.py:7 a is left alone: # reparam: skip (offsets.toml:1) in model"
    )


def test_a_second_pass_changes_nothing() -> None:
    once = rewritten(plain("# reparam: skip"), CHAIN).data
    again = rewritten(once, CHAIN)
    assert (again.data, again.already) == (once, True)


# Sites of several places


BRANCHES = """
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    if n > 1:
        a = numpyro.sample("a", dist.Normal(0, 1)){}
    else:
        a = numpyro.sample("a", dist.Normal(0, 2)){}
"""


def test_a_site_of_two_branches_is_left_alone_where_both_say_so() -> None:
    source = model(BRANCHES.format("  # reparam: skip", "  # reparam: skip"))
    result = rewritten(source, '[sites.a]\noffset = "mu"\n')
    assert (result.data, children(result)) == (source.encode(), [("a", True)])


@pytest.mark.parametrize("first", [True, False])
def test_a_site_of_two_branches_is_refused_where_one_says_so(first: bool) -> None:
    marks = ("  # reparam: skip", "") if first else ("", "  # reparam: skip")
    bare, marked = (10, 8) if first else (8, 10)
    said = refusal(model(BRANCHES.format(*marks)), '[sites.a]\noffset = "mu"\n')
    assert said == (
        f"model.py:{bare}:13: 'a' is sampled here too, without the '# reparam: skip' that it has "
        f"in line {marked}\n"
        f'    a = numpyro.sample("a", dist.Normal(0, {2 if first else 1}))\n'
        "        ^\n"
        "hint: put the comment on each of its statements, or on none."
    )


def test_a_branch_that_is_observed_needs_no_comment() -> None:
    source = model("""
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    if y is None:
        a = numpyro.sample("a", dist.Normal(0, 1))  # reparam: skip
    else:
        a = numpyro.sample("a", dist.Normal(0, 1), obs=y)
    """)
    result = rewritten(source, '[sites.a]\noffset = "mu"\n')
    assert (result.data, children(result)) == (source.encode(), [("a", True)])


HELPER = """\
import numpyro
import numpyro.distributions as dist


def prior(name):
    return numpyro.sample(name, dist.Normal(0, 1)){}


def model(y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = prior("a"){}
    b = prior("b")
"""


@pytest.mark.parametrize(
    ("inside", "outside", "skipped"),
    [
        ("", "  # reparam: skip", [("a", True), ("b", False)]),
        ("  # reparam: skip", "", [("a", True), ("b", True)]),
    ],
)
def test_in_a_helper_it_is_for_all_of_its_calls_and_at_a_call_for_that_one(
    inside: str, outside: str, skipped: list[tuple[str, bool]]
) -> None:
    config = '[sites.a]\noffset = "mu"\n[sites.b]\noffset = "mu"\n'
    assert children(rewritten(HELPER.format(inside, outside), config)) == skipped


@pytest.mark.parametrize("inside", [True, False])
def test_in_a_scan_it_stands_on_the_site_or_on_the_scan(inside: bool) -> None:
    mark = "  # reparam: skip"
    source = model(f"""
    mu = numpyro.sample("mu", dist.Normal(0, 1))

    def step(z, _):
        z = numpyro.sample("z", dist.Normal(z, 1)){mark if inside else ""}
        return z, z

    _, z = scan(step, 0.0, None, length=n){"" if inside else mark}
    """).replace(
        "import numpyro\n", "import numpyro\nfrom numpyro.contrib.control_flow import scan\n", 1
    )
    result = rewritten(source, '[sites.z]\noffset = "mu"\n')
    assert (result.data, children(result)) == (source.encode(), [("z", True)])


# Comments that can't do what they say


@pytest.mark.parametrize(
    "comment",
    [
        "# reparam: skpi",
        "# reparam: skipp",
        "# reparam skip",
        "# reparam-skip",
        "# reparam: ignore",
        "# reparam: off",
        "# repram: skip",
        "# reparam-rewrite: skip",
        "# reparam = skip",
        "# reparam: skip=false",
    ],
)
def test_a_misspelt_one_is_refused(comment: str) -> None:
    source = plain(f"# noqa  {comment}")
    column = source.splitlines()[6].index(comment) + 1
    assert refusal(source) == (
        f"model.py:7:{column}: '{comment}' is not a comment that the rewriter knows\n"
        f"    {LINE.strip()}  # noqa  {comment}\n"
        f"    {' ' * (column - 5)}^\n"
        "hint: did you mean '# reparam: skip'?"
    )


def test_one_on_a_line_of_its_own_is_refused() -> None:
    source = plain("", f"    # reparam: skip\n{LINE}")
    assert refusal(source) == (
        "model.py:7:5: '# reparam: skip' stands on no statement that samples, and would do "
        "nothing\n"
        "    # reparam: skip\n"
        "    ^\n"
        "hint: put it at the end of a line of the statement that samples the site."
    )


def test_one_that_may_be_prose_is_remarked_on() -> None:
    result = rewritten(plain("# reparam: centred here"), CHAIN)
    assert children(result) == [("a", False), ("b", False)]
    assert result.accounts[0].notes == (
        "'# reparam: centred here' does nothing: '# reparam: skip' would leave the site alone",
    )


@pytest.mark.parametrize(
    "comment", ["# reparameterized below", "# skip this", "# a parameter", "# noqa", "# step: 1"]
)
def test_other_comments_are_other_comments(comment: str) -> None:
    result = rewritten(plain(comment), CHAIN)
    assert children(result) == [("a", False), ("b", False)]
    assert result.accounts[0].notes == ()


def test_prose_elsewhere_is_prose() -> None:
    source = "# Reparam: how the sites are parameterized\n" + plain()
    assert children(rewritten(source, CHAIN)) == [("a", False), ("b", False)]


# Notebooks and verify


def test_in_notebooks() -> None:
    body = plain("# reparam: skip").partition("dist\n\n\n")[2].rstrip("\n")
    data = notebook("%matplotlib inline", IMPORTS, body)
    result = rewritten_notebook(data, CHAIN)
    assert [(a.path, a.line, a.site, a.skipped) for a in result.accounts] == [
        ("model.ipynb:cell 3", 3, "a", True),
        ("model.ipynb:cell 3", 4, "b", False),
    ]
    assert "xi_a_mu" not in sources(result.data)[2]
    assert rewritten_notebook(data, 'chain = ["mu", "a"]').data == data


def test_verify_takes_the_comment_as_part_of_what_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(plain("# reparam: skip"))
    (tmp_path / "offsets.toml").write_text(CHAIN)
    arguments = ("model.py", "--config", "offsets.toml")
    assert run(tmp_path, *arguments, "-o", "out.py").status == 0
    verify = (
        "verify",
        "model.py",
        "out.py",
        "--config",
        "offsets.toml",
        "--args",
        "(3,), {'y': 1.0}",
    )
    done = run(tmp_path, *verify, "--points", "3")
    assert (done.status, done.err) == (0, ""), done.out
    # Without the comment the config asks for more than the file does.
    (tmp_path / "model.py").write_text(plain())
    done = run(tmp_path, *verify, "--points", "3")
    assert done.status == 1
    assert b"DIFFERENT config" in done.out
