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

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
sys.path[:0] = [str(HERE), str(ROOT)]

import charts  # noqa: E402
import keys  # noqa: E402
import options  # noqa: E402

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
    "notebooks": lambda _: notebooks(),
}


def notebooks() -> str:
    """A line for each notebook, by its first heading."""
    return "\n".join(f"- [{title(path)}](gallery/{path.name})" for path in NOTEBOOKS)


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
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    return PLACE.sub(lambda found: MADE[found[1]](found[2]), markdown)


MATHS = """
<link rel="stylesheet" href="{0}katex.min.css">
<script src="{0}katex.min.js"></script>
<script src="{0}auto-render.min.js"></script>
<script>
for (const one of document.querySelectorAll(".arithmatex")) renderMathInElement(one, {{
  delimiters: [
    {{left: "\\\\(", right: "\\\\)", display: false}},
    {{left: "\\\\[", right: "\\\\]", display: true}},
  ],
}})
</script>
"""


def on_post_page(output: str, page: Any, config: MkDocsConfig) -> str:
    """Load what sets formulas where there are some, from the site itself."""
    if 'class="arithmatex"' not in output:
        return output
    up = "../" * page.url.count("/")
    return output.replace("</body>", MATHS.format(f"{up}assets/katex/") + "</body>")
