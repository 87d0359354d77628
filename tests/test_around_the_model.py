"""What stands around a model: what weighs or fixes its densities, however it is written."""

from __future__ import annotations

import re
import textwrap

import pytest

from reparam_rewrite.messages import Refusal
from tests.support.cases import rewritten

HEAD = """\
import contextlib
import functools

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro import handlers


def plain(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    with numpyro.plate("i", n):
        a = numpyro.sample("a", PRIOR)


"""

METHOD = """\
import functools

import numpyro
import numpyro.distributions as dist
from numpyro import handlers


class Base:
    def part(self, n):
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        a = numpyro.sample("a", PRIOR)

    def __call__(self, n):
        return self.part(n)


"""

REAL, POSITIVE = "dist.Normal(0, 1)", "dist.LogNormal(0, 1)"
A_BY_MU = '[sites.a]\noffset = "mu"\n'


def below(head: str, **shapes: str) -> dict[str, str]:
    return {
        name.replace("_", " "): head + textwrap.dedent(code).strip() + "\n"
        for name, code in shapes.items()
    }


#: Something weighs all that the model samples.
WEIGHED = below(
    HEAD,
    called_with_the_model="model = handlers.scale(plain, scale=2.0)",
    called_with_fn="model = handlers.mask(fn=plain, mask=False)",
    curried="model = handlers.scale(scale=2.0)(plain)",
    curried_mask="model = handlers.mask(mask=False)(plain)",
    curried_by_a_name="h = handlers.scale(scale=2.0)\nmodel = h(plain)",
    curried_in_a_dictionary='table = {"h": handlers.scale(scale=2.0)}\nmodel = table["h"](plain)',
    curried_and_got='table = {"h": handlers.scale(scale=2.0)}\nmodel = table.get("h")(plain)',
    curried_in_a_list="model = [handlers.scale(scale=2.0)][0](plain)",
    curried_in_a_loop="for h in [handlers.scale(scale=2.0)]:\n    model = h(plain)",
    curried_in_a_choice="h = handlers.seed if DEBUG else handlers.scale\nmodel = h(plain)",
    a_class_by_another_name="weigh = handlers.scale\nmodel = weigh(plain, scale=2.0)",
    imported_by_name="from numpyro.handlers import scale\nmodel = scale(plain, scale=2.0)",
    imported_by_another_name=(
        "from numpyro.handlers import scale as s\nmodel = s(scale=2.0)(plain)"
    ),
    a_module_by_another_name=(
        "import numpyro.handlers as effect_handlers\n"
        "model = effect_handlers.scale(scale=2.0)(plain)"
    ),
    imported_with_a_star="from numpyro.handlers import *\nmodel = scale(plain, scale=2.0)",
    by_getattr='model = getattr(handlers, "scale")(plain, scale=2.0)',
    a_partial="tempered = functools.partial(handlers.scale, scale=2.0)\nmodel = tempered(plain)",
    a_partial_as_decorator="""
    tempered = functools.partial(handlers.scale, scale=2.0)


    @tempered
    def model(n):
        plain(n)
    """,
    a_curried_decorator="""
    @handlers.scale(scale=2.0)
    def model(n):
        plain(n)
    """,
    a_decorator_by_a_name="""
    h = handlers.mask(mask=False)


    @h
    def model(n):
        plain(n)
    """,
    around_a_seeded_model="model = handlers.scale(handlers.seed(plain, 0), scale=2.0)",
    inside_of_a_trace="handlers.trace(handlers.scale(plain, scale=2.0)).get_trace(3)",
    around_a_compiled_model="model = handlers.scale(jax.jit(plain), scale=2.0)",
    around_a_partial="model = handlers.scale(functools.partial(plain, 3), scale=2.0)",
    around_a_lambda="model = handlers.scale(lambda n: plain(n), scale=2.0)",
    a_function_that_makes_it="""
    def tempered(f, t):
        return handlers.scale(f, scale=t)


    model = tempered(plain, 2.0)
    """,
    a_decorator_of_the_file="""
    def tempered(f):
        @functools.wraps(f)
        def g(*args):
            with handlers.scale(scale=2.0):
                return f(*args)

        return g


    model = tempered(plain)
    """,
    a_decorator_with_arguments="""
    def tempered(t):
        def decorator(f):
            def g(*args):
                with handlers.scale(scale=t):
                    return f(*args)

            return g

        return decorator


    @tempered(2.0)
    def model(n):
        plain(n)
    """,
    a_lambda_that_decorates="""
    tempered = lambda f: handlers.scale(f, scale=2.0)
    model = tempered(plain)
    """,
    handed_to_what_runs_it="""
    def run(f, n):
        with handlers.scale(scale=2.0):
            f(n)


    run(plain, 3)
    """,
    handed_by_keyword="""
    def run(n, f=None):
        with handlers.scale(scale=2.0):
            f(n)


    run(3, f=plain)
    """,
    a_default_argument="""
    def run(n, f=plain):
        with handlers.scale(scale=2.0):
            f(n)
    """,
    handed_in_stars="""
    def run(n, *fs):
        with handlers.scale(scale=2.0):
            for f in fs:
                f(n)


    run(3, plain)
    """,
    handed_through_two="""
    def run(f, n):
        with handlers.scale(scale=2.0):
            f(n)


    def outer(g, n):
        run(g, n)


    outer(plain, 3)
    """,
    whatever_is_handed_in="""
    def run(f, n):
        with handlers.scale(scale=2.0):
            f(n)
    """,
    an_object_that_holds_it="""
    class T:
        def __init__(self, f):
            self.f = f

        def __call__(self, n):
            with handlers.scale(scale=2.0):
                self.f(n)


    model = T(plain)
    """,
    a_dataclass_that_holds_it="""
    import dataclasses


    @dataclasses.dataclass
    class T:
        f: object

        def run(self, n):
            with handlers.scale(scale=2.0):
                self.f(n)


    T(plain).run(3)
    """,
    a_class_that_decorates="""
    class Tempered:
        def __init__(self, f):
            self.f = f

        def __call__(self, n):
            with handlers.scale(scale=2.0):
                return self.f(n)


    @Tempered
    def model(n):
        plain(n)
    """,
    another_name="""
    f = plain


    def model(n):
        with handlers.scale(scale=2.0):
            f(n)
    """,
    a_local_name="""
    def model(n):
        f = plain
        with handlers.scale(scale=2.0):
            f(n)
    """,
    two_names_at_once="""
    f, g = plain, print


    def model(n):
        with handlers.scale(scale=2.0):
            f(n)
    """,
    a_lambda="""
    f = lambda n: plain(n)


    def model(n):
        with handlers.scale(scale=2.0):
            f(n)
    """,
    a_function_of_the_function="""
    def middle(n):
        plain(n)


    def model(n):
        with handlers.scale(scale=2.0):
            middle(n)
    """,
    a_walrus="""
    def model(n):
        with handlers.scale(scale=2.0):
            (f := plain)(n)
    """,
    a_choice="""
    def model(n):
        with handlers.scale(scale=2.0):
            (plain if n else print)(n)
    """,
    a_loop="""
    def model(n):
        with handlers.scale(scale=2.0):
            for f in [plain]:
                f(n)
    """,
    a_comprehension="""
    def model(n):
        with handlers.scale(scale=2.0):
            [f(n) for f in (plain,)]
    """,
    a_list_that_grows="""
    parts = []
    parts.append(plain)


    def model(n):
        with handlers.scale(scale=2.0):
            for part in parts:
                part(n)
    """,
    a_dictionary_that_grows="""
    parts = {}
    parts["a"] = plain


    def model(n):
        with handlers.scale(scale=2.0):
            parts["a"](n)
    """,
    globals_of_the_module="""
    def model(n):
        with handlers.scale(scale=2.0):
            globals()["plain"](n)
    """,
    a_map="""
    def model(n):
        with handlers.scale(scale=2.0):
            list(map(plain, [n]))
    """,
    a_reduction="model = functools.reduce(lambda m, h: h(m), [handlers.scale(scale=2.0)], plain)",
    compiled_in_the_block="""
    def model(n):
        with handlers.scale(scale=2.0):
            jax.jit(plain)(n)
    """,
    a_handler_by_a_name="""
    def model(n):
        h = handlers.scale(scale=2.0)
        with h:
            plain(n)
    """,
    a_block_of_the_module="with handlers.scale(scale=2.0):\n    plain(3)",
    a_match="""
    def model(n):
        match plain:
            case f:
                with handlers.scale(scale=2.0):
                    f(n)
    """,
    a_list_in_an_attribute="""
    class T:
        def __init__(self):
            self.parts = []

        def add(self, f):
            self.parts.append(f)

        def run(self, n):
            with handlers.scale(scale=2.0):
                for f in self.parts:
                    f(n)


    T().add(plain)
    """,
    by_the_module_itself="""
    import sys


    def model(n):
        with handlers.scale(scale=2.0):
            sys.modules[__name__].plain(n)
    """,
    an_evaluation="""
    def model(n):
        with handlers.scale(scale=2.0):
            eval("plain(n)")
    """,
    a_context_manager_that_decorates="""
    @contextlib.contextmanager
    def tempered():
        with handlers.scale(scale=2.0):
            yield


    @tempered()
    def model(n):
        plain(n)
    """,
    an_import_in_the_function="""
    def model(n):
        from numpyro.handlers import scale as s

        return s(plain, scale=2.0)(n)
    """,
)

