"""Is a rewritten model still the same model? The helper of all tests that execute models.

    plain = load_model(case / "model.py")
    generated = load_model(case / "model_reparam.py")
    args, kwargs = load_model(case / "example.py", "example_args")()
    assert_equivalent(plain, generated, args, kwargs)
    assert_infers(generated, args, kwargs)

A reparameterization is a change of variables, whatever its coefficients are. With u the latent
values of the generated model, v(u) the values of the plain model's sites that it implies, both in
the unconstrained space in which samplers and guides work,

    log p_generated(u) = log p_plain(v(u)) + log |det dv/du|

must hold at every point u for every value of the coefficients. `assert_equivalent` checks this at
random points. It cannot see whether an offset is the one that was asked for, as any offset is
equivalent: for that, `log_density_jaxpr` compares what two models compute.

Importing this module imports jax and numpyro.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import math
import re
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpyro import handlers, optim
from numpyro.distributions import biject_to, constraints
from numpyro.infer import MCMC, NUTS, SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoDiagonalNormal, AutoGuide, AutoNormal
from numpyro.infer.util import constrain_fn, log_density

Model = Callable[..., Any]
Site = dict[str, Any]
Trace = Mapping[str, Site]
Values = dict[str, Any]

_module_number = itertools.count()


def load_model(source: str | bytes | Path, function: str = "model") -> Callable[..., Any]:
    """Execute a source in a module of its own and return one of its functions.

    source: the text itself (str, or bytes in any encoding that Python reads) or the Path of a file.
    function: "model"; "Class.model" for a method, bound to an instance made without arguments;
    "outer.inner" for a nested function that the outer one returns when called without arguments.

    Raises whatever the source raises; AttributeError if the function isn't there.
    """
    name = f"loaded_model_{next(_module_number)}"
    filename = str(source) if isinstance(source, Path) else f"<{name}>"
    code = compile(source.read_bytes() if isinstance(source, Path) else source, filename, "exec")
    module = types.ModuleType(name)
    # Dataclasses and pickles look their module up by name.
    sys.modules[name] = module
    exec(code, module.__dict__)

    found: Any = module
    for part in function.split("."):
        if isinstance(found, type):
            found = found()
        elif isinstance(found, types.FunctionType):
            found = found()
            if getattr(found, "__name__", None) != part:
                raise AttributeError(f"{function}: what was returned is not {part}, but {found!r}")
            continue
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def double_precision() -> AbstractContextManager[Any]:
    """A block in which jax computes in float64.

    A context rather than a global switch: what users run is float32, and so are `assert_infers`
    and every test that doesn't ask for more.
    """
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64  # where it lived before jax 0.8

    return enable_x64()


#: What makes XLA compile faster and the program slower.
HASTY: dict[str, Any] = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}

#: The key of a trace under which the returned value is: not a name that a site may have.
RETURN = "<return>"


def traced(
    model: Model,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    data: Values | None = None,
    key: jax.Array | int = 0,
) -> Trace:
    """The trace of one seeded run with the given values of sites."""
    with (
        handlers.seed(rng_seed=key),
        handlers.trace() as trace,
        handlers.substitute(data=data or {}),
    ):
        returned = model(*args, **kwargs)
    numbers = (jax.Array, np.ndarray, np.generic, float, int)
    arrays = [leaf for leaf in jax.tree.leaves(returned) if isinstance(leaf, numbers)]
    return {**trace, RETURN: {"type": "return", "value": arrays}}


def structure(model: Model, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Trace:
    """A trace of which only these values are computed: observed, plates, params, discrete latents.

    The values of other sites are a shape and a dtype. That and compiling the run as a whole takes
    a hundredth of the time of a plain trace, which compiles each operation by itself.
    """
    sites: dict[str, Site] = {}

    def run(key: jax.Array) -> Values:
        sites.update(traced(model, args, kwargs, key=key))
        del sites[RETURN]
        values = {}
        for name, site in sites.items():
            value = site["value"]
            if site["type"] == "param":
                values[name] = {"value": value, "args": site["args"]}
            elif site["type"] == "deterministic" or (is_latent(site) and not is_discrete(site)):
                site["value"] = jax.ShapeDtypeStruct(jnp.shape(value), jnp.result_type(value))
            else:
                values[name] = {"value": value}
        return values

    values = jax.jit(run)(cheap_key(0))
    return {name: {**site, **values.get(name, {})} for name, site in sites.items()}


def cheap_key(seed: int) -> jax.Array:
    """A key whose random numbers are weaker than the default's, but compile in half the time."""
    return jax.random.key(seed, impl="unsafe_rbg")


