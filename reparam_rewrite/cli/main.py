"""The command line: options, streams and exit codes.

Only click is imported at the top. `--help` and mistakes in the options cost its start-up and no
more; the rest is imported by the run that needs it.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from reparam_rewrite import __version__
from reparam_rewrite.cli.commands import COMMANDS
from reparam_rewrite.cli.completion import FIRST, files, model_or_command
from reparam_rewrite.cli.rewrite import FAILED, Request, run
from reparam_rewrite.cli.screen import Screen, discard, unwritable

if TYPE_CHECKING:
    from reparam_rewrite.messages import Diagnostic

# What shells report of a program that Ctrl-C (SIGINT) or a closed pipe (SIGPIPE) ended. Not 1,
# which is what click makes of both: that would mean that --check found a change.
INTERRUPTED, CUT_OFF = 130, 141

EPILOG = """\b
Examples:
  Print the rewritten model, or write it to a file:
    reparam-rewrite model.py --config offsets.toml
    reparam-rewrite model.py --config offsets.toml -o model_reparam.py
  Show what changes, or tell whether the file is up to date:
    reparam-rewrite model.py --config offsets.toml --diff
    reparam-rewrite model.py --config offsets.toml -o model_reparam.py --check
  Do so for all targets of pyproject.toml:
    reparam-rewrite
    reparam-rewrite --check

\b
Exit status:
  0  done, or up to date
  1  with --check: an output would change; with --fail-on-change: one did
  2  an error; nothing was written
"""


#: What the hint about a missing MODEL says, by the name of the click command.
EXAMPLES = {
    "main": "name the file to rewrite: reparam-rewrite model.py --config offsets.toml",
    "suggest": "name the plain model: reparam-rewrite suggest model.py",
    "verify": "name the plain model: reparam-rewrite verify model.py model_reparam.py",
}


class Program(click.Command):
    """A command that ends with one of the exit codes above, and never with a traceback."""

    def main(self, *arguments: Any, **options: Any) -> NoReturn:
        # When it ends Python looks for cycles in all that there is, for as long as parsing takes.
        atexit.register(gc.freeze)
        screen = Screen("auto")
        try:
            status = super().main(*arguments, **{**options, "standalone_mode": False})
        except click.UsageError as error:
            screen.error(mistake(error, self))
            status = FAILED
        except click.Abort:
            screen.note("interrupted")
            status = INTERRUPTED
        except OSError as error:  # of --help and --version
            screen.error(unwritable(error))
            status = FAILED
        sys.exit(status)


class Rewriter(Program):
    """The program itself: a command, unless its first argument is the name of another.

    A model that has such a name, without an ending, is reached as ``./verify``.
    """

    def main(self, *arguments: Any, **options: Any) -> NoReturn:
        given = arguments[0] if arguments else options.pop("args", None)
        words = list(sys.argv[1:] if given is None else given)
        if words and words[0] in COMMANDS:
            name = options.pop("prog_name", None) or detected_name()
            command_of(words[0]).main(words[1:], prog_name=f"{name} {words[0]}", **options)
        if words and is_misspelt(*words[:2]):
            Screen("auto").error(unknown_command(words[0]))
            sys.exit(FAILED)
        super().main(words, **options)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Where a shell asks for completions, the command in the first word is what completes."""
        if not extra.get("resilient_parsing"):
            return super().make_context(info_name, args, parent, **extra)
        if args and args[0] in COMMANDS:
            return command_of(args[0]).make_context(info_name, args[1:], parent, **extra)
        first = not args
        context = super().make_context(info_name, args, parent, **extra)
        context.meta[FIRST] = first
        return context

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def is_misspelt(word: str, model: str = "") -> bool:
    """Is it no file, and like the name of a command, or before a file as a command would be?"""
    if not word.isalnum() or os.path.lexists(word):
        return False
    from reparam_rewrite.messages import nearest

    return bool(nearest(word, COMMANDS)) or os.path.lexists(model)


def unknown_command(word: str) -> Diagnostic:
    from reparam_rewrite.messages import Diagnostic, listed, nearest

    like = nearest(word, COMMANDS)
    hint = (
        f"did you mean {listed(like, last='or')}?"
        if like
        else "rewriting needs no command: reparam-rewrite model.py --config offsets.toml"
    )
    return Diagnostic(None, f"there is no command '{word}', and no file", hint)


def command_of(name: str) -> click.Command:
    """The command of that name, from its module."""
    from importlib import import_module

    command: click.Command = import_module(f"reparam_rewrite.cli.{name}").command
    return command


def detected_name() -> str:
    """What the program was called as, as click finds it out."""
    from click.utils import _detect_program_name

    return _detect_program_name()


def mistake(error: click.UsageError, command: click.Command) -> Diagnostic:
    """What click says of the arguments, in the form of every other message."""
    from reparam_rewrite.messages import Diagnostic, nearest

    if isinstance(error, click.MissingParameter) and error.param is not None:
        if error.param.name == "model":
            return Diagnostic(
                None,
                "no MODEL is given",
                EXAMPLES.get(command.name or "", EXAMPLES["main"]),
            )
        return Diagnostic(
            None,
            f"no --{error.param.name} is given",
            "name the TOML file with the offsets: --config FILE.",
        )
    if isinstance(error, click.NoSuchOption):
        options = [name for param in command.params for name in param.opts if name.startswith("--")]
        near = nearest(error.option_name.lstrip("-"), [name[2:] for name in options])
        hint = f"did you mean --{near[0]}?" if near else "--help lists all of them."
        return Diagnostic(None, f"there is no option {error.option_name}", hint)
    said = error.format_message().rstrip(".")
    said = said[:1].lower() + said[1:]
    known = {name for param in command.params for name in param.opts}
    extra = said.partition("got unexpected extra argument")[2].strip("s ()")
    configs = [word for word in extra.split() if word.endswith(".toml")]
    if "--config" in known and configs:
        hint = f"a config has an option before its name: --config {configs[0]}"
        return Diagnostic(None, said, hint)
    return Diagnostic(None, said, "--help shows how to call it.")


