"""``bench(model, configs, args, kwargs)``: what configs are worth, and what else is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reparam_rewrite.api.calls import Model, call_of, is_shown, running, telling
from reparam_rewrite.api.made import Made
from reparam_rewrite.api.rewriting import AnyConfig, config_of

if TYPE_CHECKING:
    from reparam_rewrite.benchmarking.values import Results

__all__ = ["Benched", "bench"]

#: What is one config, and no sequence of them.
Single = (str, os.PathLike, Mapping, Made)


class Benched:
    """What `bench` measured. Its `str()` are the tables and sentences of the command line.

    `rows` has a dictionary for each way to sample the model, with figures by the names of the
    columns of ``--format csv``, and `advice` the sentences that say what to use. `data` is all of
    it, every run too, as ``--format json`` has it.
    """

    def __init__(self, results: Results) -> None:
        from reparam_rewrite.benchmarking.advice import advice
        from reparam_rewrite.benchmarking.tables import as_json

        self.advice = tuple(advice(results))
        self.data: dict[str, Any] = json.loads(as_json(results, self.advice))
        self.rows: list[dict[str, Any]] = self.data["rows"]
        self._results = results

    def page(self) -> str:
        """Give a page of HTML with the verdict, plots and tables."""
        from reparam_rewrite.benchmarking.report import page

        return page(self._results, list(self.advice))

    def __str__(self) -> str:
        from reparam_rewrite.benchmarking.tables import as_text

        return as_text(self._results) + "".join(f"\n{sentence}" for sentence in self.advice)

    __repr__ = __str__


def bench(
    model: Model,
    configs: AnyConfig | Made | Sequence[AnyConfig | Made] = (),
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    nuts: bool = True,
    svi: bool = False,
    fit: bool = False,
    rivals: bool = True,
    keys: int = 3,
    draws: int = 1000,
    warmup: int = 1000,
    chains: int = 2,
    steps: int = 10_000,
    limit: float = 600.0,
    kept: Path | None = None,
    function: str | None = None,
    progress: bool | None = None,
) -> Benched:
    """Measure what configs are worth to NUTS and SVI, as ``reparam-rewrite bench`` does.

    `model` is a function, imported or typed in a notebook, or the `Path` of a file, of which
    `function` names one if there are several; `args` and `kwargs` are those of one call of it.
    `configs` are one config or several: TOML text, paths, dictionaries, or what `fit` and `tune`
    found. They are compared with the model as written and, with `rivals`, with what else a person
    would try. `fit` adds each config as `fit` leaves it.

    `nuts` runs `chains` chains of `warmup` and `draws` steps for each of so many `keys`, and `svi`
    trains guides for `steps` steps. A run of one key stops after `limit` seconds. Runs that are
    done are kept in the file `kept`, from which another call goes on; without it they are not.
    `progress` shows what is being run; by default at a terminal and in notebooks.

    Raises `Refusal` for what can't be rewritten or run. A run that fails is a row that says so.

    >>> print(bench(model, tune(model, args), args, keys=1))
    """
    several: list[AnyConfig | Made]
    several = [configs] if isinstance(configs, Single) else [*configs]
    texts = [one.config if isinstance(one, Made) else one for one in several]
    settings = [config_of(text) for text in texts]
    with running("bench"):
        call, settings = call_of(model, settings, args, kwargs, function, "bench")
    from reparam_rewrite.benchmarking.running import Bench
    from reparam_rewrite.benchmarking.state import Kept
    from reparam_rewrite.benchmarking.values import Asked, Options

    options = Options(keys, draws, warmup, chains, steps, limit)
    asked = Asked(
        folder=str(Path.cwd()),
        model=call.document.path,
        configs=tuple(name_of(one, at) for at, one in enumerate(several)),
        args=None,
        function=function,
        options=options,
        pilot="auto" if fit else "",
        rivals=rivals,
    )
    named = dict(zip(asked.configs, settings, strict=True))
    with running("bench"), telling(is_shown(progress)) as said:
        held = {
            name: one.held()
            for name, one in zip(asked.configs, several, strict=True)
            if isinstance(one, Made) and one.arrays
        }
        folders = {name: one.folder for name, one in held.items()}
        run = Bench(asked, call, named, Kept(kept), said, folders=folders)
        return Benched(run.results("reparam_rewrite.bench(...)", nuts, svi))


def name_of(config: AnyConfig | Made, at: int) -> str:
    """What the row of a config is called."""
    number = f" {at + 1}" if at else ""
    if isinstance(config, Made):
        return f"{type(config).__name__.lower()}{number}"
    return str(config) if isinstance(config, Path) else f"config{number}"
