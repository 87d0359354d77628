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
