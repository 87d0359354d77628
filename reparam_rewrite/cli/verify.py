"""``reparam-rewrite verify``: its options, and what is compared with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reparam_rewrite.cli.completion import files
from reparam_rewrite.cli.main import (
    CONTEXT,
    Program,
    args_option,
    color_option,
    config_option,
    function_option,
    guarded,
)
from reparam_rewrite.cli.rewrite import CHANGED, DONE, FAILED
from reparam_rewrite.cli.screen import Screen
from reparam_rewrite.verify.checks import CHECKS, NEEDED

if TYPE_CHECKING:
    from types import ModuleType

    from reparam_rewrite.config.rules import Config
    from reparam_rewrite.rewriting import Rewrite

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


@click.command(
    cls=Program,
    name="verify",
    epilog=EPILOG,
    context_settings=CONTEXT,
)
@click.argument("model", metavar="MODEL", shell_complete=files(".py"))
@click.argument("generated", metavar="[GENERATED]", required=False, shell_complete=files(".py"))
@config_option
@args_option
@function_option
@click.option(
    "--predict-args",
    "predict_args",
    metavar="WHAT",
    help="The arguments with which both models predict from one draw, written like --args. "
    "Without it they are those of --args with the rows of the data in another order and no "
    "observations.",
)
@click.option(
    "--points",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="At how many points the models are compared.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The seed of the points."
)
@click.option(
    "--skip",
    metavar="CHECK",
    multiple=True,
    type=click.Choice(SKIPPED),
    help=f"Leave this check out; may be given several times. One of {', '.join(SKIPPED)}.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Print the report as lines or as JSON.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print only what is different, and the verdict.")
@click.option(
    "--verbose", "-v", is_flag=True, help="Show the traceback of an error in the models' code."
)
@color_option
def command(model: str, color: str, verbose: bool, **options: Any) -> int:
    """Check that GENERATED is the same model as MODEL, in other coordinates.

    Both are run, at random values of all latent sites and coefficients: log densities must differ
    by log|det| of the change of variables and by nothing else, and sites, observations, priors
    and gradients must be as they were. Without GENERATED, it is what --config makes of MODEL; with
    both, GENERATED must also be what the config asks for.
    """
    screen = Screen(color)
    hint = "Please report this; -v shows the traceback."
    return guarded(lambda: run(model, screen=screen, **options), model, verbose, screen, hint)


def run(
    model: str,
    generated: str | None,
    config: str | None,
    args_given: str | None,
    predict_args: str | None,
    function: str | None,
    points: int,
    seed: int,
    skip: tuple[str, ...],
    form: str,
    quiet: bool,
    screen: Screen,
) -> int:
    """Load, run and compare. Raises `Refusal` for what can't be checked."""
    from pathlib import Path

    from reparam_rewrite.config.reading import read_config
    from reparam_rewrite.messages import Diagnostic, Refusal
    from reparam_rewrite.source.files import read_bytes
    from reparam_rewrite.source.reading import read
    from reparam_rewrite.source.stamp import read_stamp

    if generated is None and config is None:
        hint = "name the generated file, or --config FILE to generate it in memory."
        raise Refusal(Diagnostic(None, "there is nothing to compare the model with", hint))
    settings = read_config(read_bytes(config, "config"), config) if config else None
    if model == "-":
        hint = "save it as a file: verify runs it, with what it imports from beside it."
        raise Refusal(Diagnostic(None, "verify takes no model on standard input", hint))
    document = read(model)
    if generated is not None and read_stamp(document.data) is not None:
        hint = f"swap the two: reparam-rewrite verify {generated} {model}"
        raise Refusal(Diagnostic(model, "the model is rewritten already", hint))
    rewritten = in_memory(document, settings) if settings else None
    if generated is not None:
        read_bytes(generated, "generated file")  # before anything slow
    prepare()

    from reparam_rewrite.running.arguments import arguments, bound
    from reparam_rewrite.running.entry import entry
    from reparam_rewrite.running.load import function_in, load
    from reparam_rewrite.verify import Options, verify
    from reparam_rewrite.verify.report import Subject, as_json, as_text

    plain = load(model, "model")
    asked = function or (settings.verify.function if settings else None)
    functions = [account.function for account in rewritten.accounts] if rewritten else []
    name = entry(document.data, model, asked, functions)
    plain_function = function_in(plain, name, model)

    def arguments_of(given: str | None, by_config: str | None) -> Any:
        folder = Path()
        if given is None and by_config is not None:
            given, folder = by_config, Path(str(config)).parent
        return arguments(given, folder, plain_function, plain, model, name)

    rule = settings.verify if settings else None
    found = arguments_of(args_given, rule.args if rule else None)
    new = rule.predict_args if rule else None
    other_data = arguments_of(predict_args, new) if predict_args or new else None

    def ready(module: ModuleType, path: str) -> tuple[Any, Any]:
        return bound(function_in(module, name, path), module, name, path, found)

    made, made_path = None, f"<{model} with {config}>"
    if rewritten is not None:
        made = load(model, "generated model", rewritten.data, made_path)
    if generated is not None:
        other, path = load(generated, "generated file"), generated
    else:
        assert made is not None
        other, path = made, made_path
    compared, given = ready(plain, model)
    expected = ready(made, made_path)[0] if made is not None and generated is not None else None
    options = Options(
        points=points,
        seed=seed,
        skip=skip,
        expected=expected,
        predict_args=bound(plain_function, plain, name, model, other_data)[1]
        if other_data
        else None,
        other_offsets=of_expressions(settings) if settings else (),
    )
    report = verify(compared, ready(other, path)[0], given[0], given[1], options)
    status = CHANGED if report.different else FAILED if report.unchecked else DONE
    subject = Subject(plain=model, generated=path, function=name)
    if form == "json":
        screen.print(as_json(report, subject, status))
    else:
        screen.report(as_text(report, subject, quiet))
    return status


