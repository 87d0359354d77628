"""``reparam-rewrite suggest``: its options, and where what it proposes goes."""

from __future__ import annotations

from reparam_rewrite.cli import options
from reparam_rewrite.cli.exit import DONE, refused
from reparam_rewrite.cli.screen import Screen

EPILOG = """\b
Examples:
  Read it, or save it:
    reparam-rewrite suggest model.py
    reparam-rewrite suggest model.py -o config.toml
  With what one run of the model tells beside its source, and a picture:
    reparam-rewrite suggest model.py --args example.py:example_args --dag model.html
  Offsets alone, and at once what comes of them:
    reparam-rewrite suggest model.py --offsets | reparam-rewrite model.py --config - --diff

\b
Exit status:
  0  done; there may be nothing to propose
  2  an error; nothing was written
"""


class Request(options.Request):
    """What is asked for. `write` and `dag` are the files for the config and for the picture."""

    model: str = options.model(*options.MODELS)
    args_given: str | None = options.args("Run the model once, with these:")
    function: str | None = options.function()
    offsets: bool = options.flag("Propose offsets alone, which need no data: no 'conditional'.")
    write: str | None = options.file(
        "Write the config to this file instead of to standard output; --write is the same.",
        *("--output", "-o", "--write"),
        endings=[".toml"],
    )
    dag: str | None = options.file(
        "Draw the sites, their priors and the proposal into this file: .svg, .png, .html or .dot.",
        endings=[".svg", ".png", ".html", ".dot"],
    )
    force: bool = options.flag("Overwrite files that are there already.")
    form: str = options.form("Print what is proposed as TOML or as JSON.", "toml", "json")
    quiet: bool = options.quiet("Don't say which files were written.")


@options.command("suggest", Request, EPILOG)
def command(request: Request, screen: Screen) -> int:
    """Read the NumPyro model in MODEL, and print a config for it.

    Whatever is added up in the location of an observed site is sampled as what is standard normal
    given the data ('conditional'), or where that can't be, around what was added before. Every
    line of the config has a comment with its reason and the line of the model; sites that are left
    alone are listed with why. The model isn't run, unless --args are given.
    """
    import os
    from pathlib import Path

    from reparam_rewrite.source.files import read_bytes, refuse_same_file, write_outputs
    from reparam_rewrite.source.reading import read
    from reparam_rewrite.suggesting import suggest, to_json, to_text
    from reparam_rewrite.suggesting.dot import KINDS, drawn

    kind = Path(request.dag or "").suffix.lower().lstrip(".")
    if request.dag is not None and kind not in KINDS:
        hint = "name a file that ends in .svg, .png, .html or .dot."
        refused(request.dag, "it can't be told how to draw it", hint)
    document = read(request.model)
    if request.args_given is not None:
        from reparam_rewrite.running.environment import prepare

        if document.path == "<stdin>":
            hint = "save it as a file: it is run, with what it imports from beside it."
            refused(None, "--args are for a model in a file", hint)
        prepare("--args")
        from reparam_rewrite.fitting.automatic import proposed

        suggestion = proposed(document, request.args_given, request.function, request.offsets)
    else:
        suggestion = suggest(document, request.function, offsets=request.offsets)
    text = to_text(suggestion)
    write = request.write if request.write != "-" else None
    outputs = [(write, text.encode())] if write is not None else []
    if request.dag is not None:
        outputs.append((request.dag, drawn(suggestion, kind)))
    for path, data in outputs:
        refuse_same_file(request.model, path)
        kept = not request.force and os.path.lexists(path)
        if kept and read_bytes(path, "output") != data:
            refused(path, "the file exists", "--force overwrites it.")
    written = write_outputs(outputs)
    if request.form == "json":
        screen.print(to_json(suggestion, text))
    elif write is None:
        screen.print(text)
    if not request.quiet:
        up_to_date = [f"{path} is up to date" for path, _ in outputs if path not in written]
        screen.account([*(f"wrote {path}" for path in written), *up_to_date])
    return DONE
