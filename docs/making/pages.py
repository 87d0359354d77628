"""What the site has beside the pages that are written: hooks of MkDocs.

A comment `<!-- made: NAME WORDS -->` on a page is replaced when the site is made: by the tables of
the config's keys, the options of the commands, the public names, a figure, or a file of the
repository. So nothing of that is written twice.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import latex2mathml.converter
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
sys.path[:0] = [str(HERE), str(ROOT)]

import charts  # noqa: E402
import keys  # noqa: E402
import options  # noqa: E402

from reparam_rewrite.cli.demo import DEMOS  # noqa: E402

#: The notebooks of the gallery, which stand beside the docs and not in them.
NOTEBOOKS = sorted((ROOT / "gallery").glob("*.ipynb"))

PLACE = re.compile(r"^<!-- made: (\w+) ?(.*?) -->$", re.MULTILINE)


def public_names() -> str:
    """For mkdocstrings, what the package exports, each from the module that has it."""
    tree = ast.parse((ROOT / "reparam_rewrite" / "__init__.py").read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {a.asname or a.name: f"{node.module}.{a.name}" for node in found for a in node.names}
    names.pop("import_module", None)
    return "\n".join(f"::: {names[name]}\n" for name in sorted(names, key=order))


def order(name: str) -> tuple[bool, str]:
    """Functions first, then classes."""
    return name[0].isupper(), name


def of_repository(name: str) -> str:
    """A page of the repository, with the links as they are from docs/."""
    text = (ROOT / name).read_text(encoding="utf-8").partition("\n")[2]
    return text.replace("](docs/", "](").replace("](../", "](")


MADE: dict[str, Callable[[str], str]] = {
    "keys": lambda _: keys.tables(),
    "options": lambda _: options.commands(),
    "names": lambda _: public_names(),
    "chart": lambda name: charts.CHARTS[name](),
    "figure": lambda name: charts.figure(name),
    "page": of_repository,
    "demos": lambda _: demos(),
    "notebooks": lambda _: notebooks(),
}


def demos() -> str:
    rows = [f"| `{name}` | {said} |" for name, said in DEMOS.items()]
    return "\n".join(["| demo | |", "|---|---|", *rows])


def notebooks() -> str:
    """A line for each notebook, by its first heading."""
    if not NOTEBOOKS:
        return ""
    lines = [f"- [{title(path)}](gallery/{path.name})" for path in NOTEBOOKS]
    return "\n".join(["Notebooks that go through them from start to end:", "", *lines])


def title(path: Path) -> str:
    found = re.search(r'"# ([^"\\]+)', path.read_text(encoding="utf-8"))
    return found[1].strip() if found else path.stem.replace("_", " ")


def on_config(config: MkDocsConfig) -> None:
    """Put the notebooks below the gallery."""
    for entry in config.nav or []:
        if "Gallery" in entry:
            entry["Gallery"] += [{title(path): f"gallery/{path.name}"} for path in NOTEBOOKS]


@event_priority(100)  # before the plugin that reads notebooks
def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path in NOTEBOOKS:
        name = f"gallery/{path.name}"
        files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    return files


def on_pre_page(page: Page, **_: Any) -> None:
    """Where a notebook is edited."""
    if page.edit_url and page.file.src_uri.startswith("gallery/"):
        page.edit_url = page.edit_url.replace("/docs/gallery/", "/gallery/")


def on_page_markdown(markdown: str, **_: Any) -> str:
    return PLACE.sub(lambda found: MADE[found[1]](found[2]), markdown)


#: A formula as the Markdown extension leaves it, in a line or as a paragraph of its own.
FORMULA = re.compile(r'(<(?:span|div) class="arithmatex">)\\([(\[])(.*?)\\[)\]]', re.DOTALL)


DISPLAY = {"(": "inline", "[": "block"}


def on_page_content(html: str, **_: Any) -> str:
    """Set formulas when the site is made, as MathML, which browsers draw without a script."""
    return FORMULA.sub(lambda found: found[1] + mathml(found[3], DISPLAY[found[2]]), html)


def mathml(formula: str, display: str) -> str:
    """Raises `ValueError` where the converter leaves TeX as it is, which it doesn't say."""
    made = str(latex2mathml.converter.convert(unescape(formula), display=display))
    if "\\" in made or "<mi>&</mi>" in made:
        raise ValueError(f"not set: {formula}")
    return made
