"""Models that call functions of other files: these are read there, and never changed."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from reparam_rewrite.cli.report import accounted
from reparam_rewrite.config.reading import read_config
from reparam_rewrite.messages import Refusal
from reparam_rewrite.rewriting import Rewrite, rewrite
from reparam_rewrite.source.reading import read
from reparam_rewrite.survey import linking
from tests.support.cli import run

_number = itertools.count()

OFFSET = '[sites.a]\noffset = "mu"\n'
SHARED = '[sites.a]\noffset = "mu"\ncoefficient = "shared"\n'

HEAD = "import numpyro\nimport numpyro.distributions as dist\n"

PARTS = """\
import numpyro
import numpyro.distributions as d


def effect(name, n, sd=1.0):
    with numpyro.plate(f"{name}_plate", n):
        return numpyro.sample(name, d.Normal(0, sd))
"""

BODY = """
def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = CALL("a", n)
    numpyro.sample("y", dist.Normal(mu + a, 1), obs=0.5)
"""


class Project:
    """A package in a folder of its own, under a name that no other test has."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.name = f"project_{next(_number)}"
        self.folder = folder / self.name
        self.write("__init__.py", "")

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode() if isinstance(text, str) else text
        file.write_bytes(data.replace(b"PACKAGE", self.name.encode()))
        return file

    def rewrite(self, config: str = OFFSET, model: str = "model.py") -> Rewrite:
        path = str(self.folder / model)
        return rewrite(read(path), read_config(config.encode(), "offsets.toml"), 88)

    def refusal(self, config: str = OFFSET, model: str = "model.py") -> str:
        with pytest.raises(Refusal) as caught:
            self.rewrite(config, model)
        return str(caught.value).replace(str(self.folder), "FOLDER").replace(self.name, "PACKAGE")

    def code(self, config: str = OFFSET, model: str = "model.py") -> str:
        return self.rewrite(config, model).data.decode()

    def assert_equivalent(
        self, args: Sequence[Any], config: str = OFFSET, model: str = "model.py"
    ) -> None:
        """Assert that the generated model is the plain one, and samples bases of its children."""
        from reparam_rewrite.running.load import function_in, load
        from tests.support.execution import assert_equivalent, structure

        before = self.files()
        given = self.folder / model
        generated = self.write(f"{given.stem}_generated.py", self.rewrite(config, model).data)
        plain, made = (
            function_in(load(str(path), "model", "model"), "model", str(path))
            for path in (given, generated)
        )
        assert_equivalent(plain, made, args, points=5, anew=True)
        children = read_config(config.encode(), "offsets.toml").sites
        assert {f"{child}_base" for child in children} <= structure(made, args, {}).keys()
        generated.unlink()
        assert self.files() == before

    def files(self) -> dict[Path, bytes]:
        return {file: file.read_bytes() for file in self.folder.rglob("*.py")}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    path, modules = [*sys.path], {*sys.modules}
    made = Project(tmp_path)
    made.write("parts.py", PARTS)
    yield made
    sys.path[:] = path
    for name in {*sys.modules} - modules:
        if name.startswith(made.name) or name == "beside":
            del sys.modules[name]


def model(imports: str, call: str = "effect", body: str = BODY) -> str:
    return f"{HEAD}{imports}\n{body.replace('CALL', call)}"


