"""``fit(model, config, args, kwargs)``: what data decide of a config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reparam_rewrite.api.calls import Model, call_of, is_shown, running
from reparam_rewrite.api.made import STEM, Made
from reparam_rewrite.api.rewriting import AnyConfig, config_of
from reparam_rewrite.messages import Diagnostic, Refusal

if TYPE_CHECKING:
    from reparam_rewrite.fitting.both import Fit
    from reparam_rewrite.running.call import Call

__all__ = ["Fitted", "fit"]


class Fitted(Made):
    """What `fit` found. Its `str()` are the lines that the command line prints.

    `config` is the one that was given, with all that data decide. `gains`: is anything gained by
    it? If not it is as it was given, and the model is better left as it is written. `warnings` say
    what speaks against the pilot's draws.
    """

    def __init__(self, call: Call, found: Fit, config: Path | None) -> None:
        from reparam_rewrite.fitting.reporting import is_worth_it

        super().__init__(call, found.text, found.arrays, config)
        draws = found.found
        self.gains = found.frozen is not None or (
            draws is not None and (is_worth_it(draws.fits) or bool(draws.written))
        )
        self.warnings: tuple[str, ...] = tuple(draws.warnings) if draws is not None else ()
        self._found = found

    def _lines(self) -> Sequence[str]:
        from reparam_rewrite.fitting.reporting import as_text

        return as_text(self._found.found, self._found.frozen)


def fit(
    model: Model,
    config: AnyConfig,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    pilot: str | Path = "auto",
    draws: int = 1000,
    warmup: int = 500,
    chains: int = 2,
    seed: int = 0,
    learn: bool = False,
    bases: bool = False,
    function: str | None = None,
    progress: bool | None = None,
) -> Fitted:
    """Fit a config to the data of one call, as ``reparam-rewrite fit`` does.

    `model` is a function, imported or typed in a notebook, or the `Path` of a file, of which
    `function` names one if there are several. `config` is TOML text, a `Path` or a dictionary, and
    isn't changed: what comes of it is the `config` of the result.

    Coefficients of offsets are regressed on draws from the posterior. `pilot` says where these are
    from: "nested" is an approximation that needs no run, "nuts", "laplace" and "fullrank" are runs,
    "auto" is NUTS where nested can't be had, and a `Path` is that of an .npz or .nc with draws of
    the model's sites. `draws` is how many are made, of all `chains` together, each of which is
    warmed up with `warmup`; `seed` is theirs. With `learn` coefficients stay params, which SVI goes
    on to learn, and with `bases` those that make a site narrower are written. What the data say of
    the sites of `conditional` is computed, without draws.

    `progress` shows how far a run is; by default at a terminal and in notebooks.

    Raises `Refusal` for what can't be rewritten or run, with its place, and for a config that asks
    for nothing.

    >>> fitted = fit(model, 'chain = ["mu", "a"]', args=(group,), kwargs={"y": y})
    >>> print(fitted)
    >>> fitted.save("model_reparam.py")
    """
    settings = config_of(config)
    path = Path(config) if isinstance(config, Path) else None
    if settings.is_empty:
        message = "the config asks for no offset, so there is nothing to fit"
        raise Refusal(Diagnostic(settings.path, message))
    with running("fit"):
        from reparam_rewrite.fitting.both import fit_to
        from reparam_rewrite.fitting.pilots import Options

        call, (settings,) = call_of(model, [settings], args, kwargs, function)
        arrays = (path or Path(STEM)).with_suffix(".npz")
        length = Options(draws, warmup, chains, seed, is_shown(progress))
        found = fit_to(call, settings, arrays, str(pilot), length, learn, bases)
    return Fitted(call, found, path)
