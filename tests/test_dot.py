"""``suggest --dag``: the sites of a model, what their priors read and what is proposed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reparam_rewrite.source.reading import read
from reparam_rewrite.suggesting import suggest
from reparam_rewrite.suggesting.dot import DARK, dot, html
from tests.support.cases import FIXTURES
from tests.support.cli import run

CROSSED = """\
import numpyro
import numpyro.distributions as dist


def model(i, j, y):
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    with numpyro.plate("i", 4):
        a = numpyro.sample("a", dist.Normal(0, 1))
    with numpyro.plate("j", 3):
        b = numpyro.sample("b", dist.Normal(0, sigma))
    numpyro.sample("y", dist.Normal(mu + a[i] + b[j], sigma), obs=y)
"""

MET = """\
import numpyro
import numpyro.distributions as dist


def model(county, state, y=None):
    with numpyro.plate("states", 3):
        s = numpyro.sample("s", dist.Normal(0, 1))
    with numpyro.plate("counties", 9):
        a = numpyro.sample("a", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(s[state] + a[county], 1), obs=y)
"""

EDGES = """\
  "sigma" -> "b" [color="#6b747d", penwidth=1.0]
  "sigma" -> "y" [color="#6b747d", penwidth=1.0]
  "mu" -> "y" [color="#1f2328", penwidth=1.5]
  "a" -> "y" [color="#1f2328", penwidth=1.5]
  "b" -> "y" [color="#1f2328", penwidth=1.5]
  "mu" -> "a" [color="#0068a3", penwidth=1.0, style=dashed, constraint=false]
"""

needs_graphviz = pytest.mark.skipif(
    shutil.which("dot") is None, reason="Graphviz, a program that isn't Python's, isn't there"
)


def text_of(source: str) -> str:
    return dot(suggest(read("model.py", source.encode()), offsets=True))


def test_every_edge_is_there_by_its_kind() -> None:
    assert EDGES in text_of(CROSSED)


def box(text: str, site: str) -> str:
    """The line of a site in the language of Graphviz."""
    (found,) = (line for line in text.splitlines() if line.startswith(f'  "{site}" [label='))
    return found


def test_a_box_says_what_its_site_is_sampled_around() -> None:
    text = text_of(CROSSED)
    assert "<b>a</b><br/>Normal [i]<br/><font" in box(text, "a")
    assert ">0.5 * mu</font>" in box(text, "a")
    assert ">mu</font>" in box(text, "b")
    assert "<font" not in box(text, "mu")


def test_a_box_says_how_both_meet_in_the_data() -> None:
    assert ">s[state] per county</font>" in box(text_of(MET), "a")
    page = html(suggest(read("model.py", MET.encode()), offsets=True))
    assert '<code class="around">s[state] per county</code>' in page


def test_a_box_has_the_beginning_of_what_is_long_and_a_page_all_of_it() -> None:
    long = "number_of_the_state_that_the_county_lies_in_by_the_census"
    model = MET.replace("state,", f"{long},").replace("[state]", f"[{long}]")
    assert f">s[{long}"[:44] + "\u2026</font>" in box(text_of(model), "a")
    page = html(suggest(read("model.py", model.encode()), offsets=True))
    assert f"s[{long}] per county</code>" in page


def test_what_offsets_join_stands_in_one_column() -> None:
    text = text_of(CROSSED)
    assert "rankdir=LR" in text and '{ rank=same; "mu"; "a"; "b" }' in text


def test_what_is_sampled_given_the_data_has_a_frame() -> None:
    found = suggest(read("model.py", CROSSED.encode()))
    text = dot(found)
    assert box(text, "a").endswith(', color="#0068a3", fillcolor="#ffffff", penwidth=2]')
    assert '{ rank=same; "mu"; "a"; "b" }' in text
    assert "sampled given the data, in the order from top to bottom" in text
    assert "<td>latent, given the data</td>" in html(found)


def test_observed_sites_are_grey() -> None:
    text = text_of(CROSSED)
    assert 'fillcolor="#d9dee4"' in box(text, "y")
    assert 'fillcolor="#ffffff"' in box(text, "mu")


def test_the_legend_tells_of_what_is_there() -> None:
    offsets, given = text_of(CROSSED), dot(suggest(read("model.py", CROSSED.encode())))
    number = "what a site is sampled around: here half of mu"
    for text, of_offsets in ((offsets, True), (given, False)):
        assert ("proposed offset: the site at the arrow" in text) is of_offsets
        assert (number in text) is of_offsets
        assert ("sampled given the data" in text) is not of_offsets
        assert "is in the prior of" in text and "an observed site" in text


def test_every_colour_has_one_for_the_dark() -> None:
    colours = set(re.findall(r"#[0-9a-f]{6}", text_of(CROSSED)))
    assert len(colours) == 6 and colours <= set(DARK)


def test_names_are_nothing_but_text() -> None:
    name = r"""a \"quoted\" & <b>\\n"""
    text = text_of(CROSSED.replace('"a"', f'"{name}"'))
    assert (
        r'"a \"quoted\" &amp; <b>\\n" [label=<<b>a &quot;quoted&quot; &amp; &lt;b&gt;\n</b>' in text
    )


