"""A prior is made where it stands, and what the config reads is read where the child is sampled.

What is done between the offset's outermost place and the child isn't looked into: what it may
change is read after it, at the statement that samples the child.
"""

from __future__ import annotations

import textwrap

import pytest

from reparam_rewrite.messages import Refusal
from tests.support.cases import rewritten

A_BY_MU = '[sites.a]\noffset = "mu"\n'

HEAD = """\
import functools

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

S = {"m": 1.0}


def set_m(v):
    S["m"] = v


class Forecast:
    def bump(self):
        self.m = 2.0

    @property
    def next(self):
        self.m += 1.0
        return self.m


"""

VALUE = "[sites.a.offset]\nmu = {{ value = '''{}''' }}\n"


def model_of(body: str, config: str = A_BY_MU) -> str:
    """The generated body of a model, from the statement after that of mu on."""
    return rewritten(source_of(body).encode(), config).data.decode().partition("(0, 10))\n")[2]


def source_of(body: str) -> str:
    mu = 'mu = numpyro.sample("mu", dist.Normal(0, 10))\n'
    text = textwrap.dedent(body).lstrip("\n")
    first, _, rest = text.partition("---\n")
    return f"{HEAD}def model(n, q):\n{textwrap.indent(first + mu + rest, '    ')}"


def refused(body: str, config: str = A_BY_MU) -> tuple[str, str]:
    with pytest.raises(Refusal) as refusal:
        model_of(body, config)
    (diagnostic,) = refusal.value.diagnostics
    return diagnostic.message, diagnostic.hint


def comes_before(text: str, *parts: str) -> bool:
    """Do the parts stand in the text in this order?"""
    places = [text.index(part) for part in parts]
    return places == sorted(places)


# -- a prior that is asked -----------------------------------------------------------------------


def test_a_prior_of_unknown_shape_is_made_at_its_statement() -> None:
    body = """
    ---
    with numpyro.plate("i", n):
        set_m(2.0)
        a = numpyro.sample("a", dist.Normal(S["m"] * q, 1))
    """
    assert model_of(body) == textwrap.indent(
        """\
with numpyro.plate("i", n):
    set_m(2.0)
    a_prior = dist.Normal(S["m"] * q, 1)
    a_shape = jnp.broadcast_shapes((n,), a_prior.batch_shape) + a_prior.event_shape
    a_loc = numpyro.param("xi_a_mu", jnp.zeros(a_shape)) * mu
    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
    with numpyro.handlers.reparam(config={"a": a_reparam}):
        a = numpyro.sample("a", a_prior)
""",
        "    ",
    )


def test_a_prior_that_is_only_asked_for_its_support_leaves_the_coefficients_outside() -> None:
    body = """
    ---
    with numpyro.plate("i", n):
        set_m(2.0)
        a = numpyro.sample("a", dist.Uniform(0.0, float(n)))
    """
    assert comes_before(
        model_of(body),
        'xi_a_mu = numpyro.param("xi_a_mu", jnp.zeros(n))',
        'with numpyro.plate("i", n):',
        "set_m(2.0)",
        "a_prior = dist.Uniform(0.0, float(n))",
        "a_loc = xi_a_mu * mu",
    )


#: What is set up, what changes it inside of the plate, and the prior that reads it.
CHANGES = {
    "a call that changes a global": ("", "set_m(2.0)", 'S["m"] * q'),
    "a global by an alias": ("t = S", 't["m"] = 2.0', 'S["m"] * q'),
    "a function in a variable": ("f = set_m", "f(2.0)", 'S["m"] * q'),
    "a partial": ("f = functools.partial(set_m, 2.0)", "f()", 'S["m"] * q'),
    "a closure": ('s = {"m": 1.0}\ndef bump():\n    s["m"] = 2.0\n', "bump()", 's["m"] * q'),
    "a closure over a name": (
        "k = 1.0\ndef bump():\n    nonlocal k\n    k = 2.0\n",
        "bump()",
        "k * q",
    ),
    "a bound method": ("me = Forecast()\nstep = me.bump", "step()", "me.m * q"),
    "a property": ("me = Forecast()\nme.m = 1.0", "k = me.next", "me.m * q"),
    "an element of a list": ("rows = [[1.0]]\nfirst = rows[0]", "first[0] = 5.0", "rows[0][0] * q"),
    "rows of a loop": ("rows = [[1.0]]", "for row in rows:\n    row[0] = 7.0", "rows[0][0] * q"),
    "a fill": ("x = np.zeros(3)", "x.fill(3.0)", "x * q"),
    "an out": ("x = np.zeros(3)", "np.add(x, 1.0, out=x)", "x * q"),
    "an out by position": ("x = np.zeros(3)", "np.add(x, 1.0, x)", "x * q"),
    "a copyto": ("x = np.zeros(3)", "np.copyto(x, 1.0)", "x * q"),
    "an addition at places": ("x = np.zeros(3)", "np.add.at(x, 0, 1.0)", "x * q"),
    "a view": ("x = np.zeros(3)\ny = x[1:]", "y += 1.0", "x * q"),
    "setattr": ("me = Forecast()", 'setattr(me, "m", 3.0)', "me.m * q"),
    "a generator": ("g = (set_m(v) for v in [2.0])", "for _ in g:\n    pass", 'S["m"] * q'),
    "a generator that is unpacked": ("g = (set_m(v) for v in [2.0])", "(k,) = g", 'S["m"] * q'),
    "a generator that is summed": ("g = (set_m(v) for v in [2.0])", "k = sum(g)", 'S["m"] * q'),
    "a default": ("", "def f(v=set_m(2.0)):\n    return v", 'S["m"] * q'),
    "a class": ("", 'class K:\n    S["m"] = 2.0', 'S["m"] * q'),
    "a context": ("c = Forecast()", "with c:\n    pass", "c.m * q"),
    "a method of the class": ("x = np.ones(3)", "np.ndarray.sort(x)", "x * q"),
    "a deletion": ("xs = [1.0, 2.0]", "del xs[0]", "xs[0] * q"),
    "a return": ("", "if q is None:\n    return mu", "q * 2.0"),
    "an assertion": ("", "assert q is not None", "q * 2.0"),
    "a raise": ("", 'if q is None:\n    raise ValueError("no q")', "q * 2.0"),
}


