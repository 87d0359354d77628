"""All runs of a bench, one after the other; what is done is kept, what fails fails alone."""

from __future__ import annotations

import datetime
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np

from reparam_rewrite import __version__
from reparam_rewrite.bench.measuring import Sampler, Samples, Trainer, exact, long_run
from reparam_rewrite.bench.rivals import LARGEST_DENSE, RIVALS, has_nutpie, with_nutpie
from reparam_rewrite.bench.state import Kept, Progress, digest, digest_of_call, write_arrays
from reparam_rewrite.bench.values import (
    FREE,
    Chains,
    Cost,
    Guided,
    Options,
    Prepared,
    Reference,
    Results,
    Row,
    Trained,
    Variant,
)
from reparam_rewrite.bench.with_nutpie import Nutpie
from reparam_rewrite.config.reading import read_config
from reparam_rewrite.config.rules import Config
from reparam_rewrite.fit import pilots
from reparam_rewrite.fit.coordinates import asks_for_more, frozen_data, without_coordinates
from reparam_rewrite.fit.reporting import is_worth_it
from reparam_rewrite.fit.running import Fitting
from reparam_rewrite.fit.writing import npz_bytes, with_fits
from reparam_rewrite.messages import Refusal
from reparam_rewrite.ordering import ordered
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.running.call import WIDTH, Call
from reparam_rewrite.running.errors import first_line
from reparam_rewrite.running.trace import double_precision
from reparam_rewrite.source.diff import unified_diff
from reparam_rewrite.source.document import Document

PACKAGES = ("numpyro", "jax")

#: What makes runs of NUTS, by the `sampler` of a variant.
SAMPLERS: dict[str, Callable[[Variant, Options], Samples]] = {"numpyro": Sampler, "nutpie": Nutpie}

T = TypeVar("T")


