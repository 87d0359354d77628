"""All runs of a bench, here or by a crew; what is done is kept, what fails fails alone."""

from __future__ import annotations

import datetime
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import jax.numpy as jnp
import numpy as np

from reparam_rewrite import __version__
from reparam_rewrite.benchmarking.measuring import Sampler, Samples, Trainer, exact, long_run
from reparam_rewrite.benchmarking.rivals import LARGEST_DENSE, RIVALS, has, with_nutpie
from reparam_rewrite.benchmarking.state import Kept, Progress, digest, digest_of_call, write_arrays
from reparam_rewrite.benchmarking.values import (
    FREE,
    Asked,
    Chains,
    Cost,
    Guided,
    Job,
    Options,
    Prepared,
    Reference,
    Results,
    Row,
    Trained,
    Variant,
)
from reparam_rewrite.benchmarking.with_nutpie import Nutpie
from reparam_rewrite.config.reading import read_config
from reparam_rewrite.config.rules import Config
from reparam_rewrite.fitting import pilots
from reparam_rewrite.fitting.automatic import WITHOUT_A_RUN, generated, nested_of
from reparam_rewrite.fitting.coordinates import (
    Frozen,
    asks_for_more,
    coordinates_alone,
    frozen_data,
    without_coordinates,
)
from reparam_rewrite.fitting.nested import NotNested
from reparam_rewrite.fitting.reporting import is_worth_it
from reparam_rewrite.fitting.running import Fitting, with_helpful_bases
from reparam_rewrite.fitting.starting import nuts_start
from reparam_rewrite.fitting.writing import npz_bytes, with_fits
from reparam_rewrite.messages import Refusal
from reparam_rewrite.ordering import ordered
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.running.call import WIDTH, Call
from reparam_rewrite.running.errors import first_line
from reparam_rewrite.running.sampling import started
from reparam_rewrite.running.trace import double_precision
from reparam_rewrite.source.diff import unified_diff
from reparam_rewrite.source.document import Document

PACKAGES = ("numpyro", "jax")

#: How many steps of warm-up are enough from a start that a pilot has found.
WARM = 200

#: Packages that some rivals are of.
SAMPLED_BY = ("nutpie", "blackjax")

#: What makes runs of NUTS, by the `sampler` of a variant.
SAMPLERS: dict[str, Callable[[Variant, Options], Samples]] = {"numpyro": Sampler, "nutpie": Nutpie}

T = TypeVar("T")


class Crew(Protocol):
    """Makes runs: up to `slots` of them at once."""

    @property
    def slots(self) -> int: ...

    def submit(self, job: Job) -> Future[Any]: ...


class Plan(NamedTuple):
    """The runs of a row: `ready` gives what makes one of a key.

    made: what comes of one, `Chains` or `Guided`. identity: of all, and of each with its key.
    """

    row: Row
    made: Any
    identity: list[Any]
    what: str
    ready: Callable[[], Callable[[int], Any]]


