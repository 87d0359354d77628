"""``reparam-rewrite fit``: its options, and where the coefficients go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reparam_rewrite.cli import options
from reparam_rewrite.cli.exit import DONE, refused
from reparam_rewrite.cli.screen import Screen

if TYPE_CHECKING:
    from reparam_rewrite.config.rules import Config

EPILOG = """\b
Examples:
  From a short run of NUTS, which is shown; the config then has the coefficients:
    reparam-rewrite fit model.py --config offsets.toml --args example.py:example_args
  From draws that are there, numpy.savez("draws.npz", **mcmc.get_samples()):
    reparam-rewrite fit model.py -c offsets.toml --args example.py:example_args --pilot draws.npz

\b
Exit status:
  0  done, or the model is better left as written, which is said
  2  an error; nothing was written
"""

PILOTS = ("auto", "nested", "nuts", "laplace", "fullrank")


class Request(options.Request):
    """What is asked for. `pilot` is a kind of run or a file of draws."""

    model: str = options.model(*options.MODELS)
    config: str | None = options.config()
    args_given: str | None = options.args()
    function: str | None = options.function()
    pilot: str = options.option(
        metavar="PILOT",
        default="auto",
        show_default=True,
        help="Where the draws are from: nested, an approximation that needs no run, a run of nuts, "
        "laplace or fullrank, or a file, .npz or .nc; auto runs nuts where nested can't be had.",
        shell_complete=options.files(".npz", ".nc"),
    )
    draws: int = options.number(1000, 20, "How many draws to make, of all chains together.")
    warmup: int = options.number(
        500, 1, "How many draws each chain of NUTS is warmed up with, before those."
    )
    chains: int = options.number(2, 1, "How many chains of NUTS to run.")
    seed: int = options.number(0, 0, "The seed of the draws.")
    learn: bool = options.flag(
        "Keep the coefficients as params, which SVI goes on to learn from where fit leaves them."
    )
    output: str | None = options.file(
        "Write the fitted config to this file instead of into the config itself.",
        *("-o", "--output"),
        endings=[".toml"],
    )
    bases: bool = options.flag("Also write the bases that make a site narrower into the config.")
    diff: bool = options.flag("Show what would change in the config, and write nothing.")
    form: str = options.form("Say what was found in lines or as JSON.", "text", "json")
    quiet: bool = options.quiet("Say nothing but errors and warnings.")


@options.command("fit", Request, EPILOG)
def command(request: Request, screen: Screen) -> int:
    """Fit the coefficients of a config to draws from MODEL's posterior.

    Each child is regressed on its parents, in unconstrained space. The coefficients are written
    into the config, as literals: `init` with `learn = false`, and `center` for parents far from 0.
    All else in it stays as it is. Coefficients that gain nothing on draws that were held out are
    not written; if none gains anything, the model is better left as it is.

    What the data say of the sites of `conditional` is computed, without draws, and written into an
    .npz that the generated model reads.
    """
    from pathlib import Path

    from reparam_rewrite.running.environment import prepare
    from reparam_rewrite.source.diff import unified_diff
    from reparam_rewrite.source.files import read_bytes, refuse_same_file, write_outputs

    config, settings = config_of(request)
    written_to = request.output or config
    refuse_same_file(request.model, written_to)
    prepare("fit")

    from reparam_rewrite.fitting.both import fit_to
    from reparam_rewrite.fitting.coordinates import as_if_frozen
    from reparam_rewrite.fitting.pilots import Options
    from reparam_rewrite.fitting.reporting import as_json, as_text
    from reparam_rewrite.fitting.starting import has_start
    from reparam_rewrite.fitting.writing import npz_bytes
    from reparam_rewrite.running.call import called

    before = read_bytes(config, "config")
    arrays_path = Path(written_to).with_suffix(".npz")
    call = called(request.model, [as_if_frozen(settings)], request.args_given, request.function)
    bar = screen.on_terminal and not request.quiet
    length = Options(request.draws, request.warmup, request.chains, request.seed, bar)
    text, arrays, found, frozen = fit_to(
        call, settings, arrays_path, request.pilot, length, request.learn, request.bases
    )
    outputs: list[tuple[str, bytes]] = []
    if text != config_text(before) or arrays:
        outputs = [(str(arrays_path), npz_bytes(arrays))] if arrays else []
        outputs += [(written_to, text.encode())]
    started = has_start(arrays_path) and not request.diff
    written = [] if request.diff else write_outputs(outputs)
    if request.diff and outputs:
        screen.diff(unified_diff(before, text.encode(), Path(config)))
    if request.form == "json":
        screen.print(as_json(found, frozen, written_to if written else None))
    elif not request.quiet:
        screen.account(as_text(found, frozen))
        screen.account(f"wrote {path}" for path in written)
        if started and not has_start(arrays_path):
            screen.account(
                [f"{arrays_path} no longer tells where NUTS is to start: tune does that"]
            )
        if not request.diff:
            same = [path for path, _ in outputs if path not in written]
            screen.account(f"{path} is up to date" for path in same)
    elif found is not None:
        screen.account(f"warning: {warning}" for warning in found.warnings)
    return DONE


def config_text(data: bytes) -> str:
    return data.decode("utf-8-sig")


def config_of(request: Request) -> tuple[str, Config]:
    """The path of the config that is to be fitted, and the config. Raises `Refusal`."""
    from reparam_rewrite.config.reading import config_at

    if request.config is None or request.config == "-":
        hint = "name the TOML file with the offsets: --config FILE."
        refused(None, "there is no config to fit the coefficients of", hint)
    if request.model == "-":
        hint = "save it as a file: fit runs it, with what it imports from beside it."
        refused(None, "fit takes no model on standard input", hint)
    if request.pilot not in PILOTS and not request.pilot.endswith((".npz", ".nc")):
        hint = f"name one of {', '.join(PILOTS)}, or a file that ends in .npz or .nc."
        refused(None, f"there is no pilot '{request.pilot}'", hint)
    config = config_at(request.config)
    if config.is_empty:
        refused(request.config, "the config asks for no offset, so there is nothing to fit")
    return request.config, config
