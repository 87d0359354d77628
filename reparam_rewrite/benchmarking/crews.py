"""Who makes the runs of a bench: processes of this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

from reparam_rewrite.benchmarking.values import Job
from reparam_rewrite.benchmarking.working import work
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.running.errors import first_line

Process = subprocess.Popen[bytes]

#: After how many seconds a cluster that says nothing isn't there.
PATIENCE = 10


class Processes:
    """As many processes as there are `slots`, each of which makes one run after another.

    A process that ends takes its run with it, and another one has its place. All end with the
    block that they are made for, or with this process.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.started: list[Process] = []
        self._threads = ThreadPoolExecutor(slots)  # each waits for a process
        self._idle: SimpleQueue[Process | None] = SimpleQueue()
        for _ in range(slots):
            self._idle.put(None)  # started when there is something to do

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self.started:
            process.kill()

    def submit(self, job: Job) -> Future[Any]:
        return self._threads.submit(self._made, job)

    def _made(self, job: Job) -> Any:
        process = self._idle.get() or self._another()
        assert process.stdin is not None and process.stdout is not None
        try:
            pickle.dump(job, process.stdin)
            process.stdin.flush()
            found = pickle.load(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            self._idle.put(None)
            raise RuntimeError("the process that made the run was ended") from None
        self._idle.put(process)
        if isinstance(found, Exception):
            raise found
        return found

    def _another(self) -> Process:
        """A new process, in a session of its own: Ctrl-C is for this one to hear."""
        process = subprocess.Popen(
            [sys.executable, "-m", "reparam_rewrite.benchmarking.working"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )
        self.started.append(process)
        return process


class Cluster:
    """The workers of a Dask cluster, each of which makes one run at a time.

    The run of a worker that ends is made by another one. Raises `Refusal` for an address where no
    scheduler with workers is.
    """

    def __init__(self, address: str) -> None:
        import distributed

        client: Any = distributed.Client
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        hint = "start one with `dask scheduler`, or use processes of this machine: --jobs 4."
        try:
            self._client = client(address, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            message = f"there is no Dask scheduler at '{address}': {first_line(error)}"
            raise Refusal(Diagnostic(None, message, hint)) from None
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            message = f"the Dask scheduler at '{address}' has no workers"
            hint = f"start some: dask worker {address} --nthreads 1"
            raise Refusal(Diagnostic(None, message, hint)) from None
        self._executor = self._client.get_executor(pure=False)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def slots(self) -> int:
        return max(1, len(self._client.nthreads()))

    def submit(self, job: Job) -> Future[Any]:
        found: Future[Any] = self._executor.submit(work, job)
        return found