def prepare(who: str = "verify") -> None:
    """Settings that jax reads when it is imported; a `Refusal` if it isn't there.

    Ctrl-C then ends the process at once.
    """
    import logging
    import os
    from importlib.util import find_spec

    from reparam_rewrite.interrupts import leave_at_once
    from reparam_rewrite.messages import Diagnostic, Refusal

    for package in ("jax", "numpyro"):
        if find_spec(package) is None:
            hint = 'install it with pip install "reparam-rewrite[models]".'
            message = f"{who} runs models, and {package} is not installed"
            raise Refusal(Diagnostic(None, message, hint))
    # The comparison is one of float64, and small: looking for a GPU takes longer than it does.
    os.environ["JAX_ENABLE_X64"] = "1"
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("jax").setLevel(logging.ERROR)
    leave_at_once()
    if os.environ["JAX_PLATFORMS"] not in ("", "cpu"):
        from reparam_rewrite.running.environment import refuse_missing_devices

        refuse_missing_devices(os.environ["JAX_PLATFORMS"])


def in_memory(document: Any, settings: Config) -> Rewrite:
    from pathlib import Path

    from reparam_rewrite.messages import Diagnostic, Refusal
    from reparam_rewrite.rewriting import rewrite
    from reparam_rewrite.source.line_length import line_length

    result = rewrite(document, settings, line_length(Path(document.path)))
    if result.already:
        hint = "give the plain model first, and this one second."
        raise Refusal(Diagnostic(document.path, "the model is rewritten already", hint))
    return result


def of_expressions(settings: Config) -> list[str]:
    """The params whose names don't say what they multiply: the config gives an expression."""
    return [
        settings.settings(child, rule.parent).name.format(child=child, parent=rule.parent)
        for child, site in settings.sites.items()
        for rule in site.parents
        if rule.value is not None
    ]
