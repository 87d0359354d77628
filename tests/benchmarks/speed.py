"""What a run costs: CPU time of whole processes, side by side, as tables in Markdown.

    python -m tests.benchmarks.speed [EXAMPLES] [--rounds 15]

The floor imports click, msgspec, tomllib and libcst, parses the file and turns it back into bytes:
the least that a program of these can do. EXAMPLES is a folder of models, NumPyro's own say, which
are all rewritten in one process. What isn't installed is left out, and said to be.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks.measuring import Command, Times, measured
from tests.benchmarks.models import STEP, everyday, long

PYTHON = sys.executable
OURS = (PYTHON, "-m", "reparam_rewrite")
FLOOR = (
    "import click, msgspec, tomllib, libcst, sys; "
    "libcst.parse_module(open(sys.argv[1],'rb').read()).bytes"
)
CODEMOD = "convert_format_to_fstring.ConvertFormatStringCommand"

#: Lines of the models that grow, and in how many rounds they are rewritten.
LENGTHS = {200: 15, 2_000: 7, 20_000: 3}
#: How many of the configured sites are in one function.
SHAPES = {"5 sites a function": 5, "one function": max(LENGTHS)}
START = "start"


class Models:
    """The models as files, each with its config."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, name: str, source: str, config: str) -> tuple[str, str]:
        model, table = self._folder / f"{name}.py", self._folder / f"{name}.toml"
        model.write_text(source)
        table.write_text(config)
        return str(model), str(table)


def one_model(models: Models, folder: Path, rounds: int) -> dict[str, Command]:
    """Everything that is done to the everyday model."""
    source, config = everyday()
    model, table = models.add("everyday", source, config)
    output = str(folder / "output.py")
    ours = [*OURS, model, "--config", table]
    subprocess.run([*ours, "-o", output], check=True, capture_output=True)
    commands = {
        "Python alone": [PYTHON, "-c", "pass"],
        "`import click`": [PYTHON, "-c", "import click"],
        "the floor": [PYTHON, "-c", FLOOR, model],
        "`reparam-rewrite --help`": [*OURS, "--help"],
        "`reparam-rewrite MODEL --config C`": ours,
        CHECK: [*ours, "-o", output, "--check"],
        "`python -m libcst.tool codemod`": [
            *(PYTHON, "-m", "libcst.tool", "codemod", CODEMOD, model, "--jobs", "1"),
        ],
    }
    if find_spec("black"):
        commands["`black --check`"] = [PYTHON, "-m", "black", "--check", "--quiet", model]
    if find_spec("django_upgrade"):
        commands["`django-upgrade`"] = [PYTHON, "-m", "django_upgrade", model]
    return {name: Command(words, rounds, (0, 1)) for name, words in commands.items()}


CHECK = "`reparam-rewrite MODEL --config C -o OUT --check`, up to date"


def growing(models: Models) -> dict[str, Command]:
    """The models that grow, and the floor of each."""
    start = models.add(START, *long(STEP, 1))
    commands = {START: Command([*OURS, start[0], "--config", start[1]])}
    for shape, sites in SHAPES.items():
        for lines, rounds in LENGTHS.items():
            model, table = models.add(f"long_{sites}_{lines}", *long(lines, sites))
            commands[f"{shape} {lines}"] = Command([*OURS, model, "--config", table], rounds)
            commands[f"{shape} {lines} floor"] = Command([PYTHON, "-c", FLOOR, model], rounds)
    return commands


def of_others(folder: Path, target: Path) -> tuple[dict[str, Command], str]:
    """The loop over a folder of examples, black on the same files, and what they are."""
    from tests.benchmarks.examples import LOOP, prepared

    target.mkdir()
    files = prepared(folder, target)
    paths = [str(path) for path in files]
    lines = sum(path.read_text().count("\n") for path in files)
    sites = sum(files.values())
    said = f"{len(files)} files, {lines} lines; {sites} sites of {sum(map(bool, files.values()))}"
    commands = {EXAMPLES: Command([PYTHON, "-c", LOOP, *paths], 7)}
    if find_spec("black"):
        words = [PYTHON, "-m", "black", "--check", "--quiet", *paths]
        commands[EXAMPLES_BLACK] = Command(words, 7, (0, 1))
    return commands, f"{said} of them rewritten"


EXAMPLES, EXAMPLES_BLACK = "rewritten in one process", "`black --check`, in one process"


def parses(command: Command) -> bool:
    """Does it import the parser?"""
    first, *rest = command.words
    run = subprocess.run([first, "-X", "importtime", *rest], capture_output=True, text=True)
    return "| libcst" in run.stderr.replace("|   ", "| ").replace("  ", "")


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.0f} ms"


def report_one(times: Times, commands: dict[str, Command]) -> None:
    lines = everyday()[0].count("\n")
    floor = "the floor"
    rows = [
        [name, milliseconds(times.seconds(name)), f"{times.ratio(name, floor):.2f}"]
        for name in commands
    ]
    print(table([f"a model of {lines} lines", "CPU time", "of the floor"], rows))
    for name, module in (("black", "black"), ("django-upgrade", "django_upgrade")):
        if not find_spec(module):
            print(f"{name} isn't installed.\n")
    if parses(commands[CHECK]):
        print("`--check` imports the parser, although nothing has changed.\n")


def report_growing(times: Times) -> None:
    rows = []
    start = times.seconds(START)
    for shape in SHAPES:
        before = None
        for lines in LENGTHS:
            name = f"{shape} {lines}"
            beyond = times.seconds(name) - start
            over = times.seconds(name) - times.seconds(f"{name} floor")
            grown = "" if before is None else f"{beyond / before:.1f}"
            cells = map(milliseconds, (times.seconds(name), beyond, over))
            rows.append([f"{shape}, {lines:,} lines, {lines // STEP:,} sites", *cells, grown])
            before = beyond
    head = ["models that grow", "CPU time", "beyond start-up", "beyond the floor"]
    print(table([*head, "of a tenth"], rows))


def report_others(times: Times, commands: dict[str, Command], said: str) -> None:
    rows = [[name, milliseconds(times.seconds(name))] for name in commands]
    if EXAMPLES_BLACK in commands:
        for row, name in zip(rows, commands, strict=True):
            row.append(f"{times.ratio(name, EXAMPLES_BLACK):.2f}")
        print(table([said, "CPU time", "of black's"], rows))
    else:
        print(table([said, "CPU time"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.speed", description=__doc__)
    parser.add_argument("examples", nargs="?", type=Path, help="a folder of models")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        models = Models(folder)
        one, long_ones = one_model(models, folder, options.rounds), growing(models)
        others, said = dict[str, Command](), ""
        if options.examples:
            others, said = of_others(options.examples.resolve(), folder / "examples")
        times = measured({**one, **long_ones, **others}, folder)
        version = platform.python_version()
        print(f"{datetime.date.today()}, Python {version}, medians of whole processes\n")
        report_one(times, one)
        report_growing(times)
        if others:
            report_others(times, others, said)


if __name__ == "__main__":
    main()
