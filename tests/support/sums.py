"""What a model's locations add up to as lines of text, and whether that is what the model does.

A line of a case reads ``y.loc: -2 * x * a[county] | picks county | axes county``: the number, what
the summand is written as, and what is told of it; ``? of a`` stands for what can't be written.
"""

from __future__ import annotations

import itertools
import re
import sys
import types
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from reparam_rewrite.survey import survey
from reparam_rewrite.survey.functions import Function
from reparam_rewrite.survey.sums import Observed, Sums, sums_of
from reparam_rewrite.survey.terms import Term

HEAD = """\
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import vmap
from jax.scipy.special import expit
from numpyro.contrib.control_flow import scan
"""

#: The model around the statements of a case: sites of many shapes, and data that pick from them.
MODEL = """\
def model(county, state, time, x, u, v, X, W, mask, data, scale, y=None):
    n_county, n_state, n_time, k = 3, 4, 5, 2
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    tau = numpyro.sample("tau", dist.Normal(0, 1))
    b = numpyro.sample("b", dist.Normal(0, 1).expand([k]).to_event(1))
    with numpyro.plate("counties", n_county):
        a = numpyro.sample("a", dist.Normal(0, 1))
    with numpyro.plate("states", n_state):
        s = numpyro.sample("s", dist.Normal(0, 1))
    with numpyro.plate("rows", n_county, dim=-2), numpyro.plate("columns", n_time, dim=-1):
        A = numpyro.sample("A", dist.Normal(0, 1))
"""

LAST = 'numpyro.sample("y", dist.Normal(loc, 1), obs=y)'


class Case(Struct, frozen=True):
    """A model by the statements that make its locations, and the lines that tell these.

    `inverse` undoes the function that the location is of a sum.
    """

    name: str
    body: str
    around: str = ""
    inverse: str = ""
    lines: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        observes = re.search(r'sample\(f?"y', self.body)
        body = [*self.body.splitlines(), *([] if observes else [LAST])]
        inner = "".join(f"    {line}\n" if line else "\n" for line in body)
        if "def model(" in self.around:
            return f"{HEAD}\n\n{self.around}\n"
        return f"{HEAD}\n\n{self.around}\n\n{MODEL}{inner}"


def read_cases(text: str) -> list[Case]:
    """The cases of a file: a name after ``####``, statements, and lines after ``->``."""
    found = []
    for part in text.split("#### ")[1:]:
        name, _, rest = part.partition("\n")
        body, _, lines = rest.partition("->\n")
        name, _, inverse = name.partition(" | undone by ")
        around, _, inner = body.rpartition("::\n")
        told = tuple(line.strip() for line in lines.splitlines() if line.strip())
        found.append(Case(name.strip(), inner.strip("\n"), around.strip("\n"), inverse, told))
    return found


def written_cases(cases: list[Case], lines: dict[str, list[str]]) -> str:
    """The file of cases with these lines for each."""
    parts = []
    for case in cases:
        undone = f" | undone by {case.inverse}" if case.inverse else ""
        around = f"{case.around}\n::\n" if case.around else ""
        told = "".join(f"{line}\n" for line in lines[case.name])
        parts.append(f"#### {case.name}{undone}\n{around}{case.body}\n->\n{told}\n")
    return "".join(parts)


def sums_in(source: str) -> Sums:
    read = survey("model.py", source)
    name = next(name for name in read.functions if name.rpartition(".")[2] == "model")
    return sums_of(read, read.functions[name])


def told(sums: Sums) -> Iterator[str]:
    """The lines of all locations."""
    for observed in sums.observed:
        where = f"{observed.site.name}.{observed.parameter}"
        terms = observed.location.terms
        yield from (f"{where}: {in_words(term, sums.function)}" for term in terms)
        if not terms:
            yield f"{where}: nothing"


def in_words(term: Term, function: Function) -> str:
    name = " * ".join(function.sites[index].name for index in term.sites)
    text = term.contribution(name) if len(term.sites) == 1 else ""
    unknown = f"? of {name}"
    if not text and term.is_summand and term.weights:
        unknown = " * ".join([*(weight or "?" for weight in term.weights), unknown])
    number = {1.0: "", -1.0: "-"}.get(term.factor, f"{term.factor:g} * ")
    parts = [f"{number}{text or unknown}"]
    if term.picks:
        parts.append(f"picks {', '.join(pick or ':' for pick in term.picks)}")
    if term.layout:
        axes = (str(axis) if axis != "" else "new" for axis in term.layout)
        parts.append(f"axes {' x '.join(axes)}")
    shown = ("single", "summed", "scalar", "softmax")
    parts += [word for word in shown if getattr(term, word)]
    parts += ["either"] * bool(term.branches) + ["in a function"] * bool(term.group)
    parts += [f"through {term.through}"] if term.through else []
    return " | ".join(parts)


# -- what the model does ---------------------------------------------------------------------------


