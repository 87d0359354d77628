"""All runs of a bench, one after the other; what is done is kept, what fails fails alone."""

from __future__ import annotations

import datetime
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from reparam_rewrite import __version__
from reparam_rewrite.bench.chains import Sampler
from reparam_rewrite.bench.guides import Trainer
from reparam_rewrite.bench.progress import Progress
from reparam_rewrite.bench.reference import exact, long_run
from reparam_rewrite.bench.rivals import LARGEST_DENSE, RIVALS, Rival
from reparam_rewrite.bench.state import Kept, digest, digest_of_call
from reparam_rewrite.bench.values import (
    PLAIN,
    Chains,
    Cost,
    Guided,
    Options,
    Reference,
    Results,
    Row,
    Variant,
)
from reparam_rewrite.config.keys import Config
from reparam_rewrite.config.reading import read_config
from reparam_rewrite.fit import pilots
from reparam_rewrite.fit.pilots import dims_of
from reparam_rewrite.fit.reporting import is_worth_it
from reparam_rewrite.fit.running import Fitting
from reparam_rewrite.fit.writing import with_fits
from reparam_rewrite.messages import Refusal
from reparam_rewrite.plan.resolve import resolve
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.running.call import WIDTH, Call
from reparam_rewrite.running.errors import first_line
from reparam_rewrite.running.trace import double_precision
from reparam_rewrite.source.diff import unified_diff
from reparam_rewrite.source.document import Document
from reparam_rewrite.survey import survey

PACKAGES = ("numpyro", "jax")

Said = Callable[[str], None]

T = TypeVar("T")


@dataclass(frozen=True)
class Fit:
    """A config as `fit` leaves it; `text` is empty where nothing is gained."""

    text: str = ""
    gradients: int = 0
    seconds: float = 0.0
    failed: str = ""


