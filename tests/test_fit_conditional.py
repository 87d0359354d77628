"""What `fit` says of the sites of `conditional`, in lines and as JSON, and what it writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.support.cli import run
from tests.test_conditional_predictions import EXAMPLE, MODEL

FIT = ("fit", "model.py", "--config", "offsets.toml", "--args", "example.py:example_args")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "example.py").write_text(EXAMPLE)
    (tmp_path / "offsets.toml").write_text('conditional = ["mu", "b", "a"]\n')
    return tmp_path


def test_what_it_says_and_writes(folder: Path) -> None:
    ran = run(folder, *FIT)
    assert ran.status == 0, ran.err
    first, noise, spread, *written = ran.err.splitlines()
    assert re.fullmatch(
        r"given the data: mu, b, a \(exact; 4 at once, 5 blocks of 1\), in [\d.]+ s, "
        "without draws",
        first,
    )
    assert noise == "y: its noise is read when the model runs, sigma"
    assert re.fullmatch(
        r"their bases are standard normal given the data, but for [\d.]+e-1\d nats", spread
    )
    assert written == ["wrote offsets.npz", "wrote offsets.toml"]
    with np.load(folder / "offsets.npz") as arrays:
        assert {name.partition(".")[0] for name in arrays} == {"conditional"}
    assert (folder / "offsets.toml").read_text() == (
        'conditional.order = ["mu", "b", "a"]\n'
        'conditional.form = "exact"\n'
        'conditional.data = "offsets.npz"\n'
        'conditional.noise = { y = "sigma" }\n'
    )


def test_what_is_not_normal_is_a_figure(folder: Path) -> None:
    location = "mu + a[i] + b[j], sigma"
    (folder / "model.py").write_text(
        MODEL.replace(f"dist.Normal({location})", f"dist.StudentT(4, {location})")
    )
    ran = run(folder, *FIT, "--format", "json")
    assert ran.status == 0, ran.err
    made = json.loads(ran.out)["conditional"]
    assert made["frozen"] == {"y": "family"}
    assert 1e-3 < made["spread"] < 30


@pytest.mark.parametrize("generated", [(), ("made/generated.py",)], ids=["in memory", "a file"])
def test_verify_finds_the_arrays_beside_the_config_or_the_file(
    folder: Path, generated: tuple[str, ...]
) -> None:
    """Neither of which is beside the model."""
    (folder / "configs").mkdir()
    (folder / "offsets.toml").rename(folder / "configs" / "offsets.toml")
    config = ("--config", "configs/offsets.toml")
    assert run(folder, "fit", "model.py", *config, *FIT[4:]).status == 0
    if generated:
        (folder / "made").mkdir()
        (folder / "configs" / "offsets.npz").rename(folder / "made" / "offsets.npz")
        assert run(folder, "model.py", *config, "-o", *generated).status == 0
    left_out = ("jit", "predictive", "data", "AutoNormal", "AutoDiagonalNormal", "NUTS")
    skip = [word for check in left_out for word in ("--skip", check)]
    ran = run(folder, "verify", "model.py", *generated, *config, *FIT[4:], *skip, "--points", "1")
    assert (ran.status, ran.err) == (0, "")


def test_a_scale_beside_is_kept_and_needs_no_draws(folder: Path) -> None:
    with (folder / "offsets.toml").open("a") as file:
        file.write("[sites.sigma]\nscale = 9.0\n")
    ran = run(folder, *FIT)
    assert ran.status == 0, ran.err
    assert "without draws" in ran.err
    assert (folder / "offsets.toml").read_text().endswith("[sites.sigma]\nscale = 9.0\n")