# -- how a function is imported --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("from .parts import effect", "effect"),
        ("from .parts import effect as made", "made"),
        ("from . import parts", "parts.effect"),
        ("from . import parts as p", "p.effect"),
        ("from PACKAGE.parts import effect", "effect"),
        ("from PACKAGE import parts", "parts.effect"),
        ("import PACKAGE.parts", "PACKAGE.parts.effect"),
        ("import PACKAGE.parts as p", "p.effect"),
        ("from .parts import *", "effect"),
        ("from .hub import effect", "effect"),
        ("from .hub import renamed", "renamed"),
        ("from . import hub", "hub.effect"),
        ("from .hub.inner import parts as p", "p.effect"),
        ("from .all import effect", "effect"),
        ("import beside as b", "b.effect"),
        (
            "try:\n    from .parts import effect\nexcept ImportError:\n    effect = None",
            "effect",
        ),
        (
            "try:\n    from .parts import effect\nexcept ImportError:\n"
            "    from PACKAGE.parts import effect",
            "effect",
        ),
    ],
)
def test_a_function_is_found_by_its_import(project: Project, imports: str, call: str) -> None:
    project.write("hub/__init__.py", "from .inner import effect, effect as renamed\n")
    project.write("hub/inner.py", "from .. import parts\nfrom ..parts import effect\n")
    project.write("all.py", "from .parts import *\n")
    (project.root / "beside.py").write_text(PARTS)
    project.write("model.py", model(imports, call))
    project.assert_equivalent((3,))


def test_an_import_in_the_function_is_found(project: Project) -> None:
    body = BODY.replace("(n):\n", "(n):\n    from .parts import effect\n\n")
    project.write("model.py", model("", body=body))
    project.assert_equivalent((3,))


def test_a_module_beside_a_model_in_no_package_is_found(project: Project) -> None:
    project.write("model.py", model("from beside import effect"))
    project.write("beside.py", PARTS)
    (project.folder / "__init__.py").unlink()
    project.assert_equivalent((3,))


def test_modules_at_the_root_and_in_src_are_found(project: Project) -> None:
    (project.root / "pyproject.toml").write_text("")
    library = project.root / "src" / "library"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text("")
    (library / "parts.py").write_text(PARTS)
    (project.folder / "__init__.py").unlink()
    project.write("model.py", model("from library.parts import effect"))
    assert 'config={"a": a_reparam}):\n        a = effect("a", n)' in project.code()


# -- what the handler goes around ------------------------------------------------------------------


def test_the_handler_goes_around_the_call(project: Project) -> None:
    project.write("model.py", model("from .parts import effect"))
    wanted = """\
        a_loc = numpyro.param("xi_a_mu", jnp.zeros(n)) * mu
        a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
        with numpyro.handlers.reparam(config={"a": a_reparam}):
            a = effect("a", n)
    """
    assert dedent(wanted).replace("\n", "\n    ").rstrip() in project.code()


def test_the_account_names_the_file_that_samples(project: Project) -> None:
    project.write("model.py", model("from .parts import effect"))
    lines = accounted(project.rewrite(), 1)
    told = [line.replace(str(project.folder), "FOLDER") for line in lines]
    assert told == ["FOLDER/model.py:7 a <- mu (offsets.toml:1), sampled in FOLDER/parts.py:7"]


def test_the_json_names_the_file_that_samples(project: Project) -> None:
    project.write("model.py", model("from .parts import effect"))
    project.write("c.toml", OFFSET)
    arguments = ("model.py", "--config", "c.toml", "-o", "out.py", "--format", "json")
    told = json.loads(run(project.folder, *arguments).out)
    assert told["targets"][0]["sites"][0]["sampled"] == {
        "path": "parts.py",
        "line": 7,
        "column": 16,
    }


# -- what a function of another file means ---------------------------------------------------------

#: Below the imports of `PARTS`, what `BODY` calls.
HEAD_OF_PARTS = "import jax.numpy as jnp\nimport numpyro\nimport numpyro.distributions as d\n"


def parts(body: str) -> str:
    return HEAD_OF_PARTS + dedent(body)


def test_names_are_those_of_its_own_module(project: Project) -> None:
    text = """
        N = 3
        mu = 7.0
        dist = d

        def effect(name, n):
            y = 2.0
            with numpyro.plate("p", n):
                return numpyro.sample(name, dist.Normal(mu * 0 + N, y))
    """
    project.write("parts.py", parts(text))
    project.write("model.py", model("from .parts import effect\n\nN = 5\nd = 3.0\ny = None"))
    project.assert_equivalent((3,))


