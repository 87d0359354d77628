"""Models of any length, with the configs that ask for an offset in every ten lines of them."""

from __future__ import annotations

from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures"

#: Lines that one configured site comes with, in the models that grow.
STEP = 10

HEAD = '''"""Groups with a mean, deviations from it, and observations of both."""

import numpyro
import numpyro.distributions as dist


'''

TERM = """\
    # What table {k} says of the groups.
    mu_{k} = numpyro.sample("mu_{k}", dist.Normal(0, 10))
    sigma_{k} = numpyro.sample("sigma_{k}", dist.HalfNormal(1))
    with numpyro.plate("groups", n_groups):
        a_{k} = numpyro.sample("a_{k}", dist.Normal(0, sigma_{k}))
    mean_{k} = mu_{k} + a_{k}[group]
    with numpyro.plate("rows", len(group)):
        numpyro.sample("y_{k}", dist.Normal(mean_{k}, 1), obs=tables[{k}])

"""

DEFINITION = "def model_{k}(group, n_groups, tables):\n"


def everyday(lines: int = 234) -> tuple[str, str]:
    """A model as people write them, in a file of other functions: the source and its config."""
    text = (FIXTURES / "tensor" / "model.py").read_text()
    other = (FIXTURES / "grand_mean" / "model.py").read_text()
    body = other[other.index("def model(") :].replace("def model(", "def other_{}(")
    count = 0
    while text.count("\n") < lines:
        text += "\n\n" + body.replace("{}", str(count))
        count += 1
    kept = text.splitlines()[:lines]
    while kept[-1].startswith(" ") and kept[-1].rstrip().endswith((":", ",", "(")):
        kept[-1] = "    pass"
    return "\n".join(kept) + "\n", (FIXTURES / "tensor" / "offsets.toml").read_text()


def long(lines: int, sites: int) -> tuple[str, str]:
    """About `lines` lines with a configured site in every ten, `sites` of them in a function."""
    terms = [TERM.format(k=k) for k in range(lines // STEP)]
    starts = range(0, len(terms), sites)
    functions = [
        DEFINITION.format(k=start) + "".join(terms[start : start + sites]).rstrip("\n") + "\n"
        for start in starts
    ]
    rules = [f'[sites.a_{k}]\noffset = "mu_{k}"\n' for k in range(len(terms))]
    named = ", ".join(f'"model_{start}"' for start in starts)
    return HEAD + "\n\n".join(functions), f"functions = [{named}]\n\n" + "\n".join(rules)