#: The same, in what may be a plate or address sites as well.
ANYTHING = below(
    HEAD,
    a_handler_of_the_file="""
    class Tempered(numpyro.primitives.Messenger):
        def process_message(self, msg):
            msg["scale"] = 2.0


    model = Tempered(plain)
    """,
    entered_by_hand="""
    def model(n):
        h = handlers.scale(scale=2.0)
        h.__enter__()
        plain(n)
    """,
    a_context_manager_of_the_file="""
    @contextlib.contextmanager
    def tempered():
        with handlers.scale(scale=2.0):
            yield


    def model(n):
        with tempered():
            plain(n)
    """,
    entered_by_a_stack="""
    def model(n):
        with contextlib.ExitStack() as stack:
            stack.enter_context(handlers.scale(scale=2.0))
            plain(n)
    """,
)

WEIGHED_METHODS = below(
    METHOD,
    an_object_that_is_called="""
    def model(n):
        part = Base()
        with handlers.scale(scale=2.0):
            return part(n)
    """,
    a_method="""
    def model(n):
        with handlers.scale(scale=2.0):
            return Base().part(n)
    """,
    a_bound_method="""
    def model(n):
        f = Base().part
        with handlers.scale(scale=2.0):
            return f(n)
    """,
    an_unbound_method="""
    def model(n):
        with handlers.scale(scale=2.0):
            return Base.part(Base(), n)
    """,
    a_method_by_getattr="""
    class Other(Base):
        def model(self, n):
            with handlers.scale(scale=2.0):
                return getattr(self, "part")(n)
    """,
    a_method_of_a_base="""
    class Other(Base):
        def model(self, n):
            with handlers.scale(scale=2.0):
                return self.part(n)
    """,
    a_method_of_super="""
    class Other(Base):
        def part(self, n):
            with handlers.scale(scale=2.0):
                return super().part(n)
    """,
    a_method_that_is_kept="""
    class Other(Base):
        def __init__(self):
            self.run = self.part

        def model(self, n):
            with handlers.scale(scale=2.0):
                return self.run(n)
    """,
    an_object_in_an_attribute="""
    class Other:
        def __init__(self):
            self.base = Base()

        def model(self, n):
            with handlers.scale(scale=2.0):
                return self.base.part(n)
    """,
    an_object_that_is_handed_in="""
    def model(n, base):
        with handlers.scale(scale=2.0):
            return base.part(n)
    """,
    a_method_that_a_base_runs="""
    class Runner:
        def run(self, n):
            with handlers.scale(scale=2.0):
                return self.part(n)


    class Other(Base, Runner):
        pass
    """,
    a_method_given_to_a_handler="model = handlers.scale(Base().part, scale=2.0)",
    a_method_given_in_the_class="""
    class Other(Base):
        def model(self):
            return handlers.mask(mask=False)(self.part)
    """,
)


