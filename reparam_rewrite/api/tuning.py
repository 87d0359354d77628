"""``tune(model, args, kwargs)``: how a model samples best, given its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from reparam_rewrite.api.calls import Model, call_of, is_shown, running, telling
from reparam_rewrite.api.made import STEM, Made
from reparam_rewrite.api.rewriting import AnyConfig, config_of
from reparam_rewrite.config.reading import read_config
from reparam_rewrite.messages import Diagnostic, Refusal

if TYPE_CHECKING:
    from reparam_rewrite.config.rules import Config
    from reparam_rewrite.running.call import Call
    from reparam_rewrite.tuning.values import Tuned as Found

__all__ = ["Tuned", "TunedSite", "tune"]


class TunedSite(NamedTuple):
    """How one site is sampled, in words, and by what factor its posterior is `narrower` so.

    The factor is that of each of its elements, in the geometric mean; None where it isn't changed.
    """

    site: str
    how: str
    narrower: float | None


class Tuned(Made):
    """What `tune` found. Its `str()` is the table that the command line prints.

    `sites` tell how each is sampled. `gain` is by how many nats the best normal of independent
    values gets nearer to the posterior. Where the model is better left as it is written, `reason`
    says why, `config` is "chain = []", and `model` is the plain one.
    """

    def __init__(self, call: Call, found: Found, config: Path | None) -> None:
        candidate = found.candidate
        text = candidate.text if candidate is not None else "chain = []\n"
        super().__init__(call, text, candidate.arrays if candidate is not None else {}, config)
        self.sites = tuple(TunedSite(*one) for one in found.sites)
        self.gain, self.reason = found.gain, found.reason
        self._found = found

    def warm_start(self) -> dict[str, Any]:
        """Give arguments of NUTS by which it starts in the middle of the posterior.

        They are those of `reparam_rewrite.runtime.warm_start`, and empty where nothing is known of
        it, as after a pilot that was a run.

        >>> kernel = NUTS(tuned.model, **tuned.warm_start())
        """
        from reparam_rewrite.running.sampling import started

        told = {n: v for n, v in self.arrays.items() if n.startswith(("start.", "mass."))}
        return started(told) if told else {}

    def _lines(self) -> Sequence[str]:
        from reparam_rewrite.tuning.reporting import as_text

        return as_text(self._found)


def tune(
    model: Model,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    config: AnyConfig | None = None,
    pilot: Literal["auto", "nested", "nuts", "laplace", "fullrank"] = "auto",
    seed: int = 0,
    function: str | None = None,
    progress: bool | None = None,
) -> Tuned:
    """Find how a model samples best, given its data, as ``reparam-rewrite tune`` does.

    `model` is a function, imported or typed in a notebook, or the `Path` of a file, of which
    `function` names one if there are several. `args` and `kwargs` are those of one call of it, with
    the data. What can be is sampled given the data; of other sites that make up for each other each
    is sampled around those before. Nothing is proposed that a pilot says to gain nothing, and
    nothing that isn't the same model.

    `config` is one to start from: all in it is kept, and what data decide is found. `pilot` says
    where draws are from, and `seed` is theirs. `progress` shows what is being done; by default at a
    terminal and in notebooks. It computes in float64 whatever is set, and leaves that as it is.

    Raises `Refusal` for a model that observes nothing or can't be run, with its place, and for a
    config that can't be done.

    >>> tuned = tune(model, args=(group,), kwargs={"y": y})
    >>> print(tuned)
    >>> mcmc = MCMC(NUTS(tuned.model, **tuned.warm_start()), num_warmup=200, num_samples=1000)
    """
    path = Path(config) if isinstance(config, Path) else None
    before = [config_of(config)] if config is not None else []
    with running("tune"):
        call, before = call_of(model, before, args, kwargs, function, "tune")
        if not call.is_observed:
            hint = "give args and kwargs with the data: what is best depends on them."
            message = f"'{call.name}' observes nothing when it is called so"
            raise Refusal(Diagnostic(call.document.path, message, hint))
        return Tuned(call, found_for(call, before, path, pilot, seed, is_shown(progress)), path)


def found_for(
    call: Call, before: Sequence[Config], path: Path | None, pilot: str, seed: int, shown: bool
) -> Found:
    """What `tune` finds, checked to be the same model. Raises `Refusal`."""
    from reparam_rewrite.fitting.pilots import Options
    from reparam_rewrite.rewriting import rewrite
    from reparam_rewrite.tuning.checking import check
    from reparam_rewrite.tuning.finding import Tuning

    arrays = Path(f"{path.stem if path is not None else STEM}.npz")
    with telling(shown) as said:
        tuning = Tuning(call, arrays, pilot, Options(seed=seed, bar=shown), said)
        found = tuning.tuned(before[0] if before else None, str(path or f"{STEM}.toml"))
        if found.candidate is not None:
            settings = read_config(found.candidate.text.encode(), "<config>")
            said("checking that it is the same model")
            check(call, rewrite(call.document, settings), found.candidate, "<tuned>", arrays.name)
    return found
