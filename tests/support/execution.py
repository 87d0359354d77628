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

import hashlib
import itertools
import re
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers, optim
from numpyro.infer import MCMC, NUTS, SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoDiagonalNormal, AutoGuide, AutoNormal
from numpyro.infer.util import log_density

from reparam_rewrite import testing
from reparam_rewrite.messages import Refusal
from reparam_rewrite.running.trace import (
    cheap_key,
    compiled,
    double_precision,
    full_value,
    is_discrete,
    is_latent,
    structure,
    traced,
)
from reparam_rewrite.running.values import Model, Site, Values
from reparam_rewrite.verifying.pairing import held_fixed
from tests.support.executed import code_of, digest_of, executed, plain_value

__all__ = [
    "assert_checked",
    "assert_equivalent",
    "assert_infers",
    "cheap_key",
    "compiled",
    "double_precision",
    "free_values",
    "is_discrete",
    "is_latent",
    "load_model",
    "log_density_jaxpr",
    "structure",
    "traced",
]

_module_number = itertools.count()

#: The code of each module that was loaded, by its name.
CODE: dict[str, str] = {}


def load_model(
    source: str | bytes | Path, function: str = "model", beside: Path | None = None
) -> Callable[..., Any]:
    """Execute a source in a module of its own and return one of its functions.

    source: the text itself (str, or bytes in any encoding that Python reads) or the Path of a file.
    function: "model"; "Class.model" for a method, bound to an instance made without arguments;
    "outer.inner" for a nested function that the outer one returns when called without arguments.
    beside: the file that a text is to be taken for, which loads arrays from beside it.

    Raises whatever the source raises; AttributeError if the function isn't there.
    """
    name = f"loaded_model_{next(_module_number)}"
    filename = str(source) if isinstance(source, Path) else f"<{name}>"
    text = source.read_bytes() if isinstance(source, Path) else source
    code = compile(text, filename, "exec")
    module = types.ModuleType(name)
    CODE[name] = code_of(text)
    file = source if isinstance(source, Path) else beside
    if file is not None:
        module.__file__ = str(file)
        CODE[name] += arrays_beside(file)
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


def arrays_beside(source: Path) -> str:
    """What a model computes depends on the .npz beside it that it names."""
    text = source.read_bytes()
    named = [file for file in sorted(source.parent.glob("*.npz")) if file.name.encode() in text]
    return "".join(hashlib.sha256(file.read_bytes()).hexdigest() for file in named)


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
    offsets: bool = True,
    bases: Mapping[str, str] | None = None,
    anew: bool = False,
) -> None:
    """`reparam_rewrite.testing.assert_equivalent`, for what this program generates.

    Two things are stricter than for models by hand: a base site is called `<site>_base`, unless
    `bases` says otherwise, and no check that could not be made is passed over.

    offsets: assert that the name of a coefficient tells its child and its parent.
    coefficients_matter: assert that each element of each new param has an effect on some site
    (on a model with a subsampled plate: that some element has). The inference paths and a run
    without jit have tests of their own, and cost as much time as all the rest.
    anew: compare them even if the record has it that they are equal.
    """
    left_out = [*OTHERWISE, *([] if coefficients_matter else ["effect"])]
    left_out += [] if coefficients_matter and offsets else ["offsets"]
    assert_checked(
        plain,
        generated,
        args,
        kwargs,
        anew=anew,
        points=points,
        seed=seed,
        rtol=rtol,
        skip=left_out,
        coefficients=None if coefficients is None else [*coefficients],
        bases=bases and {**bases},
        base_name="{}_base",
    )


def assert_checked(
    plain: Model,
    generated: Model,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    anew: bool = False,
    **options: Any,
) -> None:
    """`reparam_rewrite.testing.assert_equivalent`, unless the record has it that they are."""
    asked = args, dict(kwargs or {}), options
    comparison = None if anew else comparison_of([plain, generated], asked)
    if comparison is not None and comparison in executed:
        return
    try:
        testing.assert_equivalent(plain, generated, args, kwargs, **options)
    except Refusal as refusal:
        raise (refusal.__cause__ or refusal) from None
    if comparison is not None:
        executed.add(comparison)


def comparison_of(models: Sequence[Model], asked: Any) -> str | None:
    """A digest for the record of what is executed, or None where the models' code isn't known.

    What is wrapped around a function of a loaded module, such as a handler, isn't known.
    """
    codes: list[str] = []
    for model in models:
        function = getattr(model, "__func__", model)
        name = getattr(function, "__globals__", {}).get("__name__", "")
        if type(function) is not types.FunctionType or name not in CODE:
            return None
        codes += [function.__qualname__, CODE[name]]
    try:
        return digest_of(*codes, repr(plain_value(asked)))
    except TypeError:
        return None


def free_values(model: Model, args: Sequence[Any], seed: int) -> dict[str, Values]:
    """For `traced`: `data` that is held fixed, and `unconstrained` values of all other latents.

    By numpy: what jax draws in a program takes longer to compile than all else in it.
    """
    trace = structure(model, args, {})
    rng = np.random.default_rng(seed)
    return {
        "data": {name: site["value"] for name, site in trace.items() if held_fixed(site)},
        "unconstrained": {
            name: jnp.asarray(rng.normal(size=site["real_shape"]))
            for name, site in trace.items()
            if is_latent(site) and not held_fixed(site)
        },
    }


#: The checks of `verify` that other tests make: `assert_infers`, and those of verify itself.
OTHERWISE = ("jit", "predictive", "data", "AutoNormal", "AutoDiagonalNormal", "NUTS")


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
    comparison = comparison_of([generated], (args, kwargs, guides, nuts, seed))
    if comparison is not None and comparison in executed:
        return
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
    program = compiled(run, key)
    for algorithm, values in jax.device_get(program(key)).items():
        for name, value in values.items():
            assert np.isfinite(value).all(), f"{algorithm}: {name} is not finite: {value}"
        for name, site in trace.items():
            if algorithm == "NUTS":
                expected = is_latent(site) or site["type"] == "deterministic"
            else:
                expected = site["type"] == "param"
            assert name in values or not expected, f"{algorithm} gives no values of {name!r}"
    if comparison is not None:
        executed.add(comparison)


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

    params = inputs(lambda site: site["type"] == "param", full_value)
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