ONLY_WEIGHING = WEIGHED | {f"of a class: {name}": shape for name, shape in WEIGHED_METHODS.items()}
WEIGHING = ONLY_WEIGHING | ANYTHING


@pytest.mark.parametrize("source", WEIGHING.values(), ids=WEIGHING)
def test_a_constrained_site_is_refused_under_what_weighs(source: str) -> None:
    refusal = refused(source.replace("PRIOR", POSITIVE))
    assert "'a' isn't known to be real-valued, and " in refusal
    assert "weigh the determinant of its map too" in refusal


@pytest.mark.parametrize("by", ["LocScaleReparam", "TransformReparam", "ExplicitReparam"])
@pytest.mark.parametrize(
    "within",
    [
        "with handlers.scale(scale=0.5), numpyro.plate('i', 4):",
        "with handlers.mask(mask=n > 2), numpyro.plate('i', 4):",
        "with numpyro.plate('i', 4, subsample_size=2):",
    ],
)
def test_a_reparameterizer_is_refused_under_what_weighs(within: str, by: str) -> None:
    """The scale of a prior would be weighed with the site, as that of a constrained one."""
    source = HEAD.replace('with numpyro.plate("i", n):', within).replace("PRIOR", REAL)
    transform = 'transform = "dist.transforms.ExpTransform()"\n'
    config = f'[sites.a]\nreparam = "{by}"\n{transform * (by == "ExplicitReparam")}'
    with pytest.raises(Refusal, match=f"'a' is sampled by {by}, and the with in line "):
        rewritten(source, config)
    plated = source.replace(within, 'with numpyro.plate("i", n):')
    assert by.encode() in rewritten(plated, config).data


