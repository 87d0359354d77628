"""Random models with random configs: each is rewritten into an equivalent model, or refused.

A generated model must have the density of the plain one and the sites, shapes and plates it had,
each child must be shifted by what the config asks for, axes lined up by their names, and what black
makes of the generated file must be the same code. There are two other ends that a case may come to:
a refusal, and an error when the generated model runs, raised by what stands where the source
doesn't tell a shape: a `broadcast_to`, or an error in words.
"""

from __future__ import annotations

import ast
import itertools
import random
import re
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import black
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st
from numpyro import handlers
from numpyro.distributions import biject_to
from numpyro.primitives import Messenger

from reparam_rewrite.messages import Refusal
from reparam_rewrite.source.fingerprint import fingerprint
from tests.support.cases import rewritten
from tests.support.execution import (
    assert_equivalent,
    cheap_key,
    compiled,
    double_precision,
    is_latent,
    load_model,
    structure,
    traced,
)
from tests.support.random_configs import Ambiguous, Case, Pair, Scale, fits, place, random_case
from tests.support.random_models import UNIT, Axes, Site

#: The two ends of a case besides a refusal.
EQUIVALENT = "rewritten"
GUARDED = "stopped at run time"

#: Most of the models of a run must be rewritten, and most of those must run as they are.
MOST_REFUSED, MOST_GUARDED = 0.25, 0.2


class Tempered(Messenger):  # type: ignore[misc]
    """The model reads a fifth of each coefficient, and the fifth root of each scale.

    The helper draws params from normal distributions. Sums of eight exponentials with such
    coefficients would leave the range in which densities can be compared to many digits.
    """

    def __init__(self, model: Callable[..., Any], case: Case) -> None:
        super().__init__(model)
        self.coefficients = case.coefficients
        self.scales = {scale.param for scale in case.scales.values()}

    def postprocess_message(self, message: dict[str, Any]) -> None:
        if message["type"] == "param":
            message["value"] = self.read(message["name"], message["value"])

    def read(self, name: str, value: Any) -> Any:
        """What the model reads of a param."""
        if name in self.coefficients:
            return value / 5
        return value**0.2 if name in self.scales else value


def outcome(case: Case) -> str:
    """What became of a case: `EQUIVALENT`, `GUARDED` or the reason of its first refusal."""
    plain = black.format_str(case.model, mode=black.Mode())
    note(str(case))
    try:
        result = rewritten(plain, case.config)
    except Refusal as refusal:
        return reason(refusal)
    source = result.data.decode()
    note(source)
    formatted = black.format_str(source, mode=black.Mode())
    assert fingerprint(formatted) == fingerprint(source), "black would change the code"
    assert rewritten(source, case.config).already, "a second pass would change it"

    args = tuple(case.args.values())
    generated = Tempered(load_model(source), case)
    try:
        assert_equivalent(
            load_model(plain),
            generated,
            args,
            points=3,
            coefficients=case.params,
            coefficients_matter=case.all_matter,
            # `xi_b_C` multiplies C, unless the config has another value of that name, such as
            # jnp.tanh(C), which says nothing of C where that is large. `assert_offsets` knows.
            offsets=not any(pair.value and pair.parent in case.sites for pair in case.pairs),
        )
    except AssertionError:
        failure = failure_of(generated, args)
        if failure is not None and is_guard(case, source, failure):
            return GUARDED
        raise
    assert_offsets(case, load_model(plain), generated)
    return EQUIVALENT


def reason(refusal: Refusal) -> str:
    """The first message without its names and numbers."""
    message = re.sub(r"(?<!\w)'[^']*'", "_", refusal.diagnostics[0].message)
    return "refused: " + re.sub(r"\d+", "0", message)


def failure_of(model: Any, args: tuple[Any, ...]) -> Exception | None:
    """What a run of a model raises; `assert_equivalent` only says that it does."""
    try:
        with double_precision():
            structure(model, args, {})
    except Exception as error:
        return error
    return None


def is_guard(case: Case, source: str, error: BaseException) -> bool:
    """Does it say so of a pair whose shapes aren't all told, or come of a `broadcast_to` there?"""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno or 0 for frame in frames if frame.filename.startswith("<loaded_model")]
    said = re.fullmatch("'(.*)' can't be lined up with '(.*)': .*", str(error))
    if said is not None:
        pairs = [pair for pair in case.pairs if (pair.parent, pair.child) == said.groups()]
        return bool(pairs) and not is_told(case, pairs[0])
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, (ast.Assign, ast.AugAssign)) or not lines:
            continue
        if node.lineno <= lines[-1] <= (node.end_lineno or 0):
            target = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            pairs = [p for p in case.pairs if target.startswith(variable(p.child) + "_loc")]
            untold = [pair for pair in pairs if not is_told(case, pair)]
            return bool(untold) and "broadcast_to(" in ast.unparse(node)
    return False


