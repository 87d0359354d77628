"""A model with conditional coordinates, as `fit` and the program make it of a text and one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.fit.coordinates import as_if_frozen, frozen_data
from reparam_rewrite.fit.writing import npz_bytes
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.running.call import called
from reparam_rewrite.running.values import Model
from tests.support.execution import load_model


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
    files = {"model.py": model, "example.py": example, "offsets.toml": config}
    for name, text in files.items():
        (folder / name).write_text(text)
    path = str(folder / "offsets.toml")
    asked = read_config(config.encode(), path)
    args = str(folder / "example.py:example_args")
    call = called(str(folder / "model.py"), [as_if_frozen(asked)], args, None, "a test")
    frozen = frozen_data(call, asked, "fitted.npz")
    (folder / "offsets.toml").write_text(frozen.text)
    (folder / "fitted.npz").write_bytes(npz_bytes(frozen.arrays))
    rewritten = rewrite(call.document, read_config(frozen.text.encode(), path))
    (folder / "generated.py").write_bytes(rewritten.data)
    return Made(folder)
