"""Ctrl-C while jax is imported or compiles: the process ends at once, with the status of a Ctrl-C.

As a KeyboardInterrupt it would be raised in what jax's C++ code has called, which ends the process
with SIGABRT and a traceback. While files are written it is one, so that nothing is left half-done.
"""

from __future__ import annotations

import os
import signal
import threading

#: What shells report of a program that SIGINT ended.
INTERRUPTED = 130


def leave_at_once() -> None:
    """From here on Ctrl-C ends the process, unless somebody else listens to it."""
    here = threading.current_thread() is threading.main_thread()
    if here and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def raise_again() -> None:
    """From here on it is a KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(*_: object) -> None:
    try:
        os.write(2, b"\ninterrupted\n")
    finally:
        os._exit(INTERRUPTED)
