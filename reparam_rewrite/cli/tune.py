"""``reparam-rewrite tune``: its options, and the files that it writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reparam_rewrite.cli import options
from reparam_rewrite.cli.exit import DONE, refused
from reparam_rewrite.cli.fit import PILOTS
from reparam_rewrite.cli.screen import Screen

if TYPE_CHECKING:
    from reparam_rewrite.config.rules import Config
    from reparam_rewrite.generation import Outcome
    from reparam_rewrite.running.call import Call
    from reparam_rewrite.tuning.values import Candidate

EPILOG = """\b
Examples:
  Write offsets.toml, its arrays and the model that samples best:
    reparam-rewrite tune model.py --args example.py:example_args -o model_reparam.py
  The same, and measure it beside the model as written and what else one would try:
    reparam-rewrite tune model.py --args example.py:example_args -o model_reparam.py --prove

\b
Exit status:
  0  done, or the model is better left as written, which is said
  2  an error; nothing was written
"""


class Request(options.Request):
    """What is asked for."""

    model: str = options.model(".py")
    args_given: str | None = options.args()
    function: str | None = options.function()
    config: str | None = options.file_once(
        "The config to write; what is in it already is kept. Without it, offsets.toml beside the "
        "output.",
        *("--config", "-c"),
        endings=[".toml"],
    )
    output: str | None = options.file_once(
        "Write the generated model to this file instead of to MODEL_reparam.py.",
        *("--output", "-o"),
        endings=[".py"],
    )
    pilot: str = options.choice(
        "Where draws are from: a nested Laplace approximation, or a run; auto makes a run where "
        "the first can't be had.",
        of=PILOTS,
    )
    seed: int = options.number(0, 0, "The seed of the draws.")
    prove: bool = options.flag("Measure what was written with `bench`.")
    diff: bool = options.flag("Show what would be written as a diff, and write nothing.")
    force: bool = options.flag("Overwrite the output even if it was not generated.")
    form: str = options.form("Say what was done in a table or as JSON.", "text", "json")
    quiet: bool = options.quiet("Say nothing but errors.")

    @property
    def target(self) -> str:
        return self.output or str(Path(self.model).with_suffix("")) + "_reparam.py"

    @property
    def written_config(self) -> str:
        return self.config or str(Path(self.target).with_name("offsets.toml"))


@options.command("tune", Request, EPILOG)
def command(request: Request, screen: Screen) -> int:
    """Find how MODEL samples best, given its data, and write that.

    What can be is sampled as what is standard normal given the data; of other sites that make up
    for each other each is sampled around those before. Nothing is written that a pilot says to gain
    nothing, nor what isn't the same model. A config that is there already is kept, and only what
    data decide is found anew.
    """
    if request.model == "-":
        hint = "save it as a file: tune runs it, with what it imports from beside it."
        refused(None, "tune takes no model on standard input", hint)
    import os

    from reparam_rewrite.running.environment import prepare
    from reparam_rewrite.source.files import refuse_same_file, write_outputs

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for path in (request.target, request.written_config):
        refuse_same_file(request.model, path)
    before = config_before(request.written_config, request.force)
    prepare("tune")

    from reparam_rewrite.fitting.coordinates import as_if_frozen
    from reparam_rewrite.fitting.pilots import Options
    from reparam_rewrite.fitting.writing import npz_bytes
    from reparam_rewrite.running.call import called
    from reparam_rewrite.tuning.checking import check
    from reparam_rewrite.tuning.finding import Tuning
    from reparam_rewrite.tuning.reporting import as_json, as_text

    asked = [as_if_frozen(before)] if before is not None else []
    call = called(request.model, asked, request.args_given, request.function, "tune")
    if not call.is_observed:
        hint = "give --args with the data: what is best depends on them."
        refused(request.model, f"'{call.name}' observes nothing when it is called so", hint)
    arrays_path = Path(request.target).with_name(f"{Path(request.written_config).stem}.npz")

    shown = screen.on_terminal and not request.quiet

    def tell(text: str) -> None:
        if shown:
            screen.account([f"{text} ..."])

    options = Options(seed=request.seed, bar=shown)
    tuning = Tuning(call, arrays_path, request.pilot, options, tell)
    if before is not None:
        tuning.refuse_arrays_of_another(request.written_config, arrays_path)
    tuned = tuning.tuned(before, request.written_config)
    written: list[str] = []
    candidate = tuned.candidate
    if candidate is not None:
        outcome = generated(request, candidate)
        arrays = npz_bytes(candidate.arrays)
        tell("checking that it is the same model")
        assert outcome.rewrite is not None
        check(call, outcome.rewrite, candidate, f"<{request.target}>", arrays_path.name)
        outputs = [(request.written_config, candidate.text.encode())]
        outputs += [(str(arrays_path), arrays)] if candidate.arrays else []
        outputs += [(request.target, outcome.new)]
        if request.diff:
            show_diff(screen, request, call, candidate, outcome)
        else:
            written = write_outputs(outputs)
    if request.form == "json":
        screen.print(as_json(tuned, written))
    elif not request.quiet:
        screen.account(as_text(tuned))
        screen.account(f"wrote {path}" for path in written)
        if candidate is not None and not request.diff:
            same = [path for path, _ in outputs if path not in written]
            screen.account(f"{path} is up to date" for path in same)
    if request.prove and candidate is not None and not request.diff:
        return prove(request)
    return DONE


def config_before(path: str, force: bool) -> Config | None:
    """The config that is there already, if there is one.

    Raises `Refusal` for one that can't be read, and for one that asks for nothing, unless it is to
    be overwritten by `force`.
    """
    import os

    from reparam_rewrite.config.reading import config_at

    if not os.path.lexists(path):
        return None
    config = config_at(path)
    if config.is_empty and not force:
        hint = "delete it, or --force overwrites it, and tune writes what it finds."
        refused(path, "the config that is there asks for nothing", hint)
    return None if config.is_empty else config


def generated(request: Request, candidate: Candidate) -> Outcome:
    """What the output is to be. Raises `Refusal`, also for one that wasn't generated."""
    from reparam_rewrite.generation import of_config
    from reparam_rewrite.messages import Refusal
    from reparam_rewrite.source.targets import Target

    target = Target(request.model, request.written_config, request.target)
    outcome = of_config(target, candidate.text.encode(), lambda config: None)
    if outcome.obstacle is not None and not request.force:
        raise Refusal(outcome.obstacle)
    return outcome


def show_diff(
    screen: Screen, request: Request, call: Call, candidate: Candidate, outcome: Outcome
) -> None:
    """What would change in the config, and what of the model."""
    import os

    from reparam_rewrite.source.diff import unified_diff
    from reparam_rewrite.source.files import read_bytes

    assert outcome.rewrite is not None
    path = request.written_config
    old = read_bytes(path, "config") if os.path.lexists(path) else b""
    screen.diff(unified_diff(old, candidate.text.encode(), Path(path)))
    screen.diff(unified_diff(call.document.data, outcome.rewrite.data, Path(request.model)))


def prove(request: Request) -> int:
    """Run `bench` on what was written."""
    from reparam_rewrite.cli import bench

    words = [request.model, "--config", request.written_config]
    for name, value in (("--args", request.args_given), ("--function", request.function)):
        words += [name, value] if value is not None else []
    status: int = bench.command.main(
        words, prog_name="reparam-rewrite bench", standalone_mode=False
    )
    return status
