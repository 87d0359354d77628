"""What passes between the modules of `bench`.

::

    Call, configs    -> Variant        running: as written, each config; rivals
    Variant, key     -> Chains         measuring: NUTS
    Variant, key     -> Guided         measuring: SVI
    Call             -> Reference      measuring: the sd of every element
    Job              -> Chains, Guided working: in another process, that a crew has
    all of them      -> Results        running, which keeps what is done in a file
    Results          -> text, rows     tables; sentences: advice; a page: report

All but `Variant` are numbers and text, so that a file can keep them. Imports no jax.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from reparam_rewrite.running.values import Model

if TYPE_CHECKING:
    from reparam_rewrite.running.call import Call

PLAIN = "as written"

#: A model, what gives a guide that knows it, and the params of that: made into another model.
Trained = Callable[[Model, Callable[[], Any], Mapping[str, Any]], Model]


class Start(NamedTuple):
    """Where NUTS starts: `z` of each chain, by site, with a whole matrix of inverse masses.

    gradients: what it took to find that.
    """

    z: Mapping[str, Any]
    inverse_mass: Any
    gradients: int


class Cost(NamedTuple):
    """What had to be paid before: a pilot, or a guide that was trained."""

    gradients: int = 0
    seconds: float = 0.0


FREE = Cost()


class Variant(NamedTuple):
    """A way to sample the model: `call` has the sites of the model as written.

    identity: what tells that a run that was kept is one of this variant. kind: "plain", "config" or
    "rival". `sampler`: "numpyro" or "nutpie", and `kernel` further arguments of its NUTS. `guide`:
    what SVI fits, the name of a class of numpyro.infer.autoguide. diff: of the generated file, for
    a config. other_prior: the posterior is another. same: its coefficients are 0 at the start,
    where MCMC keeps them: it is the model as written. nuts, svi: what it is for. `trained` makes
    what NUTS samples of what SVI has learned. `start`: where NumPyro's NUTS starts, of the call, a
    key and how many chains there are. warmup: how long that is, where it isn't the options'.
    """

    call: Call
    identity: str
    name: str = PLAIN
    kind: str = "plain"
    sampler: str = "numpyro"
    kernel: Mapping[str, Any] = MappingProxyType({})
    guide: str = "AutoDiagonalNormal"
    cost: Cost = FREE
    diff: str = ""
    other_prior: bool = False
    same: bool = False
    nuts: bool = True
    svi: bool = True
    trained: Trained | None = None
    start: Callable[[Call, int, int], Start] | None = None
    warmup: int | None = None


class Options(NamedTuple):
    """How long runs are. `draws` and `warmup` of each chain; limit: seconds, for one key."""

    keys: int = 3
    draws: int = 1_000
    warmup: int = 1_000
    chains: int = 2
    steps: int = 10_000
    limit: float = 600.0


class Asked(NamedTuple):
    """What a bench is asked for: each process makes the same of it.

    folder: that paths start from. `model`, `args` and `function` are as the options give them, and
    `configs` are paths. pilot: of `fit`, "" for configs as they are only, and `bases`: let it write
    those that help. rivals: compare with them too.
    """

    folder: str
    model: str
    configs: tuple[str, ...]
    args: str | None
    function: str | None
    options: Options
    pilot: str = ""
    bases: bool = False
    rivals: bool = True


class Job(NamedTuple):
    """One run for another process: the row of a method, by its identity, from one key.

    prepared: what was made before, by identity, and needn't be again.
    """

    asked: Asked
    method: str
    prepared: Mapping[str, Any]
    row: str
    key: int


@dataclass(frozen=True)
class Prepared:
    """What had to be made before: a config as `fit` leaves it; as `params` what SVI has learned, or
    where NUTS is to start.

    The `text` of the config is empty where nothing is gained.
    """

    text: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    gradients: int = 0
    seconds: float = 0.0
    failed: str = ""

    @property
    def cost(self) -> Cost:
        return Cost(self.gradients, self.seconds)


@dataclass(frozen=True)
class Chains:
    """What came of NUTS from one key, or why nothing did (`failed`).

    least, median: of the effective sample sizes of all elements of the model's sites; `worst` is
    the site of the least. gradients, seconds: of draws that are kept, `warmup_` of those before.
    Compiling isn't in them: it is `compiling`. stopped: the limit came first.
    """

    key: int
    least: float = 0.0
    median: float = 0.0
    worst: str = ""
    gradients: int = 0
    warmup_gradients: int = 0
    seconds: float = 0.0
    warmup_seconds: float = 0.0
    compiling: float = 0.0
    divergences: int = 0
    rhat: float = 0.0
    draws: int = 0
    stopped: bool = False
    failed: str = ""


@dataclass(frozen=True)
class Guided:
    """What came of SVI from one key, or why nothing did.

    ratios: by site, the least, median and greatest sd of its elements as parts of the reference's;
    `least`, `median` and `greatest` are those of all elements. trace: ELBOs, evenly spaced.
    """

    key: int
    elbo: float = 0.0
    ratios: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    least: float = 0.0
    median: float = 0.0
    greatest: float = 0.0
    trace: tuple[float, ...] = ()
    seconds: float = 0.0
    failed: str = ""


@dataclass(frozen=True)
class Reference:
    """The posterior's sd of every element of every site, and how it is known."""

    how: str
    exact: bool
    sd: Mapping[str, Any]
    least_ess: float | None = None


@dataclass
class Row:
    """All runs of a variant, of one kind: Chains or Guided."""

    name: str
    kind: str
    runs: list[Any] = field(default_factory=list)
    cost: Cost = FREE
    other_prior: bool = False
    same: bool = False
    diff: str = ""

    @property
    def done(self) -> list[Any]:
        return [run for run in self.runs if not run.failed]

    @property
    def why(self) -> str:
        """Why there is nothing to show."""
        return next((run.failed for run in self.runs if run.failed), "not run")

    @property
    def is_too_long(self) -> bool:
        """Was a run stopped before it was of use? Another key would take as long."""
        return any(run.failed and getattr(run, "stopped", False) for run in self.runs)


@dataclass
class Results:
    """What is shown: rows in the order of the table, the first one the model as written."""

    model: str
    command: str
    versions: Mapping[str, str]
    date: str
    options: Options
    dims: int
    nuts: list[Row] = field(default_factory=list)
    svi: list[Row] = field(default_factory=list)
    reference: Reference | None = None
    notes: list[str] = field(default_factory=list)
