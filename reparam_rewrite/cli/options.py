"""The options of the commands: the few forms that they have, those that several share, and what a
shell offers after Tab where a file is wanted.

The rest, such as options and their choices, click completes by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import click

from reparam_rewrite.cli.exit import Program, Request

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: What adds an option to a command.
Decorator = Callable[[Any], Any]

#: The paths that a model can have.
MODELS = (".py", ".ipynb")

#: What a shell would have to quote, and click doesn't.
ODD = frozenset(" \t\n'\"\\$`!&|;<>()[]{}*?#~,")


def command(
    name: str,
    request: type[Request],
    epilog: str,
    left: str = "nothing was written. ",
    cls: type[Program] = Program,
) -> Callable[[Callable[..., int]], click.Command]:
    """Make a function of a request and its screen a command; `epilog` stands below the options.

    What is `left` of a run that ends with a mistake of ours begins the hint.
    """
    context = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
    about: dict[str, Any] = {"epilog": epilog, "request": request, "left": left}
    return click.command(cls=cls, name=name, context_settings=context, **about)


def flag(*names: str, help: str) -> Decorator:
    """An option without a value."""
    return click.option(*names, is_flag=True, help=help)


def number(name: str, default: int, least: int, help: str) -> Decorator:
    """An option whose value is a whole number."""
    kind = click.IntRange(least)
    return click.option(name, type=kind, default=default, show_default=True, help=help)


def file(*names: str, endings: Sequence[str], help: str, **more: Any) -> Decorator:
    """An option whose value is the path of a file."""
    return click.option(*names, metavar="FILE", help=help, shell_complete=files(*endings), **more)


def file_once(*names: str, endings: Sequence[str], help: str) -> Decorator:
    """One that may be given once; click would take the last of several."""

    def only_one(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> str | None:
        if len(values) > 1:
            message = f"{param.opts[0]} is given {len(values)} times, with {' and '.join(values)}"
            raise click.UsageError(message, ctx)
        return values[0] if values else None

    return file(*names, endings=endings, help=help, multiple=True, callback=only_one)


def choice(*names: str, of: Collection[str], help: str) -> Decorator:
    """An option whose value is one of a few words, by default the first."""
    kind = click.Choice(list(of))
    return click.option(*names, type=kind, default=next(iter(of)), show_default=True, help=help)


def model(*endings: str) -> Decorator:
    """The argument MODEL."""
    return click.argument("model", metavar="MODEL", shell_complete=files(*endings))


def config(more: str = "") -> Decorator:
    """The option --config; `more` ends what is said of it."""
    text = f"The TOML file that says which sites to offset{more}."
    return file_once("--config", "-c", endings=[".toml"], help=text)


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


def telling(
    *forms: str,
    form: str,
    quiet: str,
    verbose: str = "Show the traceback of an error in the model's code.",
) -> Decorator:
    """The options --format, --quiet, --verbose and --color, with what they say of themselves."""
    options = (
        choice("--format", "form", of=forms, help=form),
        flag("--quiet", "-q", help=quiet),
        flag("--verbose", "-v", help=verbose),
        choice(
            "--color",
            of=["auto", "always", "never"],
            help="When to use colour; auto does on a terminal, unless NO_COLOR is set.",
        ),
    )

    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def files(
    *endings: str,
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Completes the paths of files with one of these endings, and of folders on the way."""
    return lambda context, parameter, incomplete: found_files(incomplete, endings)


def found_files(incomplete: str, endings: tuple[str, ...]) -> list[CompletionItem]:
    """The files and folders that begin as `incomplete` does, as it is spelt.

    What the shell itself does better is left to it: names that must be quoted, and folders where
    nothing else fits, behind which no blank may come.
    """
    from pathlib import Path  # no other run pays for it

    from click.shell_completion import CompletionItem

    folder, name = os.path.split(incomplete)
    try:
        entries = list(os.scandir(Path(folder).expanduser()))
    except OSError:
        return []
    hidden = () if name else (".", "__")
    fitting = [e for e in entries if e.name.startswith(name) and not e.name.startswith(hidden)]
    folders = [f"{entry.name}/" for entry in fitting if entry.is_dir()]
    names = [e.name for e in fitting if e.name.lower().endswith(endings) and e.is_file()]
    if (names or folders) and not ODD.isdisjoint("".join([folder, *names, *folders])):
        return [CompletionItem(incomplete, type="file")]
    if not names:
        return [CompletionItem(incomplete, type="dir")] if folders else []
    prefix = incomplete.removesuffix(name)
    return [CompletionItem(prefix + path) for path in sorted([*names, *folders])]
