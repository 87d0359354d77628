"""What `tune` proposes, what a pilot says of it, and whether anything is gained."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit
from msgspec.structs import replace
from numpyro.distributions import biject_to, constraints

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.config.rules import Config
from reparam_rewrite.fitting import pilots
from reparam_rewrite.fitting.automatic import (
    WITHOUT_A_RUN,
    WORTH,
    Proposing,
    bases_of,
    gains_of,
    generated,
    nested_of,
    no_nested,
)
from reparam_rewrite.fitting.coordinates import (
    asks_for_more,
    coordinates_alone,
    frozen_data,
    without_coordinates,
)
from reparam_rewrite.fitting.nested import DRAWS, NotNested, Theta, compare
from reparam_rewrite.fitting.reporting import is_worth_it
from reparam_rewrite.fitting.running import Fitting, as_written, with_helpful_bases
from reparam_rewrite.fitting.starting import factor_of, nuts_start
from reparam_rewrite.fitting.values import Found
from reparam_rewrite.fitting.writing import Change, edited, rounded
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.rewriting import already, rewrite
from reparam_rewrite.running.call import WIDTH, Call
from reparam_rewrite.running.trace import double_precision, traced
from reparam_rewrite.running.values import Values
from reparam_rewrite.source.stamp import read_stamp
from reparam_rewrite.suggesting import to_text
from reparam_rewrite.suggesting.values import BY_HAND, Suggestion
from reparam_rewrite.tuning.values import Candidate, Piloted, Sampled, Tuned

#: A scale whose logarithm has a posterior that is narrower than this gets a line in the config.
NARROW = 0.2

#: The array that has the name of the model that the others are of.
OF_MODEL = "tune.model"

#: The comment of a line that is written anew with other data.
OURS = "# by tune"


class Tuning:
    """The tuning of one call.

    path: of the .npz beside the generated file. pilot: "auto", "nested", or a kind of run, which
    is made with these options. said: hears what is being done.
    """

    def __init__(
        self,
        call: Call,
        path: Path,
        pilot: str,
        options: pilots.Options,
        said: Callable[[str], None],
    ) -> None:
        self.call, self.path, self.kind = call, path, pilot
        self.options, self.said = options, said
        self.proposing = Proposing(call)
        self.called = f"{Path(call.document.path).name}:{call.name}"
        if read_stamp(call.document.data) is not None:
            raise already(call.document.path)

    def refuse_arrays_of_another(self, config: str, path: Path) -> None:
        """Refuse a config that is there whose arrays, at `path`, are of another model."""
        if not path.is_file():
            return
        try:
            with np.load(path, allow_pickle=False) as arrays:
                found = str(arrays[OF_MODEL][0]) if OF_MODEL in arrays.files else self.called
        except (OSError, ValueError):
            return  # it is written anew
        if found != self.called:
            message = f"it and {path.name} are of {found}, and this is {self.called}"
            stem = Path(self.call.document.path).stem
            hint = f"give this model a config of its own, --config {stem}.toml, or delete both."
            raise Refusal(Diagnostic(config, message, hint))

    def tuned(self, before: Config | None, path: str) -> Tuned:
        """What comes of it, with the config at `path` as it is `before`, if there is one.

        Raises `Refusal`.
        """
        if before is not None:
            config = before
        else:
            self.said("reading the model, and running it once")
            suggestion = self.proposing.suggestion()
            if suggestion.is_empty:
                return Tuned((), reason=why_nothing(suggestion))
            config = read_config(to_text(suggestion, "tune").encode(), path)
        if config.conditional is None:
            return self.offset(config)
        found = self.given_the_data(config)
        if before is not None or found.candidate is not None:
            return found
        offsets = self.proposing.suggestion(offsets=True)
        if not offsets.is_empty:
            other = self.offset(read_config(to_text(offsets, "tune").encode(), path))
            if other.candidate is not None:
                return other
        by_hand = "".join(f"; {name} is {why}" for name, why in non_centred(suggestion).items())
        return replace(found, reason=f"{found.reason}{by_hand}")

    # -- sites that are sampled given the data -----------------------------------------------------

    def given_the_data(self, config: Config) -> Tuned:
        """With the conditional coordinates that a config asks for, and what else it does."""
        rule = config.conditional
        assert rule is not None
        order = tuple(one.name for one in rule.order)
        self.said("computing what the data say")
        known = self.proposing.known.get(order)
        frozen = frozen_data(self.call, config, self.path.name, known, spread=False)
        config = read_config(frozen.text.encode(), config.path)
        alone = coordinates_alone(config)
        with generated(self.call, alone, frozen.arrays, self.path.name) as made:
            piloted = self.piloted(made, order)
        assert piloted.compared is not None  # as it is of all draws of a generated model
        gains = gains_of(order, piloted.compared, piloted.left)
        if why := gains.why_not(self.call):
            return Tuned((), reason=why)
        text, arrays = config.text, dict(frozen.arrays)
        if asks_for_more(config):
            _, text, more = self.fitted(config, piloted)
            arrays |= more
        text = self.with_scales(read_config(text.encode(), config.path), piloted.theta)
        size = {name: self.call.trace[name]["value"].size for name in order}
        sampled = [
            Sampled(name, given_in_words(order, name), float(np.exp(by / size[name])))
            for name, by in gains.by_site.items()
        ]
        return self.written(Candidate(text, arrays, piloted), sampled, gains.total)

    def piloted(self, made: Call, effects: Sequence[str]) -> Piloted:
        """Draws from the posterior, by nested Laplace or by a run. Raises `Refusal`."""
        why = ""
        if self.kind in WITHOUT_A_RUN:
            self.said("finding the mode of the scales, and drawing around it")
            try:
                found = nested_of(self.call, made, effects, DRAWS)
                how = f"{found.pilot.how}, {found.pilot.gradients:,} gradients"
                if found.nodes > 1:
                    how += f"; {found.counted:.0f} of {found.nodes:,} points count"
                return Piloted(found.pilot, found.compared, found.theta, how, found.too_far)
            except NotNested as problem:
                if self.kind == "nested":
                    raise Refusal(no_nested(self.call, problem)) from None
                why = f", as {problem}"
        self.said(f"running NUTS for a pilot{why}")
        kind = "nuts" if self.kind == "auto" else self.kind
        with redirect_stdout(sys.stderr), double_precision():
            base_of, _ = bases_of(self.call, made)
            names = tuple({*self.call.latents, *base_of.values()})
            whole = pilots.run_whole(kind, made, self.options, names)
            pilot = pilots.of_latents(whole, self.call)
            values = {base: whole.draws[base] for base in base_of.values()}

            def unconstrained_at(draw: Any) -> Values:
                trace = traced(made.model, made.args, made.kwargs, draw)
                return {n: biject_to(trace[n]["fn"].support).inv(v) for n, v in draw.items()}

            compared = compare(self.call, made, base_of, values, unconstrained_at)
        return Piloted(pilot, compared, None, f"{pilot.how}{why}")

    def with_scales(self, config: Config, theta: Theta | None) -> str:
        """The config with a line for each scale that is known closely, or as it is.

        Such a site's logarithm is narrow, so that NUTS would start with steps for 1, and take long
        to find out how small they have to be. Lines that a person wrote stay.
        """
        if theta is None:
            return config.text
        document: Any = tomlkit.parse(config.text)
        text = config.text
        for name in theta.spans:
            site = self.call.trace[name]
            rule, sd = config.sites.get(name), theta.sd(name)
            own = rule is not None and rule.scale is not None
            if own and not is_ours(document, name):
                continue
            positive = site["fn"].support in (constraints.positive, constraints.nonnegative)
            narrow = positive and np.size(sd) == 1 and float(sd[0]) < NARROW
            if not own and (not narrow or (rule is not None and rule.parents)):
                continue
            item = tomlkit.item(rounded(1 / float(sd[0]), digits=2)).comment(OURS[2:])
            change: Change = (("sites", name, "scale"), item)
            try:
                more = edited(
                    read_config(text.encode(), config.path), [change], "scales", "[sites.a]"
                )
                rewrite(self.call.document, read_config(more.encode(), config.path), WIDTH)
            except Refusal:
                continue
            text = more
        return text

    # -- offsets -----------------------------------------------------------------------------------

    def offset(self, config: Config) -> Tuned:
        """With fitted coefficients of the offsets that a config asks for."""
        if not asks_for_more(config):
            return Tuned((), reason="the config asks for nothing that data decide")
        self.said("looking for the posterior's mode, or running a pilot")
        fitting = Fitting(self.call, without_coordinates(config))
        pilot = fitting.pilot(self.kind, self.options)
        piloted = Piloted(pilot, None, None, pilot.how)
        found_, text, arrays = self.fitted(config, piloted)
        gains = {
            fit.regression.child: (fit.narrowing, fit.regression.values[0].size)
            for fit in found_.fits
            if fit.kind != "none" or fit.power
        }
        gains |= {one.site: (one.narrowing, 1) for one in found_.written}
        total = sum(size * float(np.log(narrower)) for narrower, size in gains.values())
        if total < WORTH or not (is_worth_it(found_.fits) or found_.written):
            return Tuned((), reason="no offset makes the posterior of a site narrower")
        around = {fit.regression.child for fit in found_.fits if fit.kind != "none"}
        sampled = [
            Sampled(
                name, "around its parents" if name in around else "in another scale or basis", by
            )
            for name, (by, _) in gains.items()
        ]
        candidate = Candidate(text, arrays, piloted)
        return self.written(candidate, sampled, total)

    def fitted(self, config: Config, piloted: Piloted) -> tuple[Found, str, Mapping[str, Any]]:
        """What draws tell of offsets and powers, the config with it, and its arrays."""
        self.said("fitting coefficients to the draws")
        first = Fitting(self.call, without_coordinates(config))
        fitting, found = with_helpful_bases(first, piloted.pilot)
        made = as_written(fitting, found, False, self.path)
        return found, made.text, made.arrays

    # -- both --------------------------------------------------------------------------------------

    def written(self, candidate: Candidate, sampled: list[Sampled], total: float) -> Tuned:
        """With a line for every site, and where NUTS is to start."""
        config = read_config(candidate.text.encode(), self.call.document.path)
        named = {one.site for one in sampled}
        for name in self.call.latents:
            rule = config.sites.get(name)
            if name not in named:
                by = factor_of(rule) if rule is not None else None
                how = "as written" if by is None else f"as written, in units of 1/{by:g}"
                sampled.append(Sampled(name, how))
        piloted, arrays = candidate.piloted, candidate.arrays
        if piloted.theta is not None and piloted.compared is not None:
            start = nuts_start(self.call, config, piloted.theta, piloted.compared)
            arrays = {**arrays, **start}
        if arrays:
            arrays = {**arrays, OF_MODEL: np.array([self.called])}
        return Tuned(tuple(sampled), replace(candidate, arrays=arrays), "", total)


def is_ours(document: Any, site: str) -> bool:
    """Was the scale of a site written by `tune`?"""
    item = document.get("sites", {}).get(site, {}).get("scale")
    return (
        item is not None
        and getattr(item, "trivia", None) is not None
        and bool(re.match(OURS, item.trivia.comment))
    )


def given_in_words(order: Sequence[str], name: str) -> str:
    """``given the data, mu and a``"""
    before = order[: list(order).index(name)]
    if len(before) > 3:
        return f"given the data and the {len(before)} before it"
    return " and ".join(filter(None, [", ".join(["given the data", *before[:-1]]), *before[-1:]]))


def non_centred(suggestion: Suggestion) -> dict[str, str]:
    """The sites that are non-centred by hand, and what is said of them."""
    told = suggestion.conditional.why if suggestion.conditional is not None else {}
    return {name: why for name, why in told.items() if why.startswith(BY_HAND)}


def why_nothing(suggestion: Suggestion) -> str:
    """Why nothing is proposed, in a clause."""
    told = suggestion.conditional.why if suggestion.conditional is not None else {}
    if told:
        name, why = next(iter({**non_centred(suggestion), **told}.items()))
        return f"no site can be sampled better: {name}: {why}"
    return "no two sites make up for each other, and no prior is a funnel"
