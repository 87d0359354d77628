"""Every hint, followed to the letter, leads to what works, or to another reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

import pytest

import reparam_rewrite
from reparam_rewrite.messages import Refusal
from tests.support.cases import rewritten_text
from tests.support.mistakes import HEAD, model

MU = 'mu = numpyro.sample("mu", dist.Normal(0, 1))\n'
A = 'a = numpyro.sample("a", dist.Normal(0, 1))\n'
B = 'b = numpyro.sample("b", dist.Normal(0, 1))\n'
C = 'c = numpyro.sample("c", dist.Normal(0, 1))\n'

A_BY_MU = '[sites.a]\noffset = "mu"\n'
A_BY_B = '[sites.a]\noffset = "b"\n'
C_BY_MU = '[sites.c]\noffset = "mu"\n'
SHARED = A_BY_MU + 'coefficient = "shared"\n'
BOTH = A_BY_MU + C_BY_MU
ROUNDS = """\
for k in ("x", "y"):
    numpyro.sample(f"a_{{k}}", dist.Normal({}, 1))
"""
TWO_ROUNDS = """\
for k in ("x", "y"):
    b = numpyro.sample(f"b_{k}", dist.Normal(0, 1))
    numpyro.sample(f"a_{k}", dist.Normal(0, 1))
"""
PLATE = 'with numpyro.plate("n", n):\n    '
SCAN_HEAD = HEAD.replace(
    "import numpyro\n",
    "import jax.numpy as jnp\nimport numpyro\nfrom numpyro.contrib.control_flow import scan\n",
    1,
)


def value(text: str, name: str = "b") -> str:
    return f"[sites.a.offset]\n{name} = {{ value = '{text}' }}\n"


def with_helper(body: str, before: str = "") -> str:
    """`before` is a line of the helper above its sample."""
    helper = (
        f"def effect(name, tau):\n{before}    return numpyro.sample(name, dist.Normal(0, tau))\n"
    )
    return model(body).replace("def model", f"{helper}\n\ndef model")


def scanned(
    step: str = 'z = numpyro.sample("z", dist.Normal(z, 1))\nreturn z, z\n',
    call: str = "_, z = scan(step, 0.0, None, length=n)\n",
    before: str = MU,
) -> str:
    inner = "".join(f"        {line}\n" for line in step.splitlines())
    outer = "".join(f"    {line}\n" for line in before.splitlines())
    after = "".join(f"    {line}\n" for line in call.splitlines())
    return f"{SCAN_HEAD}    def step(z, x):\n{inner}\n{outer}{after}"


#: Summands of observations that `g` and `h` pick, weighed by `x`.
B_OF_TWO = 'g, h, x, c = n.data\nwith numpyro.plate("b", 2):\n    ' + B


def met(**said: str) -> str:
    rest = "".join(f', {key} = "{text}"' for key, text in said.items())
    return f'[sites.a.offset]\nb = {{ value = "b[h]"{rest} }}\n'


Z_BY_MU = '[sites.z]\noffset = "mu"\n'


TAU = 'tau = numpyro.sample("tau", dist.HalfNormal(1))\n'
B_OF_TAU = "    " + B.replace("0, 1", "0, tau")


def given_data(*order: str, more: str = "", data: str = "fitted.npz") -> str:
    names = ", ".join(f'"{name}"' for name in order)
    said = f'[conditional]\norder = [{names}]\nform = "exact"\ndata = "{data}"\n'
    return f"{said}{more}"


IMPORTS = HEAD[: HEAD.index("def ")]
HELPER = (
    IMPORTS + 'def both(name):\n    for k in ("u", "v"):\n'
    '        numpyro.sample(f"{name}_{k}", dist.Normal(0, 1))\n\n\n'
)
POOLED = (
    IMPORTS + 'def pooled(name, n):\n    with numpyro.plate("n", n):\n'
    "        return numpyro.sample(name, dist.Normal(0, 1))\n\n\n"
)


@dataclass(frozen=True)
class Case:
    """What is refused with a hint, and what becomes of it where that is followed.

    `then` is what another reason says; empty: the model is rewritten. What isn't changed by the
    hint, the model or the config, is given once.
    """

    shape: str
    hint: str
    model: str
    config: str
    new_model: str = ""
    new_config: str = ""
    then: str = ""


def taken_out(shape: str, hint: str, statement: str, then: str = "") -> Case:
    """A site that can't be offset, and the config without it."""
    return Case(shape, hint, model(MU + statement + C), BOTH, new_config=C_BY_MU, then=then)


TAKE_OUT = "take it out of the config"