def test_a_builtin_that_the_model_hides_is_still_the_functions_own(project: Project) -> None:
    text = """
        def effect(name, n):
            with numpyro.plate("p", len([0] * n)):
                return numpyro.sample(name, d.Normal(0, 1))
    """
    project.write("parts.py", parts(text))
    project.write("model.py", model("from .parts import effect\n\n\ndef len(x):\n    return 1\n"))
    project.assert_equivalent((3,), SHARED)


def test_names_of_a_star_are_the_functions_own(project: Project) -> None:
    text = """\
        from numpyro import *
        from numpyro.distributions import *

        def effect(name, n):
            with plate("p", n):
                return sample(name, Normal(0, 1))
    """
    project.write("parts.py", dedent(text))
    project.write("model.py", model("from .parts import effect"))
    project.assert_equivalent((3,))


def test_two_functions_of_one_name_are_told_apart(project: Project) -> None:
    project.write("other.py", PARTS.replace("d.Normal(0, sd)", "d.LogNormal(0, sd)"))
    body = """
def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = effect("a", n)
    b = second("b", n)
    numpyro.sample("y", dist.Normal(mu + a + b, 1), obs=0.5)
"""
    imports = "from .parts import effect\nfrom .other import effect as second"
    project.write("model.py", model(imports, body=body))
    project.assert_equivalent((3,), OFFSET + '[sites.b]\noffset = ["mu", "a"]\n')


def test_a_function_that_is_called_twice_samples_by_each_name(project: Project) -> None:
    body = """
def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = effect("a", n)
    b = effect("b", n, sd=2.0)
    numpyro.sample("y", dist.Normal(mu + a + b, 1), obs=0.5)
"""
    project.write("model.py", model("from .parts import effect", body=body))
    project.assert_equivalent((3,), OFFSET + '[sites.b]\noffset = ["mu", "a"]\n')


def test_a_function_of_a_third_file_is_followed(project: Project) -> None:
    text = """
        from .third import effect as deeper

        def effect(name, n):
            return deeper(name, n, 2.0)
    """
    project.write("third.py", PARTS)
    project.write("parts.py", parts(text))
    project.write("model.py", model("from .parts import effect"))
    project.assert_equivalent((3,))


def test_a_function_of_the_model_that_calls_one_is_followed(project: Project) -> None:
    own = "from .parts import effect\n\n\ndef own(name, n):\n    return effect(name, n, 2.0)\n"
    project.write("model.py", model(own, "own"))
    project.assert_equivalent((3,))


def test_files_that_import_each_other_are_read_once(project: Project) -> None:
    text = """
        def effect(name, n):
            from . import model as m

            return m.inner(name, n, m.SD)
    """
    own = """
SD = 2.0


def inner(name, n, sd):
    with numpyro.plate(f"{name}_p", n):
        return numpyro.sample(name, dist.Normal(0, sd))


from .parts import effect
"""
    project.write("parts.py", parts(text))
    project.write("model.py", model(own))
    project.assert_equivalent((3,))


def test_imports_in_a_circle_come_to_nothing(project: Project) -> None:
    project.write("one.py", "from .two import effect\n")
    project.write("two.py", "from .one import effect\n")
    project.write("model.py", model("from .one import effect"))
    assert "its imports go in a circle" in project.refusal()


def test_parents_that_it_samples_offset_a_site(project: Project) -> None:
    text = """
        def top(sd):
            s = 2.0 * sd
            return numpyro.sample("mu", d.Normal(0, s))
    """
    body = """
def model(n):
    mu = top(3.0)
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(mu + a, 1), obs=0.5)
"""
    project.write("parts.py", parts(text))
    project.write("model.py", model("from .parts import top", body=body))
    project.assert_equivalent((3,))


def test_a_plate_that_it_makes_is_known(project: Project) -> None:
    body = """
def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    with parts.rows(n):
        a = numpyro.sample("a", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(mu + a, 1), obs=0.5)
"""
    project.write("parts.py", parts('def rows(n):\n    return numpyro.plate("rows", n)\n'))
    project.write("model.py", model("from . import parts", body=body))
    assert 'numpyro.param("xi_a_mu", jnp.zeros(n)) * mu' in project.code()
    project.assert_equivalent((3,))


