"""What was computed at each point: log densities by site, log|det|, and how far they are apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct

from reparam_rewrite.running.values import Values
from reparam_rewrite.verify import determinant
from reparam_rewrite.verify.change import Change
from reparam_rewrite.verify.determinant import Determinant, Singular, Unknown
from reparam_rewrite.verify.discrete import Schedule
from reparam_rewrite.verify.values import Options

#: The point at which every param has its initial value.
INITIAL = -1

#: How many points there may be, so that discrete latents take all of their values.
MOST_POINTS = 300


class Point(Struct, frozen=True):
    """One point. `gaps` is, by site, how much more log density the generated model has.

    A gap is found - expected, where expected is the plain model's term and the site's own log|det|;
    without a determinant there are none, and `unknown` or `singular` says why: (site, reason).
    held: the values of discrete latents.
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
    unknown: tuple[str, str] | None = None
    singular: tuple[str, str] | None = None

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
        self.last: dict[str, Any] = {}
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
        found: dict[str, Any] = {}
        unknown = singular = None
        total = None
        try:
            if self.small:
                found = self.whole(u, p, held)
                jacobian = found["along"][: self.change.dims].T
                total = determinant.dense(jacobian, self.change.spans)
            else:
                found, total = self.large(u, p, held)
        except Singular as error:
            singular = error.site, str(error)
        except Unknown as error:
            unknown = error.site, str(error)
        return self.compared(number, u, p, held, found, total, unknown, singular)

    def whole(self, u: Any, p: Any, held: Values) -> dict[str, Any]:
        """With the derivatives along every element of u, and along each new param."""
        rows, own = np.eye(self.change.dims), np.zeros((self.change.dims, self.change.param_dims))
        none = np.zeros((len(self.param_rows), self.change.dims))
        along_p = np.vstack([own, self.param_rows])
        found = self.change.at(u, p, np.vstack([rows, none]), along_p, held)
        return {**found, "by_param": found["along"][self.change.dims :]}

    def by_param(self, u: Any, p: Any, held: Values) -> dict[str, Any]:
        """What is at a point, with the derivatives of all values along each new param."""
        none = np.zeros((len(self.param_rows), self.change.dims))
        found = self.change.at(u, p, none, self.param_rows, held)
        return {**found, "by_param": found["along"]}

    def inverse(self, point: Point) -> Callable[[Any], Any]:
        """From a change of v to that of u, at a point that has a determinant."""
        if self.small:
            jacobian = point.at["along"][: self.change.dims].T
            return lambda wanted: np.linalg.solve(jacobian, wanted)

        def along(rows: Any) -> Any:
            return self.change.at(point.u, point.p, rows, held=point.held)["along"]

        return determinant.Inverse(along, self.blocks or []).of

    def large(self, u: Any, p: Any, held: Values) -> tuple[dict[str, Any], Determinant]:
        """By blocks. All that is computed comes with each call: it is kept in `last`."""
        change = self.change
        along_p = np.vstack([self.param_rows, np.zeros((1, change.param_dims))])
        found = change.at(u, p, np.zeros((len(along_p), change.dims)), along_p, held)
        found["by_param"] = found["along"][:-1]
        self.last = found

        def along(rows: Any) -> Any:
            return change.at(u, p, rows, held=held)["along"]

        if self.blocks is None:
            self.blocks = determinant.blocks(
                along, change.spans, self.shapes, self.options.largest_block
            )
        return found, determinant.blockwise(along, self.blocks)

    def compared(
        self,
        number: int,
        u: Any,
        p: Any,
        held: Values,
        found: dict[str, Any],
        total: Determinant | None,
        unknown: tuple[str, str] | None,
        singular: tuple[str, str] | None,
    ) -> Point:
        found = found or self.last
        old = {name: float(term) for name, term in found["plain"]["log_prob"].items()}
        new = {name: float(term) for name, term in found["generated"]["log_prob"].items()}
        own = total.by_site if total else {}
        gaps = {name: new[name] - term - own.get(name, 0.0) for name, term in old.items()}
        log_det = total.total if total else 0.0
        terms = [abs(term) for term in (log_det, *old.values())]
        return Point(
            number=number,
            u=u,
            p=p,
            held=held,
            at=found,
            determinant=total,
            gaps=gaps if total else {},
            found=sum(new.values()),
            expected=sum(old.values()) + log_det,
            magnitude=float(np.max([1.0, *terms])),
            unknown=unknown,
            singular=singular,
        )
