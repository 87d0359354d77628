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
        r"given the data: mu, b, a \(exact; 4 elements at once, 5 blocks of 1\), in [\d.]+ s, "
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