def is_discrete(site: Site) -> bool:
    return bool(site["fn"].support.is_discrete)


def is_latent(site: Site) -> bool:
    return bool(site["type"] == "sample" and not site["is_observed"])


def assert_equivalent(
    plain: Model,
    generated: Model,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    points: int = 20,
    seed: int = 0,
    rtol: float = 1e-8,
    coefficients: Iterable[str] | None = None,
    coefficients_matter: bool = True,
    bases: Mapping[str, str] | None = None,
) -> None:
    """Assert that the generated model is the plain one with other coordinates for its latents.

    Checked once: the same observed sites with the same values; every site of the plain model with
    the same shape, dtype and plates, as a sample site or as a deterministic one that `<site>_base`
    replaces; no sample site and no plate besides these; every numpyro.param of the plain model
    with its initial value. Checked at `points` random points, with random values for the latent
    sites and all params: the log densities (see the head of this module), the scale of each site,
    that each implied value lies in its support, deterministic sites and the returned value.

    Everything is computed in float64, to a relative tolerance of `rtol`. Discrete latents keep one
    sampled value, subsampled plates one sampled set of indices.

    coefficients: if given, the names that the generated model's new params must have, no others.
    coefficients_matter: assert that each element of each new param has an effect on some site
    (on a model with a subsampled plate: that some element has).
    bases: for reparameterizers with other names, such as {"theta": "theta_decentered"}.

    Raises AssertionError that says which site or point differs, with figures.
    """
    # jax may remember by its identity an array that was a float32 constant in an earlier run.
    args, kwargs = jax.tree.map(copy.copy, (tuple(args), dict(kwargs or {})))
    with double_precision():
        plain_trace = structure(plain, args, kwargs)
        try:
            generated_trace = structure(generated, args, kwargs)
        except Exception as error:
            raise AssertionError(f"the generated model does not run: {error}") from error
        base_of = _match_sites(plain_trace, generated_trace, bases or {})
        new = _match_params(plain_trace, generated_trace, coefficients)
        change = _Change(plain, generated, args, kwargs, plain_trace, generated_trace, base_of)

        @jax.jit
        def at(u: Values, unconstrained: Values) -> tuple[dict[str, Any], Values]:
            params = change.constrained(unconstrained)
            effects = change.effects(u, params, new) if coefficients_matter else {}
            return change.compare(u, params), effects

        rng = np.random.default_rng(seed)
        for point in range(points):
            compared, effects = jax.device_get(at(*change.draw(rng)))
            _check_point(f"point {point} (seed {seed})", change, compared, rtol)
        _check_effects(effects, some=change.subsampled)