def test_a_prior_that_it_makes_stays_in_the_call(project: Project) -> None:
    body = """
def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = numpyro.sample("a", parts.prior(n))
    numpyro.sample("y", dist.Normal((mu + a).sum(), 1), obs=0.5)
"""
    text = "K = 3\n\n\ndef prior(n):\n    return d.Normal(0, 1).expand([n, K]).to_event(1)\n"
    project.write("parts.py", parts(text))
    project.write("model.py", model("from . import parts", body=body))
    project.assert_equivalent((2,))


def test_a_method_of_a_base_class_is_followed(project: Project) -> None:
    text = """
        class Base:
            def effect(self, name, n):
                with numpyro.plate("p", n):
                    return numpyro.sample(name, d.Normal(0, 1))
    """
    body = """
class M(Base):
    def model(self, n):
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        a = self.effect("a", n)
        numpyro.sample("y", dist.Normal(mu + a, 1), obs=0.5)


def model(n):
    return M().model(n)
"""
    project.write("parts.py", parts(text))
    project.write("model.py", model("from .parts import Base", body=body))
    project.assert_equivalent((3,))


def test_a_nested_function_is_found_by_what_it_calls(project: Project) -> None:
    body = """
def make():
    def inner(n):
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        a = effect("a", n)
        numpyro.sample("y", dist.Normal(mu + a, 1), obs=0.5)

    return inner


model = make()
"""
    project.write("model.py", model("from .parts import effect", body=body))
    project.assert_equivalent((3,))


def test_a_parent_that_is_sampled_later_is_moved_above_the_call(project: Project) -> None:
    body = """
def model(n):
    a = effect("a", n)
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(mu + a, 1), obs=0.5)
"""
    project.write("model.py", model("from .parts import effect", body=body))
    project.assert_equivalent((3,), 'chain = ["mu", "a"]\n[sites.a]\noffset = "mu"\n')


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + PARTS.encode().replace(b"\n", b"\r\n"),
        b"# -*- coding: latin-1 -*-\n# \xe9\n" + PARTS.encode(),
        b"\x0c\n" + PARTS.rstrip().encode(),
    ],
    ids=["byte order mark", "latin-1", "form feed, no last line end"],
)
def test_a_file_may_be_encoded_in_any_way(project: Project, data: bytes) -> None:
    project.write("parts.py", data)
    project.write("model.py", model("from .parts import effect").replace("\n", "\r\n").rstrip())
    project.assert_equivalent((3,))


def test_comments_of_its_file_count(project: Project) -> None:
    project.write("parts.py", PARTS.rstrip() + "  # reparam: skip\n")
    project.write("model.py", model("from .parts import effect"))
    assert project.code() == model("from .parts import effect")


def test_a_loop_of_calls_is_offset_by_a_glob(project: Project) -> None:
    body = """
def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    for k in range(2):
        effect(f"a_{k}", n)
"""
    project.write("model.py", model("from .parts import effect", body=body))
    code = project.code('[sites."a_*"]\noffset = "mu"\n')
    assert "with numpyro.handlers.reparam(config={f'a_{k}': a_k_reparam}):" in code


def test_a_predictor_of_another_file_tells_how_sites_meet(project: Project) -> None:
    text = PARTS + "\n\ndef predictor(s, a, county):\n    return s + a[county]\n"
    body = """
def model(county, state, y=None):
    s = effect("s", 3)
    a = effect("a", 5)
    numpyro.sample("y", dist.Normal(predictor(s[state], a, county), 1), obs=y)
"""
    project.write("parts.py", text)
    project.write("model.py", model("from .parts import effect, predictor", body=body))
    assert "county_s = jnp.zeros(5).at[county].add(s[state])" in project.code('chain = ["s", "a"]')


