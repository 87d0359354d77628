"""The line length that black or ruff would hold a file to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

DEFAULT = 88  # black's and ruff's own


def line_length(start: Path) -> int:
    """The line length for the file (or the folder) `start`, which need not exist.

    The nearest folder upward that configures black or ruff decides, black first, as both tools
    merge nothing from further up; the search ends at the folder of a repository. 88 where none
    does, or where what it says cannot be read or is not a positive whole number. Never raises.
    """
    try:
        lengths = map(configured_in, folders_upward(start))
        length = next((length for length in lengths if length is not None), DEFAULT)
    except (OSError, ValueError, RecursionError, RuntimeError):
        # Unreadable or broken TOML (a ValueError), a loop of links (a RuntimeError): that file's
        # formatter has its own way of telling the user.
        return DEFAULT
    return length if type(length) is int and length > 0 else DEFAULT


def folders_upward(start: Path) -> Iterator[Path]:
    """The folder of `start` and those around it, to the repository's or the file system's root."""
    start = start.resolve()
    for folder in (start, *start.parents) if start.is_dir() else start.parents:
        yield folder
        if (folder / ".git").exists():
            return


def configured_in(folder: Path) -> object:
    """The line length that the files of `folder` ask for; None if they configure no formatter."""
    tools = table(read_toml(folder / "pyproject.toml").get("tool"))
    # black takes an underscore for a hyphen.
    black = {key.replace("_", "-"): value for key, value in table(tools.get("black")).items()}
    if "line-length" in black:
        return black["line-length"]
    for name in (".ruff.toml", "ruff.toml"):  # ruff's order of precedence
        if (folder / name).is_file():
            return ruff_length(read_toml(folder / name), folder)
    if "ruff" in tools:
        return ruff_length(table(tools["ruff"]), folder)
    return DEFAULT if "black" in tools else None


def ruff_length(settings: dict[str, Any], folder: Path, depth: int = 8) -> object:
    """The line length of ruff's `settings`, which may `extend` those of another file."""
    base = settings.get("extend")
    if "line-length" in settings or not isinstance(base, str) or depth == 0:
        return settings.get("line-length", DEFAULT)
    file = folder / Path(base).expanduser()
    extended = read_toml(file)
    if file.name == "pyproject.toml":
        extended = table(table(extended.get("tool")).get("ruff"))
    return ruff_length(extended, file.parent, depth - 1)


def read_toml(file: Path) -> dict[str, Any]:
    """The TOML of `file`, empty if there is no such file. Raises OSError and ValueError."""
    if not file.is_file():
        return {}
    # Not every run meets a configuration, and every run pays for an import.
    import tomllib

    return tomllib.loads(file.read_text("utf-8"))


def table(value: object) -> dict[str, Any]:
    """`value` if it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}