@pytest.mark.parametrize(("setup", "change", "loc"), CHANGES.values(), ids=CHANGES)
def test_what_is_done_in_the_plate_is_done_before(setup: str, change: str, loc: str) -> None:
    inside = textwrap.indent(change, "    ")
    body = f"""{setup}
---
with numpyro.plate("i", n):
{inside}
    a = numpyro.sample("a", dist.Normal({loc}, 1))
"""
    assert comes_before(model_of(body), change.split("\n")[-1], f"a_prior = dist.Normal({loc}, 1)")


@pytest.mark.parametrize(("setup", "change", "value"), CHANGES.values(), ids=CHANGES)
def test_what_is_done_in_the_plate_is_done_before_a_value_is_read(
    setup: str, change: str, value: str
) -> None:
    inside = textwrap.indent(change, "    ")
    body = f"""{setup}
---
with numpyro.plate("i", n):
{inside}
    a = numpyro.sample("a", dist.Normal(0, 1))
"""
    assert comes_before(model_of(body, VALUE.format(value)), change.split("\n")[-1], "a_loc = ")


def test_a_size_that_may_have_changed_is_kept_from_before_the_plate() -> None:
    body = """
    ---
    with numpyro.plate("i", len(q)):
        set_m(2.0)
        a = numpyro.sample("a", dist.Normal(S["m"] * q, 1))
    """
    text = model_of(body)
    assert comes_before(text, "a_plates = (len(q),)", 'with numpyro.plate("i", len(q)):', "set_m")
    assert "jnp.broadcast_shapes(a_plates, a_prior.batch_shape)" in text


def test_a_size_that_may_have_changed_before_the_plate_is_refused() -> None:
    body = """
    ---
    rows = numpyro.plate("i", len(q))
    set_m(2.0)
    with rows:
        a = numpyro.sample("a", dist.Normal(q, 1))
    """
    message, hint = refused(body)
    assert message == "the size of a plate of 'a' isn't known before its outermost with"
    assert hint.startswith("bind the size to a name first")
    bound = body.replace("len(q))", "size)").replace("---\n", "---\n    size = len(q)\n")
    assert "jnp.broadcast_shapes((size,), a_prior.batch_shape)" in model_of(bound)


# -- arrays that are reshaped in place -----------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "x.resize((3, 1), refcheck=False)",
        "z = x\nz.shape = (3, 1)",
        'setattr(x, "shape", (3, 1))',
        "set_m(x)",
        "for row in [x]:\n    row.shape = (3, 1)",
    ],
)
def test_the_shape_of_an_array_of_numpy_is_asked_after_anything_that_may_change_it(
    change: str,
) -> None:
    body = f'x = np.zeros(3)\n---\n{change}\na = numpyro.sample("a", dist.Normal(x, 1))\n'
    assert "jnp.zeros(a_prior.shape())" in model_of(body)


def test_the_shape_of_an_array_of_numpy_that_nothing_changes_is_read() -> None:
    body = 'x = np.zeros(3)\n---\na = numpyro.sample("a", dist.Normal(x, 1))\n'
    assert "jnp.zeros(3)" in model_of(body)


def test_the_shape_of_an_array_of_jax_stays() -> None:
    body = 'x = jnp.zeros(3)\n---\nset_m(x)\na = numpyro.sample("a", dist.Normal(x, 1))\n'
    assert "jnp.zeros(3)) * mu" in model_of(body)


