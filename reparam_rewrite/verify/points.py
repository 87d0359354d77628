"""What was computed at each point: log densities by site, log|det|, and how far they are apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from msgspec import Struct

from reparam_rewrite.running.values import Trace, Values
from reparam_rewrite.verify import determinant
from reparam_rewrite.verify.change import COUNTS, Change
from reparam_rewrite.verify.determinant import Determinant, Unknown
from reparam_rewrite.verify.values import Discrete, Line, Options

#: The point at which every param has its initial value.
INITIAL = -1

#: How many points there may be, so that discrete latents take all of their values.
MOST_POINTS = 300


class Point(Struct, frozen=True):
    """One point. `gaps` is, by site, how much more log density the generated model has.

    A gap is found - expected, where expected is the plain model's term and the site's own log|det|.
    Without a determinant there are no gaps, and `problem` says why. held: the values of discrete
    latents.
    """

    number: int
    u: Any
    p: Any
    held: Values
    at: Mapping[str, Any]
    determinant: Determinant | None
    gaps: Mapping[str, float]
    found: float
    expected: float
    magnitude: float
    problem: Unknown | None = None

    @property
    def gap(self) -> float:
        return self.found - self.expected

    def off(self, name: str) -> float:
        """The gap of a site as a share of what its own terms are large as."""
        sizes = [float(self.at[model]["size"][name]) for model in ("plain", "generated")]
        return share(self.gaps[name], max(1.0, *sizes))

    def own(self, name: str) -> float:
        """How much the log density of a site differs in those elements in which it does."""
        gap, size = self.at["elements"].get(name, (0.0, 0.0))
        return float(gap) if abs(gap) > 1e-6 * size else 0.0

    @property
    def usable(self) -> bool:
        """Whether the plain model has a density and values here that numbers can hold."""
        return bool(np.isfinite(self.magnitude) and self.at["told_apart"])

    def where(self, seed: int) -> str:
        if self.number == INITIAL:
            return f"at init values (seed {seed})"
        return f"at point {self.number} (seed {seed})"


def share(gap: float, size: float) -> float:
    return float(np.nan_to_num(abs(gap) / size, nan=np.inf))


#: A gap that changes by this share of it, where values do in their last digits, is rounding.
ROUNDING = 0.05


class Evaluator:
    """Computes points. The first one decides how the determinant is taken."""

    def __init__(self, change: Change, options: Options) -> None:
        self.change = change
        self.options = options
        self.shapes = {pair.name: pair.shape for pair in change.pairing.pairs}
        self.small = change.dims <= options.dense
        self.blocks: list[determinant.Block] | None = None
        self.schedule = Schedule(change.pairing.discrete, options.seed)
        self.nearby: dict[int, list[Point]] = {}
        new = change.pairing.new
        self.param_rows = np.zeros((len(new), change.param_dims))
        rng = np.random.default_rng(2)
        for row, name in zip(self.param_rows, new, strict=True):
            span = change.param_spans[name]
            # All of one sign: a coefficient's own sign shows in what it does.
            row[span] = 0.5 + rng.uniform(size=span.stop - span.start)
        wanted = change.dims if self.small else 64
        change.compile(max(1, wanted + len(new) if self.small else wanted))

    def point(self, number: int) -> Point:
        """The point of a number; nearer to zero if the models can't be compared further out."""
        change = self.change
        u, p = change.draw(self.options.seed, max(number, 0))
        for held in self.schedule.at(max(number, 0)):
            for nearer in (1.0, 0.3, 0.1, 0.03):
                at_params = change.initial() if number == INITIAL else nearer * p
                point = self.computed(number, nearer * u, at_params, held)
                if point.usable:
                    return point
        return point

    def numbers(self) -> list[int]:
        """Those of the points: more than were asked for where discrete latents have more values."""
        most = self.options.points if self.small else max(self.options.points, 20)
        wanted = min(self.schedule.count, MOST_POINTS if self.small else most)
        return [*range(max(1, self.options.points, wanted)), INITIAL]

    def is_rounding(self, point: Point, gap: Callable[[Point], float]) -> bool:
        """Whether a gap is rounding: another one where values differ in their last digits."""
        here = gap(point)
        spread = [abs(gap(other) - here) for other in self.around(point)]
        return not np.isfinite(spread).all() or max(spread) > ROUNDING * abs(here)

    def wavers(self, point: Point, name: str, gap: float) -> bool:
        """Whether the log density of a site isn't known to more than `gap` for rounding."""
        terms = [float(p.at["generated"]["log_prob"][name]) for p in [point, *self.around(point)]]
        return not np.isfinite(terms).all() or np.ptp(terms) > ROUNDING * gap

    def around(self, point: Point) -> list[Point]:
        """Points that differ from one in the last digits of its values."""
        if point.number not in self.nearby:
            rng = np.random.default_rng([3, point.number + 1])
            blur = np.nan_to_num(point.at["blur"], nan=0.0, posinf=0.0)
            self.nearby[point.number] = [
                self.computed(
                    point.number,
                    point.u + step * np.maximum(1e-15 * np.abs(point.u), 2 * blur),
                    point.p * (1 + 1e-15 * rng.uniform(-1, 1, point.p.shape)),
                    point.held,
                )
                for step in rng.uniform(-1, 1, (4, *point.u.shape))
            ]
        return self.nearby[point.number]

    def computed(self, number: int, u: Any, p: Any, held: Values) -> Point:
        at = self.evaluated(u, p, held)
        total = problem = None
        try:
            total = self.log_det(at, u, p, held)
        except Unknown as error:
            problem = error
        old = {name: float(term) for name, term in at["plain"]["log_prob"].items()}
        new = {name: float(term) for name, term in at["generated"]["log_prob"].items()}
        own = total.by_site if total else {}
        gaps = {name: new[name] - term - own.get(name, 0.0) for name, term in old.items()}
        log_det = total.total if total else 0.0
        return Point(
            number=number,
            u=u,
            p=p,
            held=held,
            at=at,
            determinant=total,
            gaps=gaps if total else {},
            found=sum(new.values()),
            expected=sum(old.values()) + log_det,
            magnitude=float(np.max([1.0, *(abs(term) for term in (log_det, *old.values()))])),
            problem=problem,
        )

    def evaluated(self, u: Any, p: Any, held: Values) -> dict[str, Any]:
        """What is at a point, with the derivatives of all values along each new param, and where
        the whole jacobian is taken along each element of u.
        """
        dims = self.change.dims if self.small else 0
        along_u = np.zeros((dims + len(self.param_rows), self.change.dims))
        along_u[:dims] = np.eye(dims, self.change.dims)
        own = np.zeros((dims, self.change.param_dims))
        at = self.change.at(u, p, along_u, np.vstack([own, self.param_rows]), held)
        return {**at, "along": at["along"][:dims], "by_param": at["along"][dims:]}

    def log_det(self, at: Mapping[str, Any], u: Any, p: Any, held: Values) -> Determinant:
        """Raises `Unknown`."""
        if self.small:
            return determinant.dense(at["along"].T, self.change.spans)
        along = self.along(u, p, held)
        if self.blocks is None:
            self.blocks = determinant.blocks(
                along, self.change.spans, self.shapes, self.options.largest_block
            )
        return determinant.blockwise(along, self.blocks)

    def along(self, u: Any, p: Any, held: Values) -> determinant.Along:
        return lambda rows: self.change.at(u, p, rows, held=held)["along"]

    def inverse(self, point: Point) -> Callable[[Any], Any]:
        """From a change of v to that of u, at a point that has a determinant."""
        if self.small:
            return lambda wanted: np.linalg.solve(point.at["along"].T, wanted)
        return determinant.Inverse(self.along(point.u, point.p, point.held), self.blocks or []).of