def test_a_rotation_is_not_refused_under_what_weighs() -> None:
    model = HEAD.replace("with ", "with handlers.scale(scale=0.5), ", 1)
    model = model.replace("PRIOR", "dist.GaussianRandomWalk(0.3, num_steps=4)")
    assert b"HaarReparam" in rewritten(model, '[sites.a]\nreparam = "HaarReparam"\n').data


@pytest.mark.parametrize("source", ANYTHING.values(), ids=ANYTHING)
def test_what_may_be_anything_is_refused(source: str) -> None:
    assert "'a' is sampled in" in refused(source.replace("PRIOR", REAL)) or "around 'a'" in refused(
        source.replace("PRIOR", REAL)
    )


@pytest.mark.parametrize("source", ONLY_WEIGHING.values(), ids=ONLY_WEIGHING)
def test_an_offset_of_a_real_valued_site_is_not(source: str) -> None:
    assert "ExplicitReparam" in written(source.replace("PRIOR", REAL))


#: Nothing that weighs is around the model.
BESIDE = below(
    HEAD,
    a_handler_in_another_function="""
    def other(n):
        with handlers.mask(mask=jnp.arange(n) < 2):
            numpyro.sample("z", dist.Normal(0, 1))
    """,
    a_handler_around_another_function="""
    def other(n):
        numpyro.sample("z", dist.Normal(0, 1))


    model = handlers.scale(scale=2.0)(other)
    """,
    another_function_by_a_name="""
    def other(n):
        numpyro.sample("z", dist.Normal(0, 1))


    f = other


    def model(n):
        plain(n)
        with handlers.scale(scale=2.0):
            f(n)
    """,
    another_function_that_is_handed_on="""
    def other(n):
        numpyro.sample("z", dist.Normal(0, 1))


    def run(f, n):
        with handlers.scale(scale=2.0):
            f(n)


    run(other, 3)
    """,
    a_method_of_the_same_name="""
    class Other:
        def plain(self, n):
            numpyro.sample("z", dist.Normal(0, 1))

        def model(self, n):
            with handlers.scale(scale=2.0):
                self.plain(n)
    """,
    a_method_of_an_array="""
    def other(x):
        with handlers.scale(scale=2.0):
            numpyro.sample("z", dist.Normal(x.mean(), 1))
    """,
    a_local_function_of_the_same_name="""
    def model(n):
        def plain(n):
            numpyro.sample("z", dist.Normal(0, 1))

        with handlers.scale(scale=2.0):
            plain(n)
    """,
    a_decorator_that_weighs_nothing="""
    def logged(f):
        @functools.wraps(f)
        def g(*args):
            print(f)
            return f(*args)

        return g


    model = logged(plain)
    """,
    a_decorator_that_is_imported="""
    from registry import register


    @register("plain")
    @jax.jit
    def model(n):
        return plain(n)
    """,
    a_model_that_is_fitted="""
    from numpyro.infer import SVI


    class Fit:
        def run(self, guide, x):
            self.params = SVI(plain, guide, x=x).run(x)
            with handlers.scale(scale=2.0):
                numpyro.sample("z", dist.Normal(jnp.dot(x, self.params), 1))
    """,
    an_attribute_of_a_foreign_base="""
    from elsewhere import Base


    class Part(Base):
        def run(self, n):
            with handlers.scale(scale=2.0):
                numpyro.sample("z", self.prior.expand([n]))
    """,
    harmless_handlers="model = handlers.trace(handlers.seed(handlers.scope(plain, 'g'), 0))",
    a_scaled_method_called_as_the_model_is="""
    class Other:
        def scale(self, f):
            return f


    model = Other().scale(plain)
    """,
    an_own_function_called_scale="""
    def scale(f, by):
        return f


    model = scale(plain, by=2.0)
    """,
)