def test_a_notebook_finds_what_is_beside_it(project: Project) -> None:
    cells = [
        {"cell_type": "code", "source": part, "metadata": {}, "outputs": [], "execution_count": 1}
        for part in (f"{HEAD}from parts import effect", BODY.replace("CALL", "effect"))
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    for number, cell in enumerate(cells):
        cell["id"] = f"c{number}"
    project.write("model.ipynb", json.dumps(notebook))
    (project.folder / "__init__.py").unlink()
    assert "numpyro.handlers.reparam(config=" in project.code(model="model.ipynb")


# -- what can't be told, or done -------------------------------------------------------------------

CONSTANT = """
    N = 3

    def effect(name, n):
        with numpyro.plate("p", N):
            return numpyro.sample(name, d.Normal(0, 1))
"""


def test_a_size_of_its_module_is_not_written_in_the_model(project: Project) -> None:
    project.write("parts.py", parts(CONSTANT))
    project.write("model.py", model("from .parts import effect\n\nN = 5"))
    told = project.refusal()
    assert "the shape or support of 'a' can't be read from the source" in told
    assert 'use coefficient = "shared"' in told


@pytest.mark.parametrize(
    ("imports", "call", "size"),
    [
        ("from . import parts", "parts.effect", "parts.N"),
        ("from . import parts as p", "p.effect", "p.N"),
        ("from .parts import N as K, effect", "effect", "K"),
    ],
)
def test_a_size_of_its_module_is_written_as_the_model_reads_it(
    project: Project, imports: str, call: str, size: str
) -> None:
    project.write("parts.py", parts(CONSTANT))
    project.write("model.py", model(imports, call))
    assert f'numpyro.param("xi_a_mu", jnp.zeros({size})) * mu' in project.code()
    project.assert_equivalent((3,))


@pytest.mark.parametrize(
    ("imports", "arguments"),
    [
        ("from . import parts\n\nparts.N = 4", "(n)"),
        ("from . import parts\n\nsys.modules[parts.__name__].N = 4", "(n)"),
        ("from . import parts\nfrom .parts import effect", "(n, parts=None)"),
        ("try:\n    from . import parts\nexcept ImportError:\n    parts = None", "(n)"),
    ],
    ids=["set", "set by another handle", "hidden", "not certain"],
)
def test_a_size_that_may_be_another_is_not_written(
    project: Project, imports: str, arguments: str
) -> None:
    project.write("parts.py", parts(CONSTANT))
    call = "effect" if "effect" in imports else "parts.effect"
    project.write("model.py", model(imports, call, BODY.replace("(n):", f"{arguments}:")))
    project.refusal()


def test_a_shared_coefficient_needs_no_size(project: Project) -> None:
    project.write("parts.py", parts(CONSTANT))
    project.write("model.py", model("from .parts import effect\n\nN = 5"))
    project.assert_equivalent((3,), SHARED)


def test_a_name_that_is_made_of_its_module_can_not_be_matched(project: Project) -> None:
    text = """
        PREFIX = "g"

        def effect(name, n):
            with numpyro.plate("p", n):
                return numpyro.sample(f"{PREFIX}_{name}", d.Normal(0, 1))
    """
    project.write("parts.py", parts(text))
    project.write("model.py", model("from .parts import effect\n\nPREFIX = 'h'"))
    told = project.refusal('[sites."*_a"]\noffset = "mu"\n')
    assert "The name of one more can't be told" in told


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        ("scale(scale=2.0)", "the with in line 6 of parts.py would weigh the determinant"),
        ("mask(mask=True)", "the with in line 6 of parts.py would weigh the determinant"),
        (
            "condition(data={'a': 0.0})",
            "the condition handler in line 6 of parts.py gives its value",
        ),
        (
            "substitute(data={'a': 0.0})",
            "addressed by name by the handler in line 6 of parts.py",
        ),
        ("reparam(config={'a': None})", "already has a reparam handler (line 6 of parts.py)"),
        ("block()", "sampled inside of a block handler (line 6 of parts.py)"),
        ("scope(prefix='g')", "'a' is sampled by 'parts.effect' inside of a handler of its own"),
    ],
)
def test_handlers_in_it_are_seen(project: Project, handler: str, told: str) -> None:
    text = f"""
        def effect(name, n):
            with numpyro.handlers.{handler}, numpyro.plate("p", n):
                return numpyro.sample(name, d.HalfNormal(1))
    """
    project.write("parts.py", parts(text))
    project.write("model.py", model("from .parts import effect"))
    assert told in project.refusal()