@dataclass(frozen=True)
class Compared:
    """Two models whose sites match, and what was computed of both: all that a check looks at.

    plain: the trace of the plain model. params: what is different about its params. points: those
    with random values, and last the one at which every param has its initial value.
    """

    plain: Trace
    params: tuple[Line, ...]
    change: Change
    evaluator: Evaluator
    points: tuple[Point, ...]
    options: Options

    @cached_property
    def outside(self) -> dict[str, Point]:
        """By site that has a value outside of its support, the first point at which it has."""
        found: dict[str, Point] = {}
        for name in self.points[0].at["supported"]:
            wrong = (point for point in self.points if not point.at["supported"][name])
            if point := next(wrong, None):
                found[name] = point
        return found

    @cached_property
    def moved(self) -> dict[str, list[str]]:
        """By new param, the sites that it moves at the first point, in the order of sampling."""
        return self.moved_at(self.points[0])

    def moved_at(self, point: Point) -> dict[str, list[str]]:
        rows = dict(zip(self.change.pairing.new, point.at["by_param"], strict=True))
        return {
            param: [name for name, span in self.change.spans.items() if np.any(row[span] != 0)]
            for param, row in rows.items()
        }

    def child_of(self, param: str) -> str:
        """The site that a param moves, else the one that it is most likely called after."""
        return self.moved[param][0] if self.moved.get(param) else called_after(param, self.change)