@pytest.mark.parametrize("source", BESIDE.values(), ids=BESIDE)
def test_a_constrained_site_is_rewritten_beside_what_weighs(source: str) -> None:
    assert "ExplicitReparam" in written(source.replace("PRIOR", POSITIVE))


#: Each of these may fix the child, hide it, or make sites of its coefficients.
FIXED = below(
    HEAD.replace("PRIOR", REAL),
    condition='model = handlers.condition(plain, data={"a": 0.0})',
    curried='model = handlers.condition(data={"a": 0.0})(plain)',
    curried_by_a_name='h = handlers.condition(data={"a": 0.0})\nmodel = h(plain)',
    a_decorator="""
    @handlers.do(data={"a": 0.0})
    def model(n):
        plain(n)
    """,
    a_partial="""
    known = functools.partial(handlers.condition, data={"a": 0.0})
    model = known(plain)
    """,
    a_decorator_of_the_file="""
    def known(f):
        def g(*args):
            with handlers.condition(data={"a": 0.0}):
                return f(*args)

        return g


    model = known(plain)
    """,
    by_another_name="""
    f = lambda n: plain(n)


    def model(n):
        with handlers.substitute(data={"a": 0.0}):
            f(n)
    """,
    the_base="model = handlers.condition(plain, data={'a_base': 0.0})",
    condition_by_a_function="model = handlers.condition(plain, condition_fn=lambda site: None)",
    substitute_by_a_function="model = handlers.substitute(plain, substitute_fn=lambda site: None)",
    curried_by_a_function="model = handlers.condition(condition_fn=lambda site: None)(plain)",
    substitute_by_position="model = handlers.substitute(plain, None, lambda site: None)",
    hidden_by_a_function="model = handlers.block(plain, lambda site: site['name'] == 'a')",
    hidden_by_a_named_function="""
    def hide(site):
        return site["name"] == "a"


    model = handlers.block(plain, hide_fn=hide)
    """,
    hidden_by_types='model = handlers.block(plain, expose_types=["sample"])',
    hidden="model = handlers.block(plain, hide=['a'])",
    lifted="model = handlers.lift(plain, prior=dist.Normal(0, 1))",
    lifted_curried="model = handlers.lift(prior=dist.Normal(0, 1))(plain)",
    lifted_by_name="model = handlers.lift(plain, prior={'xi_a_mu': dist.Normal(0, 1)})",
    lifted_by_a_table="model = handlers.lift(plain, prior=PRIORS)",
    a_context_manager_of_the_file="""
    @contextlib.contextmanager
    def known():
        with handlers.condition(data={"a": 0.0}):
            yield


    def model(n):
        with known():
            plain(n)
    """,
    entered_by_a_stack="""
    def model(n):
        with contextlib.ExitStack() as stack:
            stack.enter_context(handlers.condition(data={"a": 0.0}))
            plain(n)
    """,
)