def arguments() -> dict[str, Any]:
    """Those of `MODEL`, with another size for each axis."""
    import jax
    import numpy as np

    rng = np.random.default_rng(0)
    county, state, time = (rng.integers(0, n, 7) for n in (3, 4, 5))
    x, u, v = rng.normal(size=7), rng.normal(size=3), rng.normal(size=5)
    given = {
        "county": county,
        "state": state,
        "time": time,
        "x": x,
        "u": u,
        "v": v,
        "X": rng.normal(size=(7, 2)),
        "W": rng.normal(size=(3, 5)),
        "mask": rng.random(7) > 0.5,
        "data": {"county": county, "x": x},
    }
    return {**jax.tree_util.tree_map(jax.numpy.asarray, given), "scale": 1.7, "y": 0.0}


class Ran(Struct):
    """A call of a model: its sites, and the local names of the function when it returned."""

    sites: dict[str, Any]
    names: dict[str, Any]


def ran(function: Any, given: dict[str, Any], values: dict[str, Any]) -> Ran:
    import jax
    from numpyro import handlers

    names: dict[str, Any] = {}

    def watch(frame: types.FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_code.co_name == "model":
            names.update(frame.f_globals, **frame.f_locals)

    seeded = handlers.substitute(handlers.seed(function, jax.random.PRNGKey(0)), values)
    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        sites = handlers.trace(seeded).get_trace(**jax.tree_util.tree_map(lambda leaf: leaf, given))
    finally:
        sys.setprofile(before)
    return Ran(dict(sites), names)


def location(made: Ran, observed: Observed, inverse: str) -> Any:
    import numpy as np

    found = made.sites[observed.site.name]["fn"]
    while not hasattr(found, observed.parameter):
        found = found.base_dist
    value = getattr(found, observed.parameter)
    if inverse:
        value = eval(inverse, made.names)(value)
    return np.asarray(value, dtype=float)


def wrong(case: Case, sums: Sums) -> list[str]:
    """What of the sums isn't so: each site is moved, and what is added to the locations compared.

    A summand is right if the location moves by its factor times its contribution; what isn't told
    can't be wrong, but a site that moves a location has to be in it.
    """
    import numpy as np

    module: dict[str, Any] = {}
    exec(compile(case.source, case.name, "exec"), module)
    given = arguments()
    function = module["model"]
    start = ran(function, given, {})
    values = {
        name: site["value"]
        for name, site in start.sites.items()
        if site["type"] == "sample" and not site["is_observed"] and not site["fn"].is_discrete
    }
    start = ran(function, given, values)
    found = []
    for number, (name, value) in enumerate(values.items()):
        step = np.random.default_rng(number).normal(size=np.shape(value))
        moved = ran(function, given, {**values, name: value + step})
        site = next((s for s in sums.function.sites if s.name == name), None)
        for observed in sums.observed:
            if observed.site.name not in moved.sites:
                continue
            parts = (location(one, observed, case.inverse) for one in (moved, start))
            expected = np.subtract(*parts)
            terms = [t for t in observed.location.terms if site and site.index in t.sites]
            if not terms:
                if np.any(expected) and site is not None:
                    found.append(f"{name} is in {observed.site.name}")
                continue
            if any(term.group for term in terms) and not case.inverse:
                continue
            adds = [term.contribution("_moved") for term in terms]
            if not all(adds):
                continue
            env = {**moved.names, "_moved": step}
            each = [
                (term, term.factor * np.asarray(eval(text, env), dtype=float))
                for term, text in zip(terms, adds, strict=True)
            ]
            if not any(close(expected, sum(chosen)) for chosen in possible(each)):
                found.append(f"{name} in {observed.site.name}: {adds}")
            for term, made in each:
                found += misplaced(term, made / term.factor, step, env)
    return found


def possible(each: list[tuple[Term, Any]]) -> Iterator[list[Any]]:
    """The summands that are there together, in all ways to choose between branches."""
    choices = sorted({choice for term, _ in each for choice in term.branches}, key=repr)
    by_choice: dict[Any, list[int]] = {}
    for choice, position in choices:
        by_choice.setdefault(choice, []).append(position)
    for taken in itertools.product(*([*at, None] for at in by_choice.values())):
        now = dict(zip(by_choice, taken, strict=True))
        yield [value for term, value in each if all(now[c] == p for c, p in term.branches)]


def close(expected: Any, found: Any) -> bool:
    import numpy as np

    try:
        wide = np.broadcast_to(found, np.shape(expected))
    except ValueError:
        return False
    return bool(np.allclose(wide, expected, atol=1e-4, rtol=1e-3))


def misplaced(term: Term, made: Any, step: Any, env: dict[str, Any]) -> Iterator[str]:
    """Is what is told of the axes of a summand not so?"""
    import numpy as np

    if term.layout is None or term.summed:
        return
    for place, axis in enumerate(term.layout, -len(term.layout)):
        wide = np.shape(made)[place] if len(np.shape(made)) >= -place else 1
        if isinstance(axis, int) and wide != np.shape(step)[axis]:
            yield f"axis {axis} isn't at {place} of {term.layout}"
        if axis == "" and wide != 1 and not term.weights:
            yield f"an axis of {term.layout} isn't new"
    told = [text for text in term.picks if text]
    if told and len(told) == len(term.picks) and not term.weights:
        value = step[tuple(eval(text, env) for text in told)]
        if not np.allclose(np.ravel(value), np.ravel(made), atol=1e-5):
            yield f"{term.picks} don't pick it"
