"""Runs of the program that are killed, each in a process forked from one that has it all imported.

::

    python -m tests.support.kills KIND COUNT ARGUMENT...

runs ``reparam-rewrite ARGUMENT...`` COUNT times in the current folder. KIND `moment`: the process
is killed at a moment that chance finds in its run. KIND `event`: it kills itself when it asks the
system for something, run by run one event later, and COUNT is the most. KIND `pair`: two of them
run at once, and none is killed. After every run all files are put back as they were.

On standard output comes a line of JSON for each run: the status, negative for a signal, and by
their path the files that aren't what they were, as hexadecimal digits.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def forked(work: Callable[[], None]) -> int:
    process = os.fork()
    if process:
        return process
    status = 70
    try:
        work()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        os._exit(status)


def ended(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def quiet(arguments: Sequence[str]) -> Callable[[], None]:
    """The program, without what it says."""

    def work() -> None:
        from reparam_rewrite.cli.main import main

        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        main(list(arguments))

    return work


def suicidal(work: Callable[[], None], number: int) -> Callable[[], None]:
    """`work` that is killed when it asks the system for something, after `number` such events."""

    def run() -> None:
        left = number
        here = os.getpid()

        def count(event: str, _: object) -> None:
            nonlocal left
            if os.getpid() == here and event.partition(".")[0] in ("open", "os", "shutil"):
                left -= 1
                if left == -1:  # the kill is an event itself
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        work()

    return run


def content() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def put_back(files: dict[str, bytes]) -> dict[str, str | None]:
    """Undo what a run did; what it left."""
    found = content()
    other = {path: data.hex() for path, data in found.items() if files.get(path) != data}
    gone = dict.fromkeys(files.keys() - found.keys())
    for path in found.keys() - files.keys():
        Path(path).unlink()
    for path in other.keys() & files.keys() | gone.keys():
        Path(path).write_bytes(files[path])
    return {**other, **gone}


def run_all(kind: str, count: int, arguments: Sequence[str]) -> None:
    files = content()
    work = quiet(arguments)

    def report(status: int) -> None:
        print(json.dumps([status, put_back(files)]), flush=True)

    ended(forked(work))  # what the system keeps of the files is kept now
    put_back(files)
    start = time.perf_counter()
    ended(forked(work))
    duration = time.perf_counter() - start
    put_back(files)
    rng = random.Random(0)
    for number in range(count):
        if kind == "event":
            status = ended(forked(suicidal(work, number)))
            report(status)
            if status >= 0:
                return
        elif kind == "pair":
            pair = [forked(work), forked(work)]
            report(max(map(ended, pair)))
        else:
            process = forked(work)
            time.sleep(rng.uniform(0, 1.1 * duration))
            os.kill(process, signal.SIGKILL)
            report(ended(process))


def rewrite_once() -> None:
    """Let all runs take what is generated from here: how it is written is what they are about."""
    from reparam_rewrite import generation, rewriting
    from reparam_rewrite.source.targets import Target

    original: Callable[..., Any] = rewriting.rewrite
    known: dict[Any, Any] = {}

    def remembered(document: Any, config: Any, width: int) -> Any:
        key = document.data, config.text, width
        if key not in known:
            known[key] = original(document, config, width)
        return known[key]

    rewriting.rewrite = remembered
    for model in Path().glob("*/model.py"):
        files = (model, model.with_name("offsets.toml"), model.with_name("model_reparam.py"))
        generation.attempt(Target(*map(str, files)))


if __name__ == "__main__":
    import reparam_rewrite.cli.report
    import reparam_rewrite.generation
    import reparam_rewrite.rewriting  # noqa: F401

    rewrite_once()
    run_all(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
