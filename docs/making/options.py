"""The commands and their options, as click has them."""

from __future__ import annotations

import inspect
import re
from html import escape

import click

from reparam_rewrite.cli.main import COMMANDS, command_of, main


def commands() -> str:
    """A section for each command: what it does, its options, its examples."""
    found = {"reparam-rewrite": main}
    found |= {f"reparam-rewrite {name}": command_of(name) for name in COMMANDS}
    return "\n\n".join(section(name, command) for name, command in found.items())


def section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    shown = [p for p in command.get_params(context) if isinstance(p, click.Option)]
    rows = [f"| {names(one, context)} | {meaning(one, context)} |" for one in shown]
    parts = [f"## {name}", f"```text\n{usage}\n```", text(command.help)]
    parts.append("\n".join(["| option | what it does |", "|---|---|", *rows]))
    parts += [block for block in [examples(command)] if block]
    return "\n\n".join(parts)


def names(option: click.Option, context: click.Context) -> str:
    said = ", ".join(sorted([*option.opts, *option.secondary_opts], key=len))
    value = "" if option.is_flag else option.make_metavar(context)
    return f"<code>{escape(f'{said} {value}'.strip()).replace('|', '&#124;')}</code>"


def meaning(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    said = re.sub(r"\s+", " ", record[1] if record else "")
    return marked(said).replace("|", "\\|")


def marked(said: str) -> str:
    """Names of options and of files as code, and what stands in square brackets as it is."""
    said = re.sub(r"(?<![\w`-])(--[a-z][a-z-]*|-[a-z])(?![\w-])", r"`\1`", said)
    return said.replace("[", "\\[").replace("<", "&lt;")


def text(help: str | None) -> str:
    return marked(inspect.cleandoc(help or "").replace("\b\n", ""))


def examples(command: click.Command) -> str:
    said = inspect.cleandoc((command.epilog or "").replace("\b", "")).strip()
    said = re.sub(r"\n{3,}", "\n\n", said)
    return f"```text\n{said}\n```" if said else ""
