"""Every block of code in README.md and docs/ is run, compared or read; links lead somewhere.

A page is a session: its blocks are followed from top to bottom in one folder, as by somebody who
reads it. What a block is follows from its language and its title:

- `python title="x.py"` is a file, which is written, and run unless it has a model. Where the folder
  has such a file the block must be a part of it.
- `python` is a program, which is run; a `text` block below is what it prints.
- `toml title="x.toml"` is a file in the same way, and without a title a config that can be read.
- `console` is a command and what it prints.
- `sh` are commands, of which those of this program are run.
- `diff title="x.py y.py"` is a part of the difference of both files when all is done.

Numbers are compared roughly: another machine has another arithmetic. Blocks of the pages in `NAMED`
have tests of their own in test_readme.py.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import click
import pytest

import reparam_rewrite
from reparam_rewrite.benchmarking.tables import short
from reparam_rewrite.cli.main import COMMANDS, command_of
from reparam_rewrite.config.reading import read_config
from reparam_rewrite.config.schema import config_schema
from tests.benchmarks import tables
from tests.support.pages import PAGES, ROOT

SITE = "https://reparam-rewrite.github.io/reparam-rewrite/"

#: The languages of the blocks of pages that have tests of their own: those of pre-commit are run by
#: tests/test_pre_commit.py, and all others by tests/test_readme.py.
NAMED = {
    "CONTRIBUTING.md": "sh",
    "docs/conditional.md": "toml toml",
    "docs/config.md": "toml",
    "docs/editors-and-programs.md": "sh python sh",
    "docs/generated-code.md": "python",
    "docs/pre-commit.md": "toml python",
    "docs/step-by-step.md": "python toml console diff console toml diff sh console console console "
    "toml console console toml sh sh console",
    "docs/tune.md": "python",
    "docs/verify.md": "console python python",
}


class Block(NamedTuple):
    """A fenced block: its language, the title behind that, and its text."""

    language: str
    title: str
    text: str


def blocks_of(page: str) -> list[Block]:
    found = re.findall(r"^( *)```(\w+)(.*)\n((?:.*\n)*?)\1```$", PAGES[page], re.MULTILINE)
    return [
        Block(language, (re.findall(r'title="(.*?)"', more) or [""])[0], textwrap.dedent(text))
        for _, language, more, text in found
    ]


#: The pages that are sessions, and the folder of the project with whose files they begin.
SESSIONS = {
    "README.md": "",
    "docs/clusters.md": "",
    "docs/glms.md": "",
    "docs/nuts.md": "fixtures/grand_mean",
    "docs/python.md": "fixtures/grand_mean",
    "docs/state-space.md": "",
    "docs/svi.md": "fixtures/grand_mean",
    "docs/tutorial.md": "",  # its first command writes a demo
}

#: A page that takes minutes.
LONG = "docs/tutorial.md"

#: The page whose blocks are those of another one.
HOME = "docs/index.md"


def test_blocks_of_pages_with_tests_of_their_own() -> None:
    """A block that is added there needs a test, and then stands in `NAMED`."""
    found = {page: " ".join(block.language for block in blocks_of(page)) for page in NAMED}
    assert found == NAMED


def test_every_block_has_a_rule() -> None:
    assert {page for page in PAGES if blocks_of(page)} == {*NAMED, *SESSIONS, HOME}
    for page in SESSIONS:
        for block in blocks_of(page):
            assert block.language in RULES, f"{page}: no rule for a block of {block.language}"


def test_every_fence_is_a_block_of_some_language() -> None:
    for page, text in PAGES.items():
        fences = re.findall(r"^ *```", text, re.MULTILINE)
        assert len(fences) == 2 * len(blocks_of(page)), page


def test_the_home_page_shows_blocks_of_the_readme() -> None:
    texts = [block.text for block in blocks_of("README.md")]
    assert [block for block in blocks_of(HOME) if block.text not in texts] == []


def test_the_tutorial_is_about_the_model_of_the_demo() -> None:
    (model,) = [block.text for block in blocks_of(LONG) if block.title == "model.py"]
    assert model in (ROOT / "reparam_rewrite" / "demos" / "tensor" / "model.py").read_text()


class Session:
    """A folder in which somebody follows a page."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        # Threads of OpenBLAS wait for each other, and XLA_FLAGS of tests are for what runs shortly.
        self.environment = {**os.environ, "PATH": path, "OPENBLAS_NUM_THREADS": "1"}
        self.printed = ""
        self.shown_diffs: list[Block] = []

    def begin(self, files: str) -> None:
        """With the files of a folder of the project, or without any."""
        if files:
            ignored = shutil.ignore_patterns("*.npz", "__pycache__")
            shutil.copytree(ROOT / files, self.folder, ignore=ignored)
        else:
            self.folder.mkdir()

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        ran = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
        return ran

    def file(self, block: Block) -> None:
        path = self.folder / block.title
        if path.exists():
            assert_part(block.text.splitlines(), path.read_text().splitlines())
        else:
            path.write_text(block.text)

    def python(self, block: Block) -> None:
        name = block.title or "program.py"
        if block.title:
            self.file(block)
        else:
            (self.folder / name).write_text(block.text)
        if "def model(" not in block.text:
            self.printed = self.run(f"python {name}").stdout

    def text(self, block: Block) -> None:
        assert_alike(self.printed, block.text)

    def toml(self, block: Block) -> None:
        if block.title:
            self.file(block)
        elif "[[tool." not in block.text:
            read_config(block.text.encode(), "x.toml")

    def console(self, block: Block) -> None:
        command, _, output = block.text.partition("\n")
        ran = self.run(command.removeprefix("$ "))
        assert_alike(ran.stdout + ran.stderr, output)

    def sh(self, block: Block) -> None:
        for line in block.text.splitlines():
            words = shlex.split(line)
            if words[:2] == ["pip", "install"]:
                assert_installable(words[2])
            elif words[0] == "cd":
                self.folder = self.folder / words[1]
            else:
                assert words[0] in ("reparam-rewrite", "export"), line
                self.run(line)

    def diff(self, block: Block) -> None:
        self.shown_diffs.append(block)

    def yaml(self, block: Block) -> None:
        """A hook of pre-commit, which tests/test_pre_commit.py runs."""
        assert "repo: local" in block.text

    def end(self) -> None:
        for block in self.shown_diffs:
            one, other = [(self.folder / n).read_text().splitlines() for n in block.title.split()]
            lines = [*difflib.unified_diff(one, other, n=99, lineterm="")][3:]
            comments = re.compile(r"\+ *#")
            assert_part(block.text.splitlines(), [x for x in lines if not comments.match(x)])


