"""A model, its config and its arguments, brought together: what runs of all kinds start from."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpyro.diagnostics import effective_sample_size

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.config.rules import Config
from reparam_rewrite.fitting.automatic import WITHOUT_A_RUN, piloted
from reparam_rewrite.fitting.coordinates import without_coordinates
from reparam_rewrite.fitting.freezing import frozen, reader
from reparam_rewrite.fitting.pilots import Options, read_pilot, run_pilot
from reparam_rewrite.fitting.probing import (
    TRANSFORMS,
    children_of,
    learning,
    mets_of,
    regressions,
    thawed,
)
from reparam_rewrite.fitting.projections import meetings
from reparam_rewrite.fitting.regression import better, fitted, left_of
from reparam_rewrite.fitting.values import Better, Child, Fitted, Found, Pilot
from reparam_rewrite.fitting.writing import INLINE, Written, with_bases, with_fits, with_frozen
from reparam_rewrite.messages import Diagnostic, Refusal, listed
from reparam_rewrite.ordering import ordered
from reparam_rewrite.plan import plan
from reparam_rewrite.plan.values import Projection
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.running.call import WIDTH, Call
from reparam_rewrite.running.errors import refusal
from reparam_rewrite.running.trace import double_precision, structure
from reparam_rewrite.survey.functions import Survey

#: What a pilot's draws must have for the coefficients to be believed: draws that are independent.
FEW = 50


class Fitting:
    """A call, and those of the models that a config makes of its model.

    `children` are what the config offsets or scales. `as_configured` is of the model that it asks
    for, `probe` of one in which all coefficients are learned, in the shape that it asks for; where
    that can't be written, each pair has one number. Raises `Refusal` for what can't be rewritten or
    loaded.
    """

    def __init__(self, call: Call, config: Config) -> None:
        def made(config: Config) -> Call:
            rewritten = rewrite(call.document, config, WIDTH)
            return call.generated(rewritten, f"<{call.document.path} with {config.path}>")

        self.call, self.config = call, config
        found = ordered(call.document.module, config)
        self.survey, self.children = found.survey, children_of(found.request, config)
        self.thawed = as_the_model_shows(self.survey, config, self.children)
        self.as_configured = made(self.thawed)
        learned = learning(self.thawed)
        try:
            self.probe = made(learned)
        except Refusal:
            learned = learning(self.thawed, shared=True)
            self.probe = made(learned)
        self.mets = mets_of(plan(self.survey, learned))
        if not self.children:
            asked = "the config asks for no offset and no power of a scale"
            if any(rule.scale and rule.scale.is_matrix for rule in config.sites.values()):
                asked += ", but for sites with a scale_tril, which stay as they are"
            raise Refusal(Diagnostic(config.path, f"{asked}, so there is nothing to fit"))

    @property
    def keeps_frozen(self) -> bool:
        """Is anything frozen in the config that the model itself doesn't show?"""
        rules = (parent for site in self.thawed.sites.values() for parent in site.parents)
        return any(rule.is_frozen for rule in rules)

    @property
    def has_arrays(self) -> bool:
        """Are there arrays in the config, or files of them, which may be of another call?"""
        pairs = (pair for child in self.children for pair in child.asked.pairs)
        return bool(self.config.files) or any(
            isinstance(pair.coefficient.init, tuple) for pair in pairs
        )

    def pilot(self, kind: str, options: Options) -> Pilot:
        """Draws of a `kind`, or of the file of this name. Raises `Refusal`."""
        if kind.endswith((".npz", ".nc")):
            return read_pilot(kind, self.call)
        if kind in WITHOUT_A_RUN:
            return piloted(kind, self.call, options.draws, lambda kind: self.pilot(kind, options))
        with self.told(f"the pilot of '{self.call.name}'"):
            return run_pilot(kind, self.runs(), options)

    def runs(self) -> Call:
        """The model that the config asks for; with arrays of another call that as written."""
        call = self.as_configured
        if not self.has_arrays:
            return call
        try:
            with double_precision():
                structure(call.model, call.args, call.kwargs)
        except Exception:
            return self.probe
        return call

    @contextmanager
    def told(self, what: str) -> Iterator[None]:
        """A block that runs the model: what it prints isn't on stdout, what it raises `Refusal`."""
        try:
            with redirect_stdout(sys.stderr):
                yield
        except Refusal:
            raise
        except (Exception, SystemExit) as error:
            raise refusal(error, self.call.document.path, f"{what} failed") from error

    def fits(self, pilot: Pilot, written: tuple[Better, ...] = ()) -> Found:
        """The coefficients, and what speaks against them. Raises `Refusal` where the model fails.

        written: bases that the config has from earlier fits to the same draws.
        """
        call = self.call
        with self.told(f"the generated model of '{call.name}'"):
            found = regressions(self.probe, self.children, pilot, self.mets)
            fits = [fitted(one, pilot.chain) for one in found]
            reads = reader(call.name, self.survey)
            met = meetings(self.probe, found, reads, pilot.draws)
        names = vars(call.entry.module)
        fits, warnings = frozen(fits, self.config, self.children, reads, pilot.draws, names, *met)
        chains = [np.flatnonzero(pilot.chain == chain) for chain in np.unique(pilot.chain)]
        each = [chain[: min(map(len, chains))] for chain in chains]
        draws = {name: np.stack([v[at] for at in each]) for name, v in pilot.draws.items()}
        least, _, worst = sizes(draws, len(pilot.chain))
        if least < FEW:
            warnings.append(
                f"the pilot has {least:.0f} independent draws of {worst}: coefficients are rough; "
                "fit once more with them, or ask for more --draws"
            )
        if pilot.divergences:
            count = len(pilot.chain)
            warnings.append(f"{pilot.divergences} of the pilot's {count} draws diverged")
        several = {fit.regression.key for fit in fits if fit.regression.several}
        if several:
            warnings.append(f"{listed(several)} stands for several sites, which share coefficients")
        return Found(pilot, fits, warnings, least, written, self.bases(fits, pilot))

    def bases(self, fits: Sequence[Fitted], pilot: Pilot) -> tuple[Better, ...]:
        """Bases over more axes that would help, and that the program would write."""
        found = []
        for fit in fits if TRANSFORMS else ():
            rule = self.config.sites.get(fit.regression.child)
            basis = rule.basis if rule is not None else None
            other = basis is not None and (basis.kind != "dct" or basis.settings.get("smooth"))
            if fit.regression.several or other:
                continue
            known = basis.dims if basis is not None else ()
            dims, narrowing = better(left_of(fit), pilot.chain, known)
            one = Better(fit.regression.child, (*known, *dims), narrowing)
            with suppress(Refusal):
                if dims:
                    self.check(with_bases(self.config, [one]), self.config.path)
                    found.append(one)
        return tuple(found)

    def check(self, text: str, path: str) -> None:
        """The program itself must take the config that it wrote. Raises `Refusal`."""
        rewrite(self.call.document, read_config(text.encode(), path), WIDTH)


