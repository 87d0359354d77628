"""Whether effects add up in the predictors of the observations, and what else moves these."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

import numpy as np

from reparam_rewrite.messages import OfPair, Problem, Refusal
from reparam_rewrite.running.designs import STEP, Array, Point, Probe, flat, same, wrong
from reparam_rewrite.running.values import Values

#: What is left of the angle between directions that are the same but for rounding.
PARALLEL = 1e-6


class Sums(NamedTuple):
    """How the predictors of the observed sites come about.

    `seen` are the effects that move the predictor of each site that any effect moves. `linked` are
    those of these sites whose predictor isn't a sum of effects, but a function of one. `adding` are
    the other sites that add something linear to a sum, `moving` those that change one in another
    way. `settled` are the sites of which nothing but the predictor depends on any latent site.
    """

    seen: Mapping[str, frozenset[str]]
    linked: frozenset[str]
    adding: tuple[str, ...]
    moving: tuple[str, ...]
    settled: frozenset[str]


def summed(probe: Probe) -> Sums:
    """How predictors come about. Raises `Refusal` where effects don't add up, and says which."""
    names = (*probe.order, *probe.others)
    rng = np.random.default_rng(2)
    tries = [{n: rng.normal(size=probe.shapes[n]) for n in names} for _ in range(2)]
    lanes = [{name: tried[name]} for name in names for tried in tries]
    points = [probe.typical]
    now, first = probe.moved(probe.typical, lanes)
    moves = [flat(first)]
    for at, base in enumerate((probe.typical, probe.another)):
        steps = {}
        for number, name in enumerate(names):
            size = max(
                (of[2 * number + at].max(initial=0.0) for of in absolute(moves[0])), default=0.0
            )
            steps[name] = tries[at][name] * STEP / (size or 1.0)
        points.append(base._replace(deviations={name: steps[name] for name in probe.order}))
        moves.append(flat(probe.moved(points[-1], lanes)[1]))
    _, last = probe.moved(points[-1], lanes)
    check_priors(probe, names, first, last)
    check_families(probe, names, now, first, last)
    by_name = [
        {o: {n: of[2 * i : 2 * i + 2] for i, n in enumerate(names)} for o, of in each.items()}
        for each in moves
    ]
    seen: dict[str, frozenset[str]] = {}
    linked: set[str] = set()
    adding: set[str] = set()
    moving: set[str] = set()
    for one in moves[0]:
        parts = [each[one] for each in by_name]
        own = [n for n in probe.order if any(part[n].any() for part in parts)]
        if not own:
            continue
        seen[one] = frozenset(own)
        for name in switching(probe, one, [lanes[2 * names.index(n)] for n in own]):
            moving.add(name)
        reference = np.concatenate([parts[0][name] for name in own])
        if not all(same(parts[0][n], part[n]) for n, part in product(own, parts)):
            if not all(parallel(reference, np.concatenate([p[n] for n in own])) for p in parts):
                raise apart(probe, one, own, points, tries)
            linked.add(one)
        for name in probe.others:
            if not any(part[name].any() for part in parts):
                continue
            rows = [np.concatenate([part[n] for n in (*own, name)]) for part in parts]
            even = all(same(parts[0][name], part[name]) for part in parts)
            fits = all(parallel(rows[0], row) for row in rows) if one in linked else even
            (adding if fits else moving).add(name)
        changed = {n: probe.another.others[n] for n in moving if n in probe.others}
        if one in linked and changed:
            point = probe.typical._replace(others={**probe.typical.others, **changed})
            there = flat(probe.moved(point, [lanes[2 * names.index(n)] for n in own])[1])[one]
            if not all(same(parts[0][n][0], of) for n, of in zip(own, there, strict=True)):
                raise apart(probe, one, own, points, tries)
    missing = [n for n in probe.order if not any(n in of for of in seen.values())]
    if missing:
        text = "'{site}' adds to no observation that this call of the model has"
        hint = (
            "take it out of the order, or put those into it by whose priors it gets to the "
            "observations."
        )
        raise wrong(probe.call, "no-summand", missing[0], text, hint)
    settled = [
        one for one in seen if not any(a.any() for of in (first, last) for a in of["rest"][one])
    ]
    return Sums(
        seen,
        frozenset(linked),
        tuple(name for name in probe.others if name in adding - moving),
        tuple(name for name in (*probe.others, *probe.typical.discrete) if name in moving),
        frozenset(settled),
    )