def _match_sites(plain: Trace, generated: Trace, bases: Mapping[str, str]) -> dict[str, str]:
    """Check the sites; return the name of the site sampled for each latent of the plain model."""
    base_of: dict[str, str] = {}
    for name, site in plain.items():
        if site["type"] not in ("sample", "deterministic", "plate"):
            continue
        assert name in generated, f"site {name!r} is missing from the generated model"
        other = generated[name]
        for what, old, new in (
            ("shape", jnp.shape(site["value"]), jnp.shape(other["value"])),
            ("dtype", jnp.result_type(site["value"]), jnp.result_type(other["value"])),
        ):
            assert old == new, f"site {name!r} has {what} {new}, it was {old}"

        if site["type"] == "plate":
            assert other["type"] == "plate", f"{name!r} was a plate, it is a {other['type']} site"
            old, new = site["args"], other["args"]
            assert old == new, f"plate {name!r} has (size, subsample size) {new}, it was {old}"
            continue
        if site["type"] == "deterministic":
            assert other["type"] == "deterministic", f"site {name!r} was deterministic"
            continue
        if site["is_observed"]:
            observed = other["type"] == "sample" and other["is_observed"]
            assert observed, f"site {name!r} was observed and is not any more"
            differing = np.sum(np.asarray(site["value"]) != np.asarray(other["value"]))
            assert not differing, f"site {name!r} has {differing} other observed values"
            sampled = name
        elif other["type"] == "deterministic":
            sampled = base_of[name] = bases.get(name, f"{name}_base")
            missing = f"site {name!r} became deterministic, and there is no latent {sampled!r}"
            assert sampled in generated and is_latent(generated[sampled]), missing
        else:
            assert is_latent(other), f"site {name!r} was latent and is not any more"
            sampled = base_of[name] = name
        were, are = _plates(site), _plates(generated[sampled])
        assert were == are, f"site {sampled!r} is in the plates {are}, {name!r} was in {were}"

    known = {*plain, *base_of.values()}
    for name, site in generated.items():
        if site["type"] in ("sample", "plate"):
            assert name in known, f"{site['type']} site {name!r} is not in the plain model"
    return base_of


def _plates(site: Site) -> list[tuple[str, int, int]]:
    """(name, dim, size) of the plates that hold a site, in an order of their own."""
    return sorted((frame.name, frame.dim, frame.size) for frame in site["cond_indep_stack"])


def _match_params(plain: Trace, generated: Trace, expected: Iterable[str] | None) -> list[str]:
    """Check the params that both have; return the names of those that only the generated has."""
    new = [n for n, site in generated.items() if site["type"] == "param" and n not in plain]
    for name, site in plain.items():
        if site["type"] == "param":
            kept = name in generated and generated[name]["type"] == "param"
            assert kept, f"param {name!r} is missing from the generated model"
            same = np.array_equal(_full_value(site), _full_value(generated[name]))
            assert same, f"param {name!r} has another initial value"
    if expected is not None:
        assert set(new) == set(expected), f"the new params are {new}, not {list(expected)}"
    return new


def _full_value(param: Site) -> Any:
    """The initial value of a param; in the trace of a subsampled plate there is only a part."""
    return param["args"][0] if param["args"] else param["value"]


