"""Models that are fitted and rewritten in a folder, as a person does it with conditional ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.config.rules import Config
from reparam_rewrite.fitting.coordinates import as_if_frozen, frozen_data
from reparam_rewrite.fitting.writing import npz_bytes
from reparam_rewrite.messages import Place
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.running.call import Call, called
from reparam_rewrite.running.values import Model
from tests.support.cases import WIDTH
from tests.support.execution import load_model

FILE = "fitted.npz"


class Fitted(NamedTuple):
    """A plain model, the config that fit wrote of it, and what it is rewritten to."""

    plain: Path
    generated: Path
    config: Config
    call: Call


def fitted(folder: Path, source: bytes, config: str, args: str) -> Fitted:
    """Fit what the data say, and rewrite. `args` is an expression. Raises `Refusal`."""
    plain, generated = folder / "model.py", folder / "generated.py"
    plain.write_bytes(source)
    path = str(folder / "offsets.toml")
    asked = read_config(config.encode(), path)
    call = called(str(plain), [as_if_frozen(asked)], args, None, "a fit")
    frozen = frozen_data(call, asked, FILE)
    (folder / FILE).write_bytes(npz_bytes(frozen.arrays))
    found = read_config(frozen.text.encode(), path)
    generated.write_bytes(rewrite(call.document, found, WIDTH).data)
    return Fitted(plain, generated, found, call)


def without_places(config: Config) -> object:
    """What a config asks for of conditional coordinates, wherever that stands in it."""
    rule, nowhere = config.conditional, Place("", 1, 1)
    assert rule is not None
    return replace(
        rule,
        place=nowhere,
        data_place=None,
        form=rule.form or "exact",
        order=tuple(one.name for one in rule.order),
        given=tuple(one.name for one in rule.given),
        noise={name: said.text for name, said in rule.noise.items()},
    )


class Made(NamedTuple):
    """A folder with ``model.py``, ``offsets.toml``, ``fitted.npz`` and ``generated.py``."""

    folder: Path

    @property
    def plain(self) -> Model:
        return load_model(self.folder / "model.py")

    @property
    def generated(self) -> Model:
        return load_model(self.folder / "generated.py")

    @property
    def call(self) -> tuple[Any, Any]:
        args, kwargs = load_model(self.folder / "example.py", "example_args")()
        return args, kwargs

    def edit(self, old: str, new: str, file: str = "generated.py") -> None:
        """Put `new` in the place of the one `old` in a file."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        path.write_text(text.replace(old, new))


def made(folder: Path, model: str, example: str, config: str) -> Made:
    """What becomes of a model and a config, for the arguments that ``example_args`` returns."""
    (folder / "example.py").write_text(example)
    args = str(folder / "example.py:example_args")
    found = fitted(folder, model.encode(), config, args)
    (folder / "offsets.toml").write_text(found.config.text)
    return Made(folder)
