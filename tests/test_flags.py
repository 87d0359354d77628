"""A parent that is sampled under the condition that its child is, and names that are bound."""

from __future__ import annotations

import pytest

from reparam_rewrite.messages import Refusal
from tests.support.mistakes import HEAD, model
from tests.support.rewrites import rewritten

TAU = 'tau = numpyro.sample("tau", dist.HalfNormal(1))\n'
U = 'u = numpyro.sample("u", dist.Normal(0, 1))\n'
U_OF_TAU = 'u = numpyro.sample("u", dist.Normal(0, tau))\n'
BY_TAU = '[sites.u]\noffset = "tau"\n'
AS_VALUE = '[sites.u.offset]\ntau = { value = "tau" }\n'


def branches(first: str, second: str, between: str = "", parent: str = TAU, child: str = U) -> str:
    return model(f"{first}:\n    {parent}{between}{second}:\n    {child}")


MATCH = (
    'match n:\n    case "a":\n        tau = numpyro.sample("tau", dist.HalfNormal(1))\n'
    "    case _:\n        pass\n"
)

REWRITTEN = {
    "one name": branches("if n", "if n"),
    "not": branches("if not n", "if not n"),
    "not, of the other branch": model("if not n:\n    pass\nelse:\n    " + TAU + "if n:\n    " + U),
    "is None": branches("if y is None", "if y is None"),
    "is not None, of the other branch": model(
        "if y is None:\n    pass\nelse:\n    " + TAU + "if y is not None:\n    " + U
    ),
    "a comparison with text": branches('if n == "a"', 'if n == "a"'),
    "two names": branches("if n and y is None", "if n and y is None"),
    "a local name": model("wide = len(n) > 3\nif wide:\n    " + TAU + "if wide:\n    " + U),
    "in a plate": model(
        f'if n:\n    {TAU}with numpyro.plate("k", 3):\n    if n:\n        {U}    else:\n'
        "        u = 0.0\n"
    ),
    "nested": model(
        f"if n:\n    if y is None:\n        {TAU}if n:\n    k = 1\n    if y is None:\n        {U}"
    ),
    "elif": model(
        f"if n == 1:\n    pass\nelif n == 2:\n    {TAU}if n == 1:\n    pass\nelif n == 2:\n    {U}"
    ),
    "match": model(MATCH + MATCH.replace("tau", "u").replace("HalfNormal(1)", "Normal(0, 1)")),
    "match and if": model(MATCH + 'if n == "a":\n    ' + U),
    "a return without it": model(f"if n:\n    {TAU}if not n:\n    return\n{U}"),
    "three times": model(f"if n:\n    {TAU}if n:\n    k = tau\nif n:\n    {U}"),
    "something else between": branches("if n", "if n", "k = [n]\nif y is None:\n    k = 2\n"),
    "bound in every branch": model(f"if n:\n    {TAU}else:\n    tau = 1.0\n{U}"),
    "bound in every branch, in a plate": model(
        f'if n:\n    {TAU}else:\n    tau = 1.0\nwith numpyro.plate("k", 3):\n    {U}'
    ),
    "read by its own prior": model(f"if n:\n    {TAU}if y:\n    {U_OF_TAU}"),
    "read by its own prior, after it": model(f"if n:\n    {TAU}{U_OF_TAU}"),
    "read by its own prior, in a plate": model(
        f'if n:\n    {TAU}with numpyro.plate("k", 3):\n    if y:\n        {U_OF_TAU}'
    ),
}
REWRITTEN |= {
    "a match that binds it in every branch": model(MATCH.replace("pass", "tau = 1.0") + U),
    "a match with a name for the rest, in every branch": model(
        MATCH.replace("pass", "tau = 1.0").replace("case _", "case other") + U
    ),
    "all other cases of a match leave": model(MATCH.replace("pass", "return None") + U),
}


@pytest.mark.parametrize("shape", REWRITTEN)
@pytest.mark.parametrize("config", [BY_TAU, AS_VALUE], ids=["offset", "value"])
def test_rewritten(shape: str, config: str) -> None:
    code = rewritten(REWRITTEN[shape], config)
    compile(code, "model.py", "exec")
    before, _, after = code.partition("u_loc = ")
    assert "* tau" in after or "* jnp.broadcast_to(tau, " in after
    assert "plain model" not in code or "in every branch" in shape
    # It is computed where tau is bound: as deep as the child, or where nothing decides on it.
    depth = len(before.rpartition("\n")[2])
    sampled = next(line for line in code.splitlines() if '("u", ' in line)
    if "if" in shape or "in every branch" not in shape:
        assert depth >= len(sampled) - len(sampled.lstrip()) - 4


