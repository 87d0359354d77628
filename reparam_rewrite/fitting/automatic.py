"""Draws without a run, for any model: the effects that a nested pilot needs are found here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.config.rules import Config
from reparam_rewrite.config.writing import value_of
from reparam_rewrite.fitting.conditional import Conditional, conditional_arrays
from reparam_rewrite.fitting.coordinates import Frozen, beside_arrays, frozen_data
from reparam_rewrite.fitting.nested import DRAWS, Compared, Nested, NotNested, nested
from reparam_rewrite.fitting.values import Pilot
from reparam_rewrite.messages import Diagnostic, Refusal, listed
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.running.call import WIDTH, Call, Entry, run_once
from reparam_rewrite.running.facts import facts_of_call
from reparam_rewrite.running.trace import double_precision, is_latent, structure
from reparam_rewrite.running.values import Arguments
from reparam_rewrite.running.which_function import candidates
from reparam_rewrite.source.document import Document
from reparam_rewrite.suggesting.finding import samples, suggest
from reparam_rewrite.suggesting.values import Conditional as Unproposed
from reparam_rewrite.suggesting.values import Suggestion
from reparam_rewrite.verifying.pairing import conventional_bases

#: The kinds of pilots that are no run, or not always.
WITHOUT_A_RUN = ("auto", "nested")

#: What all sites together must gain, and what a single one may lose beside it (nats).
WORTH, LOSS = 0.5, 0.5

#: What counts as nothing (nats).
LITTLE = 0.05

#: How far bases may be from standard normal given the data where nothing is approximated (nats).
EXACT = 1e-6


class Gains(NamedTuple):
    """What sites gain by being sampled given the data (nats): by site, and all of them."""

    by_site: Mapping[str, float]
    total: float

    def why_not(self, call: Call) -> str:
        """Why that isn't worth it, in a clause; "" if it is."""
        size = {name: int(np.prod(call.trace[name]["value"].shape)) for name in self.by_site}
        worse = [n for n, by in self.by_site.items() if by < -LOSS - 0.03 * size[n] ** 0.5]
        if self.total >= WORTH and not worse:
            return ""
        names, by = (worse, self.by_site[worse[0]]) if worse else ([*self.by_site], self.total)
        said = f"sampled given the data {listed(names)} would"
        if abs(by) < LITTLE:
            return f"{said} gain nothing"
        if by < 0:
            return f"{said} be {-by:.2g} nats wider"
        return f"{said} be {by:.2g} nats narrower, which isn't worth it"


def gains_of(order: Sequence[str], compared: Compared, left: float) -> Gains:
    """What draws say, of which `left` tells how far they are from the posterior (nats).

    Draws that are so far from it promise as much too much.
    """
    by_site = {name: compared.gain(name) for name in order}
    return Gains(by_site, sum(by_site.values()) - left)


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

    def worthwhile(self) -> Suggestion:
        """The same, without sites given the data of which a nested pilot says that nothing is
        gained. That isn't asked where what the data say is exact, as nothing can be lost then.
        """
        found = self.suggestion()
        why = self.why_not(found.order) if found.order and self.call.is_observed else ""
        if not why:
            return found
        told = dict.fromkeys(found.order, why)
        return self.suggestion(offsets=True).with_conditional(Unproposed(why=told))

    def why_not(self, order: Sequence[str]) -> str:
        with self.sampling(order, spread=True) as (frozen, made):
            if frozen.spread is not None and frozen.spread < EXACT:
                return ""
            try:
                found = nested_of(self.call, made, order, DRAWS)
            except NotNested as problem:
                return f"no pilot tells whether anything is gained: {problem}"
        return gains_of(order, found.compared, found.too_far).why_not(self.call)

    @contextmanager
    def sampling(self, order: Sequence[str], spread: bool) -> Iterator[tuple[Frozen, Call]]:
        """The call of what samples these sites given the data, with what these say of them."""
        written = ""
        if self.name is not None:
            written = f"functions = {value_of([self.name], (), '')}\n"
        written += f"conditional = {value_of(list(order), (), '')}\n"
        config = read_config(written.encode(), "<pilot>")
        known = self.known.get(tuple(order))
        frozen = frozen_data(self.call, config, "pilot.npz", known, spread)
        config = read_config(frozen.text.encode(), config.path)
        with generated(self.call, config, frozen.arrays, "pilot.npz") as made:
            yield frozen, made


def proposed(
    document: Document, given: str | Arguments, function: str | None, offsets: bool
) -> Suggestion:
    """What is proposed for the model of a file that is called with some arguments.

    given, function: the arguments or the option for them, and its name; without a name it is the
    function that would be proposed for by the source alone, if it takes them. Raises `Refusal`.
    """
    first: list[str] = []
    names = [function] if function else []
    if not names:
        names = candidates(document.module.data, document.path)
        static = suggest(document, offsets=offsets)
        first = [] if static.is_empty else [static.function, *static.others]
        names.sort(key=lambda name: first.index(name) if name in first else len(first))
        names = list(dict.fromkeys((*names, *first)))
    entry = Entry.of(document, next(iter(names), None))
    arguments = given if isinstance(given, tuple) else entry.arguments(given)
    entry = entry.taking(arguments, names[1:])
    others = tuple(name for name in names if name in first and name != entry.name)
    proposing = Proposing(run_once(document, entry, arguments))
    found = proposing.suggestion(True) if offsets else proposing.worthwhile()
    return replace(found, others=(proposing.name and others) or found.others)


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
    with proposing.sampling(order, spread=False) as (_, made):
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
