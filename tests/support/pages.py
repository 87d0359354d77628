"""What people read, and the blocks of code in it, which tests run or compare."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: By its path in the project, the text of every page.
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
    )
}


def blocks(language: str, page: str = "README.md") -> list[str]:
    """The blocks of code in a language on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL)


#: Lines of the table of keys: the keys, what stands in the config, and what is generated.
KEYS: list[tuple[str, str, str]] = re.findall(
    r"^\| `([a-z, ]+)` \| `(.*)` \| `(.*)` \|$", PAGES["docs/config.md"], re.MULTILINE
)
