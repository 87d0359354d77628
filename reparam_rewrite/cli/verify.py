"""``reparam-rewrite verify``: its options, and what is compared with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reparam_rewrite.cli import options
from reparam_rewrite.cli.exit import CHANGED, DONE, FAILED, refused
from reparam_rewrite.cli.screen import Screen
from reparam_rewrite.verifying import CHECKS, NEEDED

if TYPE_CHECKING:
    from pathlib import Path

    from reparam_rewrite.config.rules import Config
    from reparam_rewrite.rewriting import Rewrite
    from reparam_rewrite.source.document import Document

EPILOG = """\b
Examples:
  A generated file, or one that was written by hand:
    reparam-rewrite verify model.py model_reparam.py --args example.py:example_args
  What a config makes of the model now, in memory:
    reparam-rewrite verify model.py --config offsets.toml --args "(8, 6), {'y': None}"

\b
Exit status:
  0  equivalent
  1  not equivalent; the report says where
  2  it could not be checked
"""

SKIPPED = [check for check in CHECKS if check not in NEEDED]


class Request(options.Request):
    """What is asked for. Without `generated` it is what `config` makes of the model."""

    model: str = options.model(*options.MODELS)
    generated: str | None = options.argument(
        "[GENERATED]", required=False, shell_complete=options.files(*options.MODELS)
    )
    config: str | None = options.config()
    args_given: str | None = options.args()
    function: str | None = options.function()
    predict_args: str | None = options.option(
        metavar="WHAT",
        help="The arguments with which both models predict from one draw, written like --args. "
        "Without it they are those of --args with the rows of the data in another order and no "
        "observations.",
    )
    points: int = options.number(20, 1, "At how many points the models are compared.")
    seed: int = options.number(0, 0, "The seed of the points.")
    skip: tuple[str, ...] = options.option(
        metavar="CHECK",
        multiple=True,
        type=click.Choice(SKIPPED),
        help=f"Leave this check out; may be given several times. One of {', '.join(SKIPPED)}.",
    )
    form: str = options.form("Print the report as lines or as JSON.", "text", "json")
    quiet: bool = options.quiet("Print only what is different, and the verdict.")
    verbose: bool = options.verbose("Show the traceback of an error in the models' code.")


def has_all(folder: Path, config: Config) -> bool:
    """Does a folder have all the arrays that a config names?"""
    return all((folder / name).is_file() for name, _ in config.files)


@options.command("verify", Request, EPILOG, left="")
def command(request: Request, screen: Screen) -> int:
    """Check that GENERATED is the same model as MODEL, in other coordinates.

    Both are run, at random values of all latent sites and coefficients: log densities must differ
    by log|det| of the change of variables and by nothing else, and sites, observations, priors
    and gradients must be as they were. Without GENERATED, it is what --config makes of MODEL; with
    both, GENERATED must also be what the config asks for.
    """
    from pathlib import Path

    from reparam_rewrite.config.reading import config_at
    from reparam_rewrite.config.rules import VerifyRule
    from reparam_rewrite.running.environment import prepare
    from reparam_rewrite.source.files import read_bytes

    model, generated = request.model, request.generated
    if generated is None and request.config is None:
        hint = "name the generated file, or --config FILE to generate it in memory."
        refused(None, "there is nothing to compare the model with", hint)
    config = config_at(request.config) if request.config else None
    document, rewritten = models_of(request, config)
    if generated is not None:
        read_bytes(generated, "generated file")  # before anything slow
    prepare("verify")

    from reparam_rewrite.running.call import Entry
    from reparam_rewrite.verifying import Options, verify
    from reparam_rewrite.verifying.report import Subject, as_json, as_text

    rule = (config.verify if config else None) or VerifyRule()
    functions = [account.function for account in rewritten.accounts] if rewritten else []
    entry = Entry.of(document, request.function or rule.function, functions)

    def arguments_of(option: str | None, key: str | None) -> Any:
        """The arguments of an option, or those of the config, which are found from its folder."""
        return entry.arguments(option, None if key is None else (key, str(request.config)))

    given = arguments_of(request.args_given, rule.args)
    if not (request.function or rule.function):  # ``main``, which runs the model, isn't it
        entry = entry.taking(given, functions)
    plain, (args, kwargs) = entry.bound(given)
    predict_args = None
    if request.predict_args or rule.predict_args:
        new = arguments_of(request.predict_args, rule.predict_args)
        predict_args = entry.bound(new)[1]
    other: Any = None
    expected, path = None, f"<{model} with {request.config}>"
    if config is not None and rewritten is not None:
        # What it loads is beside the model, or the generated file, or where fit writes it.
        folders = [Path(one).parent for one in (model, generated, config.path) if one is not None]
        folder = next((one for one in folders if has_all(one, config)), None)
        other = entry.in_file(model, "generated model", given, rewritten.data, path, folder)
    if generated is not None:
        expected, path = other, generated
        other = entry.in_file(generated, "generated file", given)
    how = Options(
        points=request.points,
        seed=request.seed,
        skip=request.skip,
        expected=expected,
        predict_args=predict_args,
        other_offsets=of_expressions(config) if config else (),
        conditional=config.conditional if config else None,
    )
    report = verify(plain, other, args, kwargs, how)
    status = CHANGED if report.different else FAILED if report.unchecked else DONE
    subject = Subject(plain=model, generated=path, function=entry.name)
    if request.form == "json":
        screen.print(as_json(report, subject, status))
    else:
        screen.report(as_text(report, subject, request.quiet))
    return status


def models_of(request: Request, config: Config | None) -> tuple[Document, Rewrite | None]:
    """The model as it is written, and what the config makes of it in memory, if there is one.

    Raises `Refusal` if it can't be run, or is a generated one.
    """
    from reparam_rewrite.rewriting import already, rewrite_plain
    from reparam_rewrite.source.reading import read
    from reparam_rewrite.source.stamp import read_stamp

    if request.model == "-":
        hint = "save it as a file: verify runs it, with what it imports from beside it."
        refused(None, "verify takes no model on standard input", hint)
    document = read(request.model)
    if request.generated is not None and read_stamp(document.data) is not None:
        hint = f"swap the two: reparam-rewrite verify {request.generated} {request.model}"
        raise already(request.model, hint)
    if config is None:
        return document, None
    hint = "give the plain model first, and this one second."
    return document, rewrite_plain(document, config, hint=hint)


def of_expressions(settings: Config) -> list[str]:
    """The params whose names don't say what they multiply: the config gives an expression."""
    return [
        settings.settings(child, rule.parent).name.format(child=child, parent=rule.parent)
        for child, site in settings.sites.items()
        for rule in site.parents
        if rule.value is not None
    ]
