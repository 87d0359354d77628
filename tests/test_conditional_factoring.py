"""In which order a generated model's gradient factors its matrices.

As many batches at once as there are cores never end in JAX 0.10.
"""

from __future__ import annotations

import re
from itertools import combinations

import jax
from numpyro.infer.util import initialize_model

from tests.support.cases import FIXTURES
from tests.support.execution import load_model

#: A line of what XLA compiled, with the name of what it makes.
LINE = re.compile(r"^\s+(?:ROOT )?(%[\w.-]+) = .*$", re.MULTILINE)
#: A call of LAPACK for several matrices.
BATCH = re.compile(r" = \(?f\d+\[\d+,\d+,\d+\].*lapack")


def before(program: str) -> dict[str, set[str]]:
    """For each batch of matrices that LAPACK is called for, what has to be done before."""
    done: dict[str, set[str]] = {}
    batches = []
    for line in LINE.finditer(program[program.index("\nENTRY ") :]):
        made = line[1]
        used = set(re.findall(r"%[\w.-]+", line[0])) & done.keys()
        done[made] = used.union(*(done[one] for one in used))
        if BATCH.search(line[0]):
            batches.append(made)
    return {made: done[made] for made in batches}


def test_a_gradient_factors_the_matrices_of_rows_one_batch_after_another() -> None:
    walks = FIXTURES / "conditional_walks"
    args, kwargs = load_model(walks / "example.py", "example_args")()
    model = load_model(walks / "model_reparam.py", "model")
    info = initialize_model(jax.random.key(0), model, model_args=args, model_kwargs=kwargs)
    gradient = jax.jit(jax.grad(info.potential_fn)).lower(info.param_info.z)
    found = before(gradient.compile().as_text())
    assert len(found) > 2
    assert all(a in found[b] or b in found[a] for a, b in combinations(found, 2))