def test_a_page_has_a_row_for_every_site() -> None:
    page = html(suggest(read("model.py", CROSSED.encode()), offsets=True))
    row = '<tr><th scope="row">a</th><td>9</td><td>latent</td><td>Normal</td><td>i</td>'
    assert row + '<td><code class="around">0.5 * mu</code></td><td></td><td></td></tr>' in page
    assert page.count('<th scope="row">') == 5


def test_a_page_has_no_empty_columns() -> None:
    assert "proposed offset by" not in html(suggest(read("model.py", CROSSED.encode())))


def test_the_table_of_a_page_scrolls_by_itself() -> None:
    page = html(suggest(read("model.py", CROSSED.encode())))
    assert re.findall(r'(<section class="scrolled"[^>]*>)?<table>', page)[0]


def test_a_page_holds_names_as_text() -> None:
    page = html(suggest(read("model.py", CROSSED.replace('"a"', '"<script>"').encode())))
    assert '<th scope="row">&lt;script&gt;</th>' in page
    assert "<script>" not in page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text(CROSSED)
    return tmp_path


@pytest.mark.parametrize("kind", ["html", "dot"])
def test_files_that_need_no_graphviz(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert run(folder, "suggest", "model.py", "--offsets", "--dag", f"dag.{kind}").status == 0
    edge = '"mu" -> "a"'
    assert (escape(edge) if kind == "html" else edge) in (folder / f"dag.{kind}").read_text()


def test_what_to_do_without_graphviz(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    ran = run(folder, "suggest", "model.py", "-o", "offsets.toml", "--dag", "dag.svg")
    assert (ran.status, ran.err) == (
        2,
        "a .svg picture needs Graphviz' program 'dot', which can't be run\n"
        "hint: install Graphviz (graphviz.org), or write a .html or a .dot file.\n",
    )
    assert not (folder / "offsets.toml").exists()


def test_what_graphviz_says_of_its_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = folder / "bin" / "dot"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\ncat > /dev/null\necho 'no such renderer' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent) + os.pathsep + os.environ["PATH"])
    ran = run(folder, "suggest", "model.py", "--dag", "dag.png")
    assert ran.status == 2
    assert "could not draw the picture: no such renderer\n" in ran.err
    assert run(folder, "suggest", "model.py", "--dag", "dag.html").status == 0
    assert "Where Graphviz (graphviz.org) is installed" in (folder / "dag.html").read_text()


@needs_graphviz
def test_graphviz_draws_it(folder: Path) -> None:
    assert run(folder, "suggest", "model.py", "--offsets", "--dag", "dag.svg").status == 0
    drawn = ElementTree.parse(folder / "dag.svg").getroot()
    titles = [title.text for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert {"sigma", "mu", "a", "b", "y", "mu->a", "mu->b", "a->b"} <= set(titles)


@needs_graphviz
def test_a_picture_follows_the_theme_of_its_reader(folder: Path) -> None:
    assert run(folder, "suggest", "model.py", "--dag", "dag.svg").status == 0
    style = ElementTree.parse(folder / "dag.svg").getroot().find("{*}style")
    assert style is not None and style.text is not None
    _, _, dark = style.text.partition("@media screen and (prefers-color-scheme: dark)")
    assert 'svg [fill="#1f2328"] { fill: #e6e8eb }' in dark


@needs_graphviz
def test_a_page_has_the_picture_and_the_legend(folder: Path) -> None:
    assert run(folder, "suggest", "model.py", "--offsets", "--dag", "dag.html").status == 0
    page = (folder / "dag.html").read_text()
    legend, _, rest = page.partition('<section class="scrolled" aria-label="The picture"')
    picture, _, _ = rest.partition("</section>")
    assert "proposed offset: the site at the arrow" in legend
    assert '<svg role="img" aria-label=' in picture and ">0.5 * mu</text>" in picture
    assert "<?xml" not in page and "the site at the arrow" not in picture


@needs_graphviz
@pytest.mark.parametrize("model", sorted(FIXTURES.glob("*/model.py")), ids=lambda p: p.parent.name)
def test_graphviz_draws_every_fixture(model: Path) -> None:
    text = dot(suggest(read(str(model))))
    ran = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
