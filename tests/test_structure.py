"""What may import what: the seams of the pipeline, and the start-up that they keep short."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Container, Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support.cases import FIXTURES

PACKAGE = Path(__file__).parents[1] / "reparam_rewrite"


def imports_of(*places: str) -> set[str]:
    """All modules that the files below these places import, wherever in the file."""
    found: set[str] = set()
    for place in places:
        path = PACKAGE / place
        for file in [path] if path.suffix else sorted(path.rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    found.update(alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found.add(node.module)
    return found


def touches(modules: set[str], *names: str) -> set[str]:
    return {m for m in modules if any(m == name or m.startswith(f"{name}.") for name in names)}


#: All but the command for LibCST's own tool.
OURS = sorted(path.name for path in PACKAGE.iterdir() if path.name != "codemod.py")

#: What reads and writes files, but for notebooks.
BUT_NOTEBOOKS = [
    f"source/{path.name}"
    for path in sorted((PACKAGE / "source").glob("*.py"))
    if path.name != "notebook.py"
]

#: What runs models, or is one.
RUNNING = (
    *("running", "verifying", "fitting", "benchmarking", "tuning", "runtime.py", "testing.py"),
    "demos",
)

#: All but that.
REWRITING = sorted(
    path.name
    for path in PACKAGE.iterdir()
    if path.name not in (*RUNNING, "__pycache__") and (path.is_dir() or path.suffix == ".py")
)


@pytest.mark.parametrize(
    ("places", "unknown"),
    [
        (["cli/main.py"], ["libcst"]),
        (["config"], ["libcst", "jax", "numpyro"]),
        (["survey"], ["libcst", "reparam_rewrite.config"]),
        (["plan"], ["libcst", "reparam_rewrite.source.files"]),
        (["emit"], ["reparam_rewrite.config"]),
        (["source/files.py", "source/diff.py"], ["libcst", "reparam_rewrite.config"]),
        (
            [
                f"source/{name}.py"
                for name in ("document", "cells", "magics", "notebook", "session")
            ],
            ["libcst", "reparam_rewrite.source.files"],
        ),
        (["survey", "plan", "emit", *BUT_NOTEBOOKS], ["nbformat"]),
        (REWRITING, ["jax", "jaxlib", "numpyro", "numpy", "reparam_rewrite.verifying.comparing"]),
        (OURS, ["libcst.matchers", "libcst.codemod"]),
        (list(RUNNING), ["libcst", "click"]),
        (
            ["running"],
            [
                "reparam_rewrite.verifying",
                "reparam_rewrite.fitting",
                "reparam_rewrite.benchmarking",
            ],
        ),
        (["verifying"], ["reparam_rewrite.fitting", "reparam_rewrite.benchmarking"]),
        (["fitting"], ["reparam_rewrite.benchmarking"]),
    ],
    ids=lambda value: " ".join(value) if len(value) < 7 else "rewriting",
)
def test_who_knows_nothing_of_what(places: list[str], unknown: list[str]) -> None:
    assert not touches(imports_of(*places), *unknown)


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def run_imports(nodes: Iterable[ast.AST], known: Container[str]) -> Iterator[str]:
    """What is imported when the code runs: not what is for type checkers alone."""
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from run_imports(node.orelse, known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else node.module for name in names)
        else:
            yield from run_imports(ast.iter_child_nodes(node), known)


def test_no_file_imports_itself_through_others() -> None:
    """Nor does one within a function, to which a circle is put off."""
    files = {module_of(path): path for path in PACKAGE.rglob("*.py")}
    graph = {
        module: set(run_imports([ast.parse(path.read_text())], files)) - {module}
        for module, path in files.items()
    }
    list(TopologicalSorter(graph).static_order())  # CycleError names the circle


def code_of(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text()))


def test_only_the_command_line_and_the_magic_print() -> None:
    printing = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        for node in code_of(path)
        if (isinstance(node, ast.Name) and node.id == "print")
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.stdout", "click.echo"))
    }
    assert printing == {"cli", "magic.py"}


def test_only_one_file_writes_files() -> None:
    """But for a bench's line by line, the schemas that are shipped, and streams to nowhere."""
    ways = ("write_text", "write_bytes", "fdopen", "open", "replace", "rename", "unlink")
    writing = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in code_of(path)
        if isinstance(node, ast.Attribute) and node.attr in ways
        if node.attr not in ("replace", "rename") or ast.unparse(node.value) == "os"
    }
    assert writing == {
        "source/files.py",
        "benchmarking/state.py",
        "config/schema.py",
        "cli/screen.py",
    }