def switching(probe: Probe, one: str, lanes: list[dict[str, Array]]) -> list[str]:
    """The discrete sites that move a predictor. Raises `Refusal` if effects move it otherwise."""
    found = []
    now, before = probe.moved(probe.typical, lanes)
    for name, value in probe.another.discrete.items():
        discrete = {**probe.typical.discrete, name: value}
        there, after = probe.moved(probe.typical._replace(discrete=discrete), lanes)
        for lane, old, new in zip(lanes, flat(before)[one], flat(after)[one], strict=True):
            if not same(old, new):
                text = "what '{child}' adds to the observations depends on '{parent}'"
                hint = "take '{child}' out of the order."
                raise pair(probe, "no-sum", next(iter(lane)), name, text, hint)
        if not same(now["eta"][one], there["eta"][one]):
            found.append(name)
    return found


def absolute(moves: Mapping[str, Array]) -> list[Array]:
    return [np.abs(of) for of in moves.values()]


def parallel(one: Array, other: Array) -> bool:
    """Whether each column of one matrix is a multiple of that of the other."""
    squares = (one**2).sum(0)
    ratio = (one * other).sum(0) / np.where(squares > 0, squares, 1.0)
    left = np.abs(other - ratio * one).max(0, initial=0.0)
    return bool((left <= PARALLEL * np.abs(other).max(0, initial=0.0)).all())


def check_priors(probe: Probe, names: tuple[str, ...], *moved: Values) -> None:
    """An effect's location may read those before it, and its scale none. Raises `Refusal`."""
    for at, name in enumerate(probe.order):
        for later, other in enumerate(probe.order):
            lanes = slice(2 * names.index(other), 2 * names.index(other) + 2)
            if later >= at and any(of["loc"][name][lanes].any() for of in moved):
                text = "'{child}' has to be sampled after '{parent}', around which its prior is"
                hint = "put '{parent}' before '{child}' in the order."
                raise pair(probe, "order", name, other, text, hint)
            if any(of[lanes].any() for each in moved for of in each["prior"][name]):
                text = "the prior of '{child}' is wider or narrower by '{parent}'"
                hint = "take '{parent}' out of the order."
                raise pair(probe, "scale-by-effect", name, other, text, hint)


def check_families(probe: Probe, names: tuple[str, ...], now: Values, *moved: Values) -> None:
    """Effects may move predictors that are known, and nothing else. Raises `Refusal`."""
    for one, rest in now["rest"].items():
        for name in probe.order:
            lanes = slice(2 * names.index(name), 2 * names.index(name) + 2)
            if not any(
                each["rest"][one][at][lanes].any() for each in moved for at in range(len(rest))
            ):
                continue
            if one not in now["eta"]:
                text = "'{site}' is a {kind}, of which no predictor is known that effects add up to"
                hint = "take the sites out of the order that it depends on."
                kind = probe.families[one]
                raise wrong(probe.call, "family", one, text, hint, kind=kind)
            text = "'{parent}' moves more than the location of '{child}'"
            hint = "take '{parent}' out of the order: what it does to the noise is no summand."
            raise pair(probe, "effect-in-noise", one, name, text, hint)


def apart(
    probe: Probe,
    one: str,
    own: list[str],
    points: list[Point],
    tries: list[dict[str, Array]],
) -> Refusal:
    """Which two sites don't add up in the predictor of an observed site, and so why not."""
    for name in own:
        lanes = [{name: tried[name]} for tried in tries]
        before = flat(probe.moved(probe.typical, lanes)[1])[one]
        for other, point in product((*probe.order, *probe.others), points[1:]):
            kind = "deviations" if other in probe.order else "others"
            values = {**getattr(probe.typical, kind), other: getattr(point, kind)[other]}
            now = flat(probe.moved(probe.typical._replace(**{kind: values}), lanes)[1])[one]
            if not same(before, now):
                text = "what '{child}' adds to the observations depends on '{parent}'"
                hint = "a product of sites is no sum: take one of them out of the order."
                if name == other:
                    text = "what '{child}' adds to the observations isn't linear in it"
                    hint = "take it out of the order."
                elif other in probe.others:
                    hint = "a product of sites is no sum: take '{child}' out of the order."
                return pair(probe, "no-sum", name, other, text, hint)
    text = "what '{site}' adds to the observations isn't the same everywhere"
    return wrong(probe.call, "no-sum", own[0], text, "take it out of the order.")


def pair(probe: Probe, code: str, child: str, parent: str, text: str, hint: str) -> Refusal:
    """A refusal that is about two sites of the model."""
    path = probe.call.document.path
    return Refusal(Problem(code, OfPair(child, parent), path, text, hint).told(""))