RULES: dict[str, Callable[[Session, Block], None]] = {
    name: getattr(Session, name)
    for name in ("python", "text", "toml", "console", "sh", "diff", "yaml")
}


def assert_installable(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    package, _, extras = name.rstrip("]").partition("[")
    assert package == project["name"]
    assert set(extras.split(",")) - {""} <= set(project["optional-dependencies"])


def assert_part(shown: list[str], lines: list[str]) -> None:
    """All lines, in their order; what is shown may leave some out."""
    rest = iter(lines)
    missing = [line for line in shown if not any(like(line) == like(other) for other in rest)]
    assert missing == [], "\n".join(lines)


NUMBER = r"\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"


def like(line: str) -> str:
    return re.sub(NUMBER, "#", line) if "by tune" in line else line


def assert_alike(found: str, shown: str) -> None:
    """The same text, and the same numbers but for a third, or a half of those that are counted.

    What is 0 but for rounding has an exponent, and is any such number. Columns may be wider.
    """
    texts = [re.sub(r"[ \t]+", " ", re.sub(NUMBER, "#", text)) for text in (found, shown)]
    assert texts[0] == texts[1], found
    for one, other in zip(*(re.findall(NUMBER, text) for text in (found, shown)), strict=True):
        if "e-" not in other:
            within = 1 / 3 if "." in other else 1 / 2
            expected = pytest.approx(float(other.replace(",", "")), rel=within, abs=0.1)
            assert float(one.replace(",", "")) == expected, found


def missing(page: str) -> str:
    """What a page needs that isn't there."""
    names = set(re.findall(r"from reparam_rewrite import (.*)", PAGES[page]))
    wanted = {name.strip() for line in names for name in line.split(",")}
    if unknown := wanted - set(reparam_rewrite.__all__):
        return f"reparam_rewrite has no {', '.join(sorted(unknown))}"
    return ""


def page_and_digest() -> Iterator[object]:
    """The digest of a page is in the name of its test, so that it is run again for a new page."""
    for page in SESSIONS:
        digest = hashlib.sha256(PAGES[page].encode()).hexdigest()[:8]
        why = missing(page)
        marks = [pytest.mark.skip(reason=why)] if why else []
        marks += [pytest.mark.long] if page == LONG else []
        yield pytest.param(page, id=f"{page}-{digest}", marks=marks)


@pytest.mark.concerns("")
@pytest.mark.parametrize("page", list(page_and_digest()))
def test_pages_as_sessions(page: str, tmp_path: Path) -> None:
    session = Session(tmp_path / "session")
    if page == LONG:
        session.environment.pop("XLA_FLAGS", None)
    session.begin(SESSIONS[page])
    for block in blocks_of(page):
        RULES[block.language](session, block)
    session.end()


# -- the site ------------------------------------------------------------------------------------


def nav() -> list[str]:
    """The pages in mkdocs.yml, in their order."""
    text = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2].partition("\n\n")[0]
    return re.findall(r"([\w-]+\.md)$", text, re.MULTILINE)


def test_every_page_is_in_the_navigation_once() -> None:
    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    assert sorted(nav()) == pages


