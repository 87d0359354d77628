"""What a shell offers after Tab: files that fit, and the commands where one may stand.

The rest, such as options and their choices, click completes by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from reparam_rewrite.cli.commands import COMMANDS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]

#: The key of a context's `meta` that says whether the first word is being completed.
FIRST = f"{__name__}.first"

#: What a shell would have to quote, and click doesn't.
ODD = frozenset(" \t\n'\"\\$`!&|;<>()[]{}*?#~,")


def files(*endings: str) -> Complete:
    """Completes the paths of files with one of these endings, and of folders on the way."""

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return found_files(incomplete, endings)

    return complete


def model_or_command(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Completes MODEL, whose place a command may take if it is the first word."""
    from click.shell_completion import CompletionItem

    commands = [
        CompletionItem(name, help=text)
        for name, text in COMMANDS.items()
        if context.meta.get(FIRST) and name.startswith(incomplete)
    ]
    return [*commands, *found_files(incomplete, (".py", ".ipynb"))]


def found_files(incomplete: str, endings: tuple[str, ...]) -> list[CompletionItem]:
    """The files and folders that begin as `incomplete` does, as it is spelt.

    What the shell itself does better is left to it: names that must be quoted, and folders where
    nothing else fits, behind which no blank may come.
    """
    from pathlib import Path  # no other run pays for it

    from click.shell_completion import CompletionItem

    folder, name = os.path.split(incomplete)
    try:
        entries = sorted(os.scandir(Path(folder).expanduser()), key=lambda e: e.name)
    except OSError:
        return []
    fitting = [
        entry
        for entry in entries
        if entry.name.startswith(name) and (name or not entry.name.startswith((".", "__")))
    ]
    folders = [entry.name for entry in fitting if entry.is_dir()]
    names = [e.name for e in fitting if e.name.lower().endswith(endings) and e.is_file()]
    if any(not ODD.isdisjoint(f"{folder}/{found}") for found in (*names, *folders)):
        return [CompletionItem(incomplete, type="file")]
    if not names:
        return [CompletionItem(incomplete, type="dir")] if folders else []
    prefix = incomplete[: len(incomplete) - len(name)]
    found_names = sorted([*names, *(f"{folder}/" for folder in folders)])
    return [CompletionItem(prefix + found) for found in found_names]