def variable(name: str) -> str:
    return re.sub(r"\W", "_", name)


def is_told(case: Case, pair: Pair) -> bool:
    """Does the source tell the shapes of a parent and its child?"""
    return case.sites[pair.child].told and (bool(pair.value) or case.sites[pair.parent].told)


# -- offsets -------------------------------------------------------------------------------------


def assert_offsets(case: Case, plain: Any, generated: Tempered) -> None:
    """Assert that each child is scaled and shifted by what the config asks for, elementwise."""
    args = tuple(case.args.values())
    children = [*dict.fromkeys([*(pair.child for pair in case.pairs), *case.scales])]
    rng = np.random.default_rng(1)

    def drawn(site: dict[str, Any]) -> Any:
        """Of params and latent sites; samplers of NumPyro's take seconds to compile."""
        if "args" not in site:
            return None  # the generated code asks whether a draw of a child is given
        if site["type"] == "param":
            return rng.uniform(0.2, 0.9, jnp.shape(site["args"][0]))
        if not is_latent(site):
            return None
        to_support = biject_to(site["fn"].support)
        return to_support(rng.normal(size=to_support.inverse_shape(site["fn"].shape())))

    def run() -> dict[str, Any]:
        model = handlers.substitute(generated, substitute_fn=drawn)
        trace = traced(model, args, {}, key=cheap_key(1))
        kept = ("sample", "deterministic", "param")
        values = {name: site["value"] for name, site in trace.items() if site["type"] in kept}
        found = traced(plain, args, {}, values, key=cheap_key(1))
        values = {name: generated.read(name, value) for name, value in values.items()}
        bases = {}
        for child in children:
            to_free = biject_to(found[child]["fn"].support).inv
            free = to_free(values[child])
            wanted = expected(case, child, values, free)
            bases[child] = values[f"{child}_base"], wanted, blur(to_free, values[child])
        return bases

    with double_precision():
        bases = jax.device_get(compiled(run)())
    for child, (found, wanted, blurred) in bases.items():
        if child in case.bases:
            continue  # what the bases do is NumPyro's
        fixed, choices = wanted
        ways = itertools.islice(itertools.product(*choices), 10_000)
        # Terms of 1e26 that cancel leave the rounding of 1e26.
        parts = map(np.abs, itertools.chain([fixed], *choices))
        largest = max(float(np.max(part, where=part < np.inf, initial=0.0)) for part in parts)
        near = 1e-7 + 1e-12 * largest
        # Beside the bound of its support a value says little of its base, and on it nothing.
        inner = np.broadcast_to(np.isfinite(fixed) & (blurred < 1e-8), np.shape(found))
        seen = np.asarray(found)[inner]
        sums = (np.broadcast_to(sum(way, fixed), inner.shape)[inner] for way in ways)
        fine = (np.allclose(seen, one, rtol=1e-6, atol=near) for one in sums)
        assert any(fine), f"the base of {child!r} is {found}, not {fixed} and one each of {choices}"


def blur(to_free: Any, value: Any) -> Any:
    """By how much the unconstrained value may be off, as `value` is rounded; elementwise."""
    up, down = (to_free(jnp.nextafter(value, way)) for way in (jnp.inf, -jnp.inf))
    if jnp.shape(up) != jnp.shape(value):
        return jnp.zeros(())  # of a matrix, say: they are never near a bound
    return jnp.where(jnp.isfinite(up - down), jnp.abs(up - down), jnp.inf)


def expected(case: Case, child: str, values: dict[str, Any], free: Any) -> tuple[Any, list[Any]]:
    """The base site: the scaled child, and the terms of its offset, as each may be read."""
    site, shape = case.sites[child], jnp.shape(free)
    names = {"jnp": jnp, "jax": jax, "sites": values, **case.args}
    for assignment in case.assignments[: site.past]:
        exec(assignment, names)
    base = free * factor(case, case.scales.get(child, Scale()), values, names)
    assert jnp.shape(base) == shape
    choices = []
    for pair in (pair for pair in case.pairs if pair.child == child):
        terms = list(term(case, pair, values, names, shape))
        assert terms, f"no way to read {pair}"
        choices.append(terms)
    return base, choices


def factor(case: Case, scale: Scale, values: dict[str, Any], names: dict[str, Any]) -> Any:
    """What the child is multiplied by."""
    found = eval(scale.text, names)
    if scale.param:
        found = found * values[scale.param]
    if scale.by:
        power = values[scale.power] if scale.power in values else float(scale.power)
        found = found * next(parent_values(case, scale.by, values)) ** -power
    return found