def test_a_context_of_another_file_that_weighs_is_seen(project: Project) -> None:
    text = """
        from contextlib import contextmanager

        @contextmanager
        def soft():
            with numpyro.handlers.scale(scale=0.5):
                yield
    """
    body = """
def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    with parts.soft():
        a = numpyro.sample("a", dist.HalfNormal(1))
"""
    project.write("parts.py", parts(text))
    project.write("model.py", model("from . import parts", body=body))
    assert "would weigh the determinant" in project.refusal()


def test_a_handler_that_another_file_puts_around_the_model_is_seen(project: Project) -> None:
    body = BODY.replace("CALL", "effect").replace("def model", "def plain")
    own = "from .parts import conditioned, effect\n" + body + "\nmodel = conditioned(plain)\n"
    text = "\n\ndef conditioned(f):\n    return numpyro.handlers.condition(f, {'a': 0.0})\n"
    project.write("parts.py", PARTS + text)
    project.write("model.py", HEAD + own)
    assert (
        "FOLDER/parts.py:11:12: this condition handler addresses 'a' by name" in project.refusal()
    )


def test_a_decorator_of_another_file_that_weighs_is_seen(project: Project) -> None:
    text = """
        import functools

        def soft(f):
            @functools.wraps(f)
            def inner(*args):
                with numpyro.handlers.scale(scale=0.5):
                    return f(*args)
            return inner
    """
    body = """
@soft
def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = numpyro.sample("a", dist.HalfNormal(1))
"""
    project.write("parts.py", parts(text))
    project.write("model.py", model("from .parts import soft", body=body))
    assert "the with in line 10 of parts.py, where 'model' is called" in project.refusal()


def test_sites_of_one_call_are_not_offset_by_each_other(project: Project) -> None:
    text = """
        def effects(n):
            mu = numpyro.sample("mu", d.Normal(0, 1))
            with numpyro.plate("p", n):
                return mu, numpyro.sample("a", d.Normal(0, 1))
    """
    body = "\n\ndef model(n):\n    mu, a = effects(n)\n"
    project.write("parts.py", parts(text))
    project.write("model.py", model("from .parts import effects", body=body))
    assert "hint: sample one of them in 'model' itself." in project.refusal()


@pytest.mark.parametrize(
    "definition",
    [
        "@functools.cache\ndef effect(name, n):\n    BODY",
        "def effect(*args):\n    name, n = args\n    BODY",
        "SD = 1.0\n\n\ndef effect(name, n, sd=SD):\n    BODY",
        "COUNT = 0\n\n\ndef effect(name, n):\n    global COUNT\n    COUNT += 1\n    BODY",
    ],
    ids=["decorated", "starred", "a default that is computed", "global"],
)
def test_what_can_not_be_followed_is_named(project: Project, definition: str) -> None:
    sampled = "return numpyro.sample(name, d.Normal(0, 1).expand([n]))"
    project.write("parts.py", parts("import functools\n\n\n" + definition.replace("BODY", sampled)))
    project.write("model.py", model("from .parts import effect"))
    assert "'parts.effect' may sample it, and isn't called in a way" in project.refusal()


def test_the_model_of_a_base_class_is_named(project: Project) -> None:
    base = PARTS + "\n\nclass Base:\n    def model(self, n):\n        effect('a', n)\n"
    own = (
        "\n\nclass M(Base):\n    pass\n\n\ndef other():\n    numpyro.sample('b', dist.Normal(0, 1))"
    )
    project.write("parts.py", base)
    project.write("model.py", model("from .parts import Base", body=own))
    told = "'parts.Base.model' samples it, of another file: FOLDER/parts.py:12."
    assert told in project.refusal()