class _Change:
    """The change of variables between the two models, as functions of plain arrays.

    u and v are dicts of unconstrained values, of the generated model's and the plain model's
    latents, both keyed by the plain model's names.
    """

    def __init__(
        self,
        plain: Model,
        generated: Model,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        plain_trace: Trace,
        generated_trace: Trace,
        base_of: Mapping[str, str],
    ) -> None:
        self.plain, self.generated, self.args, self.kwargs = plain, generated, args, kwargs
        self.params = {n: s for n, s in generated_trace.items() if s["type"] == "param"}
        self.deterministic = [n for n, s in plain_trace.items() if s["type"] == "deterministic"]
        # The arguments of a plate are its size and its subsample size or None.
        self.subsampled = any(
            site["type"] == "plate" and site["args"][1] not in (None, site["args"][0])
            for site in plain_trace.values()
        )
        # What has no density to transform: the same in both models, at the first trace's values.
        self.fixed = {
            name: site["value"]
            for name, site in plain_trace.items()
            if site["type"] == "plate" or (is_latent(site) and is_discrete(site))
        }
        self.base_of = {n: base for n, base in base_of.items() if n not in self.fixed}
        self.domains = {}
        for name, base in self.base_of.items():
            site = generated_trace[base]
            to_support = biject_to(site["fn"].support)
            self.domains[name] = to_support.inverse_shape(jnp.shape(site["value"]))

    def draw(self, rng: np.random.Generator) -> tuple[Values, Values]:
        """Random unconstrained values for the latents and for the params.

        By numpy: each call of jax's generator inside a compiled function costs time to compile.
        """
        u = {name: rng.normal(size=shape) for name, shape in self.domains.items()}
        params = {}
        for name, site in self.params.items():
            to_constraint = biject_to(_constraint(site))
            shape = to_constraint.inverse_shape(jnp.shape(_full_value(site)))
            params[name] = rng.normal(size=shape)
        return u, params

    def constrained(self, params: Values) -> Values:
        return {n: biject_to(_constraint(self.params[n]))(value) for n, value in params.items()}

    def values(self, u: Values, params: Values) -> Values:
        """All values of the generated model, base sites and the sites they imply."""
        model = handlers.substitute(
            handlers.seed(self.generated, rng_seed=0), data={**self.fixed, **params}
        )
        bases = {self.base_of[name]: value for name, value in u.items()}
        return constrain_fn(  # type: ignore[no-any-return]
            model, self.args, self.kwargs, bases, return_deterministic=True
        )

    def compare(self, u: Values, params: Values) -> dict[str, Any]:
        """All that must agree at one point, and dv/du."""
        flat, restore = ravel_pytree(u)

        def v_and_more(flat: jax.Array) -> tuple[jax.Array, dict[str, Any]]:
            values = self.values(restore(flat), params)
            data = {**self.fixed, **params}
            bases = {base: values[base] for base in self.base_of.values()}
            implied = {name: values[name] for name in self.base_of}
            generated = traced(self.generated, self.args, self.kwargs, {**data, **bases})
            plain = traced(self.plain, self.args, self.kwargs, {**data, **implied})
            more = {
                "generated": self._terms(generated, self.base_of),
                "plain": self._terms(plain, {name: name for name in self.base_of}),
                "supported": {
                    name: jnp.all(plain[name]["fn"].support(plain[name]["value"]))
                    for name in self.base_of
                },
                "same": {
                    name: tuple(jax.tree.leaves(t[name]["value"]) for t in (plain, generated))
                    for name in [*self.deterministic, RETURN]
                },
            }
            v, _ = ravel_pytree({name: _unconstrained(plain[name]) for name in self.base_of})
            return v, more

        jacobian, more = jax.jacfwd(v_and_more, has_aux=True)(flat)
        return {**more, "jacobian": jacobian}

    def effects(self, u: Values, params: Values, new: Sequence[str]) -> Values:
        """By how much each new param moves the implied values: the gradient of a random sum."""

        def mixture(coefficients: Values) -> jax.Array:
            values = self.values(u, {**params, **coefficients})
            flat = ravel_pytree({name: values[name] for name in self.base_of})[0]
            return flat @ np.random.default_rng(1).normal(size=flat.shape)

        return jax.grad(mixture)({name: params[name] for name in new})

    def _terms(self, trace: Trace, sampled: Mapping[str, str]) -> dict[str, Any]:
        """Each site's log density in unconstrained space without its scale, and its scale.

        The scale stays apart as it would multiply the change of volume too, on both sides.
        """
        terms: dict[str, Any] = {"log_prob": {}, "scale": {}}
        plain_name = {base: name for name, base in sampled.items()}
        for name, site in trace.items():
            if site["type"] != "sample":
                continue
            log_prob = jnp.sum(site["fn"].log_prob(site["value"]))
            if name in plain_name:
                to_support = biject_to(site["fn"].support)
                u = to_support.inv(site["value"])
                log_prob += jnp.sum(to_support.log_abs_det_jacobian(u, site["value"]))
            name = plain_name.get(name, name)
            terms["log_prob"][name] = log_prob
            terms["scale"][name] = 1.0 if site["scale"] is None else site["scale"]
        return terms