CASES = [
    Case("empty", "give it a function that samples a site", "", A_BY_MU, model(MU + A)),
    # the child
    taken_out("observed", TAKE_OUT, A.replace("1))", "1), obs=y)")),
    taken_out("discrete", TAKE_OUT, 'a = numpyro.sample("a", dist.Poisson(3))\n'),
    taken_out("no density", TAKE_OUT, 'a = numpyro.sample("a", dist.Delta(0.0))\n'),
    taken_out(
        "sphere",
        "take it out of the config; ProjectedNormalReparam",
        'a = numpyro.sample("a", dist.ProjectedNormal([1.0, 2.0]))\n',
    ),
    Case(
        "a sphere, by its own reparameterizer",
        "ProjectedNormalReparam is what suits it",
        model(MU + 'a = numpyro.sample("a", dist.ProjectedNormal([1.0, 2.0]))\n'),
        A_BY_MU,
        new_config='[sites.a]\nreparam = "ProjectedNormalReparam"\n',
    ),
    taken_out(
        "folded", TAKE_OUT, 'a = numpyro.sample("a", dist.FoldedDistribution(dist.Normal(0, 1)))\n'
    ),
    Case(
        "a density of the file's own",
        TAKE_OUT,
        "class Tilted(dist.LogNormal):\n    def log_prob(self, x):\n        return x\n\n\n"
        + model(MU + 'a = numpyro.sample("a", Tilted(0, 1))\n' + C),
        BOTH,
        new_config=C_BY_MU,
    ),
    Case(
        "sums to zero",
        "or give it a Normal prior.",
        model(MU + 'a = numpyro.sample("a", dist.ZeroSumNormal(1.0, (n,)))\n'),
        A_BY_MU,
        model(MU + 'a = numpyro.sample("a", dist.Normal(0, 1).expand((n,)))\n'),
    ),
    Case(
        "no distribution",
        "give the distribution as the second argument.",
        model(MU + 'a = numpyro.sample("a")\n'),
        A_BY_MU,
        model(MU + A),
    ),
    Case(
        "twice",
        "sample it in one place; its prior may depend on the branch.",
        model(MU + A + A),
        A_BY_MU,
        model(MU + 'a = numpyro.sample("a", dist.Normal(0, 1 if n else 2))\n'),
    ),
    Case(
        "infer=",
        "remove infer= or leave this site as it is.",
        model(MU + A.replace("1))", "1), infer={})")),
        A_BY_MU,
        model(MU + A),
    ),
    taken_out(
        "obs_mask=",
        "leave this site as it is.",
        A.replace("1))", "1), obs_mask=y)"),
    ),
    Case(
        "**arguments",
        "write the arguments out.",
        model(MU + 'a = numpyro.sample("a", **n)\n'),
        A_BY_MU,
        model(MU + A),
    ),
    Case(
        "in a lambda",
        "give it a statement of its own.",
        model(MU + 'a = (lambda: numpyro.sample("a", dist.Normal(0, 1)))()\n'),
        A_BY_MU,
        model(MU + A),
    ),
    Case(
        "after a semicolon",
        "give it a line of its own.",
        model(MU + "k = 1; " + A),
        A_BY_MU,
        model(MU + "k = 1\n" + A),
    ),
    Case(
        "in a loop",
        "sites in loops aren't rewritten; a plate does the same without one.",
        model(MU + "for k in range(n):\n    " + A),
        A_BY_MU,
        model(MU + PLATE + A),
    ),
    Case(
        "called under a plate",
        "sample it where the plate is",
        "import numpyro\nimport numpyro.distributions as dist\n\n\n"
        "def effect(mu):\n    a = numpyro.sample('a', dist.Normal(0, 1))\n    return a, n"
        "\n\n\ndef model(n):\n    mu = numpyro.sample('mu', dist.Normal(0, 1))\n"
        "    with numpyro.plate('n', n):\n        effect(mu)\n",
        'functions = ["effect"]\n' + value("mu", "mu"),
        new_model=model(MU + PLATE + A),
        new_config=value("mu", "mu"),
    ),
    Case(
        "handed on to what may have a plate",
        "sample it where the plate is; take it out of the config otherwise.",
        "import numpyro\nimport numpyro.distributions as dist\n\n\n"
        "def effect(mu):\n    return numpyro.sample('a', dist.Normal(0, 1))"
        "\n\n\ndef model(n):\n    mu = numpyro.sample('mu', dist.Normal(0, 1))\n"
        "    run = effect\n    with numpyro.plate('n', n):\n        run(mu)\n",
        'functions = ["effect"]\n' + value("mu", "mu"),
        "import numpyro\nimport numpyro.distributions as dist\n\n\n"
        "def model(n):\n    mu = numpyro.sample('mu', dist.Normal(0, 1))\n"
        "    with numpyro.plate('n', n):\n        numpyro.sample('a', dist.Normal(0, 1))\n",
        new_config=value("mu", "mu"),
    ),
    Case(
        "a vector that is expanded, in a name",
        "write it so in the call that samples it, or without more to it in a name before.",
        model("p = dist.MultivariateNormal(0, n).expand([3])\nb = numpyro.sample('b', p)"),
        "sites.b = { scale_tril = true }",
        model("p = dist.MultivariateNormal(0, n)\nb = numpyro.sample('b', p.expand([3]))"),
        then="",
    ),
    Case(
        "a scale_tril that is no matrix",
        "write that of all its vectors; scale_tril = true is the prior's own, of each.",
        model(MU + "b = numpyro.sample('b', dist.MultivariateNormal(0, n))"),
        'sites.b = { scale_tril = "mu" }',
        new_config="sites.b = { scale_tril = true }",
    ),
    Case(
        "a value that changes what is read later",
        "bind its value to a name in the model, and use that name.",
        model(MU + A),
        value("mu * n.pop()", "mu"),
        model(MU + "k = n.pop()\n" + A),
        value("mu * k", "mu"),
    ),
    Case(
        "what its statement does first",
        "give 'a' a statement of its own.",
        model(MU + 'b = n.pop() * numpyro.sample("a", n.prior())\n'),
        A_BY_MU,
        model(MU + 'b = n.pop()\na = numpyro.sample("a", n.prior())\nb = b * a\n'),
    ),
    Case(
        "what a helper does first",
        "sample 'a' first, or in a function that does nothing else.",
        POOLED.replace("    with", "    update(n)\n    with")
        + model(MU + 'a = pooled("a", n)\n').removeprefix(IMPORTS),
        '[sites.a.offset]\nmu = { value = "mu * n[0]" }\n',
        POOLED + model(MU + 'a = pooled("a", n)\n').removeprefix(IMPORTS),
    ),
    Case(
        "a plate whose dim is an expression",
        "say what its axes, and its parents', are called, from left to right, with the plates' "
        'names: axes = { a = ["...", "..."] }.',
        model(MU + 'with numpyro.plate("n", n, dim=-2 if y else -1):\n    ' + A),
        A_BY_MU,
        new_config='axes = { a = ["n"] }\n' + A_BY_MU,
    ),
    Case(
        "a power of what may be negative",
        "use a whole number as its power, or a positive expression instead of 'mu': "
        'scale = "jnp.exp(-mu)", for example.',
        model(MU + A),
        '[sites.a]\nscale = { by = "mu", power = 0.5 }\n',
        new_config='[sites.a]\nscale = "jnp.exp(-mu)"\n',
    ),
    Case(
        "a guide",
        "use an autoguide, or take the site out of the config.",
        model(MU + A + C) + "\n\ndef guide(n, y=None):\n    " + A,
        'functions = ["model"]\n' + BOTH,
        new_config='functions = ["model"]\n' + C_BY_MU,
    ),
    Case(
        "a base that is taken",
        "rename that site.",
        model(MU + A + 'numpyro.sample("a_base", dist.Normal(0, 1))\n'),
        A_BY_MU,
        model(MU + A + 'numpyro.sample("a_root", dist.Normal(0, 1))\n'),
    ),
    Case(
        "two on one statement, of which a prior would move",
        "give each a statement of its own.",
        model(MU + "f = lambda s: dist.HalfNormal(s)\nk = [" + B[4:-1] + ", " + A[4:-1] + "]\n"),
        A_BY_B,
        model(MU + B + A),
    ),
    # handlers
    Case(
        "a reparam handler",
        "take that handler out, or this site out of the config.",
        model(MU + "with numpyro.handlers.reparam(config={'a': n}):\n    " + A),
        A_BY_MU,
        model(MU + A),
    ),
    Case(
        "a block handler",
        "take that handler out, or this site out of the config.",
        model(MU + "with numpyro.handlers.block(hide_fn=n):\n    " + A + C),
        BOTH,
        new_config=C_BY_MU,
    ),
    Case(
        "a handler with keys that are put together",
        "write its keys out.",
        model(MU + A) + "\n\nrun = numpyro.handlers.condition(model, {str(1): 0.0})\n",
        A_BY_MU,
        model(MU + A) + '\n\nrun = numpyro.handlers.condition(model, {"1": 0.0})\n',
    ),
    Case(
        "a handler that addresses the site",
        "take the handler out, and apply it to 'a_base' of the rewritten model.",
        model(MU + A) + '\n\nrun = numpyro.handlers.condition(model, {"a": 0.0})\n',
        A_BY_MU,
        model(MU + A),
    ),
    Case(
        "a context by hand",
        "use with statements.",
        model(MU + 'numpyro.plate("n", n).__enter__()\n' + A),
        A_BY_MU,
        model(MU + PLATE + A),
    ),
    Case(
        "a mask around what isn't real",
        "only offsets of real-valued sites are safe there.",
        model(
            MU
            + "with numpyro.handlers.mask(mask=y):\n"
            + '    a = numpyro.sample("a", dist.HalfNormal(1))\n    c = '
            + C[4:]
        ),
        BOTH,
        new_config=C_BY_MU + 'coefficient = "shared"\n',
    ),
    Case(
        "a prior that binds a name",
        "bind it in a statement of its own.",
        model(MU + 'a = numpyro.sample("a", p := n.prior())\n'),
        A_BY_MU,
        model(MU + 'p = n.prior()\na = numpyro.sample("a", p)\n'),
    ),
    # names
    Case(
        "the name of a coefficient",
        "give it another name",
        model(MU + A + 'numpyro.sample("xi_a_mu", dist.Normal(0, 1))\n'),
        A_BY_MU,
        new_config='[sites.a.offset]\nmu = { name = "xi_{child}_by_{parent}" }\n',
    ),
    Case(
        "a coefficient of a name that is put together",
        "give it a name without quotes, braces and backslashes",
        model(MU + 'a = numpyro.sample(f"a_{n}", dist.Normal(0, 1))\n'),
        '[sites."a_{n}".offset]\nmu = { name = \'xi"\' }\n',
        new_config="[sites.\"a_{n}\".offset]\nmu = { name = 'xi' }\n",
    ),
    Case(
        "a parent's name that is put together of what changes",
        "bind what its name is made of once, before the outermost plate.",
        model('k = "x"\nb = numpyro.sample(f"b_{k}", dist.Normal(0, 1))\nk = "y"\n' + A),
        '[sites.a]\noffset = "b_{k}"\n',
        model('k = "x"\nb = numpyro.sample(f"b_{k}", dist.Normal(0, 1))\n' + A),
    ),
    Case(
        "a name that a helper makes in a loop",
        "sample it in 'model' itself, where its name is made.",
        HELPER + model(MU + 'both("c")\n').removeprefix(IMPORTS),
        '[sites."c_*"]\noffset = "mu"\n',
        model(MU + 'for k in ("u", "v"):\n    numpyro.sample(f"c_{k}", dist.Normal(0, 1))\n'),
    ),
    Case(
        "a helper that can't be followed",
        "'pooled' may sample it, and isn't called in a way that can be followed: write out its "
        "parameters and arguments, and call it by its name.",
        POOLED + model(MU + 'a = pooled("a", **n)\n').removeprefix(IMPORTS),
        A_BY_MU,
        POOLED + model(MU + 'a = pooled("a", n)\n').removeprefix(IMPORTS),
    ),
    Case(
        "a value that samples",
        "use what the model samples.",
        POOLED + model(MU + A).removeprefix(IMPORTS),
        "[sites.a.offset]\nmu = { value = \"pooled('b', n)\" }\n",
        new_config=A_BY_MU,
    ),
    Case(
        "a site by a name that it hasn't in any round",
        "did you mean 'a_{k}'?",
        model(MU + ROUNDS.format("0")),
        '[sites."a_z"]\noffset = "mu"\n',
        new_config='[sites."a_{k}"]\noffset = "mu"\n',
    ),
    Case(
        "a site with one of two names, by a glob",
        "ask for it by one of these names.",
        model(MU + 'a = numpyro.sample("a" if n else "c", dist.Normal(0, 1))\n'),
        '[sites."*c*"]\noffset = "mu"\n',
        new_config='[sites.c]\noffset = "mu"\n',
    ),
    Case(
        "a site of one round, whose shape depends on it",
        "ask for 'a_{k}', or use coefficient = \"shared\".",
        model(MU + ROUNDS.format("jnp.zeros(len(k))")),
        '[sites.a_y]\noffset = "mu"\n',
        new_config='[sites."a_{k}"]\noffset = "mu"\n',
    ),
    Case(
        "a site of one round beside that of each",
        "name either the template or each of its sites.",
        model(MU + ROUNDS.format("0")),
        '[sites.a_y]\noffset = "mu"\n[sites."a_{k}"]\noffset = "mu"\n',
        new_config='[sites.a_x]\noffset = "mu"\n[sites.a_y]\noffset = "mu"\n',
    ),
    Case(
        "a parent of each round for a site of one",
        "ask for 'a_{k}', or name the parent as it is called in that round.",
        model(TWO_ROUNDS),
        '[sites.a_y]\noffset = "b_{k}"\n',
        new_config='[sites.a_y]\noffset = "b_y"\n',
    ),
    Case(
        "a parent of another round",
        'give an expression instead: b_x = { value = "..." }',
        model(TWO_ROUNDS),
        '[sites.a_y]\noffset = "b_x"\n',
        new_config='[sites.a_y]\noffset = { b_x = { value = "1.0" } }\n',
    ),
    Case(
        "a misspelt site",
        "did you mean 'alpha'?",
        model(MU + A.replace('"a"', '"alpha"')),
        '[sites.alpah]\noffset = "mu"\n',
        new_config='[sites.alpha]\noffset = "mu"\n',
    ),
    Case(
        "names that can't be told",
        "give the sites literal names.",
        model(MU.replace('"mu"', "n()") + A.replace('"a"', "n()")),
        A_BY_MU,
        model(MU + A),
    ),
    Case(
        "a sample that isn't imported",
        "of a numpyro.sample that the file imports.",
        model(MU + A).replace("numpyro.sample", "sample"),
        A_BY_MU,
        model(MU + A),
    ),
    # functions
    Case(
        "several models",
        'say which: functions = ["one"]',
        (model(MU + A) + "\n\n" + model(MU + A).split("\n\n\n")[1])
        .replace("def model", "def one", 1)
        .replace("def model", "def two", 1),
        A_BY_MU,
        new_config='functions = ["one"]\n' + A_BY_MU,
    ),
    Case(
        "a function by another name",
        "did you mean 'model'?",
        model(MU + A),
        'functions = ["modle"]\n' + A_BY_MU,
        new_config='functions = ["model"]\n' + A_BY_MU,
    ),
    Case(
        "a function that isn't there",
        "it has 'model'.",
        model(MU + A),
        'functions = ["other_thing"]\n' + A_BY_MU,
        new_config='functions = ["model"]\n' + A_BY_MU,
    ),
    Case(
        "defined twice",
        "give each definition a name of its own.",
        model(MU + A) + "\n\n" + model(MU + A).split("\n\n\n")[1],
        'functions = ["model"]\n' + A_BY_MU,
        (model(MU + A) + "\n\n" + model(MU + A).split("\n\n\n")[1]).replace(
            "def model", "def other", 1
        ),
    ),
    Case(
        "both sampled by a helper",
        'name that function too: functions = ["params", "model"].',
        "import numpyro\nimport numpyro.distributions as dist\n\n\n"
        + "def params():\n    mu = numpyro.sample('mu', dist.Normal(0, 1))\n"
        + "    a = numpyro.sample('a', dist.Normal(mu, 1))\n    return mu, a\n\n\n"
        + "def model():\n    mu, a = params()\n",
        'functions = ["model"]\n' + A_BY_MU,
        new_config='functions = ["params", "model"]\n' + A_BY_MU,
    ),
    Case(
        "offset by a helper and around it",
        "drop what it is offset by in one of the two: mu = false in [sites.a.offset]",
        "import numpyro\nimport numpyro.distributions as dist\n\n\n"
        + "def params():\n    k = numpyro.sample('k', dist.Normal(0, 1))\n"
        + "    a = numpyro.sample('a', dist.Normal(k, 1))\n    return k, a\n\n\n"
        + "def model():\n    mu = numpyro.sample('mu', dist.Normal(0, 1))\n    k, a = params()\n",
        'functions = ["params", "model"]\nchain = ["mu", "k", "a"]\n',
        new_config='functions = ["params", "model"]\nchain = ["mu", "k", "a"]\n'
        "[sites.a.offset]\nmu = false\n",
    ),
    Case(
        "a chain of two functions",
        "list the sites of one function.",
        model(MU + C) + "\n\ndef other():\n    " + A,
        'functions = ["model", "other"]\nchain = ["mu", "a"]\n',
        new_config='functions = ["model"]\nchain = ["mu", "c"]\n',
    ),
    Case(
        "a chain whose pairs are all dropped",
        "keep one of them.",
        model(MU + A),
        'chain = ["mu", "a"]\n[sites.a.offset]\nmu = false\n',
        new_config='chain = ["mu", "a"]\n',
    ),
    Case(
        "a parent of another function",
        "every parent must be sampled in the same function as its child.",
        model(A) + "\n\ndef other():\n    " + MU,
        'functions = ["model", "other"]\n' + A_BY_MU,
        model(MU + A) + "\n\ndef other():\n    pass\n",
    ),
    Case(
        "another reparameterizer in a helper and around it",
        "take 'params' out of 'functions'.",
        "import numpyro\nimport numpyro.distributions as dist\n\n\n"
        + "def params():\n    return numpyro.sample('a', dist.Normal(0, 1))\n\n\n"
        + "def model():\n    a = params()\n",
        'functions = ["params", "model"]\n[sites.a]\nreparam = "LocScaleReparam"\n',
        new_config='functions = ["model"]\n[sites.a]\nreparam = "LocScaleReparam"\n',
    ),
    Case(
        "a site that isn't there, beside one whose name can't be told",
        "it samples 'a' and 'mu'. (The name of one more can't be told: it can't be matched.)",
        model(MU + A + "z = numpyro.sample(n(), dist.Normal(0, 1))\n"),
        '[sites.zzzz]\noffset = "mu"\n',
        new_config=A_BY_MU,
    ),
    Case(
        "a site that isn't there, beside two whose names can't be told",
        "(The names of 2 more can't be told: they can't be matched.)",
        model(MU + A + 2 * "z = numpyro.sample(n(), dist.Normal(0, 1))\n"),
        '[sites.zzzz]\noffset = "mu"\n',
        new_config=A_BY_MU,
    ),
    Case(
        "a file without numpyro",
        "is it the right file?",
        "def model():\n    return 1\n",
        A_BY_MU,
        model(MU + A),
    ),
    Case(
        "a function without sites",
        "only numpyro.sample calls inside functions count, with the name as a string.",
        model(MU + A) + "\n\ndef other():\n    pass\n",
        'functions = ["other"]\n' + A_BY_MU,
        new_config='functions = ["model"]\n' + A_BY_MU,
    ),
    # parents
    Case(
        "in another branch",
        "bind b in every branch, to 0.0 where 'b' isn't sampled.",
        model(MU + "if n:\n    " + B + A),
        A_BY_B,
        model(MU + "if n:\n    " + B + "else:\n    b = 0.0\n" + A),
    ),
    Case(
        "in a try",
        "sample it outside of that try.",
        model(MU + "try:\n    " + B + "finally:\n    pass\n" + A),
        A_BY_B,
        model(MU + B + "try:\n    pass\nfinally:\n    pass\n" + A),
    ),
    Case(
        "a value that a loop binds",
        "bind k before that, in every branch that leads there.",
        model("for k in range(n):\n    pass\n" + A),
        value("k"),
        model("k = 0\nfor k in range(n):\n    pass\n" + A),
    ),
    Case(
        "in the other branch",
        "drop the pair: it never has one.",
        model(MU + "if n:\n    " + B + "else:\n    " + A),
        '[sites.a]\noffset = ["mu", "b"]\n',
        new_config=A_BY_MU,
    ),
    Case(
        "in another branch, with another value after it",
        "give an expression instead: b = { value",
        model(MU + "b = 1.0\nif n:\n    " + B + "b = 1.0\n" + A),
        A_BY_B,
        new_config=value("b"),
    ),
    Case(
        "sampled twice",
        "give an expression instead: b = { value",
        model(MU + B + B + A),
        A_BY_B,
        new_config=value("b"),
    ),
    Case(
        "sampled later",
        "an offset can only use what was sampled before; swap the two or drop one.",
        model(MU + A + "assert n > 2\n" + B),
        A_BY_B,
        model(MU + B + A + "assert n > 2\n"),
    ),
    Case(
        "each offset by the other",
        "an offset can only use what was sampled before; keep one of the two.",
        model(B + A),
        A_BY_B + '[sites.b]\noffset = "a"\n',
        new_config=A_BY_B,
    ),
    Case(
        "in the same statement",
        "give each a statement of its own.",
        model("k = [" + B[4:-1] + ", " + A[4:-1] + "]\n"),
        A_BY_B,
        model(B + A),
    ),
    Case(
        "discrete",
        'give it as an expression: b = { value = "b" }.',
        model('b = numpyro.sample("b", dist.Poisson(3))\n' + A),
        A_BY_B,
        new_config=value("b"),
    ),
    Case(
        "not bound to a name",
        'make it a statement of its own: b = numpyro.sample("b", ...).',
        model("k = [" + B[4:-1] + " for i in range(1)]\n" + A),
        A_BY_B,
        model(B + A),
    ),
    Case(
        "sampled by a helper that keeps it",
        "with what holds it.",
        "import numpyro\nimport numpyro.distributions as dist\n\n\n"
        + "def params(d):\n    d['b'] = numpyro.sample('b', dist.Normal(0, 1))\n\n\n"
        + "def model(d):\n    params(d)\n    "
        + A,
        A_BY_B,
        new_config=value('d["b"]'),
    ),
    Case(
        "in a subsampled plate",
        "sample both under one plate, or drop the pair.",
        model('with numpyro.plate("n", n, subsample_size=2):\n    ' + B + A),
        SHARED.replace('"mu"', '"b"'),
        model('with numpyro.plate("n", n, subsample_size=2):\n    ' + B + "    " + A),
    ),
    Case(
        "bound to something else on its line",
        "give it a line of its own.",
        model(B[:-1] + "; b = 1\n" + A),
        A_BY_B,
        model(B + "b = 1\n" + A),
    ),
    Case(
        "in another function",
        "it samples 'a'",
        model(A) + "\n\ndef other():\n    " + MU,
        'functions = ["model"]\n' + A_BY_MU,
        new_config='functions = ["model"]\n' + value("1.0"),
    ),
    # values
    Case(
        "a value that is bound later",
        "bind k before that, in every branch that leads there.",
        model(A + "k = 1.0\n"),
        value("k"),
        model("k = 1.0\n" + A),
    ),
    Case(
        "a misspelt value",
        "did you mean 'mu'?",
        model(MU + A),
        value("mmu"),
        new_config=value("mu"),
    ),
    Case(
        "an unknown value", "known there: 'mu'", model(MU + A), value("zzz"), new_config=value("mu")
    ),
    Case(
        "a value that samples",
        "use what the model samples.",
        model(MU + A),
        value('numpyro.sample("q", 1)'),
        new_config=A_BY_MU,
    ),
    Case(
        "a lost axis",
        'say how: b = { value = "jnp.mean(b)" }',
        model(PLATE + B + A),
        "[sites.a.offset]\nb = { reduce = 'error' }\n",
        new_config=value("jnp.mean(b)"),
    ),
    # shapes
    Case(
        "a shared array",
        'use coefficient = "elementwise", or one number.',
        model(MU + PLATE + A),
        SHARED + "init = [0.5]\n",
        new_config=A_BY_MU + "init = [0.5]\n",
    ),
    Case(
        "no structure of a scalar",
        'use coefficient = "elementwise" or "shared".',
        model(MU + A),
        A_BY_MU + 'coefficient = "matrix"\n',
        new_config=SHARED,
    ),
    Case(
        "a subsampled plate and a shape that isn't told",
        'use coefficient = "shared" and parents whose shapes show.',
        model(
            MU + 'with numpyro.plate("n", n, subsample_size=2):\n'
            '    a = numpyro.sample("a", dist.Normal(n.loc(), 1))\n'
        ),
        A_BY_MU,
        new_config=SHARED,
    ),
    Case(
        "an array in a subsampled plate",
        "use learn = true, or one number.",
        model(MU + 'with numpyro.plate("n", n, subsample_size=2):\n    ' + A),
        A_BY_MU + "init = [0.5]\nlearn = false\n",
        new_config=A_BY_MU + "init = 0.5\nlearn = false\n",
    ),
    Case(
        "a parent that may not fit, in a try",
        "sample it outside, or use parents whose shapes show.",
        model(
            "b = numpyro.sample('b', n.prior())\ntry:\n    "
            + PLATE
            + "    "
            + A
            + "except ValueError:\n    pass\n"
        ),
        A_BY_B,
        model("b = numpyro.sample('b', n.prior())\n" + PLATE + A),
    ),
    Case(
        "a basis of what isn't real",
        "take the basis out.",
        model(MU + 'a = numpyro.sample("a", dist.Dirichlet([1.0, 1.0]))\n'),
        SHARED + 'basis = "dct"\n',
        new_config=SHARED,
    ),
    Case(
        "a basis over a plate that isn't there",
        "take the basis out, or name another axis.",
        model(MU + PLATE + A),
        A_BY_MU + 'basis = { kind = "dct", dim = -2 }\n',
        new_config=A_BY_MU + 'basis = { kind = "dct", dim = -1 }\n',
    ),
    Case(
        "axes of another number",
        "name every axis of the site's value, from left to right.",
        model(MU + PLATE + A),
        A_BY_MU + '[axes]\na = ["i", "t"]\n',
        new_config=A_BY_MU + '[axes]\na = ["i"]\n',
    ),
    # where contributions meet
    Case(
        "an index that is none",
        "give what picks an element of 'a' for each observation",
        model(B_OF_TWO + PLATE + A),
        met(per="g > 1"),
        new_config=met(per="g"),
    ),
    Case(
        "an index of one number",
        'offset it by a number: b = { value = "jnp.mean(b[h])" }',
        model(B_OF_TWO + A),
        met(per="g"),
        new_config=value("jnp.mean(b[h])"),
    ),
    Case(
        "a weight that is none",
        "give what 'a' is multiplied by in each observation",
        model(B_OF_TWO + PLATE + A),
        met(per="g", weight="[1, 2]"),
        new_config=met(per="g", weight="x"),
    ),
    Case(
        "a weight without an index",
        'say which element each observation has: per = "county"',
        model(B_OF_TWO + PLATE + A),
        met(weight="x"),
        new_config=met(per="g", weight="x"),
    ),
    Case(
        "projected with a matrix of weights",
        "leave 'per' out.",
        model(B_OF_TWO + PLATE + A),
        '[sites.a.offset]\nb = { per = "o.npz", coefficient = "matrix" }\n',
        new_config='[sites.a.offset]\nb = { coefficient = "matrix" }\n',
    ),
    Case(
        "projected on a part of a plate",
        'offset it by a number: b = { value = "jnp.mean(b[h])" }',
        model(B_OF_TWO + PLATE.replace("n)", "n, subsample_size=2)") + A),
        met(per="g"),
        new_config=value("jnp.mean(b[h])"),
    ),
    Case(
        "projected on what isn't sampled by its elements",
        'offset it by a number: b = { value = "jnp.mean(b[h])" }',
        model(B_OF_TWO + A.replace("Normal(0, 1)", "Dirichlet(c)")),
        met(per="g"),
        new_config=value("jnp.mean(b[h])").replace(" }", ', coefficient = "shared" }'),
    ),
    # comments
    Case(
        "a misspelt comment",
        "did you mean '# reparam: skip'?",
        model(MU + A[:-1] + "  # reparam: skipp\n" + C),
        BOTH,
        model(MU + A[:-1] + "  # reparam: skip\n" + C),
    ),
    Case(
        "a comment on nothing",
        "put it at the end of a line of the statement that samples the site.",
        model(MU + "k = 1  # reparam: skip\n" + A + C),
        BOTH,
        model(MU + "k = 1\n" + A[:-1] + "  # reparam: skip\n" + C),
    ),
    Case(
        "a comment on one of two",
        "put the comment on each of its statements, or on none.",
        model(MU + "if n:\n    " + A[:-1] + "  # reparam: skip\nelse:\n    " + A),
        A_BY_MU,
        model(MU + "if n:\n    " + A + "else:\n    " + A),
    ),
    # helpers
    Case(
        "a helper's own handler",
        "take that handler out, or this site out of the config.",
        "import numpyro\nimport numpyro.distributions as dist\n\n\n"
        + "def effect():\n    with numpyro.handlers.scale(scale=2.0):\n"
        + "        return numpyro.sample('a', dist.Normal(0, 1))\n\n\n"
        + "def model():\n    mu = numpyro.sample('mu', dist.Normal(0, 1))\n    a = effect()\n",
        'functions = ["model"]\n' + A_BY_MU,
        "import numpyro\nimport numpyro.distributions as dist\n\n\n"
        + "def effect():\n    return numpyro.sample('a', dist.Normal(0, 1))\n\n\n"
        + "def model():\n    mu = numpyro.sample('mu', dist.Normal(0, 1))\n    a = effect()\n",
    ),
    Case(
        "a helper's subsampled plate",
        "sample it here.",
        "import numpyro\nimport numpyro.distributions as dist\n\n\n"
        + "def effect(n):\n    with numpyro.plate('n', n, subsample_size=2):\n"
        + "        return numpyro.sample('a', dist.Normal(0, 1))\n\n\n"
        + "def model(n):\n    mu = numpyro.sample('mu', dist.Normal(0, 1))\n    a = effect(n)\n",
        'functions = ["model"]\n' + A_BY_MU,
        model(MU + 'with numpyro.plate("n", n, subsample_size=2):\n    ' + A),
    ),
    Case(
        "a helper's sample_shape",
        "use .expand_by(sample_shape) on the distribution.",
        "import numpyro\nimport numpyro.distributions as dist\n\n\n"
        + "def effect(n):\n    p = dist.Normal(0, 1)\n"
        + "    return numpyro.sample('a', p, sample_shape=(n,))\n\n\n"
        + "def model(n):\n    mu = numpyro.sample('mu', dist.Normal(0, 1))\n    a = effect(n)\n",
        'functions = ["model"]\n' + A_BY_MU,
        "import numpyro\nimport numpyro.distributions as dist\n\n\n"
        + "def effect(n):\n    return numpyro.sample('a', dist.Normal(0, 1).expand_by((n,)))\n\n\n"
        + "def model(n):\n    mu = numpyro.sample('mu', dist.Normal(0, 1))\n    a = effect(n)\n",
    ),
    Case(
        "a helper's prior that can't be read",
        'use coefficient = "shared" and parents that are scalars',
        "import numpyro\nimport numpyro.distributions as dist\n\n\n"
        + "def effect(prior):\n    return numpyro.sample('a', dist.Normal(prior(), 1))\n\n\n"
        + "def model(p):\n    mu = numpyro.sample('mu', dist.Normal(0, 1))\n    a = effect(p)\n",
        'functions = ["model"]\n' + A_BY_MU,
        new_config='functions = ["model"]\n' + SHARED,
    ),
    # scans
    Case(
        "another reparameterizer in a scan",
        "take it out; LocScaleReparam(0) is centered = 0.0.",
        scanned(),
        '[sites.z]\nreparam = "LocScaleReparam"\nargs = { centered = 0.0 }\n',
        new_config="[sites.z]\ncentered = 0.0\n",
    ),
    Case(
        "a matrix in a scan",
        "take it out, or give it a scale.",
        scanned(
            'z = numpyro.sample("z", dist.MultivariateNormal(z, jnp.eye(2)))\nreturn z, z\n',
            call="_, z = scan(step, jnp.zeros(2), None, length=n)\n",
        ),
        "[sites.z]\nscale_tril = true\n",
        new_config="[sites.z]\nscale = 2.0\n",
    ),
    Case(
        "a basis of one number in a scan",
        "take its basis out, or make an event of the axis, with .to_event(1).",
        scanned(call="_, z = scan(step, jnp.zeros(3), None, length=n)\n"),
        '[sites.z]\nbasis = "dct"\n',
        scanned(
            'z = numpyro.sample("z", dist.Normal(z, 1).to_event(1))\nreturn z, z\n',
            call="_, z = scan(step, jnp.zeros(3), None, length=n)\n",
        ),
    ),
    Case(
        "data in the bounds of a site in a scan",
        "take its 'centered' out, or give its prior numbers as bounds.",
        scanned('z = numpyro.sample("z", dist.Uniform(0, y))\nreturn z, z\n'),
        Z_BY_MU,
        scanned('z = numpyro.sample("z", dist.Uniform(0, 2))\nreturn z, z\n'),
    ),
    Case(
        "a name that is put together in a scan",
        "write the name out.",
        scanned('z = numpyro.sample(f"z_{n}", dist.Normal(z, 1))\nreturn z, z\n'),
        '[sites."z_{n}"]\noffset = "mu"\n',
        scanned(),
        Z_BY_MU,
    ),
    Case(
        "a parent that a step samples later",
        'swap the two, or take what it was in the step before: v = { value = "z" }.',
        scanned(
            'w = numpyro.sample("w", dist.Normal(0, 1))\n'
            'v = numpyro.sample("v", dist.Normal(w, 1))\nreturn v, w\n',
        ),
        '[sites.w]\noffset = "v"\n',
        new_config="[sites.w.offset]\nv = { value = 'z' }\n",
    ),
    Case(
        "a scan in a with",
        "put the scan outside, or take the site out of the config.",
        scanned(
            call="with numpyro.handlers.mask(mask=True):\n"
            "    _, z = scan(step, 0.0, None, length=n)\n"
        ),
        Z_BY_MU,
        scanned(),
    ),
    Case(
        "a scan in a plate",
        "put the plate into the body, around what it samples.",
        scanned(call='with numpyro.plate("k", 3):\n    _, z = scan(step, 0.0, None, length=n)\n'),
        Z_BY_MU,
        scanned(
            'with numpyro.plate("k", 3):\n    z = numpyro.sample("z", dist.Normal(z, 1))\n'
            "return z, z\n",
            call="_, z = scan(step, jnp.zeros(3), None, length=n)\n",
        ),
    ),
    Case(
        "a scan that runs backwards",
        "scan forward, over xs in the other order, such as x[::-1]",
        scanned(call="_, z = scan(step, 0.0, jnp.arange(n), reverse=True)\n"),
        Z_BY_MU,
        scanned(call="_, z = scan(step, 0.0, jnp.arange(n)[::-1])\n"),
    ),
    Case(
        "a line with another statement in a scan",
        "give it a line of its own.",
        scanned('w = 1; z = numpyro.sample("z", dist.Normal(z, 1))\nreturn z, z\n'),
        Z_BY_MU,
        scanned(),
    ),
    Case(
        "a subsampled plate in a scan",
        "take the site out of the config.",
        scanned(
            'with numpyro.plate("k", 3, subsample_size=2):\n'
            '    z = numpyro.sample("z", dist.Normal(0, 1))\nreturn z, z\n',
            before=MU + C,
        ),
        Z_BY_MU + C_BY_MU,
        new_config=C_BY_MU,
    ),
    Case(
        "projected in a scan",
        "take 'per' and 'weight' out, and give a 'value' that is a number",
        scanned(before=B_OF_TWO),
        "[sites.z.offset]\nb = { value = 'b[h]', per = 'g' }\n",
        new_config="[sites.z.offset]\nb = { value = 'jnp.mean(b)' }\n",
    ),
    Case(
        "data in a scan",
        "write numbers in the place of y.",
        scanned(),
        "[sites.z.offset]\nv = { value = 'mu * y', learn = false }\n",
        new_config="[sites.z.offset]\nv = { value = 'mu * 2.0', learn = false }\n",
    ),
    Case(
        "a scan of unknown length",
        "give the scan a length= and an init whose shape shows",
        scanned(call="_, z = scan(step, n(), None, length=n)\n"),
        Z_BY_MU,
        scanned(),
    ),
    Case(
        "a parent that may be wider than a step",
        "say how it is to be read: mu = { value",
        scanned(
            'z = numpyro.sample("z", dist.Normal(z, 1).expand([3]))\nreturn z, z\n',
            call="_, z = scan(step, [0.0, 0.0, 0.0], None, length=n)\n",
            before='mu = numpyro.sample("mu", n.prior())\n',
        ),
        Z_BY_MU + 'coefficient = "shared"\n',
        new_config="[sites.z.offset]\nmu = { value = 'jnp.mean(mu)', coefficient = 'shared' }\n",
    ),
    Case(
        "a body that can't be followed",
        "sites there are only rewritten in a scan of NumPyro's",
        scanned(call="_, z = scan(step, 0.0, None, length=n, history=2)\n"),
        'functions = ["model.step"]\n[sites.z]\nscale = 2.0\n',
        scanned(),
    ),
    Case(
        "no data yet",
        "let fit compute it: reparam-rewrite fit MODEL",
        model(MU + A),
        'conditional = ["mu", "a"]\n',
        new_config=given_data("mu", "a"),
    ),
    Case(
        "an effect in a with of more than plates",
        "sample 'b' in a with of its own, which has plates only.",
        model(PLATE + TAU + B_OF_TAU),
        given_data("b"),
        model(PLATE + TAU + PLATE + B_OF_TAU.lstrip()),
    ),
    Case(
        "an effect in two branches",
        "take it out of 'conditional', or sample it in one place.",
        model(f"{MU}if n > 3:\n    {A}else:\n    {A}"),
        given_data("mu", "a"),
        model(MU + A),
    ),
    Case(
        "an effect in a scan",
        "or write the walk as a GaussianRandomWalk.",
        scanned(),
        given_data("mu", "z"),
        model(MU + 'z = numpyro.sample("z", dist.GaussianRandomWalk(1.0, num_steps=n))\n'),
    ),
    Case(
        "an effect whose name is put together",
        "or write its name out.",
        model(MU + A.replace('"a"', 'f"{n}_a"')),
        given_data("mu", "{n}_a"),
        model(MU + A),
        given_data("mu", "a"),
    ),
    Case(
        "an effect without a scale",
        "take it out of 'conditional'; an offset may move it.",
        model(MU + 'a = numpyro.sample("a", dist.ImproperUniform(dist.constraints.real, (), ()))'),
        given_data("mu", "a"),
        new_config=given_data("mu", more=A_BY_MU),
    ),
    Case(
        "a prior that doesn't show",
        "[sites.a.conditional] and under it scale =",
        model(f'{MU}prior = dist.Normal(0, 2)\na = numpyro.sample("a", prior)\n'),
        given_data("mu", "a"),
        new_config=given_data("mu", "a", more='[sites.a.conditional]\nscale = "2"\n'),
    ),
    Case(
        "a scale that a helper makes",
        "give it to 'effect' as a name of 'model'",
        with_helper(MU + 'a = effect("a", 2.0)\n', before="    tau = abs(tau)\n"),
        given_data("mu", "a"),
        with_helper(MU + 'tau = abs(2.0)\na = effect("a", tau)\n'),
    ),
    Case(
        "an effect that scales another",
        "take 'mu' out of 'conditional'.",
        model(MU + A.replace("0, 1", "0, abs(mu)")),
        given_data("mu", "a"),
        new_config=given_data("a"),
    ),
    Case(
        "a scale that is read once",
        "bind it to a name before 'mu' is sampled, and use that.",
        model(MU + A.replace("0, 1", "0, n.pop()")),
        given_data("mu", "a"),
        model("tau = n.pop()\n" + MU + A.replace("0, 1", "0, tau")),
    ),
    Case(
        "what stays loses its name",
        "make it a statement of its own, and don't bind that name again.",
        model(f"{B}b = 2 * b\n{MU}{A}"),
        given_data("mu", "a", more='given = ["b"]\n'),
        model(f"{B}c = 2 * b\n{MU}{A}"),
    ),
    Case(
        "effects in another order",
        "list the sites of 'conditional' in the order in which the model samples them.",
        model(MU + A.replace("0, 1", "mu, 1")),
        given_data("a", "mu"),
        new_config=given_data("mu", "a"),
    ),
    Case(
        "a scale in a branch",
        "write it above that, with what it is computed of.",
        model(
            f'{MU}tau = 1.0\nif n > 3:\n    tau = numpyro.sample("tau", dist.HalfNormal(1))\n'
            + A.replace("0, 1", "0, tau")
        ),
        given_data("mu", "a"),
        model(
            'tau = 1.0\nif n > 3:\n    tau = numpyro.sample("tau", dist.HalfNormal(1))\n'
            + MU
            + A.replace("0, 1", "0, tau")
        ),
    ),
]