@pytest.mark.parametrize(
    "change",
    [
        "parts.effect = other",
        "setattr(parts, 'effect', other)",
        "mock.patch.object(parts, 'effect', other).start()",
        "vars(parts)['effect'] = other",
        "parts.__dict__['effect'] = other",
        "importlib.reload(parts)",
        "sys.modules['PACKAGE.parts'].effect = other",
        "p = parts\np.effect = other",
        "mock.patch('PACKAGE.parts.effect', other).start()",
        "mock.patch.multiple(parts, effect=other).start()",
        "def change():\n    parts.effect = other",
        "del parts.effect",
    ],
)
def test_a_function_that_is_set_anew_is_not_taken_for_what_it_was(
    project: Project, change: str
) -> None:
    project.write("model.py", model(f"from . import parts\n\n{change}", "parts.effect"))
    assert "it is set anew from another place" in project.refusal()


def test_a_function_that_another_file_sets_anew_is_not_taken_either(project: Project) -> None:
    third = "from . import parts\n\nparts.effect = None\n" + PARTS.replace("effect", "third")
    own = "from . import parts\nfrom .third import third"
    body = BODY.replace("CALL", "parts.effect") + '    third("t", n)\n'
    project.write("third.py", third)
    project.write("model.py", model(own, body=body))
    assert "it is set anew from another place" in project.refusal()


@pytest.mark.parametrize(
    ("imports", "call", "signature"),
    [
        ("from .parts import effect", "effect", "(n, effect):"),
        ("from . import parts", "parts.effect", "(n, parts):"),
        ("from .parts import effect\n\neffect = other(effect)", "effect", "(n):"),
        ("from .parts import effect\n\n\ndef effect(*a):\n    return 0.0", "effect", "(n):"),
        ("for effect in ():\n    pass\nfrom .parts import effect", "effect", "(n):"),
    ],
)
def test_a_name_that_is_something_else_is_not_followed(
    project: Project, imports: str, call: str, signature: str
) -> None:
    body = BODY.replace("(n):", signature)
    project.write("model.py", model(imports, call, body))
    assert "'model' samples no site 'a'" in project.refusal()


def test_one_of_two_functions_is_not_chosen(project: Project) -> None:
    project.write("other.py", PARTS.replace("d.Normal(0, sd)", "d.LogNormal(0, sd)"))
    imports = "if FAST:\n    from .parts import effect\nelse:\n    from .other import effect"
    project.write("model.py", model(imports))
    assert "it is bound more than once" in project.refusal()


def test_a_function_that_its_module_binds_anew_is_not_followed(project: Project) -> None:
    project.write("parts.py", PARTS + "\n\neffect = jit(effect)\n")
    project.write("model.py", model("from .parts import effect"))
    assert "it is bound more than once" in project.refusal()


