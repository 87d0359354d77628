"""Draws without a run, for any model: the effects that a nested pilot needs are found here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, redirect_stdout
from typing import Any

import numpy as np

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.config.rules import Config
from reparam_rewrite.config.writing import value_of
from reparam_rewrite.fit.conditional import Conditional, conditional_arrays
from reparam_rewrite.fit.coordinates import beside_arrays, frozen_data
from reparam_rewrite.fit.nested import Nested, NotNested, nested
from reparam_rewrite.fit.values import Pilot
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.running.call import WIDTH, Call
from reparam_rewrite.running.facts import facts_of_call
from reparam_rewrite.running.trace import double_precision, is_latent, structure
from reparam_rewrite.suggest.finding import samples, suggest
from reparam_rewrite.suggest.values import Suggestion
from reparam_rewrite.verify.pairing import conventional_bases

#: The kinds of pilots that are no run, or not always.
WITHOUT_A_RUN = ("auto", "nested")


class Proposing:
    """What is proposed for a call; what the data say of effects is computed once for each order.

    `name` is that of the function that samples, None where what is called only calls it.
    """

    def __init__(self, call: Call) -> None:
        self.call = call
        self.name = call.name if samples(call.document, call.name) else None
        self.known: dict[tuple[str, ...], Conditional] = {}

    def computed(self, order: Sequence[str]) -> Conditional:
        key = tuple(order)
        if key not in self.known:
            self.known[key] = conditional_arrays(self.call, order)
        return self.known[key]

    def suggestion(self, offsets: bool = False) -> Suggestion:
        """What `suggest` proposes of the source, a run, and the data. Raises `Refusal`."""
        call, computed = self.call, self.computed if self.call.is_observed else None
        # Draws of a vague prior overflow; what is told by figures that are none isn't proposed.
        with np.errstate(all="ignore"):
            facts = facts_of_call(call)
            return suggest(call.document, self.name, facts, offsets=offsets, computed=computed)


def generated(
    call: Call, config: Config, arrays: Mapping[str, Any], file: str
) -> AbstractContextManager[Call]:
    """The call of what a config makes of the model, with its arrays in a file beside it."""
    rewritten = rewrite(call.document, config, WIDTH)
    shown = f"<{call.document.path} with {config.path}>"
    return beside_arrays(call, rewritten, shown, arrays, file)


def nested_of(plain: Call, made: Call, effects: Sequence[str], draws: int) -> Nested:
    """A nested pilot by a generated model whose `effects` are sampled given the data.

    Raises `NotNested`, and what the models raise.
    """
    with double_precision(), redirect_stdout(sys.stderr):
        base_of, shapes = bases_of(plain, made)
        return nested(plain, made, base_of, shapes, effects, draws)


def bases_of(plain: Call, made: Call) -> tuple[dict[str, str], dict[str, tuple[int, ...]]]:
    """By latent site of the plain model what a generated one samples, and the shapes of that."""
    trace = structure(made.model, made.args, made.kwargs)
    shapes = {name: site["real_shape"] for name, site in trace.items() if is_latent(site)}
    found = conventional_bases((name for name in plain.latents if name not in shapes), shapes)
    return {name: found.get(name, name) for name in plain.latents}, shapes


def nested_pilot(call: Call, draws: int) -> Pilot:
    """A nested pilot of a model as written, whose effects are looked for.

    Raises `NotNested`, and `Refusal` for what the model raises.
    """
    proposing = Proposing(call)
    order = proposing.suggestion().order if call.is_observed else ()
    if not order:
        return nested_of(call, call, (), draws).pilot
    written = ""
    if proposing.name is not None:
        written = f"functions = {value_of([proposing.name], (), '')}\n"
    written += f"conditional = {value_of(list(order), (), '')}\n"
    config = read_config(written.encode(), "<pilot>")
    known = proposing.known.get(tuple(order))
    frozen = frozen_data(call, config, "pilot.npz", known, spread=False)
    config = read_config(frozen.text.encode(), config.path)
    with generated(call, config, frozen.arrays, "pilot.npz") as made:
        return nested_of(call, made, order, draws).pilot


def piloted(kind: str, call: Call, draws: int, run: Callable[[str], Pilot]) -> Pilot:
    """A pilot of one of the kinds that are no run, or for "auto" one of NUTS where there is none.

    `run` makes one of another kind. Raises `Refusal`.
    """
    try:
        return nested_pilot(call, draws)
    except NotNested as problem:
        if kind == "nested":
            raise Refusal(no_nested(call, problem)) from None
        pilot = run("nuts")
        return pilot._replace(how=f"{pilot.how}, as {problem}")


def no_nested(call: Call, problem: NotNested) -> Diagnostic:
    message = f"there is no nested pilot of '{call.name}': {problem}"
    return Diagnostic(call.document.path, message, "--pilot auto then runs NUTS.")
