"""``reparam-rewrite suggest``: its options, and where what it proposes goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reparam_rewrite.cli.completion import files
from reparam_rewrite.cli.main import CONTEXT, Program, color_option, function_option, guarded
from reparam_rewrite.cli.rewrite import DONE
from reparam_rewrite.cli.screen import Screen

if TYPE_CHECKING:
    from reparam_rewrite.source.document import Document
    from reparam_rewrite.suggest import Suggestion

EPILOG = """\b
Examples:
  Read it, save it, or see at once what comes of it:
    reparam-rewrite suggest model.py
    reparam-rewrite suggest model.py -o offsets.toml
    reparam-rewrite suggest model.py | reparam-rewrite model.py --config - --diff
  With what one run of the model tells beside its source, and a picture:
    reparam-rewrite suggest model.py --args example.py:example_args --dag model.html

\b
Exit status:
  0  done; there may be nothing to propose
  2  an error; nothing was written
"""


@click.command(
    cls=Program,
    name="suggest",
    epilog=EPILOG,
    context_settings=CONTEXT,
)
@click.argument("model", metavar="MODEL", shell_complete=files(".py", ".ipynb"))
@click.option(
    "--args",
    "args_given",
    metavar="ARGS",
    help="Run the model once, with these: FILE.py:FUNCTION, a function that returns (args, "
    "kwargs), or an expression for such a pair.",
    shell_complete=files(".py"),
)
@function_option
@click.option(
    "--output",
    "-o",
    "--write",
    "write",
    metavar="FILE",
    help="Write the config to this file instead of to standard output; --write is the same.",
    shell_complete=files(".toml"),
)
@click.option(
    "--dag",
    metavar="FILE",
    help="Draw the sites, their priors and the offsets into this file: .svg, .png, .html or .dot.",
    shell_complete=files(".svg", ".png", ".html", ".dot"),
)
@click.option("--force", is_flag=True, help="Overwrite files that are there already.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["toml", "json"]),
    default="toml",
    show_default=True,
    help="Print what is proposed as TOML or as JSON.",
)
@click.option("--quiet", "-q", is_flag=True, help="Don't say which files were written.")
@click.option(
    "--verbose", "-v", is_flag=True, help="Show the traceback of an error in the model's code."
)
@color_option
def command(model: str, color: str, verbose: bool, **options: Any) -> int:
    """Read the NumPyro model in MODEL, and print a config for it.

    Whatever is added up in the location of an observed site is sampled around what was added
    before. Every line of the config has a comment with its reason and the line of the model; sites
    that are left alone are listed with why. The model isn't run, unless --args are given.
    """
    screen = Screen(color)
    hint = "nothing was written. Please report this; -v shows the traceback."
    return guarded(lambda: run(model, screen=screen, **options), model, verbose, screen, hint)


def run(
    model: str,
    args_given: str | None,
    function: str | None,
    write: str | None,
    dag: str | None,
    force: bool,
    form: str,
    quiet: bool,
    screen: Screen,
) -> int:
    """Read, propose, then write or print. Raises `Refusal`; nothing is written before that."""
    from reparam_rewrite.source.files import write_outputs
    from reparam_rewrite.source.reading import read
    from reparam_rewrite.suggest import suggest, to_json, to_text

    kind = drawing_kind(dag)
    document = read(model)
    if args_given is None:
        suggestion = suggest(document, function)
    else:
        suggestion = with_run(document, function, args_given)
    text = to_text(suggestion)
    outputs = [(write, text.encode())] if write is not None else []
    if dag is not None:
        from reparam_rewrite.suggest.dot import drawn

        outputs.append((dag, drawn(suggestion, kind)))
    for path, data in outputs:
        refuse_to_overwrite(model, path, data, force)
    written = write_outputs(outputs)
    if form == "json":
        screen.print(to_json(suggestion, text))
    elif write is None:
        screen.print(text)
    if not quiet:
        up_to_date = [f"{path} is up to date" for path, _ in outputs if path not in written]
        screen.account([*(f"wrote {path}" for path in written), *up_to_date])
    return DONE


def drawing_kind(path: str | None) -> str:
    """What to draw, by the ending of the file."""
    from pathlib import Path

    from reparam_rewrite.messages import Diagnostic, Refusal
    from reparam_rewrite.suggest.dot import KINDS

    kind = Path(path).suffix.lower().lstrip(".") if path is not None else ""
    if path is not None and kind not in KINDS:
        hint = "name a file that ends in .svg, .png, .html or .dot."
        raise Refusal(Diagnostic(path, "it can't be told how to draw it", hint))
    return kind


def refuse_to_overwrite(model: str, path: str, data: bytes, force: bool) -> None:
    """Raise `Refusal` for the model itself, and for another file that is there already."""
    import os

    from reparam_rewrite.messages import Diagnostic, Refusal
    from reparam_rewrite.source.files import read_bytes, refuse_same_file

    refuse_same_file(model, path)
    if force or not os.path.lexists(path):
        return
    if read_bytes(path, "output") != data:
        raise Refusal(Diagnostic(path, "the file exists", "--force overwrites it."))


def with_run(document: Document, function: str | None, args_given: str) -> Suggestion:
    """What is proposed with what a run of the model tells."""
    from reparam_rewrite.cli.verify import prepare
    from reparam_rewrite.messages import Diagnostic, Refusal

    if document.path == "<stdin>":
        hint = "save it as a file: it is run, with what it imports from beside it."
        raise Refusal(Diagnostic(None, "--args are for a model in a file", hint))
    prepare("--args")
    from reparam_rewrite.verify.once import suggest_with_run

    return suggest_with_run(document, function, args_given)
