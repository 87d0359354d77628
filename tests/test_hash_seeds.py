"""What is written is the same in every process: nothing is in the order of a set of strings."""

from __future__ import annotations

import subprocess
import sys

from tests.support.cli import ROOT, environment

#: All outcomes of the cases and all proposals by the sources alone, as one digest of each.
OUTCOMES = """
from hashlib import sha256

from reparam_rewrite.source.reading import read
from reparam_rewrite.suggesting import to_text
from reparam_rewrite.suggesting.finding import suggest
from tests.support.cases import FIXTURES
from tests.support.shapes import names, outcome_of, read_case

told = {name: outcome_of(read_case(name).shape)[0] for name in names()}
for path in sorted(FIXTURES.glob("**/model.py")):
    for offsets in (False, True):
        told[f"{path} {offsets}"] = to_text(suggest(read(str(path)), offsets=offsets), "suggest")
for name, text in told.items():
    print(name, sha256(text.encode()).hexdigest())
"""


def test_outcomes_with_three_hash_seeds() -> None:
    command = [sys.executable, "-c", OUTCOMES]
    running = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment(PYTHONHASHSEED=seed), stdout=subprocess.PIPE
        )
        for seed in ("1", "2", "3")
    ]
    first, second, third = [process.communicate()[0].splitlines() for process in running]
    assert len(first) > 2000
    assert first == second == third
