"""``reparam-rewrite schema``: the JSON Schema of a config, for editors."""

from __future__ import annotations

import click

from reparam_rewrite.cli.main import CONTEXT, Program, guarded
from reparam_rewrite.cli.rewrite import DONE
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


@click.command(
    cls=Program,
    name="schema",
    epilog=EPILOG,
    context_settings=CONTEXT,
)
@click.argument("of", metavar="[config|targets]", type=click.Choice(list(FILES)), default="config")
def command(of: str) -> int:
    """Print the JSON Schema of configs, or of the targets in pyproject.toml.

    Editors complete and check TOML by it, such as VS Code with Even Better TOML, or taplo.
    """
    screen = Screen("never")

    def work() -> int:
        from importlib.resources import files

        screen.write((files("reparam_rewrite") / "schemas" / FILES[of]).read_bytes())
        return DONE

    return guarded(work, "-", False, screen, "Please report this.")
