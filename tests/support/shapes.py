"""Shapes that models come in, each a text file in tests/cases/, and what becomes of them.

A file has a config, a model and its outcome, and if it is executed, the arguments of one call::

    # What it shows, in a sentence.
    [sites.a]
    offset = "mu"
    ==== model
    def model(n):
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        with numpyro.plate("n", n):
            a = numpyro.sample("a", dist.Normal(0, 1))
    ==== call
    (3,)
    ==== expect
    offsets.a = "xi_a_mu * mu"
    ==== becomes
    import jax
    ...
    ==== account
    model.py:9 a <- mu (offsets.toml:1)

``model`` stands below the usual imports, `HEAD`; a ``module`` has its own. What isn't plain UTF-8
with line feeds is written as ``bytes``: Python literals, a line each. ``call`` is an expression of
jax, jnp, np, numpyro and dist; without it neither model is run, and with it `fit` must find what
the config has of `conditional`. ``expect`` is TOML with the fields of `Expected`. The outcome is
``becomes`` (or ``becomes bytes``) and the account, or ``refused`` and the messages, as they are
printed; a ``...`` stands for what the classes of conditional coordinates have inside.
``pytest tests/test_cases.py --golden`` writes all outcomes anew.

This imports neither jax nor numpyro.
"""

from __future__ import annotations

import ast
import io
import itertools
import re
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from reparam_rewrite.cli.report import accounted
from reparam_rewrite.messages import Refusal
from tests.support.cases import rewritten
from tests.support.executed import code_of, digest_of, executed
from tests.support.unchanged import WARNING

FOLDER = Path(__file__).parents[1] / "cases"

HEAD = """\
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


"""


#: The classes of conditional coordinates, which are the same everywhere.
CLASSES = re.compile(
    r"^(class (?:Conditional|Rows)\w*\(.*\):\n)(?:(?: {4}.*)?\n)+?(?=\n\n\S)", re.MULTILINE
)


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What must be true of the generated model when it runs.

    offsets: by child, what ``<child>_base - child`` is (for a constrained child, of its value in
    the unconstrained space): an expression of sites, coefficients, ``args`` and jnp.
    children: those that must have a base site, if not all that the config has as [sites.<child>].
    coefficients: all params that the generated model has and the plain one has not.
    matter: each element of a coefficient has an effect on the density.
    full_size: the shape of the coefficients, where a plate takes its part of them.
    fails: what the generated model must raise when it runs, as a pattern.
    infers: SVI must run with it, too.
    function: the model; ``Class.model`` for a method.
    again: a second pass sees that nothing is to be done; if not, it is refused.
    exact: all bases are standard normal given the data.
    """

    offsets: dict[str, str] = {}
    children: list[str] | None = None
    coefficients: list[str] | None = None
    matter: bool = True
    full_size: list[int] = []
    fails: str = ""
    infers: bool = False
    function: str = "model"
    again: bool = True
    exact: bool = False


@dataclass(frozen=True)
class Shape:
    """A model, a config, the arguments of one call as an expression, and what is expected."""

    source: bytes
    config: str = '[sites.a]\noffset = "mu"\n'
    call: str = ""
    expected: Expected = field(default_factory=Expected)

    @property
    def sites(self) -> list[str]:
        """The children that the config names one by one, in a chain or in `conditional`."""
        config = tomllib.loads(self.config)
        chains = [[entry] if isinstance(entry, str) else entry for entry in config.get("chain", [])]
        asked = config.get("conditional", [])
        effects = asked if isinstance(asked, list) else asked.get("order", [])
        return [*config.get("sites", {}), *itertools.chain(*chains), *effects]

    def comparison(self, generated: bytes) -> str:
        """The digest of all that decides whether the two models are found equal.

        Layout and comments of the models do not: a formatter's taste executes nothing anew.
        """
        expected = repr(msgspec.to_builtins(self.expected))
        codes = code_of(self.source), code_of(generated)
        return digest_of(*codes, self.config.strip(), self.call, expected)


@dataclass(frozen=True)
class Case:
    """A file of tests/cases/: a shape, and its outcome as the file has it, from its heading on."""

    shape: Shape
    outcome: str

    @property
    def is_rewritten(self) -> bool:
        return self.outcome.startswith("==== becomes")

    @property
    def is_executed(self) -> bool:
        """Is there a generated model, and does it run?"""
        return self.is_rewritten and bool(self.shape.call) and not self.shape.expected.fails


def names(subject: str = "*") -> list[str]:
    """The names of all cases, or of a subject's, as ``subject/shape``."""
    paths = sorted(FOLDER.glob(f"{subject}/*.txt"))
    return [f"{path.parent.name}/{path.stem}" for path in paths]


def read_case(name: str) -> Case:
    return parsed(path_of(name).read_bytes().decode())


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.txt"


