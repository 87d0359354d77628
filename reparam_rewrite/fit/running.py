"""A model, its config and its arguments, brought together: what runs of all kinds start from."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass

import numpy as np
from msgspec import structs
from numpyro.diagnostics import effective_sample_size

from reparam_rewrite.config.keys import BasisRule, Config, SiteRule
from reparam_rewrite.config.reading import read_config
from reparam_rewrite.fit.freezing import frozen, reader
from reparam_rewrite.fit.pilots import Options, Run, read_pilot, run_pilot
from reparam_rewrite.fit.probing import TRANSFORMS, children_of, learning, regressions
from reparam_rewrite.fit.regression import better, fitted, left_of
from reparam_rewrite.fit.values import Better, Child, Fitted, Pilot
from reparam_rewrite.fit.writing import Written
from reparam_rewrite.messages import Diagnostic, Place, Refusal, listed
from reparam_rewrite.plan.resolve import resolve
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.running.call import WIDTH, Call
from reparam_rewrite.running.errors import refusal
from reparam_rewrite.running.trace import copied, double_precision, structure
from reparam_rewrite.running.values import Model
from reparam_rewrite.survey import survey
from reparam_rewrite.survey.functions import Survey

#: What a pilot's draws must have for the coefficients to be believed: draws that are independent.
FEW = 50


@dataclass(frozen=True)
class Fitting:
    """A call, and what a config makes of its model: each takes the call of the model as written.

    children: what the config offsets or scales. as_configured: the model that it asks for. probe:
    one with a coefficient for each pair. learned: one in which each is learned, in the shape that
    the config asks for; None where that can't be written, and each pair has one coefficient.
    """

    call: Call
    config: Config
    survey: Survey
    children: list[Child]
    as_configured: Model
    probe: Model
    learned: Model | None

    @classmethod
    def of(cls, call: Call, config: Config) -> Fitting:
        """Rewrite and load what is to be run. Raises `Refusal` for what can't be."""
        document, shown = call.document, f"<{call.document.path} with {config.path}>"
        rewritten = [rewrite(document, c, WIDTH) for c in (config, learning(config, shared=True))]
        surveyed = survey(document.module.path, document.module.text)
        children = children_of(resolve(surveyed, config), config)
        as_configured, probe = (call.generated(one, shown) for one in rewritten)
        learned: Model | None = None
        with suppress(Refusal):
            learned = call.generated(rewrite(document, learning(config), WIDTH), shown)
        if not children:
            message = (
                "the config asks for no offset and no power of a scale, so there is nothing to fit"
            )
            raise Refusal(Diagnostic(config.path, message))
        return cls(call, config, surveyed, children, as_configured, probe, learned)

    def pilot(self, kind: str, options: Options) -> Pilot:
        """Draws of a run of a `kind`, or of the file of this name. Raises `Refusal`."""
        call = self.call
        if kind.endswith((".npz", ".nc")):
            shapes = {n: tuple(call.trace[n]["value"].shape) for n in call.latents}
            return read_pilot(kind, call.latents, shapes)
        with self.told(f"the pilot of '{call.name}'"):
            return run_pilot(kind, self.run(self.as_configured), options)

    def run(self, model: Model) -> Run:
        return Run(model, self.call.args, self.call.kwargs, self.call.latents)

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

    def fits(self, pilot: Pilot) -> tuple[list[Fitted], list[str], float]:
        """The coefficients, what speaks against them, and the pilot's least ESS.

        Raises `Refusal` where the generated model fails.
        """
        call = self.call
        with self.told(f"the generated model of '{call.name}'"):
            found = regressions(self.run(self.probe), self.shapes(), self.children, pilot)
            fits = [fitted(one, pilot.chain) for one in found]
        reads = reader(call.name, self.survey)
        names = getattr(call.model, "__globals__", {})
        fits, warnings = frozen(fits, self.config, self.children, reads, pilot.draws, names)
        least, worst = least_ess(pilot)
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
        return fits, warnings, least

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Those of the params in the model in which all coefficients are learned."""
        if self.learned is None:
            return {}
        with double_precision():
            trace = structure(self.learned, *copied(self.call.args, self.call.kwargs))
        return {n: np.shape(s["value"]) for n, s in trace.items() if s["type"] == "param"}

    def bases(self, fits: Sequence[Fitted], pilot: Pilot) -> tuple[Better, ...]:
        """Bases over more axes that would help, and that the program would write."""
        found = []
        for fit in fits if TRANSFORMS else ():
            site = fit.regression.child
            rule = self.config.sites.get(site)
            basis = rule.basis if rule is not None else None
            known = basis.dims if basis is not None else ()
            other = basis is not None and (basis.kind != "dct" or basis.settings.get("smooth"))
            if fit.regression.several or other:
                continue
            dims, narrowing = better(left_of(fit), pilot.chain, known)
            rule = rule or SiteRule(name=site, place=Place(self.config.path, 1, 1))
            basis = BasisRule(place=rule.place, kind="dct", dims=(*known, *dims))
            changed = {**self.config.sites, site: structs.replace(rule, basis=basis)}
            config = structs.replace(self.config, sites=changed)
            with suppress(Refusal):
                if dims:
                    rewrite(self.call.document, config, WIDTH)
                    found.append(Better(site, basis.dims, narrowing))
        return tuple(found)

    def check(self, made: Written, path: str) -> None:
        """The program itself must take what it wrote. Raises `Refusal`."""
        rewrite(self.call.document, read_config(made.text.encode(), path), WIDTH)


def least_ess(pilot: Pilot) -> tuple[float, str]:
    """The least effective sample size of the pilot's draws, and the site that has it.

    That of NumPyro (Geyer 1992). An element that never moved has none.
    """
    chains = [np.flatnonzero(pilot.chain == chain) for chain in np.unique(pilot.chain)]
    length = min(map(len, chains))
    found = {}
    for name, values in pilot.draws.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            sizes = effective_sample_size(np.stack([values[own[:length]] for own in chains]))
        found[name] = float(np.where(np.isfinite(sizes), sizes, 0.0).min(initial=len(pilot.chain)))
    worst = min(found, key=lambda name: found[name], default="")
    return found.get(worst, 0.0), worst