def test_the_shape_of_a_name_that_a_closure_binds_is_asked() -> None:
    body = """
    x = jnp.zeros(3)
    def bump():
        nonlocal x
        x = jnp.zeros((3, 1))
    ---
    bump()
    a = numpyro.sample("a", dist.Normal(x, 1))
    """
    assert "jnp.zeros(a_prior.shape())" in model_of(body)


# -- the statement itself ------------------------------------------------------------------------

OWN = "give 'a' a statement of its own."
PRIOR = "its prior, whose shape or support can't be read from it"
DOES = "the statement that samples 'a' does other things before, which may change"


@pytest.mark.parametrize(
    ("setup", "statement"),
    [
        ("s = 1.0", 'y = (s := 2.0) * numpyro.sample("a", dist.Normal(s * q, 1))'),
        (
            "xs = [1.0]",
            'y = {"b": xs.pop(), "a": numpyro.sample("a", dist.Normal(len(xs) * q, 1))}',
        ),
        ("s = [1.0]", 'y = set_m(s.append(2.0), numpyro.sample("a", dist.Normal(sum(s) * q, 1)))'),
        ("", 'y = set_m(2.0) * numpyro.sample("a", dist.Normal(S["m"] * q, 1))'),
        ("", 'y = [*map(set_m, [2.0]), numpyro.sample("a", dist.Normal(S["m"] * q, 1))]'),
        ("me = Forecast()", 'y = me.next * numpyro.sample("a", dist.Normal(me.m * q, 1))'),
        ("", 'y = numpyro.sample(name="a", rng_key=set_m(2.0), fn=dist.Normal(S["m"] * q, 1))'),
        (
            "s = jnp.zeros(3)",
            'y = (s := jnp.zeros((3, 1))).sum() + numpyro.sample("a", dist.Normal(s, 1))',
        ),
        ("d = dist.Normal(q, 1)", 'y = [(d := dist.Normal(0, q)), numpyro.sample("a", d)]'),
    ],
)
def test_a_prior_stays_behind_what_its_statement_does_before(setup: str, statement: str) -> None:
    assert refused(f"{setup}\n---\n{statement}\n") == (f"{DOES} {PRIOR}", OWN)


@pytest.mark.parametrize(
    "statement",
    [
        'y = numpyro.sample("a", dist.Normal(q, 1)) * set_m(2.0)',
        'y = [numpyro.sample("a", dist.Normal(q, 1)), (s := 2.0)]',
        'y = {}\ny[set_m(2.0)] = numpyro.sample("a", dist.Normal(q, 1))',
        'y = jnp.zeros(3) + numpyro.sample("a", dist.Normal(q, 1))',
        'y = max(1.0, 2.0) * numpyro.sample("a", dist.Normal(q, 1))',
    ],
)
def test_what_a_statement_does_after_is_no_matter(statement: str) -> None:
    assert 'numpyro.sample("a", a_prior)' in model_of(f"---\n{statement}\n")


def test_the_way_out_of_a_statement_that_does_more_works() -> None:
    body = "---\nz = set_m(2.0)\na = numpyro.sample('a', dist.Normal(S['m'] * q, 1))\ny = z * a\n"
    assert comes_before(model_of(body), "set_m(2.0)", "a_prior = dist.Normal(S['m'] * q, 1)")


def test_a_prior_that_binds_a_name_anywhere_is_not_moved() -> None:
    body = '---\na = numpyro.sample("a", dist.Normal((s := q) * 2.0, s))\n'
    message, hint = refused(body)
    assert message.endswith("can't be read from the source, and its prior binds a name")
    assert hint == "bind it in a statement of its own."


# -- what the config reads -----------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["value = '''x[0] + mu'''", "center = '''x[0]'''"])
def test_an_expression_is_read_after_what_may_change_it(asked: str) -> None:
    body = """
    x = np.zeros(3)
    ---
    with numpyro.plate("i", n):
        x.fill(3.0)
        a = numpyro.sample("a", dist.Normal(0, 1))
    """
    text = model_of(body, f"[sites.a.offset]\nmu = {{ {asked} }}\n")
    assert comes_before(text, "xi_a_mu = numpyro.param(", "with", "x.fill(3.0)", "a_loc = xi_a_mu")


def test_a_scale_is_read_after_what_may_change_it() -> None:
    body = """
    ---
    with numpyro.plate("i", n):
        set_m(3.0)
        a = numpyro.sample("a", dist.Normal(0, 1))
    """
    text = model_of(body, "[sites.a]\nscale = '''1 / S[\"m\"]'''\n")
    assert comes_before(text, "set_m(3.0)", "a_scale = ")