def as_the_model_shows(survey: Survey, config: Config, children: Sequence[Child]) -> Config:
    """The config in which what was frozen is told anew, where the model itself shows it."""
    other = thawed(config)
    if other == config:
        return config
    try:
        mets = mets_of(plan(survey, other))
    except Refusal:
        return config
    pairs = ((child.key, pair) for child in children for pair in child.asked.pairs)
    return thawed(
        config,
        {
            (key, pair.parent)
            for key, pair in pairs
            if not isinstance(mets[pair.child, pair.parent].projection, Projection)
        },
    )


def as_written(fitting: Fitting, found: Found, learn: bool, path: Path) -> Written:
    """The config with what was found, and its arrays for the .npz at `path`. Raises `Refusal`."""
    # The code of a notebook doesn't know where an .npz would be.
    folder = fitting.call.document.knows_folder
    file, inline = (path.name, INLINE) if folder else ("", 10**9)
    made = with_fits(fitting.config, found.fits, learn, file, inline)
    if made.arrays and fitting.keeps_frozen:  # what the file has of these, only it has
        made = made._replace(arrays=with_frozen(made.arrays, path))
    fitting.check(made.text, fitting.config.path)
    return made


def with_helpful_bases(fitting: Fitting, pilot: Pilot) -> tuple[Fitting, Found]:
    """The fit of the config that has all bases that make a site narrower. Raises `Refusal`.

    The draws are of the plain model's sites, and so as good for one config as for another.
    """
    found = fitting.fits(pilot)
    while found.helpful:
        config = fitting.config
        config = read_config(with_bases(config, found.helpful).encode(), config.path)
        fitting = Fitting(fitting.call, without_coordinates(config))
        found = fitting.fits(pilot, (*found.written, *found.helpful))
    return fitting, found


def sizes(values: Mapping[str, Any], most: float = math.inf) -> tuple[float, float, str]:
    """The least and the median effective sample size of all elements, and the site of the least.

    values: (chains, draws, ...). Sizes are NumPyro's (Geyer 1992), up to `most`. A site that never
    moved has none; an element of one that did doesn't count, as the corner of a Cholesky factor.
    """
    found = {}
    for name, value in values.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.ravel(effective_sample_size(np.asarray(value, float)))
        moves = np.ravel(np.ptp(value, axis=(0, 1)) > 0)
        each = np.where(np.isfinite(each), each, 0.0)
        found[name] = each[moves] if moves.any() else each
    least = {name: float(each.min(initial=most)) for name, each in found.items()}
    worst = min(least, key=lambda name: least[name])
    return least[worst], float(np.median(np.concatenate([*found.values()]))), worst
