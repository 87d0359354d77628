"""What a rewrite costs, counted rather than timed: imports, parses, and steps by length."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libcst
import pytest

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.messages import Refusal
from reparam_rewrite.plan import plan
from reparam_rewrite.survey import survey
from tests.benchmarks.models import everyday, long
from tests.support.cases import FIXTURES, rewritten
from tests.support.counted import lines_executed
from tests.test_structure import modules_after

#: What the benchmark calls the floor.
FLOOR = """
import sys
import click, msgspec, tomllib, libcst
libcst.parse_module("").bytes
print("\\n".join(sys.modules))
"""

#: Small ones of the standard library.
#: What beside: for places in TOML, and for digests.
BESIDE = {"_bisect", "bisect", "hashlib", "_hashlib", "_blake2", *sys.builtin_module_names}


def test_a_rewrite_imports_what_it_must_and_its_own_modules(tmp_path: Path) -> None:
    floor = subprocess.run([sys.executable, "-c", FLOOR], capture_output=True, text=True)
    case = FIXTURES / "grand_mean"
    command = [str(case / "model.py"), "--config", str(case / "offsets.toml")]
    found = modules_after(*command, "--output", str(tmp_path / "out.py")) - {
        *floor.stdout.split("\n")
    }
    modules = {name for name in found if re.fullmatch(r"[\w.]+", name)}  # and no messages
    assert {name for name in modules if name.partition(".")[0] != "reparam_rewrite"} <= BESIDE


def test_a_file_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    source, config = everyday()
    parsed: list[str | bytes] = []
    parse = libcst.parse_module

    def counted(text: str | bytes, *arguments: Any, **named: Any) -> libcst.Module:
        parsed.append(text)
        return parse(text, *arguments, **named)

    monkeypatch.setattr(libcst, "parse_module", counted)
    rewritten(source, config)
    large = [text for text in parsed if len(text) > len(source) / 10]
    assert len(large) == 1


def test_all_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    source, config = everyday()
    rendered: Counter[str] = Counter()
    render = libcst.FunctionDef._codegen_impl

    def counted(node: libcst.FunctionDef, state: Any) -> None:
        rendered[node.name.value] += 1
        render(node, state)

    monkeypatch.setattr(libcst.FunctionDef, "_codegen_impl", counted)
    rewritten(source, config)
    assert len(rendered) > 10
    # To see that LibCST gives the file back as it is written.
    assert set(rendered.values()) == {1}


def test_next_to_nothing_is_left_to_the_garbage_collector() -> None:
    source, config = long(2_000, 10)
    rewritten(source, config)  # what is imported and cached by then is kept
    gc.collect()
    gc.disable()
    try:
        rewritten(source, config)
        # Of 20,000 nodes none.
        assert gc.collect() < 100
    finally:
        gc.enable()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled: bool) -> None:
    source, config = everyday()
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        rewritten(source, config)
        assert gc.isenabled() is enabled
        with pytest.raises(Refusal):
            rewritten(source, '[sites.mu]\noffset = "D"\n')
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


# -- ten times the file, ten times the steps -----------------------------------------------------


def branches(source: str, config: str) -> tuple[str, str]:
    """Something is bound otherwise in a branch, once for every site."""
    found = r"    if tables is None:\n        \1 = 0.0\n    else:\n        \1 = \2\n"
    return re.sub(r"    (mean_\d+) = (.*)\n", found, source), config


def chains(source: str, config: str) -> tuple[str, str]:
    """Every pair is a chain of its own."""
    pairs = re.findall(r'\[sites.(\w+)\]\noffset = "(\w+)"', config)
    listed = ", ".join(f'["{parent}", "{child}"]' for child, parent in pairs)
    return source, f"{config.splitlines()[0]}\nchain = [{listed}]\n"


def helpers(source: str, config: str) -> tuple[str, str]:
    """One site of two is sampled by a function of the file."""
    prior = "def prior(name, scale):\n    return numpyro.sample(name, dist.HalfNormal(scale))\n"
    called = re.sub(r'numpyro.sample\((".*"), dist.HalfNormal\(1\)\)', r"prior(\1, 1)", source)
    return called.replace("\n\ndef model_0", f"\n\n{prior}\n\ndef model_0"), config


def scans(source: str, config: str) -> tuple[str, str]:
    """Every site is that of a scan, whose body is a function beside it."""
    found = (
        r"    def step_\1(c, x):\n"
        r'        z = numpyro.sample("a_\1", dist.Normal(c, 1))\n'
        r"        return z, z\n\n"
        r"    _, a_\1 = scan(step_\1, 0.0, None, length=n_groups)\n"
    )
    plates = r'    with numpyro.plate\("groups", n_groups\):\n        a_(\d+) = .*\n'
    imported = "import numpyro\nfrom numpyro.contrib.control_flow import scan\n"
    return re.sub(plates, found, source).replace("import numpyro\n", imported, 1), config


def as_it_is(source: str, config: str) -> tuple[str, str]:
    """Samples under plates."""
    return source, config


Shape = Callable[[str, str], tuple[str, str]]


@pytest.mark.parametrize("sites", [5, 1000], ids=["many functions", "one function"])
@pytest.mark.parametrize("shape", [as_it_is, branches, chains, helpers, scans])
def test_ten_times_the_file_takes_ten_times_the_steps(shape: Shape, sites: int) -> None:
    short, tall = (steps(*shape(*long(lines, sites))) for lines in (150, 1500))
    assert tall < 10.5 * short


def steps(source: str, config: str) -> int:
    """How many lines are executed to read a model and to plan what is to be done to it."""
    table = read_config(config.encode(), "offsets.toml")
    plan(survey("model.py", source), table)  # imports and caches come first
    return lines_executed(lambda: plan(survey("model.py", source), table))


def test_a_chain_of_methods_is_read_once() -> None:
    source, config = everyday()
    chain = "table" + ".where(1)" * 60
    assert rewritten(f"{source}\n\ndef queried(table):\n    return {chain}\n", config)