@pytest.mark.parametrize("source", FIXED.values(), ids=FIXED)
def test_what_may_address_the_child_is_refused(source: str) -> None:
    assert re.search("addresses '|is around 'a'|would make a site of", refused(source))


#: None of these concerns the child, its parent or its base.
ELSEWHERE = below(
    HEAD.replace("PRIOR", REAL),
    condition_on_another='model = handlers.condition(plain, data={"y": 0.0})',
    curried_on_another='model = handlers.condition(data={"y": 0.0})(plain)',
    hidden_is_another='model = handlers.block(plain, hide=["y"])',
    lifted_is_another='model = handlers.lift(plain, prior={"p": dist.Normal(0, 1)})',
    another_function_by_a_function="""
    def other(n):
        numpyro.sample("z", dist.Normal(0, 1))


    model = handlers.block(other, hide_fn=lambda site: True)
    """,
    another_function_lifted="""
    def other(n):
        numpyro.param("z", 0.0)


    model = handlers.lift(other, prior=dist.Normal(0, 1))
    """,
    uncondition="model = handlers.uncondition(plain)",
    data_of_an_argument="""
    def given(data):
        return handlers.condition(plain, data=data)
    """,
)


@pytest.mark.parametrize("source", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_concerns_other_sites_is_left_alone(source: str) -> None:
    assert "ExplicitReparam" in written(source)


@pytest.mark.parametrize(
    "keys", ['{"y": y}', "dict(y=y)", '{"y": y, "z": 0.0}'], ids=["literal", "dict", "two"]
)
def test_a_condition_of_others_tells_the_shape_of_the_child(keys: str) -> None:
    source = f"""
        def model(y, g, n_g):
            mu = numpyro.sample("mu", dist.Normal(0, 10))
            with handlers.condition(data={keys}), numpyro.plate("g", n_g):
                a = numpyro.sample("a", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal(mu + a[g], 1))
    """
    assert 'numpyro.param("xi_a_mu", jnp.zeros(n_g)) * mu' in written(inside(source))


def test_a_condition_of_the_parent_does_not() -> None:
    source = """
        def model(y, n):
            with handlers.condition(data={"mu": y}):
                mu = numpyro.sample("mu", dist.Normal(0, 10))
            a = numpyro.sample("a", dist.Normal(0, 1))
    """
    assert "jnp.mean(mu)" in written(inside(source))  # whatever shape it is given


SCAN = """
    def model(y, n):
        mu = numpyro.sample("mu", dist.Normal(0, 1))

        def step(x, t):
            a = numpyro.sample("a", dist.Normal(x, 1))
            numpyro.sample("y", dist.Normal(mu + a, 1))
            return a, None

        with HANDLER:
            scan(step, 0.0, jnp.arange(n))
"""


@pytest.mark.parametrize("name", ["condition", "substitute", "do"])
def test_a_condition_of_others_around_a_scan(name: str) -> None:
    source = SCAN.replace("HANDLER", f'handlers.{name}(data={{"y": y}})')
    assert "a = numpyro.deterministic(" in written(inside(source))


@pytest.mark.parametrize(
    "handler",
    [
        'handlers.condition(data={"a": y})',
        'handlers.condition(data={"mu": y})',
        'handlers.condition(data={"a_base": y})',
        "handlers.condition(data=y)",
        "handlers.scale(scale=2.0)",
        'numpyro.plate("n", 3)',
    ],
    ids=str,
)
def test_anything_else_around_a_scan_is_refused(handler: str) -> None:
    assert "'a' is" in refused(inside(SCAN.replace("HANDLER", handler)))


def inside(source: str) -> str:
    imports = "from numpyro.contrib.control_flow import scan\n"
    head = HEAD.partition("\n\n\ndef plain")[0] + "\n" + imports + "\n\n"
    return head + textwrap.dedent(source).strip() + "\n"


UNDER_A_PLATE = below(
    HEAD.replace("PRIOR", REAL),
    handed_on="""
    def many(f, n):
        with numpyro.plate("many", 3):
            f(n)


    many(plain, 3)
    """,
    a_lambda="""
    f = lambda n: plain(n)


    def model(n):
        with numpyro.plate("many", 3):
            f(n)
    """,
    through_another="""
    def middle(n):
        plain(n)


    def model(n):
        with numpyro.plate("many", 3):
            middle(n)
    """,
    a_curried_plate='model = numpyro.plate("many", 3)(plain)',
)


@pytest.mark.parametrize("source", UNDER_A_PLATE.values(), ids=UNDER_A_PLATE)
def test_a_plate_around_the_model_is_refused(source: str) -> None:
    assert "called under a plate" in refused(source)


def test_a_method_called_sample_is_not_the_one_of_numpyro() -> None:
    source = inside("""
        class Walk:
            def sample(self, k):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("k", k):
                    a = numpyro.sample("a", dist.Normal(0, 1))
    """)
    assert "jnp.zeros(k)" in written(source)


def test_a_method_does_not_call_a_function_of_its_name() -> None:
    source = inside("""
        def start(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))

        def model(clock, n):
            with numpyro.plate("n", n):
                clock.start(n)
    """)
    assert "ExplicitReparam" in written(source)


def test_a_moved_line_is_real_valued() -> None:
    prior = (
        "dist.TransformedDistribution(dist.Normal(0, 1), dist.transforms.AffineTransform(mu, 2))"
    )
    source = WEIGHED["curried"].replace("PRIOR", prior)
    assert "biject_to" not in written(source)


BY = """
    def model(n):
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        s = numpyro.sample("s", PRIOR)
        a = numpyro.sample("a", dist.Normal(0, 1))
"""


@pytest.mark.parametrize("power", ["0.5", "{}"])
@pytest.mark.parametrize(
    "prior",
    [
        "dist.Normal(0, 1)",
        "dist.VonMises(0, 1)",
        "dist.Uniform(-1, 1)",
        "dist.Uniform(low, 1)",
        "dist.TruncatedNormal(0, 1, high=2.0)",
        "made()",
    ],
    ids=str,
)
def test_a_power_of_what_may_be_negative_is_refused(prior: str, power: str) -> None:
    config = f'{A_BY_MU}scale = {{ by = "s", power = {power} }}\n'
    assert "'s' isn't known to be positive" in refused(inside(BY.replace("PRIOR", prior)), config)


@pytest.mark.parametrize(
    ("prior", "power"),
    [
        ("dist.HalfNormal(1)", "0.5"),
        ("dist.HalfNormal(1)", "{}"),
        ("dist.Beta(1, 1)", "0.5"),
        ("dist.Uniform(0, 5)", "0.5"),
        ("dist.TruncatedNormal(0, 1, low=0.0)", "0.5"),
        ("dist.Pareto(1, 1)", "0.5"),
        ("dist.Normal(0, 1)", "1"),
    ],
    ids=str,
)
def test_a_power_of_what_is_positive_and_a_whole_power(prior: str, power: str) -> None:
    config = f'{A_BY_MU}scale = {{ by = "s", power = {power} }}\n'
    assert "a_scale" in written(inside(BY.replace("PRIOR", prior)), config)


def written(source: str, config: str = A_BY_MU) -> str:
    return rewritten(source.encode(), only(source, config)).data.decode()


def refused(source: str, config: str = A_BY_MU) -> str:
    with pytest.raises(Refusal) as refusal:
        rewritten(source.encode(), only(source, config))
    return str(refusal.value)


def only(source: str, config: str) -> str:
    """Of several functions the one that samples the child itself."""
    name = "plain" if "def plain(n):\n    mu" in source else ""
    name = "Base.part" if "class Base:" in source else name
    return f'functions = ["{name}"]\n{config}' if name else config


#: What is rewritten under handlers, and under a scale that may be negative, to be run.
RUN = {
    "a scan in a condition": (
        inside(SCAN.replace("HANDLER", 'handlers.condition(data={"y": y})')),
        A_BY_MU,
        3,
    ),
    "a condition of others": (
        inside("""
            def model(y, n):
                mu = numpyro.sample("mu", dist.Normal(0, 10))
                with handlers.condition(data={"y": y}), numpyro.plate("g", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
                    numpyro.sample("y", dist.Normal(mu + a, 1))
        """),
        A_BY_MU,
        3,
    ),
    "a real-valued site in a scaled model": (
        inside("""
            def tempered(f):
                @functools.wraps(f)
                def g(*args):
                    with handlers.scale(scale=2.0), handlers.mask(mask=True):
                        return f(*args)

                return g


            @tempered
            def model(y, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("i", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
                    numpyro.sample("y", dist.Normal(mu + a, 1), obs=y)
        """),
        A_BY_MU,
        3,
    ),
    "a whole power of what may be negative": (
        inside("""
            def model(y, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                s = numpyro.sample("s", dist.Normal(0, 1))
                with numpyro.plate("i", n):
                    a = numpyro.sample("a", dist.Normal(0, jnp.exp(s)))
        """),
        f'{A_BY_MU}scale = {{ by = "s", power = 1 }}\n',
        3,
    ),
}


@pytest.mark.parametrize(
    ("source", "config", "n"),
    [
        pytest.param(*case, id=name, marks=[pytest.mark.long] * ("scan" in name))
        for name, case in RUN.items()
    ],
)
def test_the_density_is_that_of_the_plain_model(source: str, config: str, n: int) -> None:
    import jax.numpy as jnp

    from tests.support.execution import assert_equivalent, load_model

    generated = load_model(written(source, config))
    args = (jnp.linspace(-1.0, 2.0, n), n)
    signs = "scale" not in config  # a negative scale turns the offset round
    assert_equivalent(load_model(source), generated, args, points=5, offsets=signs)


def test_a_class_may_be_defined_twice() -> None:
    source = textwrap.dedent(
        """\
        import numpyro
        import numpyro.distributions as dist

        try:
            class Effects:
                width = 1
        except ImportError:
            class Effects:
                width = 2


        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(mu, Effects().width))
        """
    )
    assert b"a_reparam" in rewritten(source, A_BY_MU).data
