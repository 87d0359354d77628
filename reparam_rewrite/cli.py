"""The command line: options, streams and exit codes.

Only click is imported at the top. `--help` and mistakes in the options cost its start-up and no
more; the rest is imported by the run that needs it.
"""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING

import click

from reparam_rewrite import __version__

if TYPE_CHECKING:
    from reparam_rewrite.diagnostics import Diagnostic
    from reparam_rewrite.rewriting import Rewrite

DONE, CHANGED, FAILED = 0, 1, 2

EPILOG = """\b
Examples:
  reparam-rewrite model.py --config offsets.toml                     print the rewritten model
  reparam-rewrite model.py --config offsets.toml -o model_reparam.py write it
  reparam-rewrite model.py --config offsets.toml --diff              show what changes
  reparam-rewrite model.py --config offsets.toml -o model_reparam.py --check
                                                                     is it up to date?

\b
Exit status:
  0  done, or up to date
  1  --check found that the output would change
  2  an error; nothing was written
"""


@click.command(
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.argument("model", metavar="MODEL")
@click.option("--config", "-c", metavar="FILE", required=True, help="The offsets, a TOML file.")
@click.option("--output", "-o", metavar="FILE", help="Write here instead of to standard output.")
@click.option("--diff", is_flag=True, help="Print a unified diff and write nothing.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if the output would change.")
@click.option("--quiet", "-q", is_flag=True, help="No account of the configured sites.")
@click.option("--verbose", "-v", is_flag=True, help="A longer account.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colour; auto is on a terminal, unless NO_COLOR is set.",
)
@click.version_option(__version__, "--version", "-V", message="reparam-rewrite %(version)s")
@click.pass_context
def main(
    context: click.Context,
    model: str,
    config: str,
    output: str | None,
    diff: bool,
    check: bool,
    quiet: bool,
    verbose: bool,
    color: str,
) -> None:
    """Rewrite the NumPyro model in MODEL with the offsets that a config asks for.

    MODEL is a Python file, or - for standard input. It is never changed: the rewritten model goes
    to standard output, or to the file that -o names. What was done to every configured site goes
    to standard error.
    """
    from reparam_rewrite.diagnostics import Diagnostic, Refusal

    screen = Screen(color)
    try:
        status = run(model, config, output, diff, check, 0 if quiet else 1 + verbose, screen)
    except Refusal as refusal:
        for diagnostic in refusal.diagnostics:
            screen.error(diagnostic)
        status = FAILED
    except BrokenPipeError:
        raise  # click ends quietly, as a filter should
    except Exception as error:
        if verbose:
            raise
        screen.error(
            Diagnostic(
                None if model == "-" else model,
                f"internal error: {type(error).__name__}: {error}",
                "nothing was written. Please report this; -v shows the traceback.",
            )
        )
        status = FAILED
    context.exit(status)


def run(
    model: str,
    config: str,
    output: str | None,
    diff: bool,
    check: bool,
    loudness: int,
    screen: Screen,
) -> int:
    """Read, rewrite, then write or compare. Raises `Refusal`; nothing is written before that."""
    from pathlib import Path

    from reparam_rewrite.config import read_config
    from reparam_rewrite.diagnostics import Diagnostic, Refusal
    from reparam_rewrite.files import (
        line_length,
        read_bytes,
        read_source,
        refuse_same_file,
        unified_diff,
        write_output,
    )
    from reparam_rewrite.rewriting import rewrite

    to_file = output is not None and output != "-"
    if check and not to_file:
        raise Refusal(
            Diagnostic(None, "--check has no output to compare with", "name it: -o FILE.")
        )
    settings = read_config(read_bytes(config, "config"), config)
    source = read_source(model)
    if output is not None and to_file:
        refuse_same_file(model, output)
        refuse_same_file(config, output)
    result = rewrite(source, settings, line_length(Path() if model == "-" else Path(model)))

    old, old_path, new_path = source.data, Path(source.path), Path(source.path)
    if output is not None and to_file:
        new_path = Path(output)
        exists = new_path.exists()
        old = read_bytes(output, "output") if exists else b""
        if diff:
            screen.diff(unified_diff(old, result.data, new_path if exists else None, new_path))
    elif diff:
        screen.diff(unified_diff(old, result.data, old_path, new_path))

    report(result, loudness, screen)
    if output is None or not to_file:
        if not diff:
            screen.write(result.data)
        return DONE
    stale = not new_path.exists() or old != result.data
    if check:
        if stale and loudness:
            screen.note(f"{output} would change")
        return CHANGED if stale else DONE
    if not diff:
        written = write_output(output, result.data)
        if loudness:
            screen.note(f"wrote {output}" if written else f"{output} is up to date")
    return DONE


def report(result: Rewrite, loudness: int, screen: Screen) -> None:
    """The account of every configured site, to standard error."""
    if not loudness:
        return
    for account in result.accounts:
        line = (
            f"{account.path}:{account.line} {account.site} <- {', '.join(account.parents)} "
            f"({account.config.path}:{account.config.line})"
        )
        if loudness > 1:
            line += f" in {account.function}, {'; '.join(account.details)}"
        screen.note(line)
    if result.already:
        screen.note(
            f"{result.accounts[0].path} is rewritten already: nothing changed. "
            "To apply another config, rewrite the plain model."
        )


class Screen:
    """Standard output and standard error, each with or without colour."""

    def __init__(self, color: str) -> None:
        self._color = color

    def _colored(self, stream: IO[str]) -> bool:
        if self._color != "auto":
            return self._color == "always"
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return stream is not None and stream.isatty()

    def note(self, text: str) -> None:
        click.echo(text, err=True)

    def error(self, diagnostic: Diagnostic) -> None:
        lines = str(diagnostic).split("\n")
        if self._colored(sys.stderr):
            place = f"{diagnostic.place}:" if diagnostic.place else ""
            lines[0] = click.style(place, bold=True) + click.style(lines[0][len(place) :], fg="red")
            lines[1:] = [
                click.style(line, fg="cyan") if line.startswith("hint: ") else line
                for line in lines[1:]
            ]
            lines[1:] = [
                click.style(line, fg="red", bold=True) if line.strip() == "^" else line
                for line in lines[1:]
            ]
        click.echo("\n".join(lines), err=True, color=True)

    def write(self, data: bytes) -> None:
        """Bytes as they are to standard output."""
        stream = click.get_binary_stream("stdout")
        stream.write(data)
        stream.flush()

    def diff(self, data: bytes) -> None:
        """A diff, coloured line by line on a terminal."""
        if not self._colored(sys.stdout):
            self.write(data)
            return
        colors = {b"+": b"\x1b[32m", b"-": b"\x1b[31m", b"@": b"\x1b[36m"}
        for line in data.split(b"\n")[: -1 if data.endswith(b"\n") else None]:
            color = b"\x1b[1m" if line[:4] in (b"diff", b"--- ", b"+++ ") else colors.get(line[:1])
            self.write(color + line + b"\x1b[0m\n" if color else line + b"\n")