@dataclass
class Bench:
    """A call and the configs to compare, by the names of their rows.

    said: hears what is going on. crew: makes the runs of rows; without, they are made here.
    folders: where the arrays of a config are, if not beside the model.
    """

    asked: Asked
    call: Call
    configs: dict[str, Config]
    kept: Kept
    said: Callable[[str], None] = lambda text: None
    crew: Crew | None = None
    folders: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        call = self.call
        self.options, self.pilot = self.asked.options, self.asked.pilot
        self.progress = Progress(self.said)
        self.folder = TemporaryDirectory()  # of what generated models load
        self.dims = pilots.dims_of(call.trace)
        self.notes: list[str] = []
        self.prepared: dict[str, Any] = {}  # what rows need, by identity
        self.versions = {package: version(package) for package in PACKAGES}
        # What makes a run another one: the call, the file, and what runs it.
        said = call.document.module.text
        identity = [digest_of_call(call.args, call.kwargs), said, call.name]
        self.plain = Variant(call, digest([*identity, list(self.versions.values())]))
        self._plans: dict[str, dict[str, Plan]] = {}
        self._ready: tuple[str, Callable[[int], Any]] = "", lambda key: None

    def results(self, command: str, nuts: bool, svi: bool) -> Results:
        """Run everything that isn't kept. Raises `Refusal` only for a config that can't be used."""
        compared = SAMPLED_BY if self.asked.rivals and nuts else ()
        versions = self.versions | {one: version(one) for one in compared if has(one)}
        for missing in [one for one in compared if not has(one)]:
            hint = 'pip install "reparam-rewrite[bench]"'
            self.notes.append(f"{missing} is not installed, so that it has no rows: {hint}")
        results = Results(
            self.call.document.path,
            command,
            {"python": platform.python_version(), "reparam-rewrite": __version__, **versions},
            datetime.date.today().isoformat(),
            self.options,
            self.dims,
            notes=self.notes,
        )

        def plan(candidates: Sequence[Variant]) -> None:
            """Count the runs there will be; rivals that fail don't come."""
            rows = self._compared(candidates)
            once = svi + (len(self.configs) if self.pilot else 0)
            once += sum(nuts and one.trained is not None for one in rows)
            runs = sum((nuts and one.nuts) + (svi and one.svi) for one in rows)
            self.progress.planned = once + runs * self.options.keys

        config = self.plain._replace(kind="config")
        plan([self.plain, *[config] * (len(self.configs) * (2 if self.pilot else 1))])
        with redirect_stdout(sys.stderr), double_precision():
            plan(self.candidates)
            results.nuts = self._rows("nuts") if nuts else []
            results.svi = self._rows("svi") if svi else []
            results.reference = self._reference if svi else None
        if self.kept.resumed:
            count, path, since = self.kept.resumed, self.kept.path, self.kept.oldest
            self.notes.append(f"{count} results were kept in {path}, from {since} on")
        if self.kept.shared:
            runs = "1 run was" if self.kept.shared == 1 else f"{self.kept.shared} runs were"
            said = "what it is in seconds is of cores that runs may share"
            self.notes.append(f"{runs} made while others were: {said}")
        return results

    # -- rows --------------------------------------------------------------------------------------

    def plans(self, method: str) -> dict[str, Plan]:
        """The rows of "nuts" or "svi", by their identity; what they need is made, or was before."""
        if method not in self._plans:
            rows = self._compared(self.candidates)
            if method == "nuts":
                found = [self._sampled(one) for one in self._trained(rows)]
            else:
                found = [self._guided(one, self._reference) for one in rows if one.svi]
            self._plans[method] = {digest(plan.identity): plan for plan in found}
        return self._plans[method]

    def measured(self, job: Job) -> Any:
        """A run, made here; if it fails, it says why."""
        plan = self.plans(job.method)[job.row]
        try:
            if self._ready[0] != job.row:
                self._ready = job.row, plan.ready()
            return self._ready[1](job.key)
        except Exception as error:
            return plan.made(job.key, failed=why(error))

    def _rows(self, method: str) -> list[Row]:
        """All runs of all rows: those that are kept, and those that the crew makes."""
        plans, crew = self.plans(method), self.crew or Alone(self)
        running: dict[Future[Any], tuple[Plan, int, Callable[[], None]]] = {}
        self.progress.at_once = crew.slots

        def collect() -> None:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                plan, key, end = running.pop(future)
                end()
                error = future.exception()
                run = plan.made(key, failed=why(error)) if error else future.result()
                plan.row.runs.append(self.kept.keep([*plan.identity, key], run, crew.slots > 1))
                self.progress.done += 1

        for row, plan in plans.items():
            for key in range(self.options.keys):
                found = self.kept.find([*plan.identity, key], plan.made)
                while found is None and len(running) >= crew.slots:
                    collect()
                if plan.row.is_too_long:
                    self.progress.planned -= 1
                elif found is not None:
                    plan.row.runs.append(found)
                    self.progress.done += 1
                else:
                    end = self.progress.begin(f"{plan.what}, key {key}")
                    future = crew.submit(Job(self.asked, method, self.prepared, row, key))
                    running[future] = plan, key, end
        while running:
            collect()
        for plan in plans.values():
            plan.row.runs.sort(key=lambda run: run.key)
        return [plan.row for plan in plans.values()]

    # -- what is compared --------------------------------------------------------------------------

    @cached_property
    def candidates(self) -> list[Variant]:
        return [self.plain, *self._configured()]

    @cached_property
    def _rivals(self) -> list[Variant]:
        tried = [partial(one, self.plain, self.dims) for one in RIVALS if self.asked.rivals]
        return [one for one in map(self._attempted, tried) if one is not None]

    def _compared(self, candidates: Sequence[Variant]) -> list[Variant]:
        """Candidates, those that are generated also for nutpie, and rivals."""
        rows = [row for one in candidates for row in (one, *self._by_nutpie(one))]
        return rows + self._rivals

    def _run(self, identity: Any, made: type[T], what: str, make: Callable[[], T]) -> T:
        """A result that is kept, or one that is made now, which other processes are told."""
        found = self.kept.get(identity, made, self.progress.run(what, make))
        self.progress.done += 1
        self.prepared[digest(identity)] = asdict(cast(Any, found))
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
            beside, cost = self.folders.get(name), FREE
            if config.conditional is not None:
                beside = Path(self.folder.name) / digest([config.path, config.text])
                frozen = frozen_data(self.call, config, "fitted.npz")
                config = read_config(frozen.text.encode(), config.path)
                write_arrays(beside / "fitted.npz", npz_bytes(frozen.arrays))
                # Kept as the runs are: those of another cost are other runs.
                identity = ["given the data", self.plain.identity, config.text]
                made = partial(Prepared, seconds=frozen.found.seconds)
                prepared = self.kept.get(identity, Prepared, made)
                self.prepared[digest(identity)] = asdict(prepared)
                cost = prepared.cost
            variant = self._variant(name, config, cost, beside)
            yield variant
            if beside is not None and self.pilot in WITHOUT_A_RUN:
                yield from self._warm(variant, config, frozen)
            if not self.pilot or (beside is not None and not asks_for_more(config)):
                continue
            identity = ["fit", self.plain.identity, config.text, self.pilot]
            identity += ["bases"] if self.asked.bases else []
            fit = self._run(identity, Prepared, f"fitting {name}", partial(self._fit, config))
            if fit.failed:
                self.notes.append(f"{name}, fitted: {fit.failed}")
            elif not fit.text:
                self.notes.append(f"{name}: fit says to leave the model as written")
            else:
                fitted = read_config(fit.text.encode(), config.path)
                yield self._variant(f"{name}, fitted", fitted, fit.cost, beside)

    def _warm(self, variant: Variant, config: Config, frozen: Frozen) -> Iterator[Variant]:
        """The variant with a short warm-up, from where a nested pilot says, if there is one."""
        order = [one.name for one in config.conditional.order] if config.conditional else []

        def make() -> Prepared:
            began, alone = time.perf_counter(), coordinates_alone(config)
            try:
                with generated(self.call, alone, frozen.arrays, "fitted.npz") as made:
                    found = nested_of(self.call, made, order, pilots.Options().draws)
                start = nuts_start(self.call, config, found.theta, found.compared)
            except NotNested as problem:
                return Prepared(failed=f"there is no nested pilot: {problem}")
            seconds = time.perf_counter() - began
            lists = {name: np.asarray(value).tolist() for name, value in start.items()}
            return Prepared("", lists, found.pilot.gradients or 0, seconds)

        identity = ["start", variant.identity]
        found = self._run(identity, Prepared, f"finding where {variant.name} starts", make)
        if found.failed:
            self.notes.append(f"{variant.name}, warm start: {found.failed}")
            return
        cost = Cost(found.gradients, variant.cost.seconds + found.seconds)
        yield variant._replace(
            identity=f"{variant.identity} warm {digest([*map(str, found.params.items())])}",
            name=f"{variant.name}, warm start",
            kernel=started({name: np.asarray(value) for name, value in found.params.items()}),
            cost=cost,
            svi=False,
            warmup=min(WARM, self.options.warmup),
        )

    def _by_nutpie(self, one: Variant) -> list[Variant]:
        """A generated model for nutpie with each mass matrix; not one that is as written."""
        if (
            one.kind != "config"
            or one.same
            or one.warmup is not None
            or not (self.asked.rivals and has("nutpie"))
        ):
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
            if self.asked.bases:
                fitting, found = with_helpful_bases(fitting, pilot)
            else:
                found = fitting.fits(pilot)
            text = ""
            if is_worth_it(found.fits) or found.written:
                fits = found.fits
                text = with_fits(fitting.config, fits, learn=False, file="", inline=10**9).text
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
        if self.asked.rivals and self.dims > LARGEST_DENSE:
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

    @cached_property
    def _reference(self) -> Reference | None:
        best = self.candidates[-1]

        def make() -> Reference:
            return exact(self.call) or long_run(best, self.dims, self.options)

        lengths = [self.options.draws, self.options.warmup, self.options.chains]
        what = "the posterior's sds, which guides are compared with"
        identity = ["reference", best.identity, lengths]
        return self._attempted(partial(self._run, identity, Reference, what, make))

    def _sampled(self, variant: Variant) -> Plan:
        options = self.options
        if variant.warmup is not None:
            options = options._replace(warmup=variant.warmup)
        lengths = [options.draws, options.warmup, options.chains, options.limit]
        kernel = {k: v for k, v in variant.kernel.items() if isinstance(v, bool)}
        identity: list[Any] = ["nuts", variant.identity, kernel.pop("dense_mass", False)]
        identity += [variant.cost._asdict(), lengths, *([kernel] if kernel else [])]

        def ready() -> Callable[[int], Chains]:
            sampler = SAMPLERS[variant.sampler](variant, options)
            return lambda key: sampler.run(key)[0]

        return Plan(row_of(variant), Chains, identity, f"NUTS on {variant.name}", ready)

    def _guided(self, variant: Variant, reference: Reference | None) -> Plan:
        if variant.nuts:  # else it is a guide, which its name tells
            variant = variant._replace(name=f"{variant.name}, {variant.guide}", cost=FREE)
        compared = digest(reference.sd) if reference is not None else ""
        identity = ["svi", variant.identity, variant.guide, self.options.steps, compared]

        def ready() -> Callable[[int], Guided]:
            return partial(Trainer(variant, self.options).run, reference)

        return Plan(row_of(variant), Guided, identity, f"SVI on {variant.name}", ready)


class Alone(NamedTuple):
    """The crew that is this process."""

    bench: Bench
    slots: int = 1

    def submit(self, job: Job) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(self.bench.measured(job))
        return done


def row_of(one: Variant) -> Row:
    """The row of a variant, without runs yet."""
    return Row(one.name, one.kind, [], one.cost, one.other_prior, one.same, one.diff)


def starts_as_written(document: Document, config: Config) -> bool:
    """Is the generated model the plain one until its coefficients are learned: are they all 0?"""
    request = ordered(document.module, config).request
    children = request.to_rewrite
    return not config.is_empty and all(child.starts_as_written for child in children)


def named(paths: Sequence[str]) -> list[str]:
    """The names of configs in the table: of files, and of paths where files have the same name."""
    names = [Path(path).name for path in paths]
    return [
        name if names.count(name) == 1 else path for name, path in zip(names, paths, strict=True)
    ]


def why(error: BaseException) -> str:
    return first_line(error)[:200] or type(error).__name__
