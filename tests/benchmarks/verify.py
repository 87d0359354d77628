"""``python -m tests.benchmarks.verify``: CPU time of `verify` on a model of 10,000 latent dims.

The tensor model of fixtures/tensor, large, with its full chain of offsets, and once more with its
walks in a basis, where the elements of an axis mix.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.support.cases import FIXTURES

EXAMPLE = """\
import numpy as np


def example_args():
    n_i, n_j, n_t = 64, 50, 60
    return (n_i, n_j, n_t), {"y": np.random.default_rng(0).normal(size=(n_i, n_j, n_t))}
"""

CONFIGS = {
    "offsets": 'chain = ["mu", "a", "b", "z", "A", "B", "C"]\n',
    "offsets and bases": 'chain = ["mu", "a", "b", "z", "A", "B", "C"]\n'
    '[sites.A]\nbasis = "dct"\n[sites.B]\nbasis = "dct"\n',
}


def cpu_time(config: str) -> tuple[int, float, float]:
    """Exit status, CPU time and time of the command as it is typed, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "example.py").write_text(EXAMPLE)
        (Path(folder) / "model.py").write_bytes((FIXTURES / "tensor" / "model.py").read_bytes())
        (Path(folder) / "offsets.toml").write_text(config)
        command = [sys.executable, "-m", "reparam_rewrite", "verify", f"{folder}/model.py"]
        command += ["--config", f"{folder}/offsets.toml"]
        command += ["--args", f"{folder}/example.py:example_args"]
        start, before = time.perf_counter(), os.times()
        status = os.spawnv(os.P_WAIT, sys.executable, command)
        after = os.times()
        used = after.children_user + after.children_system
        used -= before.children_user + before.children_system
        return status, used, time.perf_counter() - start


def main() -> None:
    for name, config in CONFIGS.items():
        status, used, elapsed = cpu_time(config)
        print(f"{name}: exit status {status}, {used:.1f} s of CPU time, {elapsed:.1f} s")


if __name__ == "__main__":
    main()