def test_one_of_two_files_is_not_chosen(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    (project.root / "beside.py").write_text(PARTS)
    project.write("beside.py", PARTS)
    project.write("model.py", model("from beside import effect"))
    told = project.refusal()
    assert "it may be FOLDER/beside.py or " in told
    assert "depending on how it is run" in told


def test_a_module_that_is_not_found_is_named(project: Project) -> None:
    project.write("model.py", model("from missing_mod import effect"))
    told = "'effect' of 'missing_mod' may sample it, and can't be read: no file of the project is"
    assert told in project.refusal()


def test_what_is_installed_is_not_read(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project.root / "site-packages"
    folder.mkdir()
    (folder / "installed.py").write_text(PARTS)
    monkeypatch.chdir(folder)
    project.write("model.py", model("from installed import effect"))
    assert "'effect' of 'installed' may sample it" in project.refusal()


def test_a_file_that_is_not_python_is_shown(project: Project) -> None:
    project.write("parts.py", "x = 1\ndef effect(name:\n    pass\n")
    project.write("model.py", model("from .parts import effect"))
    told = """
        FOLDER/parts.py:2:11: not valid Python: '(' was never closed
            def effect(name:
                      ^
    """
    assert dedent(told).strip() in project.refusal()


def test_a_file_with_an_error_hinders_no_other_site(project: Project) -> None:
    project.write("broken.py", "def other(x:\n")
    project.write("model.py", model("from .parts import effect\nfrom .broken import other"))
    assert "numpyro.handlers.reparam(config=" in project.code()


def test_a_module_is_not_executed(project: Project) -> None:
    project.write("parts.py", f"{PARTS}\n\nraise SystemExit('executed')\n")
    project.write("model.py", model("from .parts import effect"))
    assert "numpyro.handlers.reparam(config=" in project.code()


def test_what_only_its_own_run_does_is_left_out(project: Project) -> None:
    own = "numpyro.handlers.condition(effect, {'a': 0.0})('a', 3)"
    project.write("parts.py", f"{PARTS}\n\nif __name__ == '__main__':\n    {own}\n")
    project.write("model.py", model("from .parts import effect"))
    project.assert_equivalent((3,))


def test_a_change_of_its_file_makes_the_generated_file_stale(project: Project) -> None:
    project.write("model.py", model("from .parts import effect"))
    project.write("c.toml", OFFSET)
    arguments = ("model.py", "--config", "c.toml", "-o", "out.py")
    first = run(project.folder, *arguments).status
    fresh = run(project.folder, *arguments, "--check").status
    project.write("parts.py", PARTS.replace("d.Normal(0, sd)", "d.HalfNormal(sd)"))
    assert (first, fresh, run(project.folder, *arguments, "--check").status) == (0, 0, 1)


def test_a_proposal_has_the_sites_of_other_files(project: Project) -> None:
    body = """
def model(g, n, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = effect("a", n)
    numpyro.sample("y", dist.Normal(mu + a[g], 1), obs=y)
"""
    project.write("model.py", model("from .parts import effect", body=body))
    assert b'conditional = ["mu", "a"]' in run(project.folder, "suggest", "model.py").out


def test_a_function_that_its_package_sets_anew_is_not_taken_either(project: Project) -> None:
    project.write("__init__.py", "from . import parts\n\nparts.effect = None\n")
    project.write("model.py", model("from .parts import effect"))
    assert "it is set anew from another place" in project.refusal()


def test_a_text_without_a_path_is_in_no_project(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    config = read_config(OFFSET.encode(), "offsets.toml")
    text = model("from parts import effect")
    with pytest.raises(Refusal, match="no file of the project is found for it"):
        rewrite(read("<source>", text), config, 88)


def test_standard_input_is_in_the_current_folder(project: Project) -> None:
    project.write("c.toml", OFFSET)
    text = model("from parts import effect").encode()
    ran = run(project.folder, "-", "--config", "c.toml", stdin=text)
    assert b"numpyro.handlers.reparam(config=" in ran.out


def test_what_is_too_large_is_not_read(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "LARGEST", 1)
    project.write("model.py", model("from .parts import effect"))
    assert "more of the project is behind it than is read" in project.refusal()


@pytest.mark.parametrize("given", ["", ", part=effect"])
def test_what_only_runs_the_model_does_not_count(project: Project, given: str) -> None:
    """Nor where it names what samples, as the default of what a model is made of."""
    text = f"""
        from numpyro.infer import MCMC, NUTS
        from somewhere import timed

        def effect(name, n):
            with numpyro.plate("p", n):
                return numpyro.sample(name, d.HalfNormal(1))

        def fitted(f, n{given}):
            with timed():
                mcmc = MCMC(NUTS(f), num_warmup=1, num_samples=1)
                mcmc.run(n)
    """
    body = BODY.replace("CALL", "effect") + "\n\ndef main():\n    fitted(model, 3)\n"
    project.write("parts.py", parts(text))
    project.write("model.py", model("from .parts import effect, fitted", body=body))
    assert "numpyro.handlers.reparam(config=" in project.code()
