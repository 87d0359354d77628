"""What the tables of mistakes are made of: a line, the files it finds and what it is told."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

from tests.support.cli import Ran, shell

HEAD = """\
import numpyro
import numpyro.distributions as dist


def model(n, y=None):
"""


def model(body: str) -> str:
    """A file with one model, whose first statement is in line 6."""
    return HEAD + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n"


PLAIN = model("""
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(mu + a, 1), obs=y)
""")

OFFSETS = """\
[sites.a]
offset = "mu"
"""


@dataclass(frozen=True)
class Mistake:
    """`before` is a line that makes what else the folder holds; of None there is no file."""

    shape: str
    says: str
    line: str = "reparam-rewrite model.py --config offsets.toml -o out.py"
    model: str | bytes | None = PLAIN
    config: str | bytes | None = OFFSETS
    before: str = ""

    def lay_out(self, folder: Path) -> None:
        for name, content in [("model.py", self.model), ("offsets.toml", self.config)]:
            if content is not None:
                data = content.encode() if isinstance(content, str) else content
                (folder / name).write_bytes(data)
        if self.before:
            assert shell(folder, self.before) == Ran(0, b"", "")

    @property
    def message(self) -> str:
        return textwrap.dedent(self.says).lstrip("\n")