def term(
    case: Case,
    pair: Pair,
    values: dict[str, Any],
    names: dict[str, Any],
    shape: tuple[int, ...],
) -> Iterator[Any]:
    """One summand of the offset, in every way that it may be read."""
    structure = pair.settings["coefficient"]
    if structure == "matrix":
        found = iter([values[pair.parent]])
    elif pair.value:
        found = iter([eval(pair.value, names)])
    else:
        found = parent_values(case, pair, values)
    for value in found:
        if pair.center:
            value = value - eval(pair.center, names)
        if structure == "matrix":
            parent, child = case.sites[pair.parent], case.sites[pair.child]
            yield weighted(values[pair.param], value, parent.axes, child.free)
        elif not pair.param:
            yield pair.settings["init"] * value
        else:
            coefficient = values[pair.param]
            whole = {"elementwise": shape, "shared": ()}.get(str(structure), jnp.shape(coefficient))
            assert jnp.shape(coefficient) == whole, f"{pair.param}: {jnp.shape(coefficient)}"
            yield coefficient * value


def parent_values(case: Case, pair: Pair, values: dict[str, Any]) -> Iterator[Any]:
    """The parent lined up by its axes.

    Where the source doesn't tell a shape, it may also be broadcast as it is, or only those axes
    be lined up that show: plates and event dims.
    """
    parent, child = case.sites[pair.parent], case.sites[pair.child]
    value, reduce = values[pair.parent], pair.settings["reduce"]
    with suppress(Ambiguous):
        yield lined_up(value, parent.axes, child.free, reduce)
    if is_told(case, pair):
        return
    if fits(parent.axes, child.free):
        yield value
    with suppress(Ambiguous):
        shown = visible(parent.axes, parent), visible(child.free, child)
        yield lined_up(value, *shown, reduce)


def visible(axes: Axes, site: Site) -> Axes:
    """The axes of a site, those of no plate and no event with keys that no other has."""
    if site.told:
        return axes
    events = len(axes) - site.event_dims
    return tuple(
        axis
        if axis.plate or axis == UNIT or at >= events
        else axis._replace(key=f"{site.name} {at}")
        for at, axis in enumerate(axes)
    )


def lined_up(value: Any, axes: Axes, child: Axes, reduce: str) -> Any:
    """A value in the axes of the child: by the names of plates, by sizes, else reduced."""
    assert jnp.shape(value) == tuple(axis.size for axis in axes)
    places = [place(axis, child) for axis in axes]
    lost = [at for at, target in enumerate(places) if target is None]
    reduced = tuple(at for at in lost if axes[at] != UNIT)
    value = (jnp.sum if reduce == "sum" else jnp.mean)(value, axis=reduced, keepdims=True)
    value = jnp.squeeze(value, tuple(lost))
    kept = [target for target in places if target is not None]
    if len(set(kept)) != len(kept):
        raise Ambiguous
    value = jnp.transpose(value, np.argsort(kept))
    return jnp.expand_dims(value, [at for at in range(len(child)) if at not in kept])


def weighted(weights: Any, value: Any, parent: Axes, child: Axes) -> Any:
    """A matrix of weights times the parent, over the axes that only the parent has."""
    places = [place(axis, child) for axis in parent]
    of_parent = [len(child) + at if to is None else to for at, to in enumerate(places)]
    own = [at for at in range(len(child)) if at not in places]
    own += [letter for letter in of_parent if letter >= len(child)]
    return jnp.einsum(weights, own, value, of_parent, list(range(len(child))))


# -- tests ---------------------------------------------------------------------------------------

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def test_random_models() -> None:
    @settings(max_examples=10, derandomize=True, deadline=None, suppress_health_check=SLOW)
    @given(st.randoms(use_true_random=False))
    def run(rng: random.Random) -> None:
        found[outcome(random_case(rng, most=5))] += 1

    found: Counter[str] = Counter()
    run()
    assert_mostly_rewritten(found)


@pytest.mark.long
@pytest.mark.parametrize("share", range(8))
def test_many_random_models(share: int) -> None:
    @seed(share)
    @settings(max_examples=250, database=None, deadline=None, suppress_health_check=SLOW)
    @given(st.randoms(use_true_random=False))
    def run(rng: random.Random) -> None:
        found[outcome(random_case(rng))] += 1

    found: Counter[str] = Counter()
    run()
    assert_mostly_rewritten(found)


def assert_mostly_rewritten(found: Counter[str]) -> None:
    for end, count in found.most_common():
        print(f"{count:5} {end}")
    refused = sum(count for end, count in found.items() if end.startswith("refused"))
    assert refused <= MOST_REFUSED * found.total(), found
    assert found[GUARDED] <= MOST_GUARDED * found.total(), found
