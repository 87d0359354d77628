"""Which file of the project is a module that the model imports? Found by its name, never executed.

Modules are looked for where Python would find them when the project runs: beside the model, where
its package begins, in the current folder, and at the root of the project with its ``src``. What is
installed is no file of the project.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.source.encoding import Source, decode

#: Folders of what is installed.
INSTALLED = frozenset(["dist-packages", "site-packages"])

INIT = "__init__.py"


class Project:
    """The files around a model, whose path is as the user spelt it.

    Standard input is in no folder, but in a project; a text without a path is in none, and what a
    running notebook has imported may be another thing than its file.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.file = None if model.startswith("<") else real(Path(model))

    @cached_property
    def roots(self) -> list[Path]:
        """The folders in which absolute imports are looked up."""
        return list(dict.fromkeys(map(real, self._roots())))

    def _roots(self) -> Iterator[Path]:
        if self.file is not None:
            folder = self.file.parent
            yield folder
            while (folder / INIT).is_file() and folder != folder.parent:
                folder = folder.parent
            yield folder
        around = [] if self.file is None else [*self.file.parents]
        for folder in around:
            if (folder / "pyproject.toml").is_file():
                yield from (folder, folder / "src")
                break
            if (folder / ".git").exists():
                break
        if self.file is not None or self.model == "<stdin>":
            yield Path.cwd()

    def absolute(self, name: str) -> list[Path]:
        """The files that ``import name`` may mean: several where it depends on how it is run."""
        found = (module_in(root, name.split(".")) for root in self.roots)
        return list(dict.fromkeys(real(path) for path in found if path is not None))

    def relative(self, file: Path, level: int, name: str) -> Path | None:
        """The file that ``from ..name import x`` means in another one; `level` counts the dots."""
        folder = file.parent
        for _ in range(level - 1):
            folder = folder.parent
        return module_in(folder, name.split(".") if name else [])

    def read(self, file: Path) -> Source:
        """A file as it is read. Raises `Refusal` if it can't be."""
        path = self.shown(file)
        try:
            data = file.read_bytes()
        except OSError as error:
            raise Refusal(Diagnostic(path, f"cannot read it: {error.strerror}")) from None
        return decode(path, data)

    def shown(self, file: Path) -> str:
        """What messages call a file: by a path like that of the model."""
        if Path(self.model).is_absolute():
            return str(file)
        try:
            found = os.path.relpath(file)
        except ValueError:  # another drive
            found = str(file)
        return found.replace(os.sep, "/")


def real(path: Path) -> Path:
    """One path for a file, however it is come to."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return path.absolute()


def module_in(folder: Path, names: list[str]) -> Path | None:
    """The file of a module below a folder, of a package its ``__init__.py``, as Python finds it.

    None for what isn't there, for a folder without one, and for what is installed.
    """
    for name in names[:-1]:
        folder /= name
    *_, last = ["", *names]
    try:
        found = [folder / last / INIT, *([folder / f"{last}.py"] if last else [])]
        path = next((path for path in found if path.is_file()), None)
    except (OSError, ValueError):  # a name that is too long
        return None
    return None if path is None or INSTALLED.intersection(real(path).parts) else path
