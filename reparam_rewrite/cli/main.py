"""The program itself: the command that rewrites, unless its first word is another command.

Only click is imported at the top. `--help` and mistakes in the options cost its start-up and no
more; the rest is imported by the run that needs it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from reparam_rewrite import __version__
from reparam_rewrite.cli import options
from reparam_rewrite.cli.exit import FAILED, Program
from reparam_rewrite.cli.report import FORMS, Lines
from reparam_rewrite.cli.rewrite import run
from reparam_rewrite.cli.screen import Screen

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: The commands beside rewriting, and what `--help` says of each. Each is a `click.Command` called
#: `command` in a module of that name, which only its own run imports.
COMMANDS = {
    "bench": "Measure what configs are worth to NUTS and SVI, and what else is.",
    "demo": "Write a model with data and a config, to try all of this with.",
    "fit": "Fit a config's coefficients to draws from the posterior.",
    "schema": "Print the JSON Schema of configs, for editors.",
    "suggest": "Read a model and propose a config for it.",
    "tune": "Find how a model samples best, given its data, and write that.",
    "verify": "Prove that a generated or hand-written model is the plain one.",
}

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


class Rewriter(Program):
    """The program itself: a command, unless its first argument is the name of another.

    A model that has such a name, without an ending, is reached as ``./verify``.
    """

    def main(self, *arguments: Any, **options: Any) -> NoReturn:
        from click.utils import _detect_program_name

        given = arguments[0] if arguments else options.pop("args", None)
        words = list(sys.argv[1:] if given is None else given)
        if words and words[0] in COMMANDS:
            name = options.pop("prog_name", None) or _detect_program_name()
            command_of(words[0]).main(words[1:], prog_name=f"{name} {words[0]}", **options)
        refuse_misspelt(*words[:2])
        super().main(words, **options)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Where a shell asks for completions, the command in the first word is what completes."""
        if extra.get("resilient_parsing") and args and args[0] in COMMANDS:
            return command_of(args[0]).make_context(info_name, args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def command_of(name: str) -> click.Command:
    """The command of that name, from its module."""
    from importlib import import_module

    command: click.Command = import_module(f"reparam_rewrite.cli.{name}").command
    return command


def refuse_misspelt(word: str = "", model: str = "") -> None:
    """End where the first word is no file, and like a command, or before a file as one would be."""
    if not word.isalnum() or os.path.lexists(word):
        return
    from reparam_rewrite.messages import Diagnostic, listed, nearest

    like = nearest(word, COMMANDS)
    if not like and not os.path.lexists(model):
        return
    hint = "rewriting needs no command: reparam-rewrite model.py --config offsets.toml"
    if like:
        hint = f"did you mean {listed(like, last='or')}?"
    Screen("auto").error(Diagnostic(None, f"there is no command '{word}', and no file", hint))
    sys.exit(FAILED)


def model_or_command(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete MODEL, whose place a command may take if it is the first word."""
    from click.core import ParameterSource
    from click.shell_completion import CompletionItem

    before = ParameterSource.COMMANDLINE in map(context.get_parameter_source, context.params)
    commands = [
        CompletionItem(name, help=text)
        for name, text in COMMANDS.items()
        if name.startswith(incomplete) and not before
    ]
    return [*commands, *options.found_files(incomplete, options.MODELS)]


*FIRST_FORMS, LAST_FORM = (form.said for form in FORMS.values())


class Request(options.Request):
    """What is asked for. Without a `model` it is every target of the nearest pyproject.toml."""

    model: str | None = options.argument("[MODEL]", required=False, shell_complete=model_or_command)
    config: str | None = options.config(
        "; - reads it from standard input, if the result is printed"
    )
    output: str | None = options.file_once(
        "Write the rewritten model to this file instead of to standard output.",
        *("--output", "-o"),
        endings=options.MODELS,
    )
    diff: bool = options.flag("Print what changes as a unified diff, and write nothing.")
    check: bool = options.flag("Write nothing, and exit with 1 if the output would change.")
    force: bool = options.flag(
        "Overwrite the output even if it was not generated, or was edited since."
    )
    fail_on_change: bool = options.flag(
        "Exit with 1 if a file was written, as hooks of pre-commit do."
    )
    form: str = options.form(f"Report {', '.join(FIRST_FORMS)}, or {LAST_FORM}.", *FORMS)
    quiet: bool = options.quiet("Don't say what became of the configured sites.")
    verbose: bool = options.verbose(
        "Say more of every site, and show tracebacks of internal errors."
    )

    @property
    def screen(self) -> Lines:
        return FORMS[self.form](self.color)

    @property
    def writes(self) -> bool:
        return not (self.diff or self.check)

    @property
    def loudness(self) -> int:
        """How much is said of a site: 0 nothing, 1 a line, 2 a longer one."""
        return 0 if self.quiet else 1 + self.verbose


@options.command("main", Request, EPILOG, cls=Rewriter)
@click.version_option(__version__, "--version", "-V", message="reparam-rewrite %(version)s")
def main(request: Request, screen: Lines) -> int:
    """Rewrite the NumPyro model in MODEL with the offsets that a config asks for.

    MODEL is a Python file, a Jupyter notebook (.ipynb), or - for Python on standard input. It is
    never changed: the rewritten model goes to standard output, or to the file that -o names. What
    was done to every configured site goes to standard error. A file that is called like a command
    below is written with its folder, ./verify.

    Without MODEL, every [[tool.reparam-rewrite.targets]] of the nearest pyproject.toml is
    generated: all of them are written, or none.
    """
    from reparam_rewrite.messages import Refusal

    try:
        return run(request, screen)
    except Refusal as refusal:
        if screen.show_refusal(refusal.diagnostics):
            return FAILED
        raise
