"""What people read, and the blocks of code in it, which tests run or compare."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

NAMES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]

#: By its path in the project, the text of every page.
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in NAMES}


def blocks(language: str, page: str = "README.md") -> list[str]:
    """The blocks of code in a language on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL)


#: Lines of the table of keys: the keys, what stands in the config, and what is generated.
KEYS: list[tuple[str, str, str]] = re.findall(
    r"^\| `([a-z_, ]+)` \| `(.*)` \| `(.*)` \|$", PAGES["docs/config.md"], re.MULTILINE
)
