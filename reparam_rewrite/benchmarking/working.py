"""A run in another process, which makes the same bench as the one that asks for it.

``python -m reparam_rewrite.benchmarking.working`` reads pickled jobs from its standard input, and
writes what comes of each, or an exception, to its standard output. No jax is imported before it is
set up.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import sys
import threading
from queue import SimpleQueue
from typing import Any

from reparam_rewrite.benchmarking.values import Job

#: The bench of this process, and what it is made of.
_made: tuple[Any, Any] = None, None

#: A process makes one run at a time, whatever its threads.
_one_at_a_time = threading.Lock()


def work(job: Job) -> Any:
    """What comes of a job, as `Bench.measured` gives it."""
    from reparam_rewrite.running.environment import prepare

    global _made
    with _one_at_a_time, contextlib.redirect_stdout(sys.stderr):
        if _made[0] is None:
            prepare("bench")
        from reparam_rewrite.benchmarking.asking import bench_of
        from reparam_rewrite.benchmarking.state import Remembered
        from reparam_rewrite.running.trace import double_precision

        with double_precision():
            of = job.asked, job.method, set(job.prepared)
            if _made[0] != of:
                os.chdir(job.asked.folder)
                _made = of, bench_of(job.asked, Remembered(job.prepared))
            if job.row not in _made[1].plans(job.method):
                raise RuntimeError("the process has other files or versions of packages")
            return _made[1].measured(job)


def main() -> None:
    """Work as long as there is somebody who asks; a run that nobody waits for ends at once."""
    asking, telling = sys.stdin.buffer, io.BufferedWriter(io.FileIO(os.dup(1), "w"))
    os.dup2(2, 1)  # what models print
    jobs: SimpleQueue[Job] = SimpleQueue()

    def listen() -> None:
        try:
            while True:
                jobs.put(pickle.load(asking))
        finally:
            os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        try:
            found = work(jobs.get())
        except Exception as error:
            found = RuntimeError(str(error))
        pickle.dump(found, telling)
        telling.flush()


if __name__ == "__main__":
    main()
