"""What a shell offers after Tab where a file is wanted: the files that fit.

The rest, such as options and their choices, click completes by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]

#: What a shell would have to quote, and click doesn't.
ODD = frozenset(" \t\n'\"\\$`!&|;<>()[]{}*?#~,")


def files(*endings: str) -> Complete:
    """Completes the paths of files with one of these endings, and of folders on the way."""

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return found_files(incomplete, endings)

    return complete


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
    if any(not ODD.isdisjoint(f"{folder}/{other}") for other in (*names, *folders)):
        return [CompletionItem(incomplete, type="file")]
    if not names:
        return [CompletionItem(incomplete, type="dir")] if folders else []
    prefix = incomplete[: len(incomplete) - len(name)]
    offered = sorted([*names, *(f"{folder}/" for folder in folders)])
    return [CompletionItem(prefix + path) for path in offered]
