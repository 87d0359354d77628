"""What `verify` says of conditional coordinates: wrong data and formulas, which have the density of
the plain model, are told by the spread, and another density by the checks that look at it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpyro import handlers

from reparam_rewrite.config.reading import config_at
from reparam_rewrite.verifying import CHECKS, NEEDED, Options, Report, verify
from tests.support.conditional import Made, made
from tests.test_conditional_predictions import EXAMPLE, MODEL

QUICK = ("jit", "predictive", "data", "AutoNormal", "AutoDiagonalNormal", "NUTS")
SPREAD_ONLY = tuple(one for one in CHECKS if one not in (*NEEDED, "coordinates"))

Damage = Callable[[Made], None]


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("crossed")
    return made(folder, MODEL, EXAMPLE, 'conditional = ["mu", "b", "a"]')


@pytest.fixture
def crossed(right: Made, tmp_path: Path) -> Made:
    """One that may be damaged."""
    return Made(shutil.copytree(right.folder, tmp_path / "crossed"))


def verified(of: Made, skip: tuple[str, ...] = QUICK, with_config: bool = False) -> Report:
    args, kwargs = of.call
    rule = config_at(str(of.folder / "offsets.toml")).conditional if with_config else None
    options = Options(points=2, skip=skip, conditional=rule)
    return verify(of.plain, of.generated, args, kwargs, options)


def coordinates(report: Report) -> tuple[str, str, str]:
    (line,) = [one for one in report.lines if one.check == "coordinates"]
    return line.status, line.site, line.message


@pytest.mark.parametrize("with_config", [False, True])
def test_right_ones(crossed: Made, with_config: bool) -> None:
    report = verified(crossed, with_config=with_config)
    assert not report.different
    assert coordinates(report) == ("ok", "", "mu, b, a: standard normal given the data")
    (line,) = [one for one in report.lines if one.check == "coordinates"]
    assert line.off is not None
    assert line.off < 1e-10


def test_a_model_without_them_has_no_such_line(crossed: Made) -> None:
    args, kwargs = crossed.call
    report = verify(crossed.plain, crossed.plain, args, kwargs, Options(points=1, skip=QUICK))
    assert "coordinates" not in {line.check for line in report.lines}


# -- the same density ------------------------------------------------------------------------------


def arrays(**changes: Callable[[Any], Any]) -> Damage:
    """Other arrays in the .npz, by the last part of their keys."""

    def damage(of: Made) -> None:
        path = of.folder / "fitted.npz"
        with np.load(path) as file:
            data = dict(file)
        for name, change in changes.items():
            data[f"conditional.{name}"] = change(data[f"conditional.{name}"])
        np.savez(path, **data)

    return damage


def text(old: str, new: str) -> Damage:
    """Another text of the generated file."""
    return lambda of: of.edit(old, new)


def times(factor: float) -> Callable[[Any], Any]:
    return lambda array: array * factor


def of_other_data(array: Any) -> Any:
    return np.random.default_rng(0).permutation(array.ravel()).reshape(array.shape)


#: Wrong coordinates, each of which is a map with an inverse that has its own determinant.
SAME_DENSITY: dict[str, Damage] = {
    "a wrong gain": arrays(G=times(1.5), G_across=times(1.5), G_blocks=times(1.5)),
    "the wrong sign of h": arrays(h=times(-1), h_blocks=times(-1)),
    "wrong weights": arrays(
        **dict.fromkeys(["G", "G_across", "G_blocks", "h", "h_blocks"], times(2))
    ),
    "other observations": arrays(h_blocks=of_other_data),
    "a later site that isn't counted": arrays(G_across=times(0)),
    "a later site that isn't eliminated": text(" - C.T @ C", ""),
    "what a later site shows isn't subtracted": text(" - C.T @ jnp.ravel(y)", ""),
    "what is before isn't subtracted": text("y = y - self.across[:, own, at] @ u", "pass"),
    "what is before is added": text("y = y - self.across", "y = y + self.across"),
    "the noise squared twice": text("1.0) ** -2", "1.0) ** -4"),
    "the noise not squared": text("1.0) ** -2", "1.0) ** -1"),
    "another noise": text("noise=sigma", "noise=tau"),
    "no data in the inverse": text("self.split(base) + self.y", "self.split(base)"),
    "another site's scale": text('"a": tau', '"a": nu'),
    "a scale squared": text('"a": tau', '"a": tau**2'),
}


@pytest.mark.parametrize("name", SAME_DENSITY)
def test_wrong_coordinates_are_told_by_the_spread_alone(crossed: Made, name: str) -> None:
    SAME_DENSITY[name](crossed)
    report = verified(crossed)
    assert {line.check for line in report.different} == {"coordinates"}
    status, site, message = coordinates(report)
    assert (status, site != "") == ("different", True)
    assert message.endswith(" nats from standard normal given the data, which it should be")


# -- another density -------------------------------------------------------------------------------

OTHER_DENSITY: dict[str, Damage] = {
    "another prior": text('"b", dist.Normal(0, nu * jnp', '"b", dist.Normal(0, tau * jnp'),
    "half of log|det|": text("jnp.log(diagonal)", "jnp.log(diagonal) / 2"),
    "no log|det|": text("jnp.log(diagonal)", "0 * diagonal"),
    "an inverse that isn't one": text("self.inverse, rows)", "self.U, rows)"),
    "a value with another scale": text(
        "lambda u: loc + scale * u", "lambda u: loc + 2 * scale * u"
    ),
    "a value without its location": text("lambda u: loc + scale * u", "lambda u: 1 + scale * u"),
    "another likelihood": text("+ b[j], sigma)", "- b[j], sigma)"),
}


@pytest.mark.parametrize("name", OTHER_DENSITY)
def test_another_density_is_told_by_the_density(crossed: Made, name: str) -> None:
    OTHER_DENSITY[name](crossed)
    found = {line.check for line in verified(crossed, skip=SPREAD_ONLY).different}
    assert found == {"density"}


# -- where they needn't be exact -------------------------------------------------------------------

ALL = 'conditional = ["mu", "b", "a"]'
NORMAL = "dist.Normal(mu + a[i] + b[j], sigma)"
PRIOR = 'numpyro.sample("a", dist.Normal(0, tau))'

#: What stands in the model instead of what, the config, and what is said.
FIGURES = {
    "observations aren't normal": (
        (NORMAL, "dist.StudentT(5, mu + a[i] + b[j], sigma)"),
        ALL,
        "y isn't normal",
    ),
    "a prior isn't normal": (
        (PRIOR, 'numpyro.sample("a", dist.StudentT(4, 0, tau))'),
        ALL,
        "a prior isn't normal, or they don't add up",
    ),
    "the noise is no one number": (
        (NORMAL, NORMAL.replace("sigma", "sigma * (1 + i)")),
        ALL,
        "the noise of y is taken as it is at a mode",
    ),
    "one after the other": (
        ("", ""),
        'conditional.order = ["mu", "b", "a"]\nconditional.form = "sequential"',
        "one site after the other, with later ones as noise",
    ),
    "one is left out": (
        ("", ""),
        'conditional = ["mu", "b"]',
        "a moves the observations too, and isn't among them",
    ),
}


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("with_config", [False, True])
def test_a_figure_and_why(tmp_path: Path, name: str, with_config: bool) -> None:
    change, config, why = FIGURES[name]
    of = made(tmp_path, MODEL.replace(*change), EXAMPLE, config + "\n")
    status, _, message = coordinates(verified(of, SPREAD_ONLY, with_config))
    assert status in ("ok", "warning")
    assert message.endswith(f" nats of standard normal given the data ({why})") == (status == "ok")
    assert why in message


@pytest.mark.parametrize(
    ("change", "config"),
    [
        ((NORMAL, NORMAL.replace("sigma", "0.5 * (1 + i)")), ALL),
        (("", ""), 'conditional = ["b", "a"]'),
    ],
    ids=["known noise", "one that is subtracted"],
)
def test_exact_ones(tmp_path: Path, change: tuple[str, str], config: str) -> None:
    of = made(tmp_path, MODEL.replace(*change), EXAMPLE, config + "\n")
    status, _, message = coordinates(verified(of, SPREAD_ONLY))
    assert (status, message[-30:]) == ("ok", ": standard normal given the data"[-30:])


def test_wrong_data_are_worth_a_warning_where_a_figure_is_all(tmp_path: Path) -> None:
    """Nobody can tell them from what can't be done any better, but by how large it is."""
    change, config, _ = FIGURES["observations aren't normal"]
    of = made(tmp_path, MODEL.replace(*change), EXAMPLE, config + "\n")
    arrays(h_blocks=times(-4))(of)
    report = verified(of, SPREAD_ONLY)
    assert coordinates(report)[0] == "warning"
    assert report.equivalent


#: By what is missing, the text that has it and what nobody else can tell.
ONLY_THE_CONFIG_KNOWS = {
    "what is subtracted": ('given={"mu": mu}', "given={}", "mu moves the observations too"),
    "the noise": ("noise=sigma", "noise=1.0", "the noise of y is taken as it is at a mode"),
}


@pytest.mark.parametrize("name", ONLY_THE_CONFIG_KNOWS)
def test_only_the_config_knows(tmp_path: Path, name: str) -> None:
    old, new, why = ONLY_THE_CONFIG_KNOWS[name]
    of = made(tmp_path, MODEL, EXAMPLE, 'conditional = ["b", "a"]\n')
    of.edit(old, new)
    status, _, message = coordinates(verified(of, SPREAD_ONLY))
    assert status != "different"
    assert why in message
    assert coordinates(verified(of, SPREAD_ONLY, with_config=True))[0] == "different"


def test_under_a_scope(crossed: Made) -> None:
    args, kwargs = crossed.call
    plain, generated = (handlers.scope(m, prefix="g") for m in (crossed.plain, crossed.generated))
    report = verify(plain, generated, args, kwargs, Options(points=1, skip=SPREAD_ONLY))
    assert coordinates(report)[0] == "ok"
