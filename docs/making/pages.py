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
from pathlib import Path
from typing import Any

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


#: Sets formulas with what the site itself has: those of pages, and of notebooks.
MATHS = """
<link rel="stylesheet" href="{0}katex.min.css">
<script src="{0}katex.min.js"></script>
<script src="{0}auto-render.min.js"></script>
<script>
for (const one of document.querySelectorAll(".arithmatex, .jp-MarkdownOutput"))
  renderMathInElement(one, {{
    delimiters: [
      {{left: "$$", right: "$$", display: true}},
      {{left: "$", right: "$", display: false}},
      {{left: "\\\\(", right: "\\\\)", display: false}},
      {{left: "\\\\[", right: "\\\\]", display: true}},
    ],
  }})
</script>
"""


def on_post_page(output: str, page: Page, **_: Any) -> str:
    if 'class="arithmatex"' not in output and "jp-MarkdownOutput" not in output:
        return output
    up = "../" * page.url.count("/")
    return output.replace("</body>", MATHS.format(f"{up}assets/katex/") + "</body>")