def refused(plain: str, config: str) -> list[tuple[str, str]]:
    """The reasons why a model can't be rewritten, each with its hint; none: it is rewritten."""
    compile(plain, "model.py", "exec")
    try:
        code = rewritten_text(plain, config)
    except Refusal as refusal:
        return [(found.message, found.hint) for found in refusal.diagnostics]
    assert code != plain
    compile(code, "model_reparam.py", "exec")
    return []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.shape)
def test_followed(case: Case) -> None:
    before = refused(case.model, case.config)
    assert any(case.hint in hint for _, hint in before), before
    after = refused(case.new_model or case.model, case.new_config or case.config)
    if not case.then:
        assert after == []
    else:
        assert any(case.then in message for message, _ in after)
        assert not {message for message, _ in before} & {message for message, _ in after}


OTHER_FILES = "it takes several files: tests/test_imported_helpers.py"

#: Hints that no case follows, with the reason.
ELSEWHERE = {
    "take this site out of the config": "the call that makes the handler is told of before it",
    "the model must parse before it can be rewritten": "there is no model yet",
    "bind the prior to a name before the plate": "how a prior may move: tests/test_runtime.py",
    "take 'centered' out; where a site is its scale": "tests/cases/centered",
    "write its distribution in the call that samples it, without": "tests/cases/centered",
    'use coefficient = "shared", or a with of its own': "tests/cases/centered",
    "take it off: MCMC, SVI and Predictive": "a line of the model: tests/cases",
    "bind those names before the plate, or": "how a prior may move: tests/test_runtime.py",
    "samples it, of another file": OTHER_FILES,
    "may sample it, and can't be read": OTHER_FILES,
    "sample one of them in": OTHER_FILES,
    "what the model calls of it can be told once that is right": OTHER_FILES,
}


