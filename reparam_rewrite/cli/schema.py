"""``reparam-rewrite schema``: the JSON Schema of a config, for editors."""

from __future__ import annotations

import click

from reparam_rewrite.cli import options
from reparam_rewrite.cli.exit import DONE
from reparam_rewrite.cli.screen import Screen

EPILOG = """\b
Examples:
  Save it beside a config, and name it in the config's first line, #:schema offsets.schema.json
    reparam-rewrite schema > offsets.schema.json
  The table [tool.reparam-rewrite] of pyproject.toml:
    reparam-rewrite schema targets
"""

#: By what they are of, the files in the package's folder of schemas.
FILES = {"config": "offsets.schema.json", "targets": "targets.schema.json"}


class Request(options.Request):
    """What is asked for: the schema of configs or of targets. It has no other options."""

    verbose = False
    color = "never"
    of: str = options.argument("[config|targets]", type=click.Choice(list(FILES)), default="config")


@options.command("schema", Request, EPILOG, left="")
def command(request: Request, screen: Screen) -> int:
    """Print the JSON Schema of configs, or of the targets in pyproject.toml.

    Editors complete and check TOML by it, such as VS Code with Even Better TOML, or taplo.
    """
    from importlib.resources import files

    screen.write((files("reparam_rewrite") / "schemas" / FILES[request.of]).read_bytes())
    return DONE