def _constraint(param: Site) -> constraints.Constraint:
    constraint: constraints.Constraint = param["kwargs"].get("constraint", constraints.real)
    return constraint


def _unconstrained(site: Site) -> jax.Array:
    return biject_to(site["fn"].support).inv(site["value"])


def _check_point(where: str, change: _Change, at: dict[str, Any], rtol: float) -> None:
    for name, supported in at["supported"].items():
        assert supported, f"site {name!r} has a value outside of its support at {where}"
    for name, (old, new) in at["same"].items():
        what = "the returned value" if name == RETURN else f"site {name!r}"
        assert len(old) == len(new), f"{what} has {len(new)} arrays, it had {len(old)}"
        for one, other in zip(old, new, strict=True):
            same = np.shape(one) == np.shape(other) and np.allclose(one, other, rtol, rtol)
            assert same, f"{what} is {other} and was {one} at {where}"
    old, new = at["plain"], at["generated"]
    for name, scale in old["scale"].items():
        other = new["scale"][name]
        assert np.allclose(scale, other), f"site {name!r} has scale {other}, it was {scale}"

    jacobian = at["jacobian"]
    rows, columns = jacobian.shape
    assert rows == columns, f"{columns} unconstrained values are sampled instead of {rows}"
    sign, log_det = np.linalg.slogdet(jacobian) if rows else (1.0, 0.0)
    assert sign and np.isfinite(log_det), f"the change of variables is singular at {where}"
    expected = sum(old["log_prob"].values()) + log_det
    found = sum(new["log_prob"].values())
    magnitude = max(1.0, *(abs(term) for term in [log_det, *old["log_prob"].values()]))
    if abs(found - expected) <= rtol * magnitude:
        return

    # Which site is it? Where each child depends on earlier sites only, the change of volume is
    # the product of each child's own, and each site's terms must agree by themselves.
    start, lines = 0, []
    gaps = {name: new["log_prob"][name] - term for name, term in old["log_prob"].items()}
    # A dict is flattened in the order of its sorted keys.
    for name, shape in sorted(change.domains.items()):
        own = slice(start, start := start + math.prod(shape))
        gaps[name] -= np.linalg.slogdet(jacobian[own, own])[1]
    for name, gap in sorted(gaps.items(), key=lambda item: -abs(item[1])):
        if not abs(gap) <= rtol * magnitude:
            lines.append(f"  {name}: off by {gap:.10g}, was {old['log_prob'][name]:.10g}")
    raise AssertionError(
        f"the log density is {found:.12g} instead of {expected:.12g} at {where}; by site:\n"
        + "\n".join(lines)
    )


def _check_effects(effects: Values, some: bool) -> None:
    """Does every element of every coefficient move a site, or with `some`, any element?"""
    for name, effect in effects.items():
        idle = np.sum(effect == 0)
        if idle == np.size(effect) or (idle and not some):
            what = f"{idle} of {np.size(effect)} elements of" if np.ndim(effect) else ""
            raise AssertionError(f"{what} param {name!r} without effect on any site".lstrip())


