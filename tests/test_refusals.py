# ruff: noqa: E501 - a message is on one line, however long
"""Models and configs that are right by themselves and can't be rewritten together, one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from reparam_rewrite.cli.main import main
from tests.support.cli import snapshot
from tests.support.mistakes import OFFSETS, PLAIN, Mistake, model

MU = 'mu = numpyro.sample("mu", dist.Normal(0, 1))\n'
A = 'a = numpyro.sample("a", dist.Normal(0, 1))\n'
B = 'b = numpyro.sample("b", dist.Normal(0, 1))\n'

BY_B = """\
[sites.a]
offset = "b"
"""


def after_mu(body: str) -> str:
    """A model that samples mu in line 6 and goes on in line 7."""
    return model(MU + body)


#: What the child itself is.
CHILDREN = [
    Mistake(
        "observed",
        model=after_mu('a = numpyro.sample("a", dist.Normal(0, 1), obs=y)'),
        says="""
            model.py:7:9: 'a' is observed: there is nothing to reparameterize
                a = numpyro.sample("a", dist.Normal(0, 1), obs=y)
                    ^
            hint: only latent sites can be offset; take it out of the config.
        """,
    ),
    Mistake(
        "discrete",
        model=after_mu('a = numpyro.sample("a", dist.Poisson(3))'),
        says="""
            model.py:7:9: 'a' is discrete (Poisson): it can't be shifted
                a = numpyro.sample("a", dist.Poisson(3))
                    ^
            hint: only continuous latent sites can be offset; take it out of the config.
        """,
    ),
    Mistake(
        "no density",
        model=after_mu('a = numpyro.sample("a", dist.Delta(0.0))'),
        says="""
            model.py:7:9: 'a' has a Delta prior, which isn't a density: it can't be shifted
                a = numpyro.sample("a", dist.Delta(0.0))
                    ^
            hint: take it out of the config.
        """,
    ),
    Mistake(
        "sums to zero",
        model=after_mu('a = numpyro.sample("a", dist.ZeroSumNormal(1.0, (n,)))'),
        says="""
            model.py:7:9: 'a' sums to zero (ZeroSumNormal): an offset would break that
                a = numpyro.sample("a", dist.ZeroSumNormal(1.0, (n,)))
                    ^
            hint: leave it as it is, or give it a Normal prior.
        """,
    ),
    Mistake(
        "no distribution",
        model=after_mu('a = numpyro.sample("a")'),
        says="""
            model.py:7:9: 'a' has no distribution that can be read
                a = numpyro.sample("a")
                    ^
            hint: give the distribution as the second argument.
        """,
    ),
    Mistake(
        "infer=",
        model=after_mu('a = numpyro.sample("a", dist.Normal(0, 1), infer={"is_auxiliary": True})'),
        says="""
            model.py:7:9: 'a' has infer=, which ExplicitReparam doesn't hand on
                a = numpyro.sample("a", dist.Normal(0, 1), infer={"is_auxiliary": True})
                    ^
            hint: remove infer= or leave this site as it is.
        """,
    ),
    Mistake(
        "obs_mask=",
        model=after_mu('a = numpyro.sample("a", dist.Normal(0, 1), obs_mask=y)'),
        says="""
            model.py:7:9: 'a' has obs_mask=, which splits the site in two
                a = numpyro.sample("a", dist.Normal(0, 1), obs_mask=y)
                    ^
            hint: leave this site as it is.
        """,
    ),
    Mistake(
        "**arguments",
        model=after_mu('a = numpyro.sample("a", dist.Normal(0, 1), **y)'),
        says="""
            model.py:7:9: 'a' is sampled with * or ** arguments
                a = numpyro.sample("a", dist.Normal(0, 1), **y)
                    ^
            hint: write the arguments out.
        """,
    ),
]

#: Where the child is sampled.
PLACES = [
    Mistake(
        "for",
        model=after_mu("for _ in range(n):\n    " + A),
        says="""
            model.py:8:13: 'a' is sampled in a loop (line 7)
                a = numpyro.sample("a", dist.Normal(0, 1))
                    ^
            hint: sites in loops aren't rewritten; a plate does the same without one.
        """,
    ),
    Mistake(
        "while",
        model=after_mu("while n:\n    " + A),
        says="""
            model.py:8:13: 'a' is sampled in a loop (line 7)
                a = numpyro.sample("a", dist.Normal(0, 1))
                    ^
            hint: sites in loops aren't rewritten; a plate does the same without one.
        """,
    ),
    Mistake(
        "plate in a loop",
        model=after_mu('for k in range(2):\n    with numpyro.plate(f"n_{k}", n):\n        ' + A),
        says="""
            model.py:9:17: 'a' is sampled in a loop (line 7)
                a = numpyro.sample("a", dist.Normal(0, 1))
                    ^
            hint: sites in loops aren't rewritten; a plate does the same without one.
        """,
    ),
    Mistake(
        "in a branch and after it",
        model=after_mu("if n:\n    " + A + A),
        says="""
            model.py:9:9: 'a' is sampled in more than one place (lines 8 and 9)
                a = numpyro.sample("a", dist.Normal(0, 1))
                    ^
            hint: sample it in one place; its prior may depend on the branch.
        """,
    ),
    Mistake(
        "twice in a row",
        model=after_mu(A + A),
        says="""
            model.py:8:9: 'a' is sampled in more than one place (lines 7 and 8)
                a = numpyro.sample("a", dist.Normal(0, 1))
                    ^
            hint: sample it in one place; its prior may depend on the branch.
        """,
    ),
    Mistake(
        "comprehension",
        model=after_mu('a = [numpyro.sample("a", dist.Normal(0, 1)) for _ in range(1)]'),
        says="""
            model.py:7:10: 'a' is sampled in a lambda or a comprehension
                a = [numpyro.sample("a", dist.Normal(0, 1)) for _ in range(1)]
                     ^
            hint: give it a statement of its own.
        """,
    ),
    Mistake(
        "lambda",
        model=after_mu('draw = lambda: numpyro.sample("a", dist.Normal(0, 1))'),
        says="""
            model.py:7:20: 'a' is sampled in a lambda or a comprehension
                draw = lambda: numpyro.sample("a", dist.Normal(0, 1))
                               ^
            hint: give it a statement of its own.
        """,
    ),
    Mistake(
        "conditional expression in a sum",
        model=after_mu('a = 1 + (numpyro.sample("a", dist.Normal(0, 1)) if n else 0.0)'),
        says="""
            model.py:7:14: 'a' is sampled in a conditional expression
                a = 1 + (numpyro.sample("a", dist.Normal(0, 1)) if n else 0.0)
                         ^
            hint: give it a statement of its own.
        """,
    ),
    Mistake(
        "right of and",
        model=after_mu('a = n and numpyro.sample("a", dist.Normal(0, 1))'),
        says="""
            model.py:7:15: 'a' is sampled in a conditional expression
                a = n and numpyro.sample("a", dist.Normal(0, 1))
                          ^
            hint: give it a statement of its own.
        """,
    ),
    Mistake(
        "header of an if",
        model=after_mu('if numpyro.sample("a", dist.Normal(0, 1)) > 0:\n    pass'),
        says="""
            model.py:7:8: 'a' is sampled in the header of a statement
                if numpyro.sample("a", dist.Normal(0, 1)) > 0:
                   ^
            hint: give it a statement of its own.
        """,
    ),
    Mistake(
        "header of a for",
        model=after_mu('for x in numpyro.sample("a", dist.Normal(0, 1).expand([3])):\n    pass'),
        says="""
            model.py:7:14: 'a' is sampled in the header of a statement
                for x in numpyro.sample("a", dist.Normal(0, 1).expand([3])):
                         ^
            hint: give it a statement of its own.
        """,
    ),
    Mistake(
        "after a semicolon",
        model=after_mu("x = 1; " + A),
        says="""
            model.py:7:16: 'a' shares its line with another statement
                x = 1; a = numpyro.sample("a", dist.Normal(0, 1))
                           ^
            hint: give it a line of its own.
        """,
    ),
    Mistake(
        "behind its header",
        model=after_mu("if n: " + A),
        says="""
            model.py:7:15: 'a' shares its line with another statement
                if n: a = numpyro.sample("a", dist.Normal(0, 1))
                          ^
            hint: give it a line of its own.
        """,
    ),
    Mistake(
        "subsampled plate, and a shape that the source doesn't tell",
        model=after_mu(
            'with numpyro.plate("n", n, subsample_size=5):\n'
            '    a = numpyro.sample("a", dist.Normal(n.real, 1))'
        ),
        says="""
            model.py:8:13: 'a' is in a subsampled plate, and not all shapes can be read from the source
                a = numpyro.sample("a", dist.Normal(n.real, 1))
                    ^
            hint: use coefficient = "shared" and parents whose shapes show.
        """,
    ),
]

#: What speaks of the child already.
HANDLERS = [
    Mistake(
        "with reparam",
        model=after_mu('with numpyro.handlers.reparam(config={"a": n}):\n    ' + A),
        says="""
            model.py:8:13: 'a' already has a reparam handler (line 7)
                a = numpyro.sample("a", dist.Normal(0, 1))
                    ^
            hint: take that handler out, or this site out of the config.
        """,
    ),
    Mistake(
        "with reparam of what can't be read",
        model=after_mu("with numpyro.handlers.reparam(config=n):\n    " + A),
        says="""
            model.py:8:13: 'a' is inside a reparam handler whose config can't be read (line 7)
                a = numpyro.sample("a", dist.Normal(0, 1))
                    ^
            hint: take that handler out, or this site out of the config.
        """,
    ),
    Mistake(
        "reparam of the model",
        model=PLAIN + '\nfitted = numpyro.handlers.reparam(model, config={"mu": 1, "a": 1})\n',
        says="""
            model.py:11:10: 'a' already has a reparam handler
                fitted = numpyro.handlers.reparam(model, config={"mu": 1, "a": 1})
                         ^
            hint: take that handler out, or this site out of the config.
        """,
    ),
    Mistake(
        "reparam of the model by what can't be read",
        model=PLAIN + "\nfitted = numpyro.handlers.reparam(model, config=other)\n",
        says="""
            model.py:11:10: 'a' may already have a reparam handler, whose config can't be read
                fitted = numpyro.handlers.reparam(model, config=other)
                         ^
            hint: take that handler out, or this site out of the config.
        """,
    ),
    Mistake(
        "reparam by a name",
        model=PLAIN + '\nCONFIG = {"a": 1}\nfitted = numpyro.handlers.reparam(model, CONFIG)\n',
        says="""
            model.py:12:10: 'a' already has a reparam handler
                fitted = numpyro.handlers.reparam(model, CONFIG)
                         ^
            hint: take that handler out, or this site out of the config.
        """,
    ),
    Mistake(
        "condition",
        model=PLAIN + '\nprior = numpyro.handlers.condition(model, {"a": 0.0})\n',
        says="""
            model.py:11:9: this condition handler addresses 'a' by name and would no longer find it, as 'a_base' is sampled instead
                prior = numpyro.handlers.condition(model, {"a": 0.0})
                        ^
            hint: take the handler out, and apply it to 'a_base' of the rewritten model.
        """,
    ),
    Mistake(
        "substitute",
        model=PLAIN + "\nprior = numpyro.handlers.substitute(model, data=dict(a=0.0))\n",
        says="""
            model.py:11:9: this substitute handler addresses 'a' by name and would no longer find it, as 'a_base' is sampled instead
                prior = numpyro.handlers.substitute(model, data=dict(a=0.0))
                        ^
            hint: take the handler out, and apply it to 'a_base' of the rewritten model.
        """,
    ),
    Mistake(
        "do",
        model=PLAIN + '\nprior = numpyro.handlers.do(model, data={"a": 0.0})\n',
        says="""
            model.py:11:9: this do handler addresses 'a' by name and would no longer find it, as 'a_base' is sampled instead
                prior = numpyro.handlers.do(model, data={"a": 0.0})
                        ^
            hint: take the handler out, and apply it to 'a_base' of the rewritten model.
        """,
    ),
    Mistake(
        "with substitute",
        model=after_mu('with numpyro.handlers.substitute(data={"a": 0.0}):\n    ' + A),
        says="""
            model.py:7:10: this substitute handler addresses 'a' by name and would no longer find it, as 'a_base' is sampled instead
                with numpyro.handlers.substitute(data={"a": 0.0}):
                     ^
            hint: take the handler out, and apply it to 'a_base' of the rewritten model.
        """,
    ),
]

#: Names that are taken.
CLASHES = [
    Mistake(
        "base is a site",
        model=after_mu('numpyro.sample("a_base", dist.Normal(0, 1))\n' + A),
        says="""
            model.py:8:9: 'a' would be sampled as 'a_base', which the model has already
                a = numpyro.sample("a", dist.Normal(0, 1))
                    ^
            hint: rename that site.
        """,
    ),
    Mistake(
        "base is a param",
        model=after_mu('numpyro.param("a_base", 0.0)\n' + A),
        says="""
            model.py:8:9: 'a' would be sampled as 'a_base', which the model has already
                a = numpyro.sample("a", dist.Normal(0, 1))
                    ^
            hint: rename that site.
        """,
    ),
    Mistake(
        "base is deterministic",
        model=after_mu(A + 'numpyro.deterministic("a_base", mu)'),
        says="""
            model.py:7:9: 'a' would be sampled as 'a_base', which the model has already
                a = numpyro.sample("a", dist.Normal(0, 1))
                    ^
            hint: rename that site.
        """,
    ),
    Mistake(
        "coefficient is a site",
        model=after_mu('numpyro.sample("xi_a_mu", dist.Normal(0, 1))\n' + A),
        says="""
            offsets.toml:2:10: the coefficient of 'mu' in 'a' would be named 'xi_a_mu', which the model has already
                offset = "mu"
                         ^
            hint: give it another name: { name = "..." }, or use {child} and {parent} in it.
        """,
    ),
    Mistake(
        "coefficient is a param",
        model=after_mu('numpyro.param("xi_a_mu", 0.0)\n' + A),
        says="""
            offsets.toml:2:10: the coefficient of 'mu' in 'a' would be named 'xi_a_mu', which the model has already
                offset = "mu"
                         ^
            hint: give it another name: { name = "..." }, or use {child} and {parent} in it.
        """,
    ),
    Mistake(
        "coefficient is a plate",
        model=after_mu('with numpyro.plate("xi_a_mu", n):\n    ' + A),
        says="""
            offsets.toml:2:10: the coefficient of 'mu' in 'a' would be named 'xi_a_mu', which the model has already
                offset = "mu"
                         ^
            hint: give it another name: { name = "..." }, or use {child} and {parent} in it.
        """,
    ),
    Mistake(
        "coefficient is another one",
        model=after_mu(B + A),
        config='[sites.a]\noffset = ["mu", "b"]\nname = "xi"\n',
        says="""
            offsets.toml:2:17: the coefficient of 'b' in 'a' would be named 'xi', as that of 'mu' in 'a' is
                offset = ["mu", "b"]
                                ^
            hint: give it another name: { name = "..." }, or use {child} and {parent} in it.
        """,
    ),
]

#: What can't be a parent.
PARENTS = [
    Mistake(
        "in another branch",
        model=model("if n:\n    " + B + A),
        config=BY_B,
        says="""
            offsets.toml:2:10: 'b' is sampled in another branch than 'a' (if in line 6): it may have no value there
                offset = "b"
                         ^
            hint: bind b in every branch, to 0.0 where 'b' isn't sampled.
        """,
    ),
    Mistake(
        "in the other branch",
        model=model("if n:\n    " + B + "else:\n    " + A),
        config=BY_B,
        says="""
            offsets.toml:2:10: 'b' is sampled in another branch than 'a' (if in line 6): it may have no value there
                offset = "b"
                         ^
            hint: drop the pair: it never has one.
        """,
    ),
    Mistake(
        "in a loop",
        model=model("for _ in range(n):\n    " + B + A),
        config=BY_B,
        says="""
            offsets.toml:2:10: 'b' is sampled in another branch than 'a' (for in line 6): it may have no value there
                offset = "b"
                         ^
            hint: sample it outside of that for.
        """,
    ),
    Mistake(
        "in a try",
        model=model("try:\n    " + B + "except ValueError:\n    pass\n" + A),
        config=BY_B,
        says="""
            offsets.toml:2:10: 'b' is sampled in another branch than 'a' (try in line 6): it may have no value there
                offset = "b"
                         ^
            hint: sample it outside of that try.
        """,
    ),
    Mistake(
        "sampled twice",
        model=model("if n:\n    " + B + B + A),
        config=BY_B,
        says="""
            offsets.toml:2:10: 'b' is sampled in more than one place (lines 7 and 8)
                offset = "b"
                         ^
            hint: give an expression instead: b = { value = "..." }.
        """,
    ),
    Mistake(
        "discrete, in a chain",
        model=model('k = numpyro.sample("k", dist.Poisson(3))\n' + MU + A),
        config='chain = ["k", "mu", "a"]\n',
        says="""
            offsets.toml:1:10: 'k' is discrete (Poisson): when NumPyro enumerates it, its value has more dims than the model shows
                chain = ["k", "mu", "a"]
                         ^
            hint: leave it out, or if it is never enumerated, give it as an expression: k = { value = "k" }.
        """,
    ),
    Mistake(
        "sampled with another on one line",
        model=model('c = 1; b = 1 + numpyro.sample("b", dist.Normal(0, 1))\n' + A),
        config=BY_B,
        says="""
            model.py:6:20: the value of 'b' isn't bound to a name: nothing can be offset by it
                c = 1; b = 1 + numpyro.sample("b", dist.Normal(0, 1))
                               ^
            hint: make it a statement of its own: b = numpyro.sample("b", ...).
        """,
    ),
    Mistake(
        "bound to something else on the same line",
        model=model('b = numpyro.sample("b", dist.Normal(0, 1)); b = b + 1\n' + A),
        config=BY_B,
        says="""
            model.py:6:9: 'b' shares its line with another statement, so its value can't be kept for the offset of 'a'
                b = numpyro.sample("b", dist.Normal(0, 1)); b = b + 1
                    ^
            hint: give it a line of its own.
        """,
    ),
    Mistake(
        "every pair of the chain dropped",
        model=model(B + A),
        config='chain = ["b", "a"]\n[sites.a.offset]\nb = false',
        says="""
            offsets.toml:3:1: every offset that the chain asks for is dropped: there is nothing to do
                b = false
                ^
            hint: keep one of them.
        """,
    ),
    Mistake(
        "sampled later",
        model=model(A + B),
        config=BY_B,
        says="""
            offsets.toml:2:10: 'b' is sampled after 'a' (line 7, after line 6)
                offset = "b"
                         ^
            hint: an offset can only use what was sampled before; swap the two or drop one.
        """,
    ),
    Mistake(
        "in another function",
        model=PLAIN + '\n\ndef other():\n    b = numpyro.sample("b", dist.Normal(0, 1))\n',
        config=BY_B + "[sites.y.offset]\nmu = {}\n",
        says="""
            model.py:9:9: 'y' is observed: there is nothing to reparameterize
                numpyro.sample("y", dist.Normal(mu + a, 1), obs=y)
                ^
            hint: only latent sites can be offset; take it out of the config.
            offsets.toml:2:10: 'model' samples no site 'b'
                offset = "b"
                         ^
            hint: it samples 'a', 'mu' and 'y'.
        """,
    ),
    Mistake(
        "of two children",
        model=after_mu(A + 'y = numpyro.sample("y", dist.Poisson(a))'),
        config='[sites.a]\noffset = "b"\n[sites.y]\noffset = "b"\n',
        says="""
            model.py:8:9: 'y' is discrete (Poisson): it can't be shifted
                y = numpyro.sample("y", dist.Poisson(a))
                    ^
            hint: only continuous latent sites can be offset; take it out of the config.
            offsets.toml:2:10: 'model' samples no site 'b'
                offset = "b"
                         ^
            hint: it samples 'a', 'mu' and 'y'.
        """,
    ),
    Mistake(
        "and axes that there aren't",
        model=after_mu(A),
        config=BY_B + '[axes]\na = ["i"]\n',
        says="""
            offsets.toml:2:10: 'model' samples no site 'b'
                offset = "b"
                         ^
            hint: it samples 'a' and 'mu'.
            offsets.toml:4:5: 'a' has 0 axes (line 7), not 1
                a = ["i"]
                    ^
            hint: name every axis of the site's value, from left to right.
        """,
    ),
]

#: Names that look like something of a message.
NAMES = [
    Mistake(
        "a template",
        model=after_mu('a = numpyro.sample("{site}", dist.Normal(0, 1), obs=y)'),
        config='[sites."{site}"]\noffset = "mu"\n',
        says="""
            model.py:7:9: '{site}' is observed: there is nothing to reparameterize
                a = numpyro.sample("{site}", dist.Normal(0, 1), obs=y)
                    ^
            hint: only latent sites can be offset; take it out of the config.
        """,
    ),
    Mistake(
        "half a template",
        model=model('a = numpyro.sample("a{", dist.Normal(0, 1))\n' + MU),
        config='[sites."a{"]\noffset = "mu"\n',
        says="""
            offsets.toml:2:10: 'mu' is sampled after 'a{' (line 7, after line 6)
                offset = "mu"
                         ^
            hint: an offset can only use what was sampled before; swap the two or drop one.
        """,
    ),
    Mistake(
        "quotes",
        model=after_mu('a = numpyro.sample("a\'s \\"b\\"", dist.Normal(0, 1), obs=y)'),
        config="""[sites."a's \\"b\\""]\noffset = "mu"\n""",
        says="""
            model.py:7:9: 'a's "b"' is observed: there is nothing to reparameterize
                a = numpyro.sample("a's \\"b\\"", dist.Normal(0, 1), obs=y)
                    ^
            hint: only latent sites can be offset; take it out of the config.
        """,
    ),
    Mistake(
        "a line",
        model=model('a = numpyro.sample("line 4", dist.Normal(0, 1))\n' + MU),
        config='[sites."line 4"]\noffset = "mu"\n',
        says="""
            offsets.toml:2:10: 'mu' is sampled after 'line 4' (line 7, after line 6)
                offset = "mu"
                         ^
            hint: an offset can only use what was sampled before; swap the two or drop one.
        """,
    ),
]

#: Expressions of the config that mean nothing where the child is sampled.
VALUES = [
    Mistake(
        "unknown",
        config='[sites.a.offset]\nx = { value = "mv + 1" }\n',
        says="""
            offsets.toml:2:15: there is no name 'mv' where 'a' is sampled (model.py:8)
                x = { value = "mv + 1" }
                              ^
            hint: known there: 'mu', 'n' and 'y'.
        """,
    ),
    Mistake(
        "misspelt",
        model=after_mu("tau_squared = 2.0\n" + A),
        config='[sites.a.offset]\nx = { value = "tau_sqared" }\n',
        says="""
            offsets.toml:2:15: there is no name 'tau_sqared' where 'a' is sampled (model.py:8)
                x = { value = "tau_sqared" }
                              ^
            hint: did you mean 'tau_squared'?
        """,
    ),
    Mistake(
        "bound later",
        model=after_mu(A + "late = mu + a"),
        config='[sites.a.offset]\nx = { value = "late" }\n',
        says="""
            offsets.toml:2:15: 'late' has no value where 'a' is sampled (model.py:7), or may have none
                x = { value = "late" }
                              ^
            hint: bind late before that, in every branch that leads there.
        """,
    ),
    Mistake(
        "bound in a branch",
        model=after_mu("if n:\n    late = 1\n" + A),
        config='[sites.a.offset]\nx = { value = "late" }\n',
        says="""
            offsets.toml:2:15: 'late' has no value where 'a' is sampled (model.py:9), or may have none
                x = { value = "late" }
                              ^
            hint: bind late before that, in every branch that leads there.
        """,
    ),
    Mistake(
        "unknown centre",
        config='[sites.a.offset]\nmu = { center = "mv" }\n',
        says="""
            offsets.toml:2:17: there is no name 'mv' where 'a' is sampled (model.py:8)
                mu = { center = "mv" }
                                ^
            hint: known there: 'mu', 'n' and 'y'.
        """,
    ),
    Mistake(
        "samples",
        config="[sites.a.offset]\nx = { value = \"numpyro.sample('q', dist.Normal(0, 1))\" }\n",
        says="""
            offsets.toml:2:15: an offset can't call numpyro.sample
                x = { value = "numpyro.sample('q', dist.Normal(0, 1))" }
                              ^
            hint: use what the model samples.
        """,
    ),
]

#: Axes that can't be lined up.
AXES = [
    Mistake(
        "lost axis",
        model=model('with numpyro.plate("j", 3):\n    ' + B + A),
        config=BY_B + 'reduce = "error"\n',
        says="""
            offsets.toml:2:10: 'b' can't be lined up with 'a': the child has no axis of plate 'j', and reduce is "error"
                offset = "b"
                         ^
            hint: say how: b = { value = "jnp.mean(b)" }, for example.
        """,
    ),
    Mistake(
        "axis that could be two",
        model=model(
            'b = numpyro.sample("b", dist.Normal(0, 1).expand([n]))\nwith numpyro.plate("i", n, dim=-2), numpyro.plate("j", n, dim=-1):\n    '
            + A
        ),
        config=BY_B,
        says="""
            offsets.toml:2:10: 'b' can't be lined up with 'a': the child has 2 axes that could be its axis of size n
                offset = "b"
                         ^
            hint: say how: b = { value = "jnp.mean(b)" }, for example.
        """,
    ),
    Mistake(
        "two axes that would be one",
        model=model(
            'with numpyro.plate("i", n, dim=-2), numpyro.plate("j", n, dim=-1):\n    '
            + B
            + 'a = numpyro.sample("a", dist.Normal(0, 1).expand([n]))'
        ),
        config=BY_B,
        says="""
            offsets.toml:2:10: 'b' can't be lined up with 'a': two of its axes would be the same axis of the child
                offset = "b"
                         ^
            hint: say how: b = { value = "jnp.mean(b)" }, for example.
        """,
    ),
]

#: Which function is meant.
FUNCTIONS = [
    Mistake(
        "three of them",
        model=PLAIN + PLAIN.replace("model", "guide") + PLAIN.replace("model", "other"),
        says="""
            offsets.toml:1:8: 'model', 'guide' and 'other' all sample the configured sites (model.py:5, model.py:14, model.py:23)
                [sites.a]
                       ^
            hint: say which: functions = ["model"] at the top of offsets.toml.
        """,
    ),
    Mistake(
        "nested, by its last name",
        model="def make():\n"
        + "".join(f"    {line}\n" if line else "\n" for line in PLAIN.splitlines()),
        config='functions = ["model"]\n' + OFFSETS,
        says="""
            offsets.toml:1:14: model.py has no function 'model'
                functions = ["model"]
                             ^
            hint: did you mean 'make.model'?
        """,
    ),
    Mistake(
        "none like it",
        config='functions = ["fit"]\n' + OFFSETS,
        says="""
            offsets.toml:1:14: model.py has no function 'fit'
                functions = ["fit"]
                             ^
            hint: it has 'model'.
        """,
    ),
    Mistake(
        "site in none of several",
        model=PLAIN + PLAIN.replace("model", "guide"),
        config='[sites.theta]\noffset = "tau"\n',
        says="""
            offsets.toml:1:8: the functions of the model file sample no site 'theta'
                [sites.theta]
                       ^
            hint: they sample 'a', 'mu' and 'y'.
            offsets.toml:2:10: the functions of the model file sample no site 'tau'
                offset = "tau"
                         ^
            hint: they sample 'a', 'mu' and 'y'.
        """,
    ),
    Mistake(
        "names that can't be told",
        model=model(
            'mu = numpyro.sample(f"mu_{n:d}", dist.Normal(0, 1))\na = numpyro.sample(n(), dist.Normal(0, 1))'
        ),
        says="""
            model.py:6:10: the model samples no site whose name can be told
                mu = numpyro.sample(f"mu_{n:d}", dist.Normal(0, 1))
                     ^
            hint: only those can be named in a config; give the sites literal names.
        """,
    ),
    Mistake(
        "some names that can't be told",
        model=after_mu('a = numpyro.sample(f"a_{n:d}", dist.Normal(0, 1))'),
        says="""
            offsets.toml:1:8: 'model' samples no site 'a'
                [sites.a]
                       ^
            hint: it samples 'mu'. (The name of one more can't be told: it can't be matched.)
        """,
    ),
]

TOGETHER = [
    Mistake(
        "all at once, model before config",
        model=model(
            'k = numpyro.sample("k", dist.Poisson(1))\nfor i in range(3):\n    '
            + A
            + 'numpyro.sample("y", dist.Normal(0, 1), obs=y)'
        ),
        config='chain = ["k", "a", "y"]\n',
        says="""
            model.py:8:13: 'a' is sampled in a loop (line 7)
                a = numpyro.sample("a", dist.Normal(0, 1))
                    ^
            hint: sites in loops aren't rewritten; a plate does the same without one.
            model.py:9:5: 'y' is observed: there is nothing to reparameterize
                numpyro.sample("y", dist.Normal(0, 1), obs=y)
                ^
            hint: only latent sites can be offset; take it out of the config.
            offsets.toml:1:10: 'k' is discrete (Poisson): when NumPyro enumerates it, its value has more dims than the model shows
                chain = ["k", "a", "y"]
                         ^
            hint: leave it out, or if it is never enumerated, give it as an expression: k = { value = "k" }.
            offsets.toml:1:20: 'a' is sampled in another branch than 'y' (for in line 7): it may have no value there
                chain = ["k", "a", "y"]
                                   ^
            hint: sample it outside of that for.
        """,
    ),
]

MISTAKES = [
    *CHILDREN,
    *PLACES,
    *HANDLERS,
    *CLASHES,
    *PARENTS,
    *NAMES,
    *VALUES,
    *AXES,
    *FUNCTIONS,
    *TOGETHER,
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.shape)
def test_refusal(
    mistake: Mistake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.chdir(tmp_path)
    mistake.lay_out(tmp_path)
    before = snapshot(tmp_path)
    with pytest.raises(SystemExit) as exit_of:
        main(mistake.line.split()[1:])
    out, err = capsysbinary.readouterr()
    assert (exit_of.value.code, out, err.decode()) == (2, b"", mistake.message)
    assert snapshot(tmp_path) == before
