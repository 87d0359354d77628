"""What makes a bench of what is asked for, in each process that makes runs of it."""

from __future__ import annotations

from collections.abc import Callable

from reparam_rewrite.benchmarking.running import Bench, Crew, named
from reparam_rewrite.benchmarking.state import Kept
from reparam_rewrite.benchmarking.values import Asked
from reparam_rewrite.config.reading import config_at
from reparam_rewrite.fitting.coordinates import as_if_frozen
from reparam_rewrite.running.call import called


def bench_of(
    asked: Asked,
    kept: Kept,
    said: Callable[[str], None] = lambda text: None,
    crew: Crew | None = None,
) -> Bench:
    """Read the files and run the model once. Raises `Refusal`."""
    settings = [config_at(path) for path in asked.configs]
    frozen = [as_if_frozen(one) for one in settings]
    call = called(asked.model, frozen, asked.args, asked.function, "bench")
    configs = dict(zip(named(asked.configs), settings, strict=True))
    return Bench(asked, call, configs, kept, said, crew)