@dataclass(frozen=True)
class Trained:
    """Params that SVI has learned."""

    params: dict[str, Any] = field(default_factory=dict)
    gradients: int = 0
    seconds: float = 0.0
    failed: str = ""


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
    said: Said = lambda text: None

    def __post_init__(self) -> None:
        self.progress = Progress(self.said)
        self.dims = dims_of(self.call.trace)
        # What makes a run another one: the file, the call, how long it is, and what runs it.
        self.identity = digest(
            [
                digest_of_call(self.call.args, self.call.kwargs),
                self.call.document.data.decode("utf-8", "replace"),
                self.call.name,
                [version(package) for package in PACKAGES],
            ]
        )

    def results(self, command: str, nuts: bool, svi: bool) -> Results:
        """Run everything that isn't kept. Raises `Refusal` only for a config that can't be used."""
        results = Results(
            model=self.call.document.path,
            command=command,
            versions={
                "python": platform.python_version(),
                "reparam-rewrite": __version__,
                **{package: version(package) for package in PACKAGES},
            },
            date=datetime.date.today().isoformat(),
            options=self.options,
            dims=self.dims,
        )
        most = 1 + len(self.configs) * (2 if self.pilot else 1)
        self._rivals = list(self._found(results)) if self.rivals else []
        self._plan(most, nuts, svi)
        with redirect_stdout(sys.stderr), double_precision():
            candidates = [
                Variant(PLAIN, "plain", self.call.model, self.identity),
                *self._configured(results),
            ]
            self._plan(len(candidates), nuts, svi)
            if nuts:
                self._nuts(results, candidates)
            if svi:
                self._svi(results, candidates)
        if self.kept.resumed:
            kept = self.kept
            results.notes.append(
                f"{kept.resumed} results were kept in {kept.path}, from {kept.oldest} on"
            )
        return results

    def _plan(self, candidates: int, nuts: bool, svi: bool) -> None:
        """Count the runs there will be; rivals that fail don't come."""
        rows = candidates * (nuts + svi) + sum(
            (nuts and rival.nuts) + (svi and rival.svi) for rival, _ in self._rivals
        )
        once = len(self.configs) if self.pilot else 0
        once += svi + sum(nuts and rival.trained is not None for rival, _ in self._rivals)
        self.progress.planned = once + rows * self.options.keys

    def _run(self, identity: Any, made: type[T], what: str, make: Callable[[], T]) -> T:
        """A result that is kept, or one that is made now."""
        found = self.kept.get(identity, made, self.progress.run(what, make))
        self.progress.done += 1
        return found

    # -- what is compared ---------------------------------------------------------------------

    def _found(self, results: Results) -> Iterator[tuple[Rival, Variant]]:
        """The rivals that are something for this model."""
        for rival in RIVALS:
            found = attempted(partial(rival.variant, self.call, self.identity, self.dims), results)
            if found is not None:
                yield rival, found

    def _configured(self, results: Results) -> Iterator[Variant]:
        for name, config in self.configs.items():
            yield self._variant(name, config, Cost())
            if self.pilot:
                fitted = self._fitted(name, config)
                if fitted.failed:
                    results.notes.append(f"{name}, fitted: {fitted.failed}")
                elif not fitted.text:
                    results.notes.append(f"{name}: fit says to leave the model as written")
                else:
                    cost = Cost(fitted.gradients, fitted.seconds)
                    yield self._variant(
                        f"{name}, fitted", read_config(fitted.text.encode(), config.path), cost
                    )

    def _variant(self, name: str, config: Config, cost: Cost) -> Variant:
        rewritten = rewrite(self.call.document, config, WIDTH)
        model = self.call.generated(rewritten, f"<{self.call.document.path} with {name}>")
        code = rewritten.data.decode("utf-8", "replace")
        same = starts_as_written(self.call.document, config)
        return Variant(
            name, "config", model, digest([self.identity, code]), cost=cost, code=code, same=same
        )

    def _fitted(self, name: str, config: Config) -> Fit:
        def make() -> Fit:
            began = time.perf_counter()
            try:
                fitting = Fitting.of(self.call, config)
                pilot = fitting.pilot(self.pilot, pilots.Options())
                fits = fitting.fits(pilot)[0]
                text = ""
                if is_worth_it(fits):
                    text = with_fits(config, fits, learn=False, file="", inline=10**9).text
            except Exception as error:  # of the config as it is there may be a row all the same
                return Fit(failed=why(error))
            return Fit(text, pilot.gradients or 0, time.perf_counter() - began)

        identity = ["fit", self.identity, config.text, self.pilot]
        return self._run(identity, Fit, f"fitting {name}", make)

    # -- NUTS -----------------------------------------------------------------------------------

    def _nuts(self, results: Results, candidates: Sequence[Variant]) -> None:
        compared = list(candidates)
        for rival, variant in self._rivals:
            if rival.nuts and rival.trained is None:
                compared.append(variant)
            elif rival.nuts:
                learned = attempted(partial(self._learned, rival, variant), results)
                compared += [learned] if learned is not None else []
        if self.rivals and self.dims > LARGEST_DENSE:
            results.notes.append(f"dense_mass=True is left out: a matrix of {self.dims:,} squared")
        for variant in compared:
            results.nuts.append(self._row(variant))
            sampler = Sampler(
                variant, self.call.args, self.call.kwargs, self.call.latents, self.options
            )
            runs = results.nuts[-1].runs
            for key in range(self.options.keys):
                runs.append(self._chains(sampler, key))
                if runs[-1].failed and runs[-1].stopped:
                    self.progress.planned -= self.options.keys - len(runs)
                    break  # the other keys would take as long

    def _chains(self, sampler: Sampler, key: int) -> Chains:
        variant, options = sampler.variant, self.options
        lengths = [options.draws, options.warmup, options.chains, options.limit]

        def make() -> Chains:
            try:
                return sampler.run(key)[0]
            except Exception as error:
                return Chains(key, failed=why(error))

        identity = ["nuts", variant.identity, variant.dense, asdict(variant.cost), lengths, key]
        return self._run(identity, Chains, f"NUTS on {variant.name}, key {key}", make)

    def _learned(self, rival: Rival, untrained: Variant) -> Variant:
        """A rival as NUTS samples it, after SVI."""
        trained, cost = self._trained(untrained)

        def guide() -> Any:
            trainer = Trainer(untrained, self.call.args, self.call.kwargs, self.options)
            trainer.start(0)
            return trainer.guide

        return rival.after(untrained, guide, trained.params, cost)

    def _trained(self, untrained: Variant) -> tuple[Trained, Cost]:
        """A variant's guide, as SVI leaves it."""

        def make() -> Trained:
            trainer = Trainer(untrained, self.call.args, self.call.kwargs, self.options)
            params, _, seconds = trainer.train(0)
            learned = {name: np.asarray(value).tolist() for name, value in params.items()}
            return Trained(learned, trainer.gradients, seconds)

        identity = ["trained", untrained.identity, untrained.guide, self.options.steps]
        trained = self._run(identity, Trained, f"training {untrained.name}", make)
        return trained, Cost(trained.gradients, trained.seconds)

    def _row(self, variant: Variant) -> Row:
        diff = ""
        if variant.code:
            path = Path(self.call.document.path)
            made = unified_diff(self.call.document.data, variant.code.encode(), path, path)
            diff = made.decode("utf-8", "replace")
        return Row(
            variant.name,
            variant.kind,
            cost=variant.cost,
            other_prior=variant.other_prior,
            same=variant.same,
            diff=diff,
        )

    # -- SVI ------------------------------------------------------------------------------------

    def _svi(self, results: Results, candidates: Sequence[Variant]) -> None:
        reference = results.reference = attempted(lambda: self._reference(candidates), results)
        compared = [
            replace(one, name=f"{one.name}, {one.guide}", cost=Cost()) for one in candidates
        ]
        for rival, variant in self._rivals:
            if rival.svi:
                plain = rival.nuts  # else it is a guide, which its name tells
                name = f"{variant.name}, {variant.guide}" if plain else variant.name
                compared.append(replace(variant, name=name))
        for variant in compared:
            row = self._row(variant)
            results.svi.append(row)
            try:
                trainer = Trainer(variant, self.call.args, self.call.kwargs, self.options)
            except Exception as error:
                row.problem = why(error)
                self.progress.planned -= self.options.keys
                continue
            for key in range(self.options.keys):
                row.runs.append(self._guided(trainer, key, reference))

    def _guided(self, trainer: Trainer, key: int, reference: Reference | None) -> Guided:
        variant = trainer.variant

        def make() -> Guided:
            try:
                return trainer.run(key, reference)
            except Exception as error:
                return Guided(key, failed=why(error))

        compared = digest(reference.sd) if reference is not None else ""
        identity = ["svi", variant.identity, variant.guide, self.options.steps, compared, key]
        return self._run(identity, Guided, f"SVI on {variant.name}, key {key}", make)

    def _reference(self, candidates: Sequence[Variant]) -> Reference:
        best = candidates[-1]

        def make() -> Reference:
            return exact(self.call) or long_run(self.call, best, self.dims, self.options)

        lengths = [self.options.draws, self.options.warmup, self.options.chains]
        identity = ["reference", best.identity, lengths]
        what = "the posterior's sds, which guides are compared with"
        return self._run(identity, Reference, what, make)


def starts_as_written(document: Document, config: Config) -> bool:
    """Is the generated model the plain one until its coefficients are learned: are they all 0?"""
    module = document.module
    request = resolve(survey(module.path, module.text), config)
    return not config.is_empty and not any(
        child.scale
        or child.basis
        or child.reparam
        or any(pair.coefficient.init != 0.0 for pair in child.pairs)
        for child in request.to_rewrite
    )


def named(paths: Sequence[str]) -> list[str]:
    """The names of configs in the table: of files, and of paths where files have the same name."""
    names = [Path(path).name for path in paths]
    return [
        name if names.count(name) == 1 else path for name, path in zip(names, paths, strict=True)
    ]


def attempted(make: Callable[[], T | None], results: Results) -> T | None:
    """What `make` gives; if it fails, None, and a note that says why."""
    try:
        return make()
    except Refusal:
        raise
    except Exception as error:
        if why(error) not in results.notes:
            results.notes.append(why(error))
        return None


def why(error: BaseException) -> str:
    return first_line(error)[:200] or type(error).__name__
