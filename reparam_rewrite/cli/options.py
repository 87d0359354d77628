"""The options of the commands, in the few forms that they have, and those that several share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from reparam_rewrite.cli.completion import files
from reparam_rewrite.cli.exit import Program

#: What adds an option to a command.
Decorator = Callable[[Any], Any]

#: The paths that a model can have.
MODELS = (".py", ".ipynb")


def command(
    name: str, epilog: str, cls: type[Program] = Program
) -> Callable[[Callable[..., int]], click.Command]:
    """Make a function of its options a command; what stands below the options is `epilog`."""
    context = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
    return click.command(cls=cls, name=name, epilog=epilog, context_settings=context)


def flag(*names: str, help: str) -> Decorator:
    """An option without a value."""
    return click.option(*names, is_flag=True, help=help)


def number(name: str, default: int, least: int, help: str) -> Decorator:
    """An option whose value is a whole number."""
    kind = click.IntRange(least)
    return click.option(name, type=kind, default=default, show_default=True, help=help)


def file(*names: str, endings: Sequence[str], help: str, once: bool = False) -> Decorator:
    """An option whose value is the path of a file; `once`: refuse to take the last of several."""
    single: dict[str, Any] = {"multiple": True, "callback": only_one} if once else {}
    complete = files(*endings)
    return click.option(*names, metavar="FILE", help=help, shell_complete=complete, **single)


def choice(*names: str, of: Sequence[str], help: str) -> Decorator:
    """An option whose value is one of a few words, by default the first."""
    return click.option(*names, type=click.Choice(of), default=of[0], show_default=True, help=help)


def only_one(context: click.Context, param: click.Parameter, values: tuple[str, ...]) -> str | None:
    """The value of an option that may be given once; click would take the last of several."""
    if len(values) > 1:
        message = f"{param.opts[0]} is given {len(values)} times, with {' and '.join(values)}"
        raise click.UsageError(message, context)
    return values[0] if values else None


def model(*endings: str) -> Decorator:
    """The argument MODEL."""
    return click.argument("model", metavar="MODEL", shell_complete=files(*endings))


def config(more: str = "") -> Decorator:
    """The option --config; `more` ends what is said of it."""
    text = f"The TOML file that says which sites to offset{more}."
    return file("--config", "-c", endings=[".toml"], help=text, once=True)


def args(what: str = "What to call the model with:") -> Decorator:
    """The option --args, the arguments of the call; what it says of itself begins with `what`."""
    return click.option(
        "--args",
        "args_given",
        metavar="ARGS",
        help=f"{what} FILE.py:FUNCTION, a function that returns (args, kwargs), "
        "or an expression for such a pair.",
        shell_complete=files(".py"),
    )


function = click.option(
    "--function",
    metavar="NAME",
    help="Which function is the model, if the file has several that could be.",
)

color: Decorator = choice(
    "--color",
    of=["auto", "always", "never"],
    help="When to use colour; auto does on a terminal, unless NO_COLOR is set.",
)


def quiet(help: str) -> Decorator:
    return flag("--quiet", "-q", help=help)


def verbose(help: str) -> Decorator:
    return flag("--verbose", "-v", help=help)


def form(*forms: str, help: str) -> Decorator:
    """The option --format."""
    return choice("--format", "form", of=forms, help=help)
