"""All that a config asks data for: what they say of sites given them, and coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.config.rules import Config
from reparam_rewrite.fitting.coordinates import (
    Frozen,
    asks_for_more,
    frozen_data,
    without_coordinates,
)
from reparam_rewrite.fitting.pilots import Options
from reparam_rewrite.fitting.reporting import is_worth_it
from reparam_rewrite.fitting.running import Fitting, as_written, with_helpful_bases
from reparam_rewrite.fitting.values import Found
from reparam_rewrite.running.call import Call


class Fit(NamedTuple):
    """The text of a config with all that data decide, and the arrays of its .npz.

    `found` is what draws told, and `frozen` what the data say of sites that are sampled given them;
    None where the config doesn't ask for it.
    """

    text: str
    arrays: Mapping[str, Any]
    found: Found | None
    frozen: Frozen | None


def fit_to(
    call: Call,
    config: Config,
    path: Path,
    pilot: str,
    options: Options,
    learn: bool = False,
    bases: bool = False,
) -> Fit:
    """Fit a config to the data of a call, whose arrays are to be at `path`. Raises `Refusal`.

    pilot: a kind of run, or a file of draws. learn: coefficients stay params. bases: write those
    that make a site narrower.
    """
    arrays: dict[str, Any] = {}
    frozen = None
    if config.conditional is not None:
        frozen = frozen_data(call, config, path.name)
        arrays |= frozen.arrays
        config = read_config(frozen.text.encode(), config.path)
        if not asks_for_more(config):
            return Fit(config.text, arrays, None, frozen)
    fitting = Fitting(call, without_coordinates(config))
    draws = fitting.pilot(pilot, options)
    if bases:
        fitting, found = with_helpful_bases(fitting, draws)
    else:
        found = fitting.fits(draws)
    if not (is_worth_it(found.fits) or found.written):
        return Fit(fitting.config.text, arrays, found, frozen)
    made = as_written(fitting, found, learn, path)
    return Fit(made.text, arrays | dict(made.arrays), found, frozen)
