"""Where NUTS is to start on a generated model, and how wide what it samples is: a pilot has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from reparam_rewrite.config.rules import Config, SiteRule
from reparam_rewrite.fitting.nested import Compared, Theta
from reparam_rewrite.fitting.values import Array
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.running.call import WIDTH, Call


def nuts_start(call: Call, config: Config, theta: Theta, compared: Compared) -> Mapping[str, Array]:
    """By ``start.<site>`` and ``mass.<site>``, as the .npz of `tune` has it.

    The first are values of what the generated model of `config` samples: of effects 0, and of the
    others those of the draw that is nearest to their mean. The others are the variances of these in
    unconstrained space, flat.
    """
    names = list(theta.spans)
    count = len(compared.potential)
    flat = [compared.bases[name].reshape(count, -1) for name in names]
    far = np.concatenate([*flat, np.zeros((count, 0))], 1) - theta.mean
    near = int(np.argmin(np.sum(far * np.linalg.solve(theta.covariance, far.T).T, 1)))
    found: dict[str, Array] = {}
    accounts = rewrite(call.document, config, WIDTH).accounts
    named = (re.escape(one.site) for one in accounts if not one.skipped)
    moved = [re.sub(r"\\{.*?\\}", ".*", one) for one in named]  # beta_{k} is several
    for name in call.latents:
        rule, value = config.sites.get(name), compared.bases[name][near]
        base, width = f"{name}_base", np.ones(value.size)
        if name not in theta.spans:
            value = np.zeros_like(value)
        elif not any(re.fullmatch(pattern, name) for pattern in moved):
            base, value, width = name, compared.draws[name][near], theta.sd(name) ** 2
        elif rule is not None and (by := factor_of(rule)) is not None:
            value, width = by * value, (by * theta.sd(name)) ** 2
        else:
            continue  # what else is done to it decides what these are
        found |= {f"start.{base}": value, f"mass.{base}": np.ravel(width)}
    return found


def has_start(path: Path) -> bool:
    """Does the .npz at `path` tell where NUTS is to start?"""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return any(name.startswith("start.") for name in arrays.files)
    except (OSError, ValueError):
        return False


def factor_of(rule: SiteRule) -> float | None:
    """The number that a site is multiplied by, if nothing else is done to it."""
    alone = not (rule.parents or rule.basis or rule.reparam) and rule.scale is not None
    value = rule.scale.value if alone and rule.scale is not None else None
    return value if isinstance(value, float) else None
