"""``reparam-rewrite demo``: models with their data, to try everything with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from reparam_rewrite.cli import options
from reparam_rewrite.cli.exit import DONE, refused
from reparam_rewrite.cli.screen import Screen

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

EPILOG = """\b
Examples:
  List the demos, and write one:
    reparam-rewrite demo
    reparam-rewrite demo radon --to radon
  Rewrite its model by hand, or by what its data say:
    cd radon
    reparam-rewrite model.py --config by_hand.toml --diff
    reparam-rewrite tune model.py --args example.py:example_args -o model_reparam.py

\b
Exit status:
  0  done
  2  an error; nothing was written
"""

#: The demos, each a folder of `reparam_rewrite/demos`, and what the list says of them.
DEMOS = {
    "eight_schools": "what coaching is worth: 8 estimates around a mean, a funnel",
    "radon": "919 houses in 85 counties, each with a level and a slope",
    "penicillin": "24 plates crossed with 6 samples",
    "insteval": "2,412 ratings: students, lecturers and departments are crossed",
    "sleepstudy": "reaction times of 18 subjects, each with a level and a slope in days",
    "tensor": "a simulated table of 8 by 6 at 10 times, with walks and interactions",
    "local_trend": "the Nile in 100 years: a level that drifts under noise, in a scan",
    "item_response": "100 persons answer 24 items yes or no",
    "stochastic_volatility": "504 daily returns of crude oil, whose volatility walks",
}

#: The files of a demo, in the order in which they are read. Its config isn't called offsets.toml:
#: `tune` would find it there, and keep it.
FILES = ("model.py", "data.csv", "example.py", "by_hand.toml")


def names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Completes the name of a demo."""
    from click.shell_completion import CompletionItem

    fitting = [name for name in DEMOS if name.startswith(incomplete)]
    return [CompletionItem(name, help=DEMOS[name]) for name in fitting]


def folders(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Leaves it to the shell to complete the path of a folder."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


class Request(options.Request):
    """What is asked for. Without a `name` it is the list; `to` is the folder of the demo."""

    verbose = False
    name: str | None = options.argument("[NAME]", required=False, shell_complete=names)
    to: str | None = options.option(
        metavar="FOLDER",
        shell_complete=folders,
        help="Write the demo's files into this folder, which is made if there is none.",
    )
    force: bool = options.flag("Overwrite files that are there already.")
    quiet: bool = options.quiet("Don't say what was written, nor what to type next.")


@options.command("demo", Request, EPILOG)
def command(request: Request, screen: Screen) -> int:
    """Write the demo NAME: a plain model, its data, and a config to rewrite it by hand with.

    The files are model.py, example.py, whose example_args() reads data.csv beside it, and
    by_hand.toml. Without NAME the demos are listed.
    """
    name, to = request.name, request.to
    if name is None:
        if to is not None:
            hint = f"reparam-rewrite demo lists them: reparam-rewrite demo radon --to {to}"
            refused(None, "--to is given without the NAME of a demo", hint)
        width = max(map(len, DEMOS))
        screen.print("".join(f"{name:{width}}  {said}\n" for name, said in DEMOS.items()))
        if not request.quiet:
            screen.note("to write one: reparam-rewrite demo radon --to radon")
        return DONE
    if name not in DEMOS:
        from reparam_rewrite.messages import listed, nearest

        like = listed(nearest(name, DEMOS), last="or")
        hint = f"did you mean {like}?" if like else "reparam-rewrite demo lists them."
        refused(None, f"there is no demo '{name}'", hint)
    if to is None:
        hint = f"name the folder to write it to: reparam-rewrite demo {name} --to {name}"
        refused(None, "no folder is given for the demo", hint)
    written, same = write_demo(name, to, request.force)
    if not request.quiet:
        screen.account([f"wrote {path}" for path in written])
        screen.account([f"{path} is up to date" for path in same])
        screen.account(next_commands(to))
    return DONE


def write_demo(name: str, folder: str, force: bool) -> tuple[list[str], list[str]]:
    """Write the files of a demo: those that were written, and those that were there already.

    Raises `Refusal`, and then leaves nothing.
    """
    from contextlib import suppress
    from importlib.resources import files
    from pathlib import Path

    from reparam_rewrite.messages import Diagnostic, Refusal
    from reparam_rewrite.source.files import read_bytes, refuse_unusable, refusing, write_outputs

    refuse_unusable(folder, "folder")
    if os.path.lexists(folder) and not Path(folder).is_dir():
        refused(folder, "it is a file, not a folder", "give the path of a folder, or a new one.")
    shipped = files("reparam_rewrite") / "demos" / name
    outputs = [
        (str(Path(folder, file)), (shipped / file).read_bytes())
        for file in FILES
        if (shipped / file).is_file()
    ]
    there = [(path, data) for path, data in outputs if os.path.lexists(path) and not force]
    hint = "--force overwrites it, or choose another folder."
    differing = [
        Diagnostic(path, "the file exists, with other content", hint)
        for path, data in there
        if read_bytes(path, "output") != data
    ]
    if differing:
        raise Refusal(differing)
    missing = [path for path in (Path(folder), *Path(folder).parents) if not path.exists()]
    try:
        with refusing(folder, "choose another folder."):
            Path(folder).mkdir(parents=True, exist_ok=True)
        written = write_outputs(outputs)
    except BaseException:  # also Ctrl-C
        for path in missing:
            with suppress(OSError):
                path.rmdir()
        raise
    return written, [path for path, _ in outputs if path not in written]


def next_commands(folder: str) -> list[str]:
    """What to type next, with the demo in `folder`."""
    from pathlib import Path
    from shlex import quote

    enter = [] if Path(folder).samefile(".") else [f"  cd {quote(folder)}"]
    return [
        "next:",
        *enter,
        "  reparam-rewrite model.py --config by_hand.toml --diff",
        "  reparam-rewrite tune model.py --args example.py:example_args -o model_reparam.py",
    ]
