"""Writes reparam_rewrite/survey/families.py from the installed NumPyro.

    python tests/support/make_families.py          # rewrites the file
    python tests/support/make_families.py --print  # prints it

The rewriter must know the supports and the shapes of NumPyro's distributions without importing
NumPyro, so they are read off it here, once a release.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import numpyro
import numpyro.distributions as dist
from numpyro.distributions import constraints

TARGET = Path(__file__).parents[2] / "reparam_rewrite" / "survey" / "families.py"

HEADER = '''"""The distributions of NumPyro {version}: supports, arguments, event dims.

Written by tests/support/make_families.py; a test compares it with the installed NumPyro.
"""

from __future__ import annotations

from typing import NamedTuple


class Family(NamedTuple):
    """One distribution class, or one of the functions that build one.

    `support` is the name in `numpyro.distributions.constraints` where the class fixes it, else
    "dependent" (bounds or sizes come from the arguments), "discrete" or "atomic" (not a density
    on an open set). `arguments` are the names of the constructor's parameters in order, each with
    the number of its event dims, or None where that isn't known. `event_dim` is None where the
    arguments decide it.
    """

    support: str
    event_dim: int | None
    arguments: tuple[tuple[str, int | None], ...]


# fmt: off
FAMILIES: dict[str, Family] = {{
'''

# Functions that NumPyro exports among its distributions, and what they build.
FUNCTIONS = {
    "Bernoulli": "discrete",
    "Binomial": "discrete",
    "Categorical": "discrete",
    "Geometric": "discrete",
    "Multinomial": "discrete",
    "OrderedLogistic": "discrete",
    "ZeroInflatedDistribution": "discrete",
    "ZeroInflatedNegativeBinomial2": "discrete",
    "NegativeBinomial": "discrete",
    "TruncatedDistribution": "dependent",
    "TruncatedCauchy": "dependent",
    "TruncatedNormal": "dependent",
    "Mixture": "dependent",
}

# Not densities on an open set: an atom somewhere, or nothing to sample at all. No change of
# variables holds for them.
ATOMIC = {"Delta", "Unit", "HurdleGamma", "HurdleLogNormal", "HurdleLogits", "HurdleProbs"}

# The bounds of these are keyword arguments of a function and scalars or arrays like the rest.
ELEMENTWISE_FUNCTIONS = {"TruncatedCauchy", "TruncatedNormal"}


def constraint_names() -> dict[int, str]:
    exported = {name: getattr(constraints, name) for name in constraints.__all__}
    return {
        id(value): name
        for name, value in exported.items()
        if isinstance(value, constraints.Constraint)
    }


def static(constraint: object, attribute: str) -> object:
    """The attribute, or None where NumPyro says that it depends on the instance."""
    try:
        return getattr(constraint, attribute, None)
    except NotImplementedError:
        return None


def row(name: str, known: dict[int, str]) -> tuple[str, int | None, tuple] | None:
    made = getattr(dist, name)
    if not inspect.isclass(made):
        if name not in FUNCTIONS:
            return None
        parameters = [p for p in inspect.signature(made).parameters if p != "validate_args"]
        if name in ELEMENTWISE_FUNCTIONS:
            return "dependent", 0, tuple((p, 0) for p in parameters)
        return FUNCTIONS[name], None, tuple((p, None) for p in parameters)
    if not issubclass(made, dist.Distribution) or made is dist.Distribution:
        return None
    support = inspect.getattr_static(made, "support", None)
    event_dim: int | None = None
    if isinstance(support, constraints.Constraint):
        event_dim = static(support, "event_dim")
        discrete = static(support, "is_discrete")
        label = known.get(id(support), "dependent")
    else:
        label, discrete = "dependent", False
    if discrete is True:
        label = "discrete"
    if name in ATOMIC:
        label = "atomic"
    declared = getattr(made, "arg_constraints", {})
    arguments = []
    for parameter in inspect.signature(made.__init__).parameters.values():
        if parameter.name in ("self", "validate_args"):
            continue
        constraint = declared.get(parameter.name) if isinstance(declared, dict) else None
        size = static(constraint, "event_dim")
        arguments.append((parameter.name, size if isinstance(size, int) else None))
    return label, event_dim if isinstance(event_dim, int) else None, tuple(arguments)


def generate() -> str:
    known = constraint_names()
    lines = [HEADER.format(version=".".join(numpyro.__version__.split(".")[:2]))]
    for name in sorted(dist.__all__):
        found = row(name, known)
        if found is None:
            continue
        support, event_dim, arguments = found
        shown = "".join(f'("{n}", {size}), ' for n, size in arguments).strip()
        lines.append(f'    "{name}": Family("{support}", {event_dim}, ({shown})),\n')
    lines.append("}\n# fmt: on\n")
    return "".join(lines)


def main() -> None:
    if "--print" in sys.argv:
        print(generate(), end="")
    else:
        TARGET.write_text(generate())


if __name__ == "__main__":
    main()