def hints() -> Iterator[tuple[str, str]]:
    """Every hint that is written in the rewriter, as a pattern; a hint is a whole sentence."""
    package = Path(reparam_rewrite.__file__).parent
    files = [*(package / "plan").rglob("*.py"), *(package / "survey").glob("*.py")]
    for file in sorted(files):
        tree = ast.parse(file.read_text())
        parts = {
            part
            for node in ast.walk(tree)
            if isinstance(node, ast.JoinedStr)
            for part in node.values
        }
        prose = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if node in parts or node in prose:
                continue
            text = pattern(node)
            words = re.search(r" \w", text)  # that of a regex has none
            if words and text.endswith((r"\.", r"\?", "?", r"\.\)")):
                yield f"{file.name}:{getattr(node, 'lineno', 0)}", text


def pattern(node: ast.AST) -> str:
    """What a literal matches when its holes are filled: ``give {name} a line`` as a template."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            parsed = list(Formatter().parse(node.value))
        except ValueError:  # it isn't a template
            return re.escape(node.value)
        return "".join(re.escape(text) + ".*" * (hole is not None) for text, hole, *_ in parsed)
    if isinstance(node, ast.JoinedStr):
        return "".join(pattern(part) or ".*" for part in node.values)
    return ""


def test_all_are_followed() -> None:
    """A hint that is new needs a case above, or a reason in `ELSEWHERE`."""
    told = {hint for case in CASES for _, hint in refused(case.model, case.config)}
    missing = [
        f"{place} {text}"
        for place, text in hints()
        if not any(re.search(text, hint) for hint in told)
        and not any(re.escape(known) in text for known in ELSEWHERE)
    ]
    assert missing == []