def test_one_step_of_the_plan_reads_the_config() -> None:
    """The function `plan` hands it on, and whatever comes after reads what was resolved.

    What `resolve` makes of names, and of the tables of one site, stands beside it.
    """
    files = [str(path.relative_to(PACKAGE)) for path in (PACKAGE / "plan").rglob("*.py")]
    reading = {file for file in files if touches(imports_of(file), "reparam_rewrite.config")}
    assert reading == {"plan/__init__.py", "plan/asked_for.py", "plan/naming.py", "plan/resolve.py"}


def test_kinds_of_bases_are_known_to_one_file() -> None:
    """What else names one proposes it, as `fit` and `suggest` do the discrete cosine transform."""
    naming = [
        path.name for path in PACKAGE.rglob("*.py") if re.search(r"[Hh]aar", path.read_text())
    ]
    assert naming == ["bases.py"]


def modules_after(*arguments: str) -> set[str]:
    """The modules that a run of the command line has imported when it ends."""
    program = (
        "import sys\n"
        "sys.argv[0] = 'reparam-rewrite'\n"
        "from reparam_rewrite.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True
    )
    return set(result.stderr.split("\n"))


HEAVY = (
    "jax",
    "numpyro",
    "numpy",
    "nbformat",
    "reparam_rewrite.source.notebook",
    "libcst.matchers",
    "libcst.codemod",
    "libcst.metadata",
)


def test_a_rewrite_imports_nothing_heavy(tmp_path: Path) -> None:
    case = FIXTURES / "grand_mean"
    command = [str(case / "model.py"), "--config", str(case / "offsets.toml")]
    modules = modules_after(*command, "-o", str(tmp_path / "out.py"))
    assert "libcst" in modules
    # libcst itself imports its metadata package.
    assert not modules & set(HEAVY[:-1])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["model.py", "--config", "missing.toml"],
        [str(FIXTURES / "grand_mean" / "model.py"), "--config", "broken.toml"],
    ],
    ids=["help", "version", "no config", "broken config"],
)
def test_what_needs_no_parser_imports_none(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.toml").write_text("chian = []")
    assert not {"libcst", *HEAVY} & modules_after(*arguments)


#: What holds sentences, by the names of variables and attributes.
SENTENCES = frozenset(["message", "hint", "reason", "way_out"])

#: Functions of texts and of patterns that search one or take it apart: all but a few.
SEARCHING = {name for name in (*dir(str), *dir(re)) if not name.startswith("_")} - {
    "encode",
    "format",
    "join",
    "lower",
    "rstrip",
    "strip",
}

#: Where others' sentences are taken apart, as they have no other form.
OTHERS_WORDS = {
    "config/reading.py": "what tomllib says ends in the line and the column",
    "emit/parsing.py": "what LibCST says has the cause in one of its lines",
    "source/notebook.py": "what nbformat says goes on with the schema",
}


def taken_apart(tree: ast.AST) -> Iterator[int]:
    """The lines that search a sentence: ``"x" in message``, ``hint.split()``, ``re.sub(..., hint)``

    That a sentence is empty may be asked, and its first letter may be written small.
    """

    def is_sentence(node: ast.expr) -> bool:
        while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        name = getattr(node, "attr", getattr(node, "id", ""))
        return name in SENTENCES

    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for op, right in zip(node.ops, node.comparators, strict=True):
                searched = isinstance(op, ast.In | ast.NotIn) and is_sentence(right)
                sides = (node.left, right)
                compared = isinstance(op, ast.Eq | ast.NotEq) and any(map(is_sentence, sides))
                empty = any(isinstance(side, ast.Constant) and not side.value for side in sides)
                if searched or (compared and not empty):
                    yield node.lineno
        called = node.func if isinstance(node, ast.Call) else None
        if not isinstance(called, ast.Attribute) or called.attr not in SEARCHING:
            continue
        if any(map(is_sentence, (called.value, *node.args))):
            yield node.lineno


def test_no_sentence_is_taken_apart() -> None:
    """What a message is about travels as values, `Problem.about` and its parts.

    A sentence that is searched for the name of a site finds it in another one's name, and breaks
    when somebody words it better. So a text is made at the border, by `messages`, and nobody reads
    it but people. Only what others say in sentences alone is taken apart, where they say it.
    """
    found = {
        f"{file.relative_to(PACKAGE)}:{line}"
        for file in PACKAGE.rglob("*.py")
        if str(file.relative_to(PACKAGE)) not in ("messages.py", *OTHERS_WORDS)
        for line in taken_apart(ast.parse(file.read_text()))
    }
    assert found == set()