@dataclass
class Bench:
    """A call and the configs to compare, by the names of their rows.

    pilot: of `fit`, "" for configs as they are only. rivals: compare with them too. said: hears
    what is going on.
    """

    call: Call
    configs: dict[str, Config]
    options: Options
    kept: Kept
    pilot: str = ""
    rivals: bool = True
    said: Callable[[str], None] = lambda text: None

    def __post_init__(self) -> None:
        call = self.call
        self.progress = Progress(self.said)
        self.folder = TemporaryDirectory()  # of what generated models load
        self.dims = pilots.dims_of(call.trace)
        self.notes: list[str] = []
        self.versions = {package: version(package) for package in PACKAGES}
        # What makes a run another one: the call, the file, and what runs it.
        said = call.document.data.decode("utf-8", "replace")
        identity = [digest_of_call(call.args, call.kwargs), said, call.name]
        self.plain = Variant(call, digest([*identity, list(self.versions.values())]))

    def results(self, command: str, nuts: bool, svi: bool) -> Results:
        """Run everything that isn't kept. Raises `Refusal` only for a config that can't be used."""
        tried = [partial(one, self.plain, self.dims) for one in RIVALS if self.rivals]
        rivals = [one for one in map(self._attempted, tried) if one is not None]

        def compared(candidates: Sequence[Variant]) -> list[Variant]:
            """All rows; how many runs that will be is told. Rivals that fail don't come."""
            rows = [row for one in candidates for row in (one, *self._by_nutpie(one))] + rivals
            once = svi + (len(self.configs) if self.pilot else 0)
            once += sum(nuts and one.trained is not None for one in rows)
            runs = sum((nuts and one.nuts) + (svi and one.svi) for one in rows)
            self.progress.planned = once + runs * self.options.keys
            return rows

        versions = self.versions
        if self.rivals and nuts:
            if has_nutpie():
                versions = {**versions, "nutpie": version("nutpie")}
            else:
                hint = 'pip install "reparam-rewrite[bench]"'
                self.notes.append(f"nutpie is not installed, so that it has no rows: {hint}")
        results = Results(
            self.call.document.path,
            command,
            {"python": platform.python_version(), "reparam-rewrite": __version__, **versions},
            datetime.date.today().isoformat(),
            self.options,
            self.dims,
            notes=self.notes,
        )
        config = self.plain._replace(kind="config")
        compared([self.plain, *[config] * (len(self.configs) * (2 if self.pilot else 1))])
        with redirect_stdout(sys.stderr), double_precision():
            candidates = [self.plain, *self._configured()]
            rows = compared(candidates)
            if nuts:
                results.nuts = [self._sampled(one) for one in self._trained(rows)]
            if svi:
                results.reference = self._attempted(partial(self._reference, candidates[-1]))
                guides = [one for one in rows if one.svi]
                results.svi = [self._guided(one, results.reference) for one in guides]
        if self.kept.resumed:
            count, path, since = self.kept.resumed, self.kept.path, self.kept.oldest
            self.notes.append(f"{count} results were kept in {path}, from {since} on")
        return results

    def _run(self, identity: Any, made: type[T], what: str, make: Callable[[], T]) -> T:
        """A result that is kept, or one that is made now."""
        found = self.kept.get(identity, made, self.progress.run(what, make))
        self.progress.done += 1
        return found

    def _attempted(self, make: Callable[[], T | None]) -> T | None:
        """What `make` gives; if it fails, None, and a note that says why."""
        try:
            return make()
        except Refusal:
            raise
        except Exception as error:
            if why(error) not in self.notes:
                self.notes.append(why(error))
            return None

    def _configured(self) -> Iterator[Variant]:
        """The configs as they are and, where that is asked for and gains something, fitted."""
        for name, config in self.configs.items():
            beside, cost = None, FREE
            if config.conditional is not None:
                beside = Path(self.folder.name) / digest([config.path, config.text])
                frozen = frozen_data(self.call, config, "fitted.npz")
                config = read_config(frozen.text.encode(), config.path)
                write_arrays(beside / "fitted.npz", npz_bytes(frozen.arrays))
                # Kept as the runs are: those of another cost are other runs.
                identity = ["given the data", self.plain.identity, config.text]
                made = partial(Prepared, seconds=frozen.found.seconds)
                cost = self.kept.get(identity, Prepared, made).cost
            yield self._variant(name, config, cost, beside)
            if not self.pilot or (beside is not None and not asks_for_more(config)):
                continue
            identity = ["fit", self.plain.identity, config.text, self.pilot]
            fit = self._run(identity, Prepared, f"fitting {name}", partial(self._fit, config))
            if fit.failed:
                self.notes.append(f"{name}, fitted: {fit.failed}")
            elif not fit.text:
                self.notes.append(f"{name}: fit says to leave the model as written")
            else:
                fitted = read_config(fit.text.encode(), config.path)
                yield self._variant(f"{name}, fitted", fitted, fit.cost, beside)

    def _by_nutpie(self, one: Variant) -> list[Variant]:
        """A generated model for nutpie with each mass matrix; not one that is as written."""
        if one.kind != "config" or one.same or not (self.rivals and has_nutpie()):
            return []
        return [with_nutpie(one, low_rank) for low_rank in (False, True)]

    def _variant(self, name: str, config: Config, cost: Cost, beside: Path | None) -> Variant:
        document, path = self.call.document, Path(self.call.document.path)
        rewritten = rewrite(document, config, WIDTH)
        return Variant(
            self.call.generated(rewritten, f"<{document.path} with {name}>", beside),
            digest([self.plain.identity, rewritten.data.decode("utf-8", "replace")]),
            name,
            "config",
            cost=cost,
            diff=unified_diff(document.data, rewritten.data, path).decode("utf-8", "replace"),
            same=starts_as_written(document, config),
        )

    def _fit(self, config: Config) -> Prepared:
        began = time.perf_counter()
        try:
            fitting = Fitting(self.call, without_coordinates(config))
            pilot = fitting.pilot(self.pilot, pilots.Options())
            fits = fitting.fits(pilot).fits
            text = ""
            if is_worth_it(fits):
                text = with_fits(config, fits, learn=False, file="", inline=10**9).text
        except Exception as error:  # of the config as it is there may be a row all the same
            return Prepared(failed=why(error))
        seconds = time.perf_counter() - began
        return Prepared(text, gradients=pilot.gradients or 0, seconds=seconds)

    def _trained(self, compared: Sequence[Variant]) -> list[Variant]:
        """What NUTS samples: some rivals are trained by SVI before."""
        ready = [
            one
            if one.trained is None
            else self._attempted(partial(self._learned, one, one.trained))
            for one in compared
            if one.nuts
        ]
        if self.rivals and self.dims > LARGEST_DENSE:
            self.notes.append(f"dense_mass=True is left out: a matrix of {self.dims:,} squared")
        return [one for one in ready if one is not None]

    def _learned(self, variant: Variant, made: Trained) -> Variant:
        trainer = Trainer(variant, self.options)

        def train() -> Prepared:
            params, _, seconds = trainer.train(0)
            learned = {name: np.asarray(value).tolist() for name, value in params.items()}
            return Prepared("", learned, trainer.gradients, seconds)

        def guide() -> Any:
            trainer.start(0)
            return trainer.guide

        identity = ["trained", variant.identity, variant.guide, self.options.steps]
        trained = self._run(identity, Prepared, f"training {variant.name}", train)
        params = {name: jnp.asarray(value) for name, value in trained.params.items()}
        call = variant.call._replace(model=made(variant.call.model, guide, params))
        # How it was trained is in its cost: what NUTS samples has no guide of its own.
        return variant._replace(call=call, guide=self.plain.guide, cost=trained.cost)

    def _reference(self, best: Variant) -> Reference:
        def make() -> Reference:
            return exact(self.call) or long_run(best, self.dims, self.options)

        lengths = [self.options.draws, self.options.warmup, self.options.chains]
        what = "the posterior's sds, which guides are compared with"
        return self._run(["reference", best.identity, lengths], Reference, what, make)

    def _sampled(self, variant: Variant) -> Row:
        options, sampler = self.options, SAMPLERS[variant.sampler](variant, self.options)
        lengths = [options.draws, options.warmup, options.chains, options.limit]
        kernel = {**variant.kernel}
        identity: list[Any] = ["nuts", variant.identity, kernel.pop("dense_mass", False)]
        identity += [variant.cost._asdict(), lengths, *([kernel] if kernel else [])]
        return self._row(variant, Chains, identity, "NUTS", lambda key: sampler.run(key)[0])

    def _guided(self, variant: Variant, reference: Reference | None) -> Row:
        if variant.nuts:  # else it is a guide, which its name tells
            variant = variant._replace(name=f"{variant.name}, {variant.guide}", cost=FREE)
        compared = digest(reference.sd) if reference is not None else ""
        identity = ["svi", variant.identity, variant.guide, self.options.steps, compared]
        try:
            trainer = Trainer(variant, self.options)
        except Exception as error:
            self.progress.planned -= self.options.keys
            return row_of(variant, why(error))
        return self._row(variant, Guided, identity, "SVI", partial(trainer.run, reference))

    def _row(
        self, variant: Variant, made: Any, identity: list[Any], method: str, measure: Any
    ) -> Row:
        """The runs of a variant from each key; what `measure` raises is why there is none."""
        row = row_of(variant)

        def make(key: int) -> Any:
            try:
                return measure(key)
            except Exception as error:
                return made(key, failed=why(error))

        for key in range(self.options.keys):
            what = f"{method} on {variant.name}, key {key}"
            run = self._run([*identity, key], made, what, partial(make, key))
            row.runs.append(run)
            if run.failed and getattr(run, "stopped", False):
                self.progress.planned -= self.options.keys - len(row.runs)
                break  # the other keys would take as long
        return row


def row_of(one: Variant, problem: str = "") -> Row:
    """The row of a variant, without runs yet."""
    return Row(one.name, one.kind, [], one.cost, one.other_prior, one.same, problem, one.diff)


def starts_as_written(document: Document, config: Config) -> bool:
    """Is the generated model the plain one until its coefficients are learned: are they all 0?"""
    request = ordered(document.module, config).request
    return not config.is_empty and not any(
        child.scale
        or child.basis
        or child.reparam
        or child.effects
        or any(pair.coefficient.init != 0.0 for pair in child.pairs)
        for child in request.to_rewrite
    )


def named(paths: Sequence[str]) -> list[str]:
    """The names of configs in the table: of files, and of paths where files have the same name."""
    names = [Path(path).name for path in paths]
    return [
        name if names.count(name) == 1 else path for name, path in zip(names, paths, strict=True)
    ]


def why(error: BaseException) -> str:
    return first_line(error)[:200] or type(error).__name__