def test_an_expression_of_what_nothing_changes_stays_outside() -> None:
    body = """
    s = jnp.exp(1.0)
    ---
    with numpyro.plate("i", n):
        set_m(3.0)
        a = numpyro.sample("a", dist.Normal(0, 1))
    """
    assert comes_before(model_of(body, VALUE.format("s * mu")), "a_loc = ", "numpyro.plate")


def test_an_argument_that_nothing_can_have_touched_is_read_outside() -> None:
    body = """
    ---
    with numpyro.plate("i", n):
        w = jnp.mean(q)
        a = numpyro.sample("a", dist.Normal(0, 1))
    """
    assert comes_before(model_of(body, VALUE.format("q[0] * mu")), "a_loc = ", "numpyro.plate")


def test_an_expression_is_not_read_where_the_model_does_not_come_to_the_child() -> None:
    body = """
    ---
    with numpyro.plate("i", n):
        if q is None:
            return mu
        a = numpyro.sample("a", dist.Normal(0, 1))
    """
    text = model_of(body, VALUE.format("q[0] * mu"))
    assert comes_before(text, "return mu", 'numpyro.param("xi_a_mu"', "q[0] * mu")


def test_sizes_are_not_read_in_front_of_the_branch_that_has_them() -> None:
    body = """
    ---
    with numpyro.plate("i", n):
        if q is not None:
            with numpyro.plate("j", len(q)):
                a = numpyro.sample("a", dist.Normal(0, 1))
    """
    assert comes_before(model_of(body), "if q is not None:", "len(q), n")


def test_an_expression_stays_behind_what_the_statement_does_before() -> None:
    body = '---\ny = set_m(2.0) * numpyro.sample("a", dist.Normal(0, 1))\n'
    config = VALUE.format('S["m"] * mu')
    assert refused(body, config) == (f"{DOES} what 'S[\"m\"] * mu' reads", OWN)
    assert "xi_a_mu" in model_of(body)


def test_a_step_of_a_loop_may_change_what_the_next_one_reads() -> None:
    body = """
    x = np.zeros(3)
    ---
    with numpyro.plate("i", n):
        for k in range(2):
            a = numpyro.sample(f"a_{k}", dist.Normal(0, 1))
            x.fill(3.0)
    """
    config = "[sites.\"a_*\".offset]\nmu = { value = '''x[0] * mu''' }\n"
    assert comes_before(model_of(body, config), "for k in range(2):", "x[0] * mu", "x.fill(3.0)")


def test_a_helper_that_does_more_before_it_samples_is_refused_an_expression() -> None:
    helper = 'def draw(n):\n    set_m(2.0)\n    return numpyro.sample("a", dist.Normal(0, 1))\n'
    source = source_of("---\na = draw(n)\n").replace("def model", f"{helper}\n\ndef model")
    with pytest.raises(Refusal) as refusal:
        rewritten(source.encode(), 'functions = ["model"]\n' + VALUE.format('S["m"] * mu'))
    (diagnostic,) = refusal.value.diagnostics
    assert diagnostic.message == (
        "'draw' does other things before it samples 'a', which may change "
        "what 'S[\"m\"] * mu' reads"
    )


@pytest.mark.parametrize("value", ["mu * self.loc", "mu * self.draw()", "mu * draw()"])
def test_an_expression_that_samples_is_refused(value: str) -> None:
    """It would be one more site of the model."""
    source = textwrap.dedent("""
        import numpyro
        import numpyro.distributions as dist


        def draw():
            return numpyro.sample("loc", dist.Normal(0, 1))


        class Model:
            @property
            def loc(self):
                return numpyro.sample("loc", dist.Normal(0, 1))

            def draw(self):
                return numpyro.sample("loc", dist.Normal(0, 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = numpyro.sample("a", dist.Normal(0, 1))
    """)
    with pytest.raises(Refusal, match=r"an offset can't call '(loc|draw)', which samples"):
        rewritten(source.encode(), 'functions = ["Model.model"]\n' + VALUE.format(value))


@pytest.mark.parametrize(
    "expression", ["mu * n.pop()", "mu + next(n)", "mu * (n.append(1) or 1)", "setattr(n, 'k', mu)"]
)
def test_a_value_changes_nothing(expression: str) -> None:
    plain = source_of("---\na = numpyro.sample('a', dist.Normal(0, 1))\n")
    with pytest.raises(Refusal) as refusal:
        rewritten(plain.encode(), VALUE.format(expression))
    (diagnostic,) = refusal.value.diagnostics
    assert diagnostic.message.endswith(", which changes what the model reads later")


def test_a_value_may_set_elements_of_arrays_of_jax() -> None:
    plain = source_of("---\na = numpyro.sample('a', dist.Normal(0, 1))\n")
    assert (
        b"mu.at[...].add(1.0)"
        in rewritten(plain.encode(), VALUE.format("mu.at[...].add(1.0)")).data
    )