def write_outcome(name: str, outcome: str) -> None:
    """Put the outcome into a case's file, in place of the one that it has."""
    text = path_of(name).read_bytes().decode()
    path_of(name).write_bytes((text.removesuffix(parsed(text).outcome) + outcome).encode())


def parsed(text: str) -> Case:
    config, *rest = re.split(r"^==== (.*)\n", text, flags=re.MULTILINE)
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    if "bytes" in sections:
        source: bytes = ast.literal_eval(f"({sections.pop('bytes')})")
    elif "module" in sections:
        source = sections.pop("module").encode()
    else:
        source = usual(sections.pop("model"))
    call = sections.pop("call", "").strip()
    expected = msgspec.toml.decode(sections.pop("expect", ""), type=Expected)
    outcome = "".join(f"==== {kind}\n{told}" for kind, told in sections.items())
    return Case(Shape(source, config, call, expected), outcome)


def usual(model: str) -> bytes:
    """The source of a model below the usual imports."""
    return (HEAD + model).encode()


def outcome_of(shape: Shape) -> tuple[str, bytes | None]:
    """What becomes of a shape as its file has it, and the generated source if there is one."""
    try:
        result = rewritten(shape.source, shape.config)
    except Refusal as refusal:
        told = "\n".join(map(str, refusal.diagnostics))
        return f"==== refused\n{told}\n", None
    generated, account = result.data, "\n".join(accounted(result, 1))
    told = f"==== account\n{account}\n"
    if is_plain(generated):
        shown = CLASSES.sub(r"\1    ...\n", generated.decode())
        return f"==== becomes\n{shown}{told}", generated
    literals = "".join(f"{line!r}\n" for line in generated.splitlines(keepends=True))
    return f"==== becomes bytes\n{literals}{told}", generated


def is_plain(source: bytes) -> bool:
    """Can it stand in a file as it is, where any editor would leave it alone?"""
    try:
        text = source.decode()
    except UnicodeDecodeError:
        return False
    return text.endswith("\n") and not re.search("[\r\f\ufeff]|^==== ", text, re.MULTILINE)


def assert_rewritten(shape: Shape, generated: bytes) -> None:
    """Assert that a generated model is the plain one, as it was when it was last executed."""
    assert_kept(shape, generated)
    told, again = outcome_of(replace(shape, source=generated))
    wanted = generated if shape.expected.again else None
    assert again == wanted, f"a second pass changes it: {told}"
    if shape.call:
        assert_executed(shape, generated)


def assert_executed(shape: Shape, generated: bytes = b"") -> None:
    """Assert that the generated model, or the plain one alone, runs as is expected of the shape."""
    comparison = shape.comparison(generated)
    if comparison not in executed:
        from tests.support import equivalence  # which imports jax

        if generated:
            equivalence.assert_executes(shape, generated)
        else:
            equivalence.assert_runs(shape)
        executed.add(comparison)


def assert_kept(shape: Shape, generated: bytes) -> None:
    """Assert that all comments are there, and all statements but those that sample a child.

    New imports are hidden from linters where those beside them are.
    """
    added = Counter(comments(WARNING.sub(b"", generated)))
    added.subtract(comments(shape.source))
    assert not [
        text for text, count in added.items() if count and (count < 0 or "noqa" not in text)
    ]
    lost = Counter(statements(shape.source, shape.sites))
    lost.subtract(statements(generated, shape.sites))
    assert not [statement for statement, count in lost.items() if count > 0]


def comments(source: bytes) -> list[str]:
    tokens = tokenize.tokenize(io.BytesIO(source).readline)
    return [token.string.strip() for token in tokens if token.type == tokenize.COMMENT]


def statements(source: bytes, children: list[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        simple = not hasattr(node, "body") and not hasattr(node, "cases")
        if isinstance(node, ast.stmt) and simple and not isinstance(node, ast.ImportFrom):
            if re.search(r"\bscan\(", ast.unparse(node)):
                continue  # coefficients go through it
            texts = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
            if texts.isdisjoint(children) and not names_one(node, children):
                yield ast.dump(without_names(node))


def names_one(node: ast.AST, children: list[str]) -> bool:
    """Does an f-string in it begin as the name of a child does: ``f"b_{k}"`` and b_1?"""
    strings = (part for part in ast.walk(node) if isinstance(part, ast.JoinedStr))
    starts = [part.values[0] for part in strings if isinstance(part.values[0], ast.Constant)]
    return any(child.startswith(str(start.value)) for start in starts for child in children)


class WithoutNames(ast.NodeTransformer):
    """What samples a parent may give its value a name: ``x = 2 * (mu := sample("mu", ...))``."""

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
        return self.visit(node.value)  # type: ignore[no-any-return]

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        return ast.Expr(self.visit(node.value))


def without_names(node: ast.stmt) -> ast.stmt:
    """A statement that samples, without the names that it binds."""
    if "sample(" not in ast.unparse(node):
        return node
    return WithoutNames().visit(node)  # type: ignore[no-any-return]
