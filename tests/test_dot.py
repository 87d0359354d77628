"""``suggest --dag``: the sites of a model, what their priors read and what is proposed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reparam_rewrite.source.reading import read
from reparam_rewrite.suggesting import suggest
from reparam_rewrite.suggesting.dot import dot, html
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
  "sigma" -> "b" [color="#8b929b"]
  "sigma" -> "y" [color="#8b929b"]
  "mu" -> "y" [color="#1f2328", penwidth=1.5]
  "a" -> "y" [color="#1f2328", penwidth=1.5]
  "b" -> "y" [color="#1f2328", penwidth=1.5]
  "mu" -> "a" [color="#0072b2", fontcolor="#0072b2", style=dashed, constraint=false, label="0.5"]
"""

needs_graphviz = pytest.mark.skipif(
    shutil.which("dot") is None, reason="Graphviz, a program that isn't Python's, isn't there"
)


def text_of(source: str) -> str:
    return dot(suggest(read("model.py", source.encode()), offsets=True))


def test_every_edge_is_there_by_its_kind() -> None:
    assert EDGES in text_of(CROSSED)


def test_an_offset_says_how_both_meet_in_the_data() -> None:
    (edge,) = [
        line for line in text_of(MET).splitlines() if '"s" -> "a"' in line and "label" in line
    ]
    assert edge.endswith('label="s[state] per county"]')
    page = html(suggest(read("model.py", MET.encode()), offsets=True))
    assert "<code>s</code> (s[state] per county)" in page


def test_what_offsets_join_stands_in_one_row() -> None:
    assert '{ rank=same; "mu"; "a"; "b" }' in text_of(CROSSED)


def test_what_is_sampled_given_the_data_has_a_frame() -> None:
    found = suggest(read("model.py", CROSSED.encode()))
    text = dot(found)
    assert '"a" [label="a\\nNormal\\n[i]", color="#0072b2", penwidth=2]' in text
    assert '{ rank=same; "mu"; "a"; "b" }' in text
    assert "blue frame: sampled given the data, from left to right" in text
    assert "<td>latent, given the data</td>" in html(found)


def test_observed_sites_are_grey() -> None:
    assert '"y" [label="y\\nNormal", fillcolor="#d9dee4"]' in text_of(CROSSED)


def test_names_are_nothing_but_text() -> None:
    name = r"""a \"quoted\" & <b>\\n"""
    assert r'"a \"quoted\" &amp; <b>\\n" [label=' in text_of(CROSSED.replace('"a"', f'"{name}"'))


def test_a_page_has_a_row_for_every_site() -> None:
    page = html(suggest(read("model.py", CROSSED.encode()), offsets=True))
    row = "<tr><td>a</td><td>{}</td><td>latent</td><td>Normal</td><td>i</td><td></td><td></td>"
    assert row.format(9) + "<td><code>mu</code> (0.5)</td></tr>" in page


def test_a_page_holds_names_as_text() -> None:
    page = html(suggest(read("model.py", CROSSED.replace('"a"', '"<script>"').encode())))
    assert "<td>&lt;script&gt;</td>" in page
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
    assert '"mu" -> "a"'.replace('"', "&quot;" if kind == "html" else '"') in (
        (folder / f"dag.{kind}").read_text().replace("-&gt;", "->")
    )


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


@needs_graphviz
def test_graphviz_draws_it(folder: Path) -> None:
    assert run(folder, "suggest", "model.py", "--offsets", "--dag", "dag.svg").status == 0
    drawn = ElementTree.parse(folder / "dag.svg").getroot()
    titles = [title.text for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert {"sigma", "mu", "a", "b", "y", "mu->a", "mu->b", "a->b"} <= set(titles)


@needs_graphviz
@pytest.mark.parametrize("model", sorted(FIXTURES.glob("*/model.py")), ids=lambda p: p.parent.name)
def test_graphviz_draws_every_fixture(model: Path) -> None:
    text = dot(suggest(read(str(model))))
    ran = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
