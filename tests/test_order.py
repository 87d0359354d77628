"""A parent that is sampled later is moved up: what is said of it, and that it is the same model.

What becomes of each shape is in tests/cases/order/.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections import Counter
from pathlib import Path

import black
import pytest

from reparam_rewrite import Refusal, rewrite
from reparam_rewrite.cli.report import accounted
from reparam_rewrite.config.reading import read_config
from reparam_rewrite.ordering import Ordered, ordered
from reparam_rewrite.source.encoding import decode
from tests.support.cli import run
from tests.support.execution import assert_equivalent, load_model
from tests.support.notebooks import IMPORTS, notebook, rewritten_notebook, sources
from tests.support.random_orders import random_config, random_model, sampled

CHAIN = 'chain = ["s", "a"]\n'

MODEL = """\
def model(n):
    a = numpyro.sample("a", dist.Normal(0, 1))

    tau = numpyro.sample("tau", dist.HalfNormal(1))
    # of all
    s = numpyro.sample("s", dist.Normal(0, tau))
    return a
"""

PLAIN = f"{IMPORTS}\n\n\n{MODEL}"

MOVED = """\
def model(n):
    tau = numpyro.sample("tau", dist.HalfNormal(1))
    # of all
    s = numpyro.sample("s", dist.Normal(0, tau))
    a_loc = numpyro.param("xi_a_s", 0.0) * s
    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
    with numpyro.handlers.reparam(config={"a": a_reparam}):
        a = numpyro.sample("a", dist.Normal(0, 1))

    return a"""


def test_the_account_and_the_api_say_what_was_moved() -> None:
    (move,) = rewrite(PLAIN, CHAIN, path="m.py").moves
    assert (move.site, move.function, move.path, move.line) == ("s", "model", "m.py", 10)
    assert (move.above, move.others, move.config_line) == (6, (8,), 1)
    assert rewrite(PLAIN, '[sites.tau]\noffset = "a"\n').moves == ()


def test_json_says_what_was_moved(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(PLAIN)
    (tmp_path / "offsets.toml").write_text(CHAIN)
    arguments = ("model.py", "-c", "offsets.toml", "-o", "out.py")
    (target,) = json.loads(run(tmp_path, *arguments, "--format", "json").out)["targets"]
    assert target["moves"] == [
        {
            "site": "s",
            "function": "model",
            "path": "model.py",
            "line": 10,
            "above": 6,
            "with": [8],
            "config": {"path": "offsets.toml", "line": 1, "column": 15},
        }
    ]
    again = run(tmp_path, *arguments)
    assert (again.status, again.err) == (0, "out.py is up to date\n")
    generated = run(tmp_path, "out.py", "-c", "offsets.toml")
    assert generated.err.startswith("out.py is rewritten already: nothing changed.")


def test_git_applies_the_diff(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_bytes(PLAIN.replace("\n", "\r\n").encode())
    (tmp_path / "offsets.toml").write_text(CHAIN)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    arguments = (tmp_path / "model.py", "-c", "offsets.toml", "-q")
    diff, whole = run(tmp_path, *arguments, "--diff").out, run(tmp_path, *arguments).out
    subprocess.run(["git", "apply"], cwd=tmp_path, input=diff, check=True)
    assert (tmp_path / "model.py").read_bytes() == whole


def test_a_cell_of_a_notebook() -> None:
    result = rewritten_notebook(notebook(IMPORTS, "!ls", f"%%time\n{MODEL.rstrip()}"), CHAIN)
    assert sources(result.data)[2] == f"%%time\n{MOVED}"
    assert accounted(result, 1) == [
        "model.ipynb:cell 3:7 s is moved up above line 3 of cell 3, with line 5 of cell 3 "
        "(offsets.toml:1)",
        "model.ipynb:cell 3:3 a <- s (offsets.toml:1)",
    ]


def test_nothing_is_read_again_where_all_is_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_again(path: str, text: str) -> None:
        pytest.fail("the module is read again")

    monkeypatch.setattr("reparam_rewrite.ordering.survey", read_again)
    assert "xi_s_a" in rewrite(PLAIN, 'chain = ["a", "s"]\n').code


# -- random models --------------------------------------------------------------------------------


def in_order(source: str, config: str) -> Ordered:
    """What is rewritten, with the lines that it is made of."""
    done = ordered(decode("model.py", source.encode()), read_config(config.encode(), "c.toml"))
    before, after = source.split("\n"), done.module.text.split("\n")
    for line, number in zip(after, done.lines, strict=False):
        assert line == before[number - 1]
    left = set(range(1, len(before))).difference(done.lines) if done.moves else set()
    assert not any(before[number - 1].strip() for number in left), "only blank lines go"
    return done


def compared(seed: int, risky: float) -> str:
    """What became of a random model: what it samples may not have changed."""
    rng = random.Random(seed)
    model = random_model(rng, risky=risky)
    if len(model.sites) < 2:
        return "too few"
    config = random_config(rng, model.sites)
    done = in_order(model.source, config)
    if not done.moves:
        return "refused" if done.request.is_late else "in order"
    for flag in (True, False):
        try:
            before = sampled(model.source, flag=flag, x=0.5)
        except Exception:
            continue  # it is no model with this flag
        assert sampled(done.module.text, flag=flag, x=0.5) == before, (seed, config)
    return "moved"


@pytest.mark.parametrize("risky", [0.1, 0.4, 0.8])
def test_random_models(risky: float) -> None:
    found = Counter(compared(seed, risky) for seed in range(60))
    assert found["moved"] >= 12, found


def test_what_black_has_made_stays_so() -> None:
    moved = 0
    for seed in range(40):
        rng = random.Random(seed)
        model = random_model(rng, risky=0.1)
        source = black.format_str(model.source, mode=black.Mode())
        done = in_order(source, random_config(rng, model.sites))
        assert black.format_str(done.module.text, mode=black.Mode()) == done.module.text
        moved += bool(done.moves)
    assert moved > 10


@pytest.mark.long
@pytest.mark.parametrize("share", range(5))
def test_random_models_run(share: int) -> None:
    """The generated models have the density of the plain ones, however these are run."""
    same = 0
    for seed in range(60 * share, 60 * (share + 1)):
        rng = random.Random(seed)
        model = random_model(rng, risky=0.1)
        config = random_config(rng, model.sites)
        try:
            result = rewrite(model.source, config)
        except Refusal:
            continue
        assert rewrite(result.code, config).already
        try:
            assert_equivalent(
                load_model(model.source),
                load_model(result.code),
                (True, 0.5),
                points=2,
                coefficients_matter=False,
            )
        except AssertionError as error:  # the source doesn't tell a shape, and the run does
            guarded = re.search("can't be lined up|does not run: .*(?i:shape)", str(error))
            assert guarded, (seed, config)
            continue
        except Refusal:
            continue  # it is no model with these arguments
        same += bool(result.moves)
    assert same >= 5


@pytest.mark.long
@pytest.mark.parametrize("share", range(10))
def test_many_random_models(share: int) -> None:
    found = Counter(compared(1000 * share + seed, 0.1 * (1 + share % 8)) for seed in range(1000))
    print(found)
    assert found["moved"] >= 150, found
