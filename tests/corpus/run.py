"""Models that others wrote, executed before and after: is the rewritten one the same model?

    python -m tests.corpus.run FOLDER... [--only TEXT]

The folders hold the sources that `tests.corpus` lists. Here is only a table: where a model is, how
to make small arguments for it, and what is asked for. Of a source, its imports and definitions are
executed, nothing else; what can't be imported is replaced by a stub, which is enough for plots.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from reparam_rewrite.messages import Refusal
from tests.corpus.reading import notebook
from tests.support.cases import rewritten
from tests.support.execution import assert_equivalent

NUMPYRO = "pyro-ppl+numpyro/"
RETHINKING = "fehiepsi+rethinking-numpyro/notebooks/"
RECIPES = "omarfsosa+numpyro-recipes/timeseries/"


@dataclass
class Case:
    """One model. `make` gives its arguments, when asked.

    offsets: ``"alpha <- loc, scale"``, one child each. keep: names of the source's module-level
    assignments that the model needs. given: other names that it needs. owner: for a method, the
    attributes of an object that stands for `self`. named: keyword arguments. matter: every
    coefficient has an effect.
    """

    source: str
    function: str
    make: Callable[[], tuple[Any, ...]]
    offsets: list[str]
    keep: tuple[str, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)
    owner: Mapping[str, Any] | None = None
    named: Mapping[str, Any] = field(default_factory=dict)
    matter: bool = True

    @property
    def config(self) -> str:
        lines = [f'functions = ["{self.function}"]']
        for offset in self.offsets:
            child, parents = offset.split(" <- ")
            lines += [f'[sites."{child}"]', f"offset = {parents.split(', ')}"]
        return "\n".join(lines) + "\n"


def numbers(*shape: int) -> Any:
    return jnp.asarray(np.random.default_rng(len(shape)).normal(size=shape))


def counts(*shape: int, most: int = 2) -> Any:
    return np.random.default_rng(0).integers(0, most, size=shape)


def gamma_by_mode(mode: Any, sd: Any) -> Any:
    return dist.Gamma(2.0, 1.0 / mode)


CASES = [
    Case(
        NUMPYRO + "notebooks/source/bayesian_hierarchical_stacking.ipynb",
        "stacking",
        lambda: (numbers(5, 4), 2, numbers(3, 4), numbers(5, 3), 1.0, 0.5),
        ["sigma <- mu", "tau <- mu, sigma", "beta_con <- tau"],
        named={"test": True},
    ),
    Case(
        NUMPYRO + "notebooks/source/hierarchical_forecasting.ipynb",
        "model",
        lambda: (jnp.ones((2, 2, 3)), jnp.ones((2, 2, 3))),
        ["pairwise <- destin_centered", "origin_scale <- pairwise", "destin_scale <- origin_scale"],
        given={"periodic_repeat_jax": lambda x, size, dim: jnp.take(x, jnp.arange(size), dim)},
    ),
    Case(
        NUMPYRO + "examples/baseball.py",
        "partially_pooled",
        lambda: (jnp.array([10, 20, 30]), jnp.array([3, 4, 9])),
        ["kappa <- m", "phi <- m, kappa"],
    ),
    Case(
        NUMPYRO + "examples/baseball.py",
        "partially_pooled_with_logit",
        lambda: (jnp.array([10, 20, 30]), jnp.array([3, 4, 9])),
        ["scale <- loc", "alpha <- loc, scale"],
    ),
    Case(
        NUMPYRO + "examples/bnn.py",
        "model",
        lambda: (numbers(4, 2), numbers(4, 1), 3),
        ["prec_obs <- w1, w3"],
        matter=False,
    ),
    Case(
        NUMPYRO + "examples/annotation.py",
        "hierarchical_dawid_skene",
        lambda: (np.array([0, 1, 0]), np.array([[0, 1, 2], [2, 0, 1]])),
        ["Omega <- zeta", "pi <- Omega"],
    ),
    Case(
        NUMPYRO + "examples/gp.py",
        "model",
        lambda: (numbers(4), numbers(4)),
        ["kernel_noise <- kernel_var", "kernel_length <- kernel_var, kernel_noise"],
    ),
    Case(
        NUMPYRO + "examples/horseshoe_regression.py",
        "model_normal_likelihood",
        lambda: (numbers(4, 3), numbers(4)),
        ["unscaled_betas <- lambdas", "prec_obs <- tau, unscaled_betas"],
    ),
    Case(
        NUMPYRO + "examples/hsgp.py",
        "approx_periodic_gp_ncp",
        lambda: (numbers(5), 1.0, 2.0, 0.5, 4),
        ["beta_sin <- beta_cos"],
        given={"diag_spectral_density_periodic": lambda alpha, length, m: alpha * jnp.ones(m)},
    ),
    Case(
        NUMPYRO + "examples/mortality.py",
        "model",
        lambda: (
            np.array([0, 1, 2, 1]),
            np.array([0, 1, 0, 1]),
            np.array([0, 1, 2, 2]),
            np.array([0, 1]),
            jnp.array([10, 20, 30, 40]),
            jnp.array([1, 2, 3, 4]),
        ),
        ["sigma_alpha_s2 <- sigma_alpha_s1", "sigma_pi <- sigma_beta_age"],
        keep=("reparam_config",),
    ),
    Case(
        NUMPYRO + "examples/sparse_regression.py",
        "model",
        lambda: (
            numbers(4, 3),
            numbers(4),
            {
                "expected_sparsity": 1.0,
                "alpha1": 3.0,
                "beta1": 1.0,
                "alpha2": 3.0,
                "beta2": 1.0,
                "alpha3": 1.0,
                "c": 1.0,
            },
        ),
        ["eta1 <- sigma", "xisq <- msq", "lambda <- eta1, msq"],
    ),
    Case(
        NUMPYRO + "examples/stein_bnn.py",
        "model",
        lambda: (numbers(5, 2), numbers(5), 3, 5),
        ["nn_w1 <- nn_b1", "nn_w2 <- nn_b1", "nn_b2 <- nn_w2", "prec_obs <- prec_nn"],
    ),
    Case(
        NUMPYRO + "examples/stochastic_volatility.py",
        "model",
        lambda: (numbers(6),),
        ["s <- sigma", "nu <- s"],
    ),
    Case(
        NUMPYRO + "examples/ucbadmit.py",
        "glmm",
        lambda: (
            np.array([0, 0, 1]),
            np.array([0, 1, 1]),
            jnp.array([9, 8, 7]),
            jnp.array([1, 2, 3]),
        ),
        ["sigma <- v_mu", "L_Rho <- sigma", "z <- v_mu"],
    ),
    Case(
        NUMPYRO + "examples/zero_inflated_poisson.py",
        "model",
        lambda: (numbers(4, 2), counts(4, most=4)),
        ["b2 <- b1"],
    ),
    Case(
        NUMPYRO + "notebooks/source/bayesian_hierarchical_linear_regression.ipynb",
        "model",
        lambda: (np.array([0, 0, 1, 2]), numbers(4), numbers(4)),
        ["α <- μ_α, σ_α", "β <- μ_β, α", "σ <- σ_β"],  # noqa: RUF001
    ),
    Case(
        NUMPYRO + "notebooks/source/bayesian_hierarchical_linear_regression.ipynb",
        "model_smoking_hierarchy",
        lambda: (np.array([0, 0, 1, 2]), numbers(4), np.array([0, 1, 1]), numbers(4)),
        ["σ_β_global <- σ_α_global", "σ <- μ_α_smoking_status, μ_β_smoking_status"],  # noqa: RUF001
    ),
    Case(
        NUMPYRO + "notebooks/source/bayesian_imputation.ipynb",
        "model",
        lambda: (
            np.array([1.0, np.nan, 2.0, np.nan]),
            counts(4),
            counts(4, most=5),
            counts(4),
            counts(4),
            counts(4),
            counts(4),
            counts(4),
            False,
        ),
        ["b_Title <- b_Pclass", "b_Sex <- b_Title", "b_Age <- a"],
        given={"age_mean_by_title": np.zeros(5)},
    ),
    Case(
        NUMPYRO + "notebooks/source/bayesian_regression.ipynb",
        "model",
        lambda: (numbers(4), numbers(4), numbers(4)),
        ["bM <- a", "bA <- a", "sigma <- a"],
    ),
    Case(
        NUMPYRO + "notebooks/source/bayesian_regression.ipynb",
        "model_se",
        lambda: (numbers(4), numbers(4), 0.5, numbers(4)),
        ["bA <- bM", "divorce_rate <- a, bM, bA, sigma"],
    ),
    Case(
        NUMPYRO + "notebooks/source/consensus_mc.ipynb",
        "model",
        lambda: (numbers(4), numbers(4), 0.25),
        ["offset <- amplitude, rate"],
    ),
    Case(
        NUMPYRO + "notebooks/source/discrete_imputation.ipynb",
        "ccmodel",
        lambda: (np.array([0, 1, 1]), np.array([1, 1, 0]), numbers(3)),
        ["b_B <- b_A", "s_Y <- b_A, b_B"],
    ),
    Case(
        NUMPYRO + "notebooks/source/effect_handlers.ipynb",
        "eight_schools",
        lambda: (3, np.array([1.0, 2.0, 3.0]), numbers(3)),
        ["tau <- mu"],
    ),
    Case(
        NUMPYRO + "notebooks/source/gmm.ipynb",
        "model",
        lambda: (numbers(4),),
        ["scale <- weights", "locs <- scale"],
        given={"K": 2},
    ),
    Case(
        NUMPYRO + "notebooks/source/model_rendering.ipynb",
        "model_5",
        lambda: (),
        ["y <- x"],
    ),
    Case(
        NUMPYRO + "notebooks/source/ordinal_regression.ipynb",
        "model3",
        lambda: (numbers(4), counts(4, most=3)),
        ["c_y <- b_X_eta"],
    ),
    Case(
        NUMPYRO + "notebooks/source/truncated_distributions.ipynb",
        "truncated_normal_model",
        lambda: (3, 1.5, np.array([0.5, 1.0, -1.0])),
        ["scale <- loc"],
    ),
    Case(
        NUMPYRO + "notebooks/source/tbip.ipynb",
        "TBIP.model",
        lambda: (counts(3, 4, most=3), np.array([0, 1, 2]), np.array([0, 1, 0])),
        ["beta <- x", "eta <- beta"],
        owner={"N": 2, "K": 2, "V": 4, "D": 3, "batch_size": 3},
    ),
    Case(
        RETHINKING + "14_adventures_in_covariance.ipynb",
        "model",
        lambda: (counts(4, most=20), counts(4), numbers(4)),
        ["b <- a", "sigma_cafe <- b", "Rho <- sigma", "a_cafe,b_cafe <- a"],
    ),
    Case(
        RETHINKING + "14_adventures_in_covariance.ipynb",
        "model_3",
        lambda: (counts(4, most=4), counts(4, most=7), counts(4, most=6), counts(4)),
        ["sigma_actor <- g", "L_Rho_actor <- g", "z_actor <- g"],
    ),
    Case(
        RETHINKING + "14_adventures_in_covariance.ipynb",
        "model_8",
        lambda: (1.0 - jnp.eye(3), jnp.ones(4), np.array([0, 1, 2, 2]), counts(4, most=5)),
        ["etasq <- g", "k <- etasq, a"],
    ),
    Case(
        RETHINKING + "14_adventures_in_covariance.ipynb",
        "model_7",
        lambda: (
            3,
            4,
            np.array([0, 1, 2, 3]),
            np.array([0, 1, 2, 1]),
            np.array([1, 2, 0, 0]),
            counts(4, most=5),
            counts(4, most=3),
        ),
        ["gr <- sigma_gr", "a <- gr"],
    ),
    Case(
        RETHINKING + "14_adventures_in_covariance.ipynb",
        "model_12",
        lambda: (numbers(3), numbers(3), jnp.abs(numbers(3, 3)), numbers(3)),
        ["bM <- a", "etasq <- bG", "rhosq <- etasq"],
    ),
    Case(
        RECIPES + "dampened-holt.py",
        "dampened_holt",
        lambda: (5, numbers(5)),
        ["beta <- alpha", "b0 <- l0", "phi <- l0, b0"],
    ),
    Case(
        "bayesmarketing_mmm/models/advanced_mmm.py",
        "bayesian_mmm",
        lambda: tuple(1.0 + np.abs(numbers(5)) for _ in range(4)),
        ["decay <- intercept", "alpha_tv <- intercept, decay", "sigma <- beta_social"],
    ),
    Case(
        "beekill95+numpyro-doing-bayesian/numpyro_glm/count/models.py",
        "two_nominal_predictors",
        lambda: (jnp.array([3, 1, 4]), jnp.array([0, 1, 1]), jnp.array([0, 1, 2]), 2, 3),
        ["_a1 <- _a0", "_a2 <- _a1", "_a1a2 <- _a1, _a2"],
        given={"dist_utils": SimpleNamespace(gammaDistFromModeStd=gamma_by_mode)},
        matter=False,
    ),
    Case(
        "anguswilliams91+bpl-next/bpl/dixon_coles.py",
        "DixonColesMatchPredictor._model",
        lambda: (jnp.array([0, 1]), jnp.array([1, 2]), 3, jnp.array([1, 0]), jnp.array([2, 2])),
        ["mean_defence <- home_advantage", "corr_coef_raw <- mean_defence"],
        given={
            "compute_corr_coef_bounds": lambda home, away: (-0.1, 0.1),
            "dixon_coles_correlation_term": lambda a, b, home, away, rho, *_: rho * home * away,
        },
    ),
]


def loaded(data: bytes, case: Case) -> Callable[..., Any]:
    """The model, from a source of which only imports, definitions and `case.keep` are executed."""
    names: dict[str, Any] = {"__name__": "corpus_model", **case.given}
    for node in ast.parse(data).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            import_or_stub(node, names)
        elif wanted(node, case):
            try:
                exec(compile(ast.Module([node], []), case.source, "exec"), names)
            except Exception:
                continue  # a class whose base is a stub, say; the model isn't found then
        names.update(case.given)
    first, *rest = case.function.split(".")
    found = names.get(first)
    if not rest:
        return found  # type: ignore[return-value]
    method = definition(data, case.function)
    exec(compile(ast.Module([method], []), case.source, "exec"), names)
    function: Callable[..., Any] = names[rest[-1]]
    if case.owner is None:
        return function
    owner = SimpleNamespace(**case.owner)
    return lambda *args: function(owner, *args)


def wanted(node: ast.stmt, case: Case) -> bool:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return True
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id in case.keep for target in targets)


def definition(data: bytes, dotted: str) -> ast.FunctionDef:
    """A method, as a function without the decorators that only work in a class."""
    body: list[ast.stmt] = ast.parse(data).body
    for part in dotted.split("."):
        found = next(node for node in body if getattr(node, "name", None) == part)
        assert isinstance(found, (ast.ClassDef, ast.FunctionDef))
        body = found.body
    assert isinstance(found, ast.FunctionDef)
    found.decorator_list = [
        node for node in found.decorator_list if ast.unparse(node) != "staticmethod"
    ]
    return found


def import_or_stub(node: ast.Import | ast.ImportFrom, names: dict[str, Any]) -> None:
    """Execute an import, one name after the other."""
    for alias in node.names:
        one = copy.copy(node)
        one.names = [alias]
        try:
            exec(compile(ast.Module([one], []), "<import>", "exec"), names)
        except Exception:
            names[alias.asname or alias.name.partition(".")[0]] = MagicMock()


def source_of(case: Case, roots: list[Path]) -> bytes | None:
    for root in roots:
        path = root / case.source
        if path.exists():
            return notebook(path) if path.suffix == ".ipynb" else path.read_bytes()
    return None


def results(cases: list[Case], roots: list[Path]) -> Iterator[tuple[Case, str, str]]:
    """Of each case "agree", "disagree", "refused", "missing", "crashed" or "broken", and why.

    "broken" is a case of which the plain model doesn't run: that is the table's fault.
    """
    for case in cases:
        data = source_of(case, roots)
        if data is None:
            yield case, "missing", ""
            continue
        try:
            plain = loaded(data, case)
            assert_equivalent(plain, plain, case.make(), case.named, points=1)
        except Exception as error:
            yield case, "broken", f"{type(error).__name__}: {error}"
            continue
        try:
            generated = loaded(rewritten(data, case.config).data, case)
        except Refusal as refusal:
            yield case, "refused", str(refusal)
            continue
        except Exception as error:
            yield case, "crashed", f"{type(error).__name__}: {error}"
            continue
        try:
            assert_equivalent(
                plain,
                generated,
                case.make(),
                case.named,
                points=5,
                coefficients_matter=case.matter,
            )
        except Exception as error:
            yield case, "disagree", f"{type(error).__name__}: {error}"
        else:
            yield case, "agree", ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.corpus.run", description=__doc__)
    parser.add_argument("roots", nargs="+", type=Path)
    parser.add_argument("--only", default="", help="only cases whose source or function has this")
    options = parser.parse_args()
    cases = [case for case in CASES if options.only in f"{case.source} {case.function}"]
    tally: dict[str, int] = {}
    start = time.monotonic()
    for case, what, why in results(cases, options.roots):
        tally[what] = tally.get(what, 0) + 1
        print(f"{what:9} {time.monotonic() - start:5.0f} s {case.source} {case.function}")
        if why:
            print("\n".join(f"          {line}" for line in why.splitlines()[:12]), flush=True)
    print(", ".join(f"{count} {what}" for what, count in tally.items()), f"of {len(cases)}")


if __name__ == "__main__":
    main()