def assert_infers(
    generated: Model,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    guides: Sequence[type[AutoGuide]] = (AutoNormal, AutoDiagonalNormal),
    nuts: bool = True,
    seed: int = 0,
) -> None:
    """Assert that SVI with each guide and NUTS run a few steps and stay finite, in float32.

    Every param of the model must be among those that SVI trains, and every latent or child site
    of the model among the samples of NUTS.

    Raises AssertionError, or what NumPyro raises where a model does not suit an algorithm.
    """
    kwargs = dict(kwargs or {})
    trace: dict[str, Site] = {}

    def run(key: jax.Array) -> dict[str, Any]:
        trace.update(traced(generated, args, kwargs, key=key))
        found: dict[str, Any] = {}
        for guide in guides:
            svi = SVI(generated, guide(generated), optim.Adam(1e-3), Trace_ELBO())
            result = svi.run(key, 5, *args, progress_bar=False, **kwargs)
            found[guide.__name__] = {"the loss": result.losses, **result.params}
        if nuts:
            kernel = NUTS(generated, max_tree_depth=3)
            mcmc = MCMC(kernel, num_warmup=5, num_samples=5, progress_bar=False)
            mcmc.run(key, *args, **kwargs)
            found["NUTS"] = mcmc.get_samples()
        return found

    # Compiled as a whole, and badly: nearly all of the time goes to the compiler.
    key = cheap_key(seed)
    program = jax.jit(run).lower(key).compile(compiler_options=HASTY)
    for algorithm, values in jax.device_get(program(key)).items():
        for name, value in values.items():
            assert np.isfinite(value).all(), f"{algorithm}: {name} is not finite: {value}"
        for name, site in trace.items():
            if algorithm == "NUTS":
                expected = is_latent(site) or site["type"] == "deterministic"
            else:
                expected = site["type"] == "param"
            assert name in values or not expected, f"{algorithm} gives no values of {name!r}"


def log_density_jaxpr(
    model: Model, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
) -> str:
    """The program that computes a model's log density, as text to compare with another's.

    Its inputs are all params, then all latent values (base sites, not their children), each by
    name in sorted order and listed in the first lines. Two models with equal texts do the same
    arithmetic in the same order, however their sources put it: names of local variables, helper
    functions and where a param is declared leave no trace. Initial values of params are dropped
    with all else that the density does not depend on; constants count by their bytes.
    """
    trace = structure(model, args, dict(kwargs or {}))

    def inputs(kept: Callable[[Site], bool], value: Callable[[Site], Any]) -> Values:
        # Only shapes and dtypes matter. `param("alpha", 0.0)` is an array here as any other: that
        # its type is weak would show in the program.
        values = {name: value(site) for name, site in trace.items() if kept(site)}
        return {n: jnp.zeros(jnp.shape(v), jnp.result_type(v)) for n, v in values.items()}

    params = inputs(lambda site: site["type"] == "param", _full_value)
    values = inputs(is_latent, lambda site: site["value"])

    def density(params: Values, values: Values) -> Any:
        seeded = handlers.seed(model, rng_seed=0)
        return log_density(seeded, args, dict(kwargs or {}), {**params, **values})[0]

    closed = jax.make_jaxpr(density)(params, values)
    lines = [
        f"{kind} {name}: {value.dtype}{list(value.shape)}"
        for kind, named in (("param", params), ("latent", values))
        for name, value in sorted(named.items())
    ]
    used, constants = _without_dead_code(closed.jaxpr)
    for variable, constant in zip(closed.jaxpr.constvars, closed.consts, strict=True):
        if variable in constants:
            array = np.asarray(constant)
            digest = hashlib.sha256(array.tobytes()).hexdigest()[:16]
            lines.append(f"constant: {array.dtype}{list(array.shape)} {digest}")
    # Functions kept as parameters of a primitive are printed with their addresses.
    return "\n".join([*lines, re.sub(r" at 0x[0-9a-f]+", "", str(used))])


def _without_dead_code(jaxpr: Any) -> tuple[Any, set[Any]]:
    """The jaxpr without equations and constants that its results don't need; those constants left.

    jax's own function for it is private and moves between versions.
    """
    needed = {v for v in jaxpr.outvars if not hasattr(v, "val")}
    kept = []
    for equation in reversed(jaxpr.eqns):
        if needed.intersection(equation.outvars) or equation.effects:
            kept.append(equation)
            # Literals have a value, variables have none.
            needed.update(v for v in equation.invars if not hasattr(v, "val"))
    constants = [v for v in jaxpr.constvars if v in needed]
    return jaxpr.replace(eqns=kept[::-1], constvars=constants), set(constants)