def anchors(page: str) -> set[str]:
    """Those of headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.*)$", PAGES[page], re.MULTILINE)
    headings = [re.sub(r"`|\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w -]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def test_links_lead_somewhere() -> None:
    for page, text in PAGES.items():
        for link in re.findall(r"\]\((?!https:)([^)\s]+)\)", text):
            path, _, anchor = link.partition("#")
            target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
            assert target.is_file(), f"{page}: {link}"
            name = target.relative_to(ROOT).as_posix()
            assert not anchor or anchor in anchors(name), f"{page}: {link}"


def test_links_to_the_site_lead_to_its_pages() -> None:
    for page, text in PAGES.items():
        for link in re.findall(re.escape(SITE) + r"([^)\s]*)", text):
            path, _, anchor = link.partition("#")
            name = path.rstrip("/") or "index"
            assert f"{name}.md" in nav() and path in ("", f"{name}/"), f"{page}: {link}"
            assert not anchor or anchor in anchors(f"docs/{name}.md"), f"{page}: {link}"


def test_links_of_others_are_addresses() -> None:
    for page, text in PAGES.items():
        for link in re.findall(r"\]\((http[^)\s]*)\)", text):
            assert re.fullmatch(r"https://[a-z0-9.-]+\.[a-z]+(/[\w./~-]*)?(#[\w.-]+)?", link), page


def test_what_is_made_is_asked_for_by_known_names() -> None:
    source = (ROOT / "docs" / "making" / "pages.py").read_text()
    known = set(re.findall(r'^    "(\w+)": ', source, re.MULTILINE))
    asked = {name for text in PAGES.values() for name in re.findall(r"<!-- made: (\w+)", text)}
    assert asked == known


# -- what is made when the site is ---------------------------------------------------------------


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A module of docs/making/, none of which but one imports MkDocs."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "making")
    return importlib.import_module


def test_every_key_of_the_config_is_in_a_table(made: Callable[[str], ModuleType]) -> None:
    text = made("keys").tables()
    for name, table in config_schema()["$defs"].items():
        section = text.partition(f"{{ #{made('keys').anchor(name)} }}")[2].partition("\n###")[0]
        for key, value in table["properties"].items():
            said = re.escape(value["description"])
            assert re.search(rf"^\| `{key}` \| .* \| {said} \|$", section, re.MULTILINE), key


def test_every_option_of_a_command_is_in_its_section(made: Callable[[str], ModuleType]) -> None:
    sections = made("options").commands().split("\n## ")
    assert [section.partition("\n")[0] for section in sections][1:] == [
        f"reparam-rewrite {name}" for name in COMMANDS
    ]
    for name, section in zip(COMMANDS, sections[1:], strict=True):
        for option in command_of(name).params:
            if isinstance(option, click.Option):
                assert all(re.search(rf"[>,] ?{said}\b", section) for said in option.opts), option


def test_the_bars_are_the_figures_of_the_table(made: Callable[[str], ModuleType]) -> None:
    charts = made("charts")
    for name, found in tables.kept().items():
        rows = [row for row in found["rows"] if row["method"] == "nuts"]
        for kinds, _ in charts.SERIES.values():
            for column in (charts.LEAST, charts.PER_SECOND):
                told = tables.best(rows, kinds, column)
                times = charts.times(rows, kinds, column)
                assert told.endswith(f", {short(times)} times" if times else ("run", "end")), name


#: Where a page tells a figure: of what row of what problem it is, as a multiple of the model as
#: written, or as it is.
TOLD = [
    ("compare", "eight_schools", "LocScaleReparam(0)", "20.7 times"),
    ("compare", "penicillin", "LocScaleReparam(0)", "1.03 times"),
    ("compare", "penicillin", "NeuTra, low rank", "4.03 times"),
    ("compare", "penicillin", "as written, nutpie low rank", "51.6 times"),
    ("compare", "sleepstudy", "as written, nutpie low rank", "18.6"),
    ("compare", "poisson", "as written, nutpie low rank", "89.7"),
    ("glms", "poisson", "tuned.toml, warm start", "186 times"),
    ("glms", "sparse_counts", "tuned.toml, warm start", "22.4 times"),
    ("compare", "penicillin", "VIP", "0.562 least effective samples"),
    ("compare", "penicillin", "as written", "0.723 has the model"),
    ("tutorial", "tensor_scales", "as written", "0.0629 effective samples"),
    ("tutorial", "tensor_scales", "N(0, I)", "59.9"),
]


@pytest.mark.parametrize(("page", "problem", "variant", "told"), TOLD)
def test_figures_that_pages_tell(page: str, problem: str, variant: str, told: str) -> None:
    assert told in " ".join(PAGES[f"docs/{page}.md"].split())
    rows = {r["variant"]: r for r in tables.kept()[problem]["rows"] if r["method"] == "nuts"}
    value, plain = (
        rows[name]["least_ess_per_1000_gradients_all_in"] for name in (variant, "as written")
    )
    assert told.split()[0] in (short(value), short(value / plain))