#: As they are of every command that has them.
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def once(context: click.Context, param: click.Parameter, values: tuple[str, ...]) -> str | None:
    """The value of an option that may be given once; click would take the last of several."""
    if len(values) > 1:
        message = f"{param.opts[0]} is given {len(values)} times, with {' and '.join(values)}"
        raise click.UsageError(message, context)
    return values[0] if values else None


def config_of(more: str = "") -> Callable[[Any], Any]:
    """The option --config; `more` ends what is said of it."""
    return click.option(
        "--config",
        "-c",
        metavar="FILE",
        multiple=True,
        callback=once,
        help=f"The TOML file that says which sites to offset{more}.",
        shell_complete=files(".toml"),
    )


config_option = config_of()

args_option = click.option(
    "--args",
    "args_given",
    metavar="ARGS",
    help="What to call the model with: FILE.py:FUNCTION, a function that returns (args, kwargs), "
    "or an expression for such a pair.",
    shell_complete=files(".py"),
)

function_option = click.option(
    "--function",
    metavar="NAME",
    help="Which function is the model, if the file has several that could be.",
)

color_option = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="When to use colour; auto does on a terminal, unless NO_COLOR is set.",
)


@click.command(
    cls=Rewriter,
    name="main",
    epilog=EPILOG,
    context_settings=CONTEXT,
)
@click.argument("model", metavar="[MODEL]", required=False, shell_complete=model_or_command)
@config_of("; - reads it from standard input, if the result is printed")
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    multiple=True,
    callback=once,
    help="Write the rewritten model to this file instead of to standard output.",
    shell_complete=files(".py", ".ipynb"),
)
@click.option(
    "--diff", is_flag=True, help="Print what changes as a unified diff, and write nothing."
)
@click.option(
    "--check", is_flag=True, help="Write nothing, and exit with 1 if the output would change."
)
@click.option(
    "--force",
    is_flag=True,
    help="Overwrite the output even if it was not generated, or was edited since.",
)
@click.option(
    "--fail-on-change",
    is_flag=True,
    help="Exit with 1 if a file was written, as hooks of pre-commit do.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="Report in lines, as JSON on standard output, or as annotations for GitHub.",
)
@click.option("--quiet", "-q", is_flag=True, help="Don't say what became of the configured sites.")
@click.option(
    "--verbose",
    "-v",
    is_flag=True,
    help="Say more of every site, and show tracebacks of internal errors.",
)
@color_option
@click.version_option(__version__, "--version", "-V", message="reparam-rewrite %(version)s")
def main(
    model: str | None,
    config: str | None,
    output: str | None,
    diff: bool,
    check: bool,
    force: bool,
    fail_on_change: bool,
    form: str,
    quiet: bool,
    verbose: bool,
    color: str,
) -> int:
    """Rewrite the NumPyro model in MODEL with the offsets that a config asks for.

    MODEL is a Python file, a Jupyter notebook (.ipynb), or - for Python on standard input. It is
    never changed: the rewritten model goes to standard output, or to the file that -o names. What
    was done to every configured site goes to standard error. A file that is called like a command
    below is written with its folder, ./verify.

    Without MODEL, every [[tool.reparam-rewrite.targets]] of the nearest pyproject.toml is
    generated: all of them are written, or none.
    """
    screen = Screen(color, form)
    loudness = 0 if quiet else 1 + verbose
    request = Request(diff, check, force, fail_on_change, loudness, form)
    hint = "nothing was written. Please report this; -v shows the traceback."

    def work() -> int:
        return run(model, config, output, request, screen)

    return guarded(work, model, verbose, screen, hint)


def guarded(
    work: Callable[[], int], model: str | None, verbose: bool, screen: Screen, hint: str
) -> int:
    """The exit status of `work`; what it raises is shown, with a `hint` if it is our mistake."""
    try:
        return work()
    except BrokenPipeError:  # `| head` has seen enough
        discard(sys.stdout)
        return CUT_OFF
    except Exception as error:
        for diagnostic in said_of(error, model, verbose, screen, hint):
            screen.error(diagnostic)
    return FAILED


def said_of(
    error: Exception, model: str | None, verbose: bool, screen: Screen, hint: str
) -> Sequence[Diagnostic]:
    """What to tell of an error; the traceback of one that isn't a refusal goes to the screen."""
    import traceback

    from reparam_rewrite.messages import Diagnostic, Refusal

    place = None if model == "-" else model
    if isinstance(error, Refusal):
        if verbose and error.__cause__ is not None:  # of code of the user's that was run
            screen.note("".join(traceback.format_exception(error.__cause__)).rstrip())
        return error.diagnostics
    if isinstance(error, RecursionError):
        message = "an expression, or an if with many elif, is nested too deeply to be read"
        return [Diagnostic(place, message, "take it apart.")]
    if verbose:
        screen.note("".join(traceback.format_exception(error)).rstrip())
        hint = hint.replace("; -v shows the traceback.", ", with the traceback above.")
    message = f"internal error: {type(error).__name__}: {error}"
    return [Diagnostic(place, message, hint)]