REFUSED = {
    "the name is bound again between": branches("if n", "if n", "n = 1\n"),
    "the name may be bound again between": branches("if n", "if n", "if y is None:\n    n = 1\n"),
    "the name is added to between": branches("if n", "if n", "n += 1\n"),
    "the value is changed between": branches("if n", "if n", "n.append(1)\n"),
    "a call may change the value between": branches("if n", "if n", "update(n)\n"),
    "an attribute": branches("if n.wide", "if n.wide"),
    "an element": branches('if n["wide"]', 'if n["wide"]'),
    "a call": branches("if n()", "if n()"),
    "another name": branches("if n", "if y"),
    "the opposite": branches("if n", "if not n"),
    "a part of the condition": branches("if n and y", "if n"),
    "another value": branches('if n == "a"', 'if n == "b"'),
    "the other branch": model(f"if n:\n    {TAU}if n:\n    pass\nelse:\n    {U}"),
    "a condition that binds": branches("if (k := n)", "if (k := n)"),
    "only outer conditions are one": model(
        f"if n:\n    if y is None:\n        {TAU}if n:\n    {U}"
    ),
    "one more condition around the parent": model(
        f"if n:\n    if y is None:\n        {TAU}if y is None:\n    {U}"
    ),
    "a case with a guard": model(MATCH.replace('"a":', '"a" if y:') + 'if n == "a":\n    ' + U),
    "a match without a case for the rest": model(
        MATCH.replace("pass", "tau = 1.0").replace("case _", 'case "b"') + U
    ),
    "a match whose last case has a guard": model(
        MATCH.replace("pass", "tau = 1.0").replace("case _", "case _ if y") + U
    ),
    "a case behind what isn't a value": model(
        MATCH.replace('    case "a"', '    case [_]:\n        pass\n    case "a"')
        + 'if n == "a":\n    '
        + U
    ),
    "a global that a function sets": model("if WIDE:\n    " + TAU + "change()\nif WIDE:\n    " + U)
    + "\n\ndef change():\n    global WIDE\n    WIDE = True\n",
    "deleted between": branches("if n", "if n", "if n:\n    del tau\n"),
    "the prior reads it in one case": model(
        f"if n:\n    {TAU}" + U_OF_TAU.replace("tau)", "tau if n else 1)")
    ),
}


@pytest.mark.parametrize("shape", REFUSED)
@pytest.mark.parametrize("config", [BY_TAU, AS_VALUE], ids=["offset", "value"])
def test_refused(shape: str, config: str) -> None:
    with pytest.raises(Refusal) as refusal:
        rewritten(REFUSED[shape], config)
    (found,) = refusal.value.diagnostics
    assert "may have no value there" in found.message or "or may have none" in found.message


def test_bound_to_something_else_between() -> None:
    """What the name stands for is no longer the parent: a value may still be given."""
    plain = branches("if n", "if n", "tau = 1.0\n")
    with pytest.raises(Refusal, match="another branch"):
        rewritten(plain, BY_TAU)
    assert "* tau" in rewritten(plain, AS_VALUE)


def test_a_chain_leaves_out_what_is_not_sampled_there() -> None:
    plain = model(f"{TAU.replace('tau', 'mu')}if n:\n    {TAU}if n:\n    pass\nelse:\n    {U}")
    code = rewritten(plain, 'chain = ["mu", "tau", "u"]\n')
    assert "xi_u_mu" in code
    assert "xi_u_tau" not in code


def test_alternatives_under_one_flag() -> None:
    """The one that was sampled on the way there."""
    plain = model(
        f"if n:\n    {TAU}else:\n    {TAU.replace('1))', '2))')}if n:\n    {U}else:\n    u = 0.0\n"
    )
    assert "xi_u_tau" in rewritten(plain, BY_TAU)


@pytest.mark.parametrize(
    "name",
    [
        '"tau_{}".format(name)',
        '"tau_{0}".format(name)',
        '"tau_{k}".format(k=name)',
        '"tau_%s" % name',
        'f"tau_{name}"',
        '"tau_" + name',
        '"_".join(["tau", name])',
    ],
)
def test_a_name_that_is_put_together_hides_no_shape(name: str) -> None:
    head = HEAD.partition("\n\n\n")[0]
    plain = f"""{head}


def pooled(name, n):
    tau = numpyro.sample({name}, dist.HalfNormal(1))
    with numpyro.plate(f"{{name}}_plate", n):
        return numpyro.sample(name, dist.Normal(0, tau))


def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = pooled("a", n)
"""
    code = rewritten(plain, '[sites.a]\noffset = "mu"\n')
    assert 'a_loc = numpyro.param("xi_a_mu", jnp.zeros(n)) * mu' in code


def test_density() -> None:
    from tests.support.execution import assert_equivalent, load_model

    plain = REWRITTEN["in a plate"]
    assert_equivalent(load_model(plain), load_model(rewritten(plain, BY_TAU)), (True,))


def test_nothing_is_offset_where_the_flag_is_off() -> None:
    from numpyro.handlers import seed, trace

    from tests.support.execution import load_model

    found = trace(seed(load_model(rewritten(REWRITTEN["in a plate"], BY_TAU)), 0)).get_trace(False)
    assert {*found} == {"k"}


def test_offset_is_made_after_a_parent_in_the_same_plate() -> None:
    plain = model(f'with numpyro.plate("k", n):\n    {TAU}    {U_OF_TAU}')
    lines = [line.strip() for line in rewritten(plain, BY_TAU).splitlines()]
    assert lines.index("u_loc = xi_u_tau * tau") > lines.index(TAU.strip())
