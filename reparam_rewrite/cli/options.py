"""The options of the commands as fields of their requests: the few forms that options have, those
that several commands share, and what a shell offers after Tab where a file is wanted.

The rest, such as options and their choices, click completes by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from reparam_rewrite.cli.exit import Program
from reparam_rewrite.cli.screen import Screen

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: The paths that a model can have.
MODELS = (".py", ".ipynb")

#: What a shell would have to quote, and click doesn't.
ODD = frozenset(" \t\n'\"\\$`!&|;<>()[]{}*?#~,")


class Field(NamedTuple):
    """A field of a request: what click makes a parameter of, which is called as the field is."""

    kind: type[click.Parameter]
    names: Sequence[str]
    settings: dict[str, Any]

    def parameter(self, name: str) -> click.Parameter:
        names = self.names
        if self.kind is click.Option and not names:
            names = [f"--{name.replace('_', '-')}"]
        return self.kind([name, *names], **self.settings)


def option(*names: str, **settings: Any) -> Any:
    """An option; without `names` it is called as the field is."""
    return Field(click.Option, names, settings)


def argument(metavar: str, **settings: Any) -> Any:
    return Field(click.Argument, (), {"metavar": metavar, **settings})


def flag(help: str, *names: str) -> Any:
    """An option without a value."""
    return option(*names, is_flag=True, help=help)


def number(default: int, least: int, help: str) -> Any:
    """An option whose value is a whole number."""
    return option(type=click.IntRange(least), default=default, show_default=True, help=help)


def file(help: str, *names: str, endings: Sequence[str], **more: Any) -> Any:
    """An option whose value is the path of a file."""
    return option(*names, metavar="FILE", help=help, shell_complete=files(*endings), **more)


def file_once(help: str, *names: str, endings: Sequence[str]) -> Any:
    """One that may be given once; click would take the last of several."""

    def only_one(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> str | None:
        if len(values) > 1:
            message = f"{param.opts[0]} is given {len(values)} times, with {' and '.join(values)}"
            raise click.UsageError(message, ctx)
        return values[0] if values else None

    return file(help, *names, endings=endings, multiple=True, callback=only_one)


def choice(help: str, *names: str, of: Collection[str]) -> Any:
    """An option whose value is one of a few words, by default the first."""
    kind = click.Choice(list(of))
    return option(*names, type=kind, default=next(iter(of)), show_default=True, help=help)


def model(*endings: str) -> Any:
    """The argument MODEL."""
    return argument("MODEL", shell_complete=files(*endings))


def config(more: str = "") -> Any:
    """The option --config; `more` ends what is said of it."""
    said = f"The TOML file that says which sites to offset{more}."
    return file_once(said, "--config", "-c", endings=[".toml"])


def args(what: str = "What to call the model with:") -> Any:
    """The option --args, the arguments of the call; what it says of itself begins with `what`."""
    said = "a function that returns (args, kwargs), or an expression for such a pair."
    said = f"{what} FILE:FUNCTION, {said}"
    return option("--args", metavar="ARGS", help=said, shell_complete=files(*MODELS))


def function() -> Any:
    """The option --function."""
    said = "Which function is the model, if the file has several that could be."
    return option(metavar="NAME", help=said)


def form(help: str, *forms: str) -> Any:
    """The option --format."""
    return choice(help, "--format", of=forms)


def quiet(help: str) -> Any:
    return flag(help, "--quiet", "-q")


def verbose(help: str) -> Any:
    return flag(help, "--verbose", "-v")


class Request:
    """What a command is asked for: the values of its options, as click gives them.

    Each command has a class of its own, whose fields are made by the functions above: they say
    what its options are, in the order of its help.
    """

    model: str | None = None
    form: str
    quiet: bool
    verbose: bool = verbose("Show the traceback of an error in the model's code.")
    color: str = choice(
        "When to use colour; auto does on a terminal, unless NO_COLOR is set.",
        of=["auto", "always", "never"],
    )

    def __init__(self, **given: Any) -> None:
        vars(self).update(given)

    @property
    def screen(self) -> Screen:
        return Screen(self.color)

    @classmethod
    def params(cls) -> list[click.Parameter]:
        """What click reads of the words of a command, in the order of its help."""
        names = dict.fromkeys(name for kind in cls.__mro__ for name in vars(kind))
        fields = {name: getattr(cls, name) for name in names}
        return [f.parameter(name) for name, f in fields.items() if isinstance(f, Field)]


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
    return click.command(
        cls=cls,
        name=name,
        epilog=epilog,
        params=request.params(),
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        request=request,
        left=left,
    )


def files(*endings: str) -> Callable[..., list[CompletionItem]]:
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
