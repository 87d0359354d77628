"""Are sites that are sampled given the data standard normal then, as they should be?

Any coordinates have the right density, so wrong data, a wrong gain or sign, or a summand that isn't
counted leave the model as it is, and it only samples badly. What tells them is the spread of
``potential - |base|**2 / 2`` over random bases. It is nothing but rounding where the coordinates
are exact, as they can be in a normal model: if what is added up is all that there is, the noise is
read when the model runs, and all sites are taken at once. Elsewhere it is a figure.

Which sites these are and how they are sampled is seen in a run of the generated model, by the
reparameterizer that handlers give their sites to; a config that is given says it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from numpyro import handlers, primitives

from reparam_rewrite.running.predictors import NORMAL
from reparam_rewrite.running.spread import Spread, Start, spread, starts
from reparam_rewrite.running.trace import compiled, is_latent, traced
from reparam_rewrite.running.values import Model, Site, Values
from reparam_rewrite.verifying.change import arguments_of, unwrapped
from reparam_rewrite.verifying.points import Compared
from reparam_rewrite.verifying.values import Line, different, ok, warning

#: Up to which spread in nats coordinates are exact; more where terms are large and rounded to less.
EXACT, ROUNDED = 1e-8, 1e-9

#: From where on a figure is worth a warning: the spread as a multiple of what |base|**2 / 2 itself
#: varies by, which is the square root of half the number of bases.
FAR = 5.0

CAUSE = (
    "a wrong gain, sign or scale, a later site that isn't counted, or an .npz of other data: run "
    "'reparam-rewrite fit' again, and rewrite the model"
)


class Given(NamedTuple):
    """How sites are sampled given the data, as far as a run tells.

    order: the sites. at_once: not one after the other. others: the sites whose values are
    subtracted from what is observed. frozen: there are observed sites whose noise isn't read.
    noise: the scales that are, at one place.
    """

    order: Sequence[str]
    at_once: bool
    others: Sequence[str]
    frozen: bool
    noise: Any


class Watching(primitives.Messenger):  # type: ignore[misc]
    """Finds the reparameterizers of sites that are sampled given the data, while a model runs."""

    def __init__(self, fn: Model, found: list[Any]) -> None:
        super().__init__(fn)
        self.found = found

    def process_message(self, msg: dict[str, Any]) -> None:
        for handler in primitives._PYRO_STACK:
            configured = getattr(handler, "config", None)
            if isinstance(handler, handlers.reparam) and isinstance(configured, dict):
                for one in configured.values():
                    known = all(hasattr(one, name) for name in ("arrays", "R", "weights"))
                    if known and not any(one is other for other in self.found):
                        self.found.append(one)


def coordinate_lines(compared: Compared) -> Iterator[Line]:
    """The spread of the sites that are sampled given the data; nothing if there are none."""
    given = given_of(compared)
    bases = [] if given is None else [compared.change.moved.get(one, "") for one in given.order]
    if given is None or not all(bases):
        return
    measured = Measured(compared, bases)
    found = measured.spreads()
    if not found:
        return
    start, worst = max(found, key=lambda one: one[1].nats / limit(one[1]))
    names = ", ".join(given.order)
    if worst.nats <= limit(worst):
        yield ok(f"{names}: standard normal given the data", off=worst.nats, of=worst.size)
        return
    why = measured.excuse(given, start)
    typical = max([one for at, one in found if not at.small] or [worst], key=lambda one: one.nats)
    site = measured.worst(given, start)
    if not why:
        message = f"{worst.nats:.3g} nats from standard normal given the data, which it should be"
        yield different(site, message, CAUSE, off=worst.nats, of=worst.size)
    elif typical.nats > FAR * np.sqrt(measured.count / 2):
        message = f"{typical.nats:.3g} nats from standard normal given the data ({why})"
        yield warning(message, site, cause=CAUSE)
    else:
        message = f"within {typical.nats:.2g} nats of standard normal given the data ({why})"
        yield ok(f"{names}: {message}")


def limit(found: Spread) -> float:
    return max(EXACT, ROUNDED * found.size)


def given_of(compared: Compared) -> Given | None:
    """How sites are sampled given the data; the config, if given, says it before the run does."""
    change, rule = compared.change, compared.options.conditional
    if not any(own_transform(compared.generated[base]) for base in change.moved.values()):
        return None
    _, generated, (args, kwargs) = change.models
    found: list[Any] = []

    def run(u: Any) -> Any:
        found.clear()
        data = {**change.pairing.fixed, **compared.points[-1].held}
        traced(Watching(generated, found), args, kwargs, data, unconstrained=change.given(u))
        return [one.weights[:-1] ** -0.5 for one in found]

    u = compared.points[-1].u
    noise = jax.device_get(compiled(run, u)(u))
    if not found:
        return None
    one = found[0]
    own = [name for name in change.moved if matches(name, one.R)]
    arrays: Mapping[str, Any] = one.arrays
    parts = [len(of) for key, of in arrays.items() if key.endswith((".h", ".h_blocks"))]
    made = Given(
        order=own,
        at_once=not any(f"conditional.{name}.G" in arrays for name in one.R),
        others=[name for name in change.bases if matches(name, one.given)],
        # Without a noise it is 1.
        frozen=bool(np.all(noise[0] == 1.0)) or any(count > len(noise[0]) for count in parts),
        noise=noise[0],
    )
    if rule is None:
        return made
    return made._replace(
        order=[each.name for each in rule.order],
        at_once=rule.form != "sequential",
        others=[each.name for each in rule.given],
    )


def own_transform(base: Site) -> bool:
    """Whether a site's distribution is transformed by what NumPyro doesn't have."""
    transforms = getattr(unwrapped(base["fn"]), "transforms", [])
    return any(not type(one).__module__.startswith("numpyro.") for one in transforms)


def matches(name: str, known: Mapping[str, Any]) -> bool:
    """Whether a site is one of these, maybe in a scope."""
    return name in known or name.rpartition("/")[2] in known


class Measured:
    """Spreads of the bases, by the program that has compared the models."""

    def __init__(self, compared: Compared, bases: Sequence[str]) -> None:
        self.compared, self.change, self.bases = compared, compared.change, bases
        _, generated, call = self.change.models
        self.shapes, self.starts = starts(generated, *call, bases)
        self.count = sum(int(np.prod(self.shapes[base])) for base in bases)
        #: The params have their initial values.
        self.initial = compared.points[-1]

    def at(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What both models compute at unconstrained values of the generated one's latents."""
        change, u = self.change, np.zeros(self.change.dims)
        for name, base in change.bases.items():
            u[change.spans[name]] = np.ravel(values[base])
        along = np.zeros((1, change.dims + change.param_dims))
        return change.at(u, self.initial.p, self.initial.held, along)

    def left(self, values: Mapping[str, Any]) -> tuple[float, float]:
        terms = self.at(values)["generated"]
        squares = sum(float(np.sum(np.square(values[base]))) for base in self.bases)
        potential = -sum(map(float, terms["log_prob"].values()))
        return potential - squares / 2, sum(map(float, terms["size"].values())) + squares / 2

    def spreads(self) -> list[tuple[Start, Spread]]:
        """That of each start at which there is a density."""
        found = [(s, spread(self.left, self.shapes, s, self.bases)) for s in self.starts]
        return [(start, one) for start, one in found if np.isfinite(one.nats)]

    def worst(self, given: Given, start: Start) -> str:
        """The site with the largest spread when only its base moves."""
        by_site = dict(zip(given.order, self.bases, strict=True))
        one = partial(spread, self.left, self.shapes, start, self.bases)
        return max(by_site, key=lambda name: one(by_site[name]).nats)

    # -- why coordinates may be no more than nearly right ------------------------------------------

    def excuse(self, given: Given, start: Start) -> str:
        """Why the bases needn't be exactly standard normal; "" if they must be."""
        if not given.at_once:
            return "one site after the other, with later ones as noise"
        if self.change.pairing.subsampled:
            return "the data are subsampled"
        here, there = (self.points(start)[at] for at in (0, 1))
        moved = [
            name
            for name, term in here["generated"]["log_prob"].items()
            if name not in given.order
            and abs(term - there["generated"]["log_prob"][name]) > 1e-12 * max(1.0, abs(term))
        ]
        plain = self.compared.plain
        for name in moved:
            if is_latent(plain[name]):
                return f"the prior of {name} needs them"
            if type(unwrapped(plain[name]["fn"])).__name__ not in NORMAL:
                return f"{name} isn't normal"
        if given.frozen and (site := self.unread(given, moved)):
            return f"the noise of {site} is taken as it is at a mode"
        if others := self.moving(given, moved):
            return f"{', '.join(others)} moves the observations too, and isn't among them"
        return "" if self.is_quadratic(start) else "a prior isn't normal, or they don't add up"

    def points(self, start: Start) -> list[dict[str, Any]]:
        """Both models at four places on a line, on which bases move and nothing else does."""
        rng = np.random.default_rng(1)
        base, step = ({b: rng.normal(size=self.shapes[b]) for b in self.bases} for _ in range(2))
        line = ({b: base[b] + by * step[b] for b in self.bases} for by in range(4))
        return [self.at({**start.others, **values}) for values in line]

    def is_quadratic(self, start: Start) -> bool:
        """Whether the log density is one of a normal distribution, of the bases."""
        found = [one["generated"] for one in self.points(start)]
        values = [sum(one["log_prob"].values()) for one in found]
        size = max(sum(one["size"].values()) for one in found)
        return bool(abs(np.diff(values, 3)[0]) <= 1e-9 * max(1.0, size))

    def unread(self, given: Given, observed: Sequence[str]) -> str:
        """An observed site whose scale other sites decide on, and which isn't read; "" if none."""
        rule = self.compared.options.conditional
        here, there = (self.anywhere(start)["arguments"] for start in self.starts[:2])
        at = self.initial.at["arguments"]
        for name in observed:
            scale = np.asarray(at[name][0]["scale"])
            settled = np.array_equal(here[name][0]["scale"], there[name][0]["scale"])
            read = np.ptp(scale) == 0 and bool(np.any(np.isclose(scale.flat[0], given.noise)))
            if not settled and not (read if rule is None else name in rule.noise):
                return name
        return ""

    def anywhere(self, start: Start) -> dict[str, Any]:
        """Both models at a start, where all bases are 0."""
        return self.at({**start.others, **{b: np.zeros(self.shapes[b]) for b in self.bases}})

    def moving(self, given: Given, observed: Sequence[str]) -> list[str]:
        """Other latents that move the location of what is observed, or that of an effect's prior,
        where the effects stay what they are.
        """
        change = self.change
        plain, _, call = change.models
        data = {**change.pairing.fixed, **self.initial.held, **self.initial.at["params"]}
        here, there = (self.anywhere(start)["values"] for start in self.starts[:2])
        here, there = ({name: of[name] for name in change.bases} for of in (here, there))

        def locations(values: Values) -> list[Any]:
            trace = traced(plain, *call, {**data, **values})
            found = (arguments_of(unwrapped(trace[n]["fn"])) for n in (*observed, *given.order))
            return [of["loc"] for of in found if "loc" in of]

        program = compiled(locations, here)
        before = program(here)
        others = [n for n in change.bases if n not in {*given.order, *given.others}]
        return [
            name
            for name in others
            for after in [program({**here, name: there[name]})]
            if not all(np.array_equal(*pair) for pair in zip(before, after, strict=True))
        ]
