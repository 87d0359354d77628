"""What a run costs beside the least that it could: CPU time of whole processes, side by side.

    python -m tests.benchmarks.startup [--runs 15]

The floor imports click, msgspec, tomllib and libcst, parses the file and turns it back into bytes.
Every round runs the floor and each command once, in turn, so that a machine that slows down slows
all of them; medians and ratios within a round are what to quote.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures"
LINES = 234

FLOOR = (
    "import click, msgspec, tomllib, libcst, sys; "
    "libcst.parse_module(open(sys.argv[1],'rb').read()).bytes"
)


def model_of(lines: int) -> str:
    """The tensor fixture's model, followed by other functions until the file is long enough."""
    text = (FIXTURES / "tensor" / "model.py").read_text()
    other = (FIXTURES / "grand_mean" / "model.py").read_text()
    body = other[other.index("def model(") :].replace("def model(", "def other_{}(")
    count = 0
    while text.count("\n") < lines:
        text += "\n\n" + body.replace("{}", str(count))
        count += 1
    kept = text.splitlines()[:lines]
    while kept[-1].startswith(" ") and kept[-1].rstrip().endswith((":", ",", "(")):
        kept[-1] = "    pass"
    return "\n".join(kept) + "\n"


def cpu_seconds(command: list[str], environment: dict[str, str]) -> float:
    """User and system time of one process and its children."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{command} failed")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        model, config = Path(folder, "model.py"), Path(folder, "offsets.toml")
        model.write_text(model_of(LINES))
        config.write_bytes((FIXTURES / "tensor" / "offsets.toml").read_bytes())
        # Compiled modules are read from a cache, as in any installed program.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = str(Path(folder, "cache"))
        ours = [sys.executable, "-m", "reparam_rewrite"]
        commands = {
            "floor": [sys.executable, "-c", FLOOR, str(model)],
            "rewrite": [*ours, str(model), "--config", str(config)],
            "--help": [*ours, "--help"],
        }
        for command in commands.values():
            cpu_seconds(command, environment)
        rounds = [
            {name: cpu_seconds(command, environment) for name, command in commands.items()}
            for _ in range(runs)
        ]
    print(f"CPU time of a whole process on {LINES} lines, median of {runs} rounds")
    for name in commands:
        seconds = statistics.median(times[name] for times in rounds)
        ratio = statistics.median(times[name] / times["floor"] for times in rounds)
        print(f"{name:8} {1000 * seconds:6.0f} ms   {ratio:.2f} of the floor")


if __name__ == "__main__":
    main()
