"""A config whose data are computed, and all that comes of it: what `fit` and `tune` hand out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.rewriting import Rewrite, rewrite
from reparam_rewrite.source.diff import unified_diff

if TYPE_CHECKING:
    from reparam_rewrite.running.call import Call
    from reparam_rewrite.running.functions import Held

__all__ = ["Made"]

#: What the arrays of a config without a path are called, and the config where it is saved.
STEM = "offsets"


class Made:
    """A config with its arrays, and the model that is generated of both.

    `config` is TOML text. `arrays` are those of the .npz that it names, by their names there, and
    empty if it names none. Without a change to the model both are those that were given.
    """

    def __init__(
        self, call: Call, config: str, arrays: Mapping[str, Any], path: Path | None
    ) -> None:
        self.config, self.arrays = config, dict(arrays)
        self._call, self._path = call, path

    @property
    def _file(self) -> str:
        return f"{self._path.stem if self._path is not None else STEM}.npz"

    @cached_property
    def _rewritten(self) -> Rewrite:
        return rewrite(self._call.document, read_config(self.config.encode(), "<config>"))

    @cached_property
    def model(self) -> Callable[..., Any]:
        """The generated model, a function that is called as the plain one is.

        Of a function it sees the names of its module as they were when it was made.
        """
        call = self._call._replace(all_data=False)
        if not self.arrays:
            return call.generated(self._rewritten, "<generated model>").model
        held = self.held()
        return held.by(call.generated(self._rewritten, "<generated model>", held.folder).model)

    def held(self) -> Held:
        """A folder with the arrays, in a file of the name that the config says."""
        from reparam_rewrite.fitting.writing import npz_bytes
        from reparam_rewrite.running.functions import Held
        from reparam_rewrite.source.files import write_outputs

        held = Held()
        write_outputs([(str(held.folder / self._file), npz_bytes(self.arrays))])
        return held

    @property
    def code(self) -> str:
        """The text of the generated file; of a function from a notebook that of what changed."""
        from reparam_rewrite.running.functions import changed_text

        document, data = self._call.document, self._rewritten.data
        if document.path.endswith(".py"):
            return data.decode(document.encoding.removesuffix("-sig"))
        return changed_text(document.data, data)

    def diff(self) -> str:
        """Give the unified diff of the model's file or cell; "" if nothing changes."""
        document = self._call.document
        path = Path(document.path) if document.path.endswith(".py") else None
        data = self._rewritten.data
        return unified_diff(document.data, data, path, b"model.py").decode("utf-8", "replace")

    def save(
        self,
        output: str | Path | None = None,
        *,
        config: str | Path | None = None,
        force: bool = False,
    ) -> tuple[str, ...]:
        """Write the generated model, the config and its arrays, beside each other, and give their
        paths: all of them are written, or none.

        `output` is the path of the generated file; without it only the config and its arrays are
        written. `config` is that of the config: by default the one that was given, or offsets.toml
        beside `output`. A file that was not generated is overwritten with `force` only.

        Raises `Refusal` for what can't be written, and for an `output` of a model that is in no
        file, but in a notebook.
        """
        from reparam_rewrite.fitting.writing import npz_bytes
        from reparam_rewrite.generation import of_config
        from reparam_rewrite.source.files import read_bytes, refuse_same_file, write_outputs
        from reparam_rewrite.source.targets import Target

        source = self._call.document.path
        if output is not None and not source.endswith(".py"):
            message = f"the model is in no file, but in {source}"
            hint = (
                "write it into a .py and import it. Without an output the config and its "
                "arrays are saved, which reparameterize(model, Path(config)) reads."
            )
            raise Refusal(Diagnostic(str(output), message, hint))
        folder = Path(output).parent if output is not None else Path()
        path = Path(config) if config is not None else (self._path or folder / f"{STEM}.toml")
        arrays = path.with_suffix(".npz") if output is None else folder / f"{path.stem}.npz"
        text = self.config.replace(f'"{self._file}"', f'"{arrays.name}"')
        kept = not force and path != self._path and path.exists()
        if kept and read_bytes(str(path), "config") != text.encode():
            message = "the file exists, with other content"
            raise Refusal(Diagnostic(str(path), message, "force=True overwrites it."))
        outputs = [(str(path), text.encode())]
        outputs += [(str(arrays), npz_bytes(self.arrays))] if self.arrays else []
        if output is not None:
            refuse_same_file(source, str(path))
            target = Target(source, str(path), str(output))
            outcome = of_config(target, text.encode(), lambda config: None)
            if outcome.obstacle is not None and not force:
                raise Refusal(outcome.obstacle)
            outputs.append((str(output), outcome.new))
        return tuple(write_outputs(outputs))

    def _lines(self) -> Sequence[str]:
        raise NotImplementedError

    def __str__(self) -> str:
        return "\n".join(self._lines())

    __repr__ = __str__
