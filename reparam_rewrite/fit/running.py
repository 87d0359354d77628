"""A model, its config and its arguments, brought together: what runs of all kinds start from."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass

import numpy as np
from numpyro.diagnostics import effective_sample_size

from reparam_rewrite.config.keys import Config
from reparam_rewrite.config.reading import read_config
from reparam_rewrite.fit.bases import candidates, with_basis
from reparam_rewrite.fit.children import children_of, learning, probe, surveyed
from reparam_rewrite.fit.freezing import frozen, reader
from reparam_rewrite.fit.pilots import Options, Run, read_pilot, run_pilot
from reparam_rewrite.fit.probing import TRANSFORMS, Probe, regressions
from reparam_rewrite.fit.regression import fitted
from reparam_rewrite.fit.reporting import FEW
from reparam_rewrite.fit.values import Better, Child, Fitted, Pilot
from reparam_rewrite.fit.writing import Written
from reparam_rewrite.messages import Diagnostic, Refusal, listed
from reparam_rewrite.plan.values import Account
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.running.call import WIDTH, Call
from reparam_rewrite.running.errors import refusal
from reparam_rewrite.running.trace import copied, double_precision, structure
from reparam_rewrite.running.values import Model


@dataclass(frozen=True)
class Fitting:
    """A call, and what a config makes of its model: each takes the call of the model as written.

    children: what the config offsets or scales. as_configured: the model that it asks for. probe:
    one with a coefficient for each pair. learning: one in which each is learned, in the shape that
    the config asks for; None where that can't be written, and each pair has one coefficient.
    """

    call: Call
    config: Config
    accounts: tuple[Account, ...]
    children: tuple[Child, ...]
    as_configured: Model
    probe: Model
    learning: Model | None

    @classmethod
    def of(cls, call: Call, config: Config) -> Fitting:
        """Rewrite and load what is to be run. Raises `Refusal` for what can't be."""
        shown = f"<{call.document.path} with {config.path}>"
        rewritten = rewrite(call.document, config, WIDTH)
        probed = rewrite(call.document, probe(config), WIDTH)
        children = tuple(children_of(call.document, config))
        as_configured = call.generated(rewritten, shown)
        probing = call.generated(probed, shown)
        learned: Model | None = None
        with suppress(Refusal):
            learned = call.generated(rewrite(call.document, learning(config), WIDTH), shown)
        if not children:
            message = (
                "the config asks for no offset and no power of a scale, so there is nothing to fit"
            )
            raise Refusal(Diagnostic(config.path, message))
        accounts = tuple(rewritten.accounts)
        return cls(call, config, accounts, children, as_configured, probing, learned)

    def pilot(self, kind: str, options: Options) -> Pilot:
        """Draws of a run, or of a file. Raises `Refusal`."""
        if kind.endswith((".npz", ".nc")):
            shapes = {n: tuple(self.call.trace[n]["value"].shape) for n in self.call.latents}
            return read_pilot(kind, self.call.latents, shapes)
        call = self.call
        run = Run(self.as_configured, call.args, call.kwargs, call.latents)
        try:
            with redirect_stdout(sys.stderr):
                return run_pilot(kind, run, options)
        except Refusal:
            raise
        except (Exception, SystemExit) as error:
            raise refusal(
                error, call.document.path, f"the pilot of '{call.name}' failed"
            ) from error

    def fits(self, pilot: Pilot) -> tuple[list[Fitted], list[str], float]:
        """The coefficients, what speaks against them, and the pilot's least ESS."""
        call = self.call
        try:
            with redirect_stdout(sys.stderr):
                probing = Probe(self.probe, call.args, call.kwargs, self.shapes())
                found = regressions(probing, self.children, pilot)
                fits = [fitted(one, pilot.chain) for one in found]
        except Refusal:
            raise
        except Exception as error:
            what = f"the generated model of '{call.name}' failed"
            raise refusal(error, call.document.path, what) from error
        reads = reader(ast.parse(call.document.module.text), call.name, surveyed(call.document))
        fits, warnings = frozen(
            fits,
            self.config,
            self.children,
            self.accounts,
            reads,
            pilot.draws,
            getattr(call.model, "__globals__", {}),
        )
        least, worst = least_ess(pilot)
        if least < FEW:
            warnings.append(
                f"the pilot has {least:.0f} independent draws of {worst}: coefficients are rough; "
                "fit once more with them, or ask for more --draws"
            )
        if pilot.divergences:
            warnings.append(f"{pilot.divergences} of the pilot's {pilot.count} draws diverged")
        several = {fit.regression.key for fit in fits if fit.regression.several}
        if several:
            warnings.append(f"{listed(several)} stands for several sites, which share coefficients")
        return fits, warnings, least

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Those of the params in the model in which all coefficients are learned."""
        if self.learning is None:
            return {}
        with double_precision():
            trace = structure(self.learning, *copied(self.call.args, self.call.kwargs))
        return {n: np.shape(s["value"]) for n, s in trace.items() if s["type"] == "param"}

    def bases(self, fits: Sequence[Fitted], pilot: Pilot) -> tuple[Better, ...]:
        """Bases over more axes that would help, and that the program would write."""
        if not TRANSFORMS:
            return ()
        config, found = self.config, []
        for one in candidates(config, fits, pilot.chain):
            try:
                rewrite(self.call.document, with_basis(config, one), WIDTH)
            except Refusal:
                continue
            found.append(one)
        return tuple(found)

    def check(self, made: Written, path: str) -> None:
        """The program itself must take what it wrote. Raises `Refusal`."""
        rewrite(self.call.document, read_config(made.text.encode(), path), WIDTH)


def least_ess(pilot: Pilot) -> tuple[float, str]:
    """The least effective sample size of the pilot's draws, and the site that has it."""
    chains = np.unique(pilot.chain)
    found = {}
    for name, values in pilot.draws.items():
        parts = [np.asarray(values)[pilot.chain == chain] for chain in chains]
        length = min(len(part) for part in parts)
        with np.errstate(divide="ignore", invalid="ignore"):
            sizes = effective_sample_size(np.stack([part[:length] for part in parts]))
        found[name] = float(np.where(np.isfinite(sizes), sizes, 0.0).min(initial=pilot.count))
    worst = min(found, key=lambda name: found[name], default="")
    return found.get(worst, 0.0), worst
