"""Sites that are sampled given the data: what these say, for a config that asks for that."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.config.rules import ConditionalRule, Config
from reparam_rewrite.fitting.conditional import Conditional, conditional_arrays
from reparam_rewrite.fitting.writing import edited, inline, npz_bytes
from reparam_rewrite.ordering import ordered
from reparam_rewrite.plan.factors import noise_of
from reparam_rewrite.rewriting import Rewrite, rewrite
from reparam_rewrite.running.call import WIDTH, Call
from reparam_rewrite.running.errors import cannot_run
from reparam_rewrite.running.spread import spread_of
from reparam_rewrite.running.trace import double_precision
from reparam_rewrite.source.files import write_outputs

#: The key of an array in the .npz begins so.
PREFIX = "conditional."


class Frozen(NamedTuple):
    """What the data say, for an .npz: the text of the config that names it, and its arrays.

    `found` is how it was found, and `noise` the scales that are read when the model runs, as the
    model writes them, by observed site. `spread`: how far the bases of what is generated are from
    standard normal given the data, in nats; None where that wasn't asked for.
    """

    text: str
    arrays: Mapping[str, Any]
    found: Conditional
    noise: Mapping[str, str]
    spread: float | None


def as_if_frozen(config: Config) -> Config:
    """A config that the model can be rewritten by, if what the data say were there already."""
    rule = config.conditional
    if rule is None or rule.data:
        return config
    return replace(config, conditional=replace(rule, data="fitted.npz"))


def without_coordinates(config: Config) -> Config:
    """The rest of a config."""
    return replace(config, conditional=None)


def coordinates_alone(config: Config) -> Config:
    """What a config asks for of the sites of `conditional`, and nothing else."""
    sites = {
        name: replace(site, parents=(), scale=None, basis=None, reparam=None)
        for name, site in config.sites.items()
    }
    return replace(config, chains=(), sites=sites)


def asks_for_more(config: Config) -> bool:
    """Does a config ask for what draws tell too, for offsets or a power of a scale?"""
    sites = config.sites.values()
    return bool(config.chains) or any(
        rule.parents or rule.centered or (rule.scale and rule.scale.by) for rule in sites
    )


def frozen_data(
    call: Call, config: Config, file: str, known: Conditional | None = None, spread: bool = True
) -> Frozen:
    """What the data of a call say of the sites of `conditional`.

    file: the name of the .npz that will have the arrays. known: what has been found of these sites
    in this order, where nothing else is asked for. spread: tell how far the bases are from standard
    normal. Raises `Refusal` for what can't be sampled so, and for what the model raises.
    """
    rule = config.conditional
    assert rule is not None
    order = [one.name for one in rule.order]
    texts = {name: said.text for name, said in rule.noise.items()}
    if known is not None and list(known.order) == order and not (rule.form or texts):
        found = known
    else:
        found = conditional_arrays(call, order, form=rule.form, noise=texts or None)
    if not texts:
        texts = noise_texts(call, config, found.noise)
        if texts.keys() != set(found.noise):  # a scale that doesn't show is frozen
            found = conditional_arrays(call, order, form=rule.form, noise=texts)
    noise = {name: texts[name] for name in found.noise}
    shapes = {
        f"{PREFIX}shapes.{name}": np.array(
            [*np.shape(call.trace[name]["value"]), found.arrays[f"{PREFIX}shapes.{name}"][-1]]
        )
        for name in order
    }
    asked = {"order": order, "form": [found.form], "noise": [*noise], "given": found.given}
    said = {f"{PREFIX}{key}": np.array(names, str) for key, names in asked.items()}
    text = with_data(config, rule, found, noise, file)
    arrays = {**found.arrays, **shapes, **said}
    far = spread_by(call, read_config(text.encode(), config.path), arrays) if spread else None
    return Frozen(text, arrays, found, noise, far)


@contextmanager
def beside_arrays(
    call: Call, rewritten: Rewrite, shown: str, arrays: Mapping[str, Any], file: str
) -> Iterator[Call]:
    """The call of what a model was rewritten into, with its arrays in a file of this name."""
    with TemporaryDirectory() as folder:
        if arrays:
            write_outputs([(str(Path(folder) / file), npz_bytes(arrays))])
        yield call.generated(rewritten, shown, Path(folder))


def spread_by(call: Call, config: Config, arrays: Mapping[str, Any]) -> float:
    """The spread of what a config and its arrays make of the sites of `conditional` alone."""
    rule = config.conditional
    assert rule is not None
    made = rewrite(call.document, coordinates_alone(config), WIDTH)
    shown = f"<{call.document.path} with {config.path}>"
    with (
        redirect_stdout(sys.stderr),
        double_precision(),
        beside_arrays(call, made, shown, arrays, rule.data) as other,
    ):
        bases = [f"{one.name}_base" for one in rule.order]
        try:
            return spread_of(other.model, call.args, call.kwargs, bases)
        except (Exception, SystemExit) as error:
            raise cannot_run(error, shown, call.name) from error


def noise_texts(call: Call, config: Config, sites: Sequence[str]) -> dict[str, str]:
    """The scales of observed sites that show in the model, each once there."""
    found = ordered(call.document.module, as_if_frozen(config))
    texts = {}
    for child in found.request.children:
        for name in sites:
            places = child.function.find(name)
            if len(places) == 1:
                text = noise_of(found.survey, child.function, places[0])
                if text is not None:
                    texts[name] = text
        if child.effects is not None:
            break
    return {name: texts[name] for name in sites if name in texts}


def with_data(
    config: Config, rule: ConditionalRule, found: Conditional, noise: Mapping[str, str], file: str
) -> str:
    """The text of the config with what was found, below the order of the sites.

    Raises `Refusal` where the text can't be edited so that it says that and nothing else.
    """
    said: dict[str, Any] = {"form": found.form, "data": file}
    if noise:
        said["noise"] = dict(noise)
    if found.given:
        said["given"] = list(found.given)
    lines = config.text.split("\n")
    own = re.match(r"[ \t]*conditional[ \t]*=", lines[rule.place.line - 1])
    if own is None:  # a table
        changes = [(("conditional", key), value) for key, value in said.items()]
        return edited(config, changes, "data", "[conditional]")
    # ``conditional = ["mu", "a"]`` keeps its array, and gets more lines with the same head.
    end = end_of(lines, rule.place.line - 1)
    first = lines[rule.place.line - 1]
    lines[rule.place.line - 1] = first.replace("conditional", "conditional.order", 1)
    return_ = "\r" if lines[end].endswith("\r") else ""
    more = [f"conditional.{key} = {written(value)}{return_}" for key, value in said.items()]
    lines[end + 1 : end + 1] = more if end + 1 < len(lines) else [*more, ""]
    text = "\n".join(lines)
    read_config(text.encode(), config.path)
    return text


def end_of(lines: Sequence[str], start: int) -> int:
    """The number of the last line of an array that starts in a line."""
    import tomllib

    for end in range(start, len(lines)):
        try:
            tomllib.loads("\n".join(lines[start : end + 1]))
        except tomllib.TOMLDecodeError:
            continue
        return end
    return start


def written(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, dict):
        return inline(value).as_string()
    import tomlkit

    text: str = tomlkit.item(value).as_string()
    return text
