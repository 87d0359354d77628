"""What was computed at each point: log densities by site, log|det|, and how far they are apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from reparam_rewrite.running.trace import is_real
from reparam_rewrite.running.values import Trace, Values
from reparam_rewrite.verifying import determinant
from reparam_rewrite.verifying.change import Change
from reparam_rewrite.verifying.determinant import Along, Block, Determinant, Unknown
from reparam_rewrite.verifying.discrete import Schedule
from reparam_rewrite.verifying.values import Line, Options

#: The point at which every param has its initial value.
INITIAL = -1

#: How many points there may be, so that discrete latents take all of their values.
MOST_POINTS = 300

#: A gap that changes by this share of it, where values do in their last digits, is rounding.
ROUNDING = 0.05


class Point:
    """What was computed at one point: u and p, and `held`, the values of discrete latents.

    at: what `Change.at` gives there, and "by_param", the derivatives of v along each new param.
    gaps: by site, how much more log density the generated model has: found - expected, where
    expected is the plain model's term and the site's own log|det|; `gap` is that of their sum.
    Without a determinant there are no gaps, and `problem` says why.
    """

    def __init__(self, compared: Compared, number: int, u: Any, p: Any, held: Values) -> None:
        self.number, self.u, self.p, self.held = number, u, p, held
        self.at = compared.evaluated(u, p, held)
        self.determinant: Determinant | None = None
        self.problem: Unknown | None = None
        self.gaps: dict[str, float] = {}
        models = (self.at[model]["log_prob"].items() for model in ("plain", "generated"))
        old, new = ({name: float(term) for name, term in terms} for terms in models)
        log_det = 0.0
        try:
            self.determinant = compared.log_det(self)
            log_det = self.determinant.total
            self.gaps = {name: new[name] - term - self.log_det(name) for name, term in old.items()}
        except Unknown as error:
            self.problem = error
        self.found, self.expected = sum(new.values()), sum(old.values()) + log_det
        self.gap = self.found - self.expected
        self.magnitude = float(np.max([1.0, *map(abs, (log_det, *old.values()))]))
        #: The gap as a share of the largest term of the sum.
        self.share = share(self.gap, self.magnitude)
        #: Whether numbers tell each value from the next one.
        self.told_apart = bool(np.all(self.at["blur"] <= 0.5))
        #: Whether the plain model has a density and values here that numbers can hold.
        self.usable = bool(np.isfinite(self.magnitude)) and self.told_apart

    def off(self, name: str) -> float:
        """The gap of a site as a share of what its own terms are large as."""
        sizes = [float(self.at[model]["size"][name]) for model in ("plain", "generated")]
        return share(self.gaps[name], max(1.0, *sizes))

    def own(self, name: str) -> float:
        """How much the log density of a site differs in those elements in which it does."""
        gap, size = self.at["elements"].get(name, (0.0, 0.0))
        return float(gap) if abs(gap) > 1e-6 * size else 0.0

    def term(self, name: str) -> float:
        """The log density of a site in the generated model."""
        return float(self.at["generated"]["log_prob"][name])

    def log_det(self, name: str) -> float:
        """log|det| of a site's own block; 0 where it isn't known."""
        return self.determinant.by_site.get(name, 0.0) if self.determinant else 0.0


Value = Callable[[Point], float]


def share(gap: float, size: float) -> float:
    return float(np.nan_to_num(abs(gap) / size, nan=np.inf))


class Compared:
    """Two models whose sites match, and what was computed of both: all that a check looks at.

    plain, generated: a trace of each. params: what is different about the plain model's. points:
    those with random values, and last the one at which every param has its initial value.
    """

    def __init__(
        self,
        plain: Trace,
        generated: Trace,
        params: Sequence[Line],
        change: Change,
        options: Options,
    ) -> None:
        """Compile the change, and compute the points. Raises what the models raise."""
        self.plain, self.generated, self.params = plain, generated, params
        self.change, self.options = change, options
        #: Whether the whole jacobian is taken. The first point decides how the others' are.
        self.small = change.dims <= options.dense
        self.blocks: list[Block] | None = None
        self.nearby: dict[int, list[Point]] = {}
        #: What a comparison with the config has found, once it was made.
        self.by_config: list[Line] | None = None
        new, dims = change.pairing.new, change.dims if self.small else 0
        #: Each element of u where the whole jacobian is taken, and each new param.
        self.directions = np.eye(dims + len(new), change.dims + change.param_dims)
        self.directions[dims:] = 0.0
        rng = np.random.default_rng(2)
        for row, name in zip(self.directions[dims:, change.dims :], new, strict=True):
            span = change.param_spans[name]
            # All of one sign: a coefficient's own sign shows in what it does.
            row[span] = 0.5 + rng.uniform(size=span.stop - span.start)
        change.compile(max(1, len(self.directions)) if self.small else 16)
        schedule = Schedule(change.pairing.discrete, options.seed)
        # More than were asked for where discrete latents have more values.
        most = MOST_POINTS if self.small else max(options.points, 20)
        count = max(1, options.points, min(schedule.count, most))
        self.points = [self.point(number, schedule) for number in (*range(count), INITIAL)]

    def point(self, number: int, schedule: Schedule) -> Point:
        """The point of a number; nearer to zero if the models can't be compared further out."""
        u, p = self.change.draw(self.options.seed, max(number, 0))
        for held in schedule.at(max(number, 0)):
            for nearer in (1.0, 0.3, 0.1, 0.03):
                at_params = self.change.initial() if number == INITIAL else nearer * p
                point = Point(self, number, nearer * u, at_params, held)
                if point.usable:
                    return point
        return point

    def evaluated(self, u: Any, p: Any, held: Values) -> dict[str, Any]:
        """What is at a point, with the derivatives of all values along each new param, and where
        the whole jacobian is taken along each element of u.
        """
        new = self.change.pairing.new
        at = self.change.at(u, p, held, self.directions)
        along, by_param = np.split(at["along"], [len(self.directions) - len(new)])
        return {**at, "along": along, "by_param": dict(zip(new, by_param, strict=True))}

    # -- the jacobian ------------------------------------------------------------------------------

    def along(self, point: Point) -> Along:
        """The derivatives at a point along directions of u."""
        start, padding = (point.u, point.p, point.held), ((0, 0), (0, self.change.param_dims))
        return lambda rows: self.change.at(*start, np.pad(rows, padding))["along"]

    def log_det(self, point: Point) -> Determinant:
        """log|det| at a point, of the whole jacobian or by blocks. Raises `Unknown`."""
        change, along = self.change, self.along(point)
        if self.small:
            return determinant.dense(point.at["along"].T, change.spans)
        if self.blocks is None:
            largest = self.options.largest_block
            self.blocks = determinant.blocks(along, change.spans, change.shapes, largest)
        return determinant.blockwise(along, self.blocks)

    def inverse(self, point: Point) -> Along:
        """From a change of v to that of u, at a point that has a determinant."""
        if self.small:
            return lambda wanted: np.linalg.solve(point.at["along"].T, wanted)
        return determinant.inverse(self.along(point), self.blocks or [])

    # -- what several checks ask -------------------------------------------------------------------

    def wavers(self, point: Point, value: Value, least: float | None = None) -> bool:
        """Whether rounding decides on a value: it is another one where the point differs in the
        last digits only, by a share of itself, or of the `least` that counts.
        """
        if point.number not in self.nearby:
            rng = np.random.default_rng([3, point.number + 1])
            blur = np.nan_to_num(point.at["blur"], nan=0.0, posinf=0.0)
            size = np.maximum(1e-15 * np.abs(point.u), 2 * blur)
            self.nearby[point.number] = []
            for step in rng.uniform(-1, 1, (4, *point.u.shape)):
                p = point.p * (1 + 1e-15 * rng.uniform(-1, 1, point.p.shape))
                other = Point(self, point.number, point.u + step * size, p, point.held)
                self.nearby[point.number].append(other)
        here = value(point)
        spread = [abs(value(other) - here) for other in self.nearby[point.number]]
        limit = ROUNDING * (abs(here) if least is None else least)
        return not np.isfinite(spread).all() or max(spread) > limit

    def where(self, point: Point) -> str:
        """Which point it is, in words."""
        where = "init values" if point.number == INITIAL else f"point {point.number}"
        return f"at {where} (seed {self.options.seed})"

    def random_points(self) -> list[Point]:
        """The usable points at which params have random values."""
        return [point for point in self.points if point.usable and point.number != INITIAL]

    def is_real(self, name: str) -> bool:
        """Whether any real value will do for a latent of the plain model."""
        return is_real(self.plain[name]["fn"].support)

    @cached_property
    def outside(self) -> dict[str, Point]:
        """By site that has a value outside of its support, the first point at which it has."""
        found = {}
        for name in self.points[0].at["supported"]:
            if wrong := [point for point in self.points if not point.at["supported"][name]]:
                found[name] = wrong[0]
        return found

    def moved_at(self, point: Point) -> dict[str, list[str]]:
        """By new param, the sites that it moves at a point, in the order of sampling."""
        spans = self.change.spans.items()
        rows = point.at["by_param"].items()
        return {param: [n for n, span in spans if np.any(row[span] != 0)] for param, row in rows}

    def child_of(self, param: str, point: Point | None = None) -> str:
        """The site that a param moves first; else the one with the longest name in that of the
        param, and the param itself if there is none.
        """
        if moved := self.moved_at(point or self.points[0]).get(param):
            return moved[0]
        for name in sorted(self.change.bases, key=len, reverse=True):
            if f"{param}_".startswith((f"xi_{name}_", f"scale_{name}_", f"power_{name}_")):
                return name
        return param
