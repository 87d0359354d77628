"""What a bare ``reparam-rewrite`` generates: the targets that a pyproject.toml lists.

::

    [[tool.reparam-rewrite.targets]]
    model = "models/*.py"
    config = "offsets/*.toml"
    output = "generated/*.py"

Paths are relative to the file. What a wildcard in the model matches takes the place of the same
wildcard in the config and the output; a config without one is that of all.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from reparam_rewrite.messages import Diagnostic, Place, Refusal, nearest
from reparam_rewrite.source.files import missing
from reparam_rewrite.source.line_length import folders_upward

KEYS = ("model", "config", "output")
NAME = "reparam-rewrite"
EXAMPLE = (
    f'write [[tool.{NAME}.targets]] and under it model = "model.py", '
    'config = "offsets.toml" and output = "model_reparam.py".'
)
WILDCARD = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]")
#: What each wildcard matches, as an expression. Names that begin with a dot are left to globs.
MATCHED = {"**/": "((?:[^/]+/)*)", "**": "(.*)", "*": "([^/]*)", "?": "([^/])"}


class Target(NamedTuple):
    """A file to generate; paths are as messages show them, from the current folder."""

    model: str
    config: str
    output: str


def find_targets(start: Path) -> tuple[Target, ...]:
    """The targets of the nearest pyproject.toml with a table of ours, upward from `start`.

    The search ends at the folder of a repository. Raises `Refusal` where there is none, and with
    everything that is wrong with the table.
    """
    looked = ""
    for folder in folders_upward(start):
        if (folder / "pyproject.toml").is_file():
            table = Table(folder / "pyproject.toml")
            if table.raw is not None:
                return table.targets()
            looked = looked or table.path
    if looked:
        message = f"no model is given, and there is no [[tool.{NAME}.targets]]"
        raise Refusal(Diagnostic(looked, message, EXAMPLE))
    message = "no model is given, and there is no pyproject.toml that lists targets"
    hint = "name the file to rewrite: reparam-rewrite model.py --config offsets.toml"
    raise Refusal(Diagnostic(None, message, hint))


def shown(path: Path) -> str:
    """A path from the current folder."""
    try:
        return os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)


class Table:
    """The table of one file. `raw` is None where the file has none."""

    def __init__(self, file: Path) -> None:
        self.path = shown(file)
        self.folder = file.parent
        self.problems: list[tuple[Place, Diagnostic]] = []
        try:
            self.text = file.read_bytes().decode("utf-8").removeprefix("\ufeff")
            tools = tomllib.loads(self.text).get("tool")
        except (OSError, ValueError, RecursionError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            raise Refusal(Diagnostic(self.path, f"the file can't be read: {said}")) from None
        self.raw: Any = tools.get(NAME) if isinstance(tools, dict) else None

    def targets(self) -> tuple[Target, ...]:
        """All targets, wildcards filled in, in the order of the file. Raises `Refusal`."""
        entries = self.entries()
        found: list[tuple[int, Target]] = []
        for at, entry in enumerate(entries if not self.problems else []):
            found += [(at, target) for target in self.expanded(at, entry)]
        kept = self.without_outputs(found)
        if self.problems:
            raise Refusal([said for _, said in sorted(self.problems, key=lambda one: one[0])])
        return kept

    def wrong(
        self, keys: tuple[str | int, ...], message: str, hint: str = "", key: bool = False
    ) -> None:
        """Add a problem of the value at a path of keys, or of the last key itself."""
        from reparam_rewrite.config.toml_places import places

        found = places(self.text)[("tool", NAME, *keys)]
        place = Place(self.path, *(found.key if key else found.value))
        lines = self.text.replace("\r\n", "\n").split("\n")
        self.problems.append((place, Diagnostic(place, message, hint, lines[place.line - 1])))

    def entries(self) -> list[dict[str, str]]:
        if not isinstance(self.raw, dict):
            self.wrong((), f"'{NAME}' must be a table", EXAMPLE)
            return []
        self.refuse_unknown((), self.raw, ("targets",))
        entries = self.raw.get("targets", [])
        if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            self.wrong(("targets",), "'targets' must be an array of tables", EXAMPLE)
            return []
        if not entries and not self.problems:
            self.wrong((), "there are no targets", EXAMPLE)
        for at, entry in enumerate(entries):
            keys = ("targets", at)
            self.refuse_unknown(keys, entry, KEYS)
            missing = [key for key in KEYS if key not in entry]
            if missing:
                self.wrong(keys, f"the target has no '{missing[0]}'", EXAMPLE)
            for key in entry.keys() & set(KEYS):
                value = entry[key]
                if not isinstance(value, str) or not value.strip():
                    self.wrong((*keys, key), f"'{key}' must be the path of a file, as a string")
                elif value == "-":
                    self.wrong((*keys, key), f"'{key}' of a target must be a file")
        return entries

    def refuse_unknown(
        self, keys: tuple[str | int, ...], raw: dict[str, Any], known: tuple[str, ...]
    ) -> None:
        for key in raw.keys() - set(known):
            near = nearest(key, known)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}."
            self.wrong((*keys, key), f"unknown key '{key}'", hint, key=True)

    def expanded(self, at: int, entry: dict[str, str]) -> Iterator[Target]:
        """The targets of an entry, one for each file that its wildcards match."""
        model, config, output = (entry[key].replace(os.sep, "/") for key in KEYS)
        wildcards = WILDCARD.findall(model)
        for key, value in (("config", config), ("output", output)):
            own = WILDCARD.findall(value)
            if own != wildcards and (own or key == "output"):
                message = f"'{key}' must have the wildcards of 'model', in their order"
                has = " ".join(wildcards) or "none"
                hint = f"the model has {has}; each stands for what it matches there."
                self.wrong(("targets", at, key), message, hint)
                return
        if not wildcards:
            yield self.target(model, config, output)
            return
        # Not Path.glob, which goes into hidden folders, .venv among them.
        from glob import glob

        matched = sorted(glob(model, root_dir=self.folder, recursive=True))  # noqa: PTH207
        files = [name for name in matched if (self.folder / name).is_file()]
        if not files:
            self.wrong(("targets", at, "model"), "no file matches")
        pattern = re.compile(as_expression(model))
        for name in files:
            found = pattern.fullmatch(name.replace(os.sep, "/"))
            parts = found.groups() if found else ()
            yield self.target(name, filled(config, parts), filled(output, parts))

    def target(self, *paths: str) -> Target:
        return Target(*(shown(self.folder / path) for path in paths))

    def without_outputs(self, found: list[tuple[int, Target]]) -> tuple[Target, ...]:
        """The targets without those whose model a wildcard found among the outputs.

        With ``models/*.py`` and ``models/*_reparam.py`` the first matches what is generated.
        """
        made = {identity(target.output) for _, target in found}
        kept: dict[tuple[object, ...], Target] = {}
        for at, target in found:
            output = identity(target.output)
            entry = ("targets", at)
            if identity(target.model) in made:
                if not WILDCARD.search(self.raw["targets"][at]["model"]):
                    message = f"'{target.model}' is also the output of a target"
                    self.wrong((*entry, "model"), message, "a model is written by hand.")
            elif identity(target.config) in made:
                message = f"'{target.config}' is also the output of a target"
                self.wrong((*entry, "config"), message, "a config is written by hand.")
            elif output in kept:
                message = f"'{os.path.normpath(target.output)}' is the output of two targets"
                other = os.path.normpath(kept[output].output)
                by = "" if other == os.path.normpath(target.output) else f", as '{other}'"
                hint = f"it is that of '{kept[output].model}' already{by}; give each its own."
                self.wrong((*entry, "output"), message, hint)
            elif not self.lacks_file(entry, target):
                kept[output] = target
        return tuple(kept.values())

    def lacks_file(self, entry: tuple[str | int, ...], target: Target) -> bool:
        """Is the model or the config of a target not there? That is told where it is named."""
        for key, path in (("model", target.model), ("config", target.config)):
            if not os.path.exists(path):  # noqa: PTH110 - which never raises
                said = missing(path, key)
                self.wrong((*entry, key), f"{path}: {said.message}", said.hint)
                return True
        return False


def identity(path: str) -> tuple[object, ...]:
    """The same for all paths under which one file would be written: through links, say.

    Not for hard links: a file is replaced when it is written, and its other names keep the old one.
    """
    try:
        folder, name = os.path.split(os.path.realpath(path))
        status = Path(folder).stat()
    except (OSError, ValueError):  # there is no such folder, or can't be
        return (os.path.normpath(path),)
    return status.st_dev, status.st_ino, name.casefold() if ignores_case(folder) else name


def ignores_case(folder: str) -> bool:
    """Does the file system take the folder's name in capitals for the same?"""
    other = folder.swapcase()
    with suppress(OSError):
        return other != folder and os.path.samefile(folder, other)  # noqa: PTH121
    return False


def as_expression(pattern: str) -> str:
    """A glob as a regular expression with a group for each wildcard."""
    literals = map(re.escape, WILDCARD.split(pattern))
    groups = [MATCHED.get(w) or f"({w.replace('[!', '[^', 1)})" for w in WILDCARD.findall(pattern)]
    return "".join(chain.from_iterable(zip(literals, [*groups, ""], strict=True)))


def filled(pattern: str, parts: tuple[str, ...]) -> str:
    """`pattern` with what each of its wildcards stands for."""
    left = iter(parts)
    return WILDCARD.sub(lambda found: next(left), pattern)
