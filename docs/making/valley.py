"""Draw the figures of the tutorial, from draws of the model as written and as tuned.

    reparam-rewrite demo tensor --to FOLDER
    cd FOLDER
    reparam-rewrite tune model.py --args example.py:example_args --config tuned.toml \
        -o model_reparam.py
    python docs/making/valley.py FOLDER

takes minutes; draws that the folder has already, plain.npz and tuned.npz, are used again.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import charts
import jax
import numpy as np
from jax.flatten_util import ravel_pytree
from numpyro.infer import MCMC, NUTS
from numpyro.infer.util import potential_energy, unconstrain_fn

FIGURES = Path(__file__).parents[1] / "assets" / "figures"

#: The depth of NUTS' trees is at most 10.
STEPS = 1023

#: How many gradients the trace is of.
GRADIENTS = 15_000


def draws_of(folder: Path, name: str, module: str) -> dict[str, np.ndarray]:
    """1,000 draws of a chain, and as `steps` how many gradients each took."""
    path = folder / f"{name}.npz"
    if not path.exists():
        args, kwargs = call()
        kernel = NUTS(importlib.import_module(module).model)
        mcmc = MCMC(kernel, num_warmup=500, num_samples=1000, progress_bar=False)
        mcmc.run(jax.random.PRNGKey(0), *args, extra_fields=("num_steps",), **kwargs)
        np.savez(path, steps=mcmc.get_extra_fields()["num_steps"], **mcmc.get_samples())
    return dict(np.load(path))


def call() -> tuple[tuple[Any, ...], dict[str, Any]]:
    found: tuple[tuple[Any, ...], dict[str, Any]] = importlib.import_module(
        "example"
    ).example_args()
    return found


def trajectory(module: str, draws: dict[str, np.ndarray], names: list[str], steps: int) -> Any:
    """One trajectory of leapfrog steps in unconstrained space, as NUTS makes it.

    The masses are one over the variances of the draws, as those that NUTS adapts, and the step is
    the longest of a grid by which the energy stays within 0.2, an acceptance of about 0.8.
    """
    model = importlib.import_module(module).model
    args, kwargs = call()
    latent = {name: draws[name] for name in names}
    free = jax.vmap(lambda z: unconstrain_fn(model, args, kwargs, z))(latent)
    _, back = ravel_pytree({name: value[0] for name, value in free.items()})
    rows = np.asarray(jax.vmap(lambda z: ravel_pytree(z)[0])(free))
    variance = rows.var(axis=0)
    energy = jax.jit(lambda z: potential_energy(model, args, kwargs, back(z)))
    slope = jax.jit(jax.grad(energy))

    def walk(step: float) -> tuple[float, np.ndarray]:
        z = rows[160]
        p = np.random.default_rng(1).normal(size=z.size) / np.sqrt(variance)
        before = float(energy(z)) + (p**2 * variance).sum() / 2
        path, force = [z], np.asarray(slope(z))
        for _ in range(steps):
            p = p - step / 2 * force
            z = z + step * variance * p
            force = np.asarray(slope(z))
            p = p - step / 2 * force
            path.append(z)
        after = float(energy(z)) + (p**2 * variance).sum() / 2
        return abs(after - before), np.stack(path)

    for step in 0.8 ** np.arange(60):
        off, path = walk(step)
        if off < 0.2:
            return jax.vmap(back)(path)
    raise ValueError("no step keeps the energy")


def mu_and_rest(draws: Any) -> Any:
    """mu, and what all other contributions add up to in the mean over all observations."""
    parts = [np.asarray(draws[name]).reshape(len(draws["mu"]), -1) for name in "abzABC"]
    rest = sum(part.mean(axis=1) for part in parts)
    return np.stack([np.asarray(draws["mu"]), rest], axis=1)


def scatter(
    title: str, dots: Any, line: Any, kind: str, names: tuple[str, str], spans: tuple[float, float]
) -> str:
    """Draws as dots, and a trajectory as a line if there is one."""
    left, size = 200.0, 150.0
    middle = np.median(dots, axis=0)

    def at(points: Any) -> Any:
        away = (np.asarray(points) - middle) / np.array(spans)
        return np.stack([left + 160 + size * away[:, 0], 160 - size * away[:, 1]], axis=1)

    inside = [p for p in at(dots) if abs(p[0] - left - 160) < 158 and abs(p[1] - 160) < 158]
    parts = [f'<circle class="config" cx="{x:.1f}" cy="{y:.1f}" r="1.4"/>' for x, y in inside]
    if line is not None:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in at(line))
        parts.append(f'<polyline class="{kind}" points="{points}"/>')
    parts.append(f'<line x1="{left}" x2="{left + 320}" y1="318" y2="318"/>')
    parts.append(f'<line x1="{left}" x2="{left}" y1="2" y2="318"/>')
    for share in (-1.0, -0.5, 0.0, 0.5, 1.0):
        across, up = (
            f"{centre + share * span:.{2 if span < 1 else 1}f}"
            for centre, span in zip(middle, spans, strict=True)
        )
        parts.append(charts.label(left + 160 + size * share, 330, across, "middle"))
        parts.append(charts.label(left - 6, 160 - size * share, up, "end"))
    parts.append(charts.label(left + 330, 318, names[0], "start"))
    parts.append(charts.label(left - 40, 10, names[1], "end"))
    return charts.svg(340, title, "".join(parts))


def trace(plain: dict[str, np.ndarray], tuned: dict[str, np.ndarray]) -> str:
    """mu by the number of gradients that were spent."""
    found = {"rival": plain, "tuned": tuned}
    low, high = np.quantile(tuned["mu"], [0.002, 0.998])
    left, width, top, rows = 60, 600, 20, []
    for number, (kind, draws) in enumerate(found.items()):
        spent = np.cumsum(np.broadcast_to(draws["steps"], draws["mu"].shape))
        kept = spent <= GRADIENTS
        x = left + width * spent[kept] / GRADIENTS
        offset = top + 110 * number
        y = offset + 90 - 80 * (draws["mu"][kept] - low) / (high - low)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        what = "as written" if kind == "rival" else "as tuned"
        said = f"{what}: {kept.sum():,} draws"
        rows.append(charts.label(left, offset, said, "start"))
        rows.append(f'<polyline class="{kind}" points="{points}"/>')
        if kept.sum() < 100:
            ends = zip(x, y, strict=True)
            rows += [f'<circle class="{kind}" cx="{a:.1f}" cy="{b:.1f}" r="2.2"/>' for a, b in ends]
        end = offset + 95
        rows.append(f'<line x1="{left}" x2="{left + width}" y1="{end}" y2="{end}"/>')
        rows.append(charts.label(left - 8, offset + 50, "mu", "end"))
    ticks = [
        charts.label(left + width * n / GRADIENTS, top + 220, f"{n:,}", "middle")
        for n in range(0, GRADIENTS + 1, 5000)
    ]
    rows += [*ticks, charts.label(left + width + 8, top + 205, "gradients", "end")]
    return charts.svg(250, "mu by the gradients that were spent", "".join(rows))


def main(folder: Path) -> None:
    sys.path.insert(0, str(folder))
    plain = draws_of(folder, "plain", "model")
    tuned = draws_of(folder, "tuned", "model_reparam")
    names = [name for name in plain if name != "steps"]
    walked = trajectory("model", plain, names, STEPS)
    title, names = "draws of mu and of all else that is added to it", ("mu", "the rest")
    dots, line = mu_and_rest(tuned), mu_and_rest(walked)
    (FIGURES / "valley.svg").write_text(scatter(title, dots, None, "", names, (2.0, 2.0)))
    title, names = "the same with the sum magnified, and a trajectory", ("mu", "mu + the rest")
    dots, line = (np.stack([x[:, 0], x.sum(axis=1)], axis=1) for x in (dots, line))
    (FIGURES / "magnified.svg").write_text(scatter(title, dots, line, "rival", names, (2.0, 0.02)))
    based = [name for name in tuned if name.endswith("_base") or f"{name}_base" not in tuned]
    across = trajectory("model_reparam", tuned, [n for n in based if n != "steps"], 15)
    bases = np.stack([tuned["mu_base"], tuned["a_base"].mean(axis=1) * 8**0.5], axis=1)
    line = np.stack([across["mu_base"], across["a_base"].mean(axis=1) * 8**0.5], axis=1)
    title = "the same in the coordinates of the generated model"
    (FIGURES / "base.svg").write_text(
        scatter(title, bases, line, "tuned", ("mu_base", "a_base"), (3.5, 3.5))
    )
    (FIGURES / "trace.svg").write_text(trace(plain, tuned))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