def called_after(param: str, change: Change) -> str:
    """The site with the longest name in that of a param; the param itself if there is none."""
    names = sorted((pair.name for pair in change.pairing.pairs), key=len, reverse=True)
    kinds = ("xi", "scale", "power")
    found = (n for n in names if f"{param}_".startswith(tuple(f"{k}_{n}_" for k in kinds)))
    return next(found, param)


# -- discrete latents ------------------------------------------------------------------------------

#: Up to how many combinations of all elements' values each of them is looked at.
COMBINATIONS = 200


class Schedule:
    """The values of all discrete latents at each point.

    Where all elements together have few combinations, each comes once, in a random order; else
    each element takes all of its values in an order of its own. What isn't known to have few is
    what was drawn.
    """

    def __init__(self, discrete: Mapping[str, Discrete], seed: int) -> None:
        self.discrete = discrete
        self.seed = seed
        self.small = {n: np.asarray(d.support) for n, d in discrete.items() if listed(d)}
        elements = {n: int(np.size(discrete[n].drawn[0])) for n in self.small}
        logs = [elements[n] * math.log(len(values)) for n, values in self.small.items()]
        self.product = [
            range(len(values)) for n, values in self.small.items() for _ in range(elements[n])
        ]
        self.combined = sum(logs) <= math.log(COMBINATIONS)
        if not discrete:
            self.count = 0
        elif self.combined and self.small:
            self.count = math.prod(map(len, self.product))
        else:
            sizes = [len(values) for values in self.small.values()]
            self.count = max([*sizes, *(len(d.drawn) for d in discrete.values())])

    def at(self, number: int) -> Iterator[Values]:
        """The values at a point, and others, in case there is no density with those."""
        drawn = {n: d.drawn[number % len(d.drawn)] for n, d in self.discrete.items()}
        others = self.chosen(number) if self.small else {}
        if number % 2:
            others |= self.counts(number)
        if others:
            yield {**drawn, **others}
        yield drawn

    def counts(self, number: int) -> Values:
        """Of those whose values aren't listed, some that are seldom drawn."""
        rng = np.random.default_rng([self.seed, 6, number])
        return {
            name: rng.choice(COUNTS, np.shape(d.drawn[0])).astype(np.asarray(d.drawn[0]).dtype)
            for name, d in self.discrete.items()
            if d.single and not listed(d)
        }

    def chosen(self, number: int) -> Values:
        flat: Any
        if self.combined:
            order = np.random.default_rng([self.seed, 4]).permutation(self.count)
            combination = order[number % self.count]
            sizes = [len(one) for one in self.product]
            flat = np.array(np.unravel_index(combination, sizes)).reshape(-1)
        found, start = {}, 0
        for at, (name, values) in enumerate(self.small.items()):
            like = np.asarray(self.discrete[name].drawn[0])
            if self.combined:
                index = flat[start : start + like.size]
                start += like.size
            else:
                rng = np.random.default_rng([self.seed, 5, at, number // len(values)])
                orders = np.argsort(rng.uniform(size=(like.size, len(values))), axis=1)
                index = orders[:, number % len(values)]
            found[name] = values[index].reshape(like.shape).astype(like.dtype)
        return found


def listed(discrete: Discrete) -> bool:
    """Whether the values of each element are known."""
    return discrete.single and discrete.support is not None and np.size(discrete.support) > 0
