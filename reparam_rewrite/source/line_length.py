"""The line length that black or ruff would hold a file to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

DEFAULT = 88  # black's and ruff's own

# ruff's order of precedence where a folder has several.
RUFF_FILES = (".ruff.toml", "ruff.toml")


def line_length(start: Path) -> int:
    """The line length for the file (or the folder) `start`, which need not exist.

    The nearest folder upward that configures black or ruff decides, black first, as both tools
    merge nothing from further up; the search ends at the folder of a repository. 88 where none
    does, or where what it says cannot be read or is not a positive whole number. Never raises.
    """
    try:
        for folder in folders_upward(start):
            length = configured_in(folder)
            if length is not None:
                return length
    except (OSError, ValueError, RecursionError, RuntimeError):
        # Unreadable or broken TOML (a ValueError), a loop of links (a RuntimeError): that file's
        # formatter has its own way of telling the user.
        return DEFAULT
    return DEFAULT


def folders_upward(start: Path) -> Iterator[Path]:
    """The folder of `start` and those around it, to the repository's or the file system's root."""
    start = start.resolve()
    for folder in (start, *start.parents) if start.is_dir() else start.parents:
        yield folder
        if (folder / ".git").exists():
            return


def configured_in(folder: Path) -> int | None:
    """The line length that the files of `folder` ask for; None if they configure no formatter."""
    tools = table(read_toml(folder / "pyproject.toml").get("tool"))
    black = tools.get("black")
    # black takes an underscore for a hyphen.
    settings = {key.replace("_", "-"): value for key, value in table(black).items()}
    if "line-length" in settings:
        return sensible(settings["line-length"])
    for name in RUFF_FILES:
        if (folder / name).is_file():
            return ruff_length(read_toml(folder / name), folder)
    if "ruff" in tools:
        return ruff_length(table(tools["ruff"]), folder)
    return None if black is None else DEFAULT


def ruff_length(settings: dict[str, Any], folder: Path, depth: int = 8) -> int:
    """The line length of ruff's `settings`, which may `extend` those of another file."""
    if "line-length" in settings:
        return sensible(settings["line-length"])
    base = settings.get("extend")
    if not isinstance(base, str) or depth == 0:
        return DEFAULT
    file = folder / Path(base).expanduser()
    extended = read_toml(file)
    if file.name == "pyproject.toml":
        extended = table(table(extended.get("tool")).get("ruff"))
    return ruff_length(extended, file.parent, depth - 1)


def read_toml(file: Path) -> dict[str, Any]:
    """The TOML of `file`, empty if there is no such file.

    Raises OSError and ValueError.
    """
    if not file.is_file():
        return {}
    # Not every run meets a configuration, and every run pays for an import.
    import tomllib

    return tomllib.loads(file.read_text("utf-8"))


def table(value: object) -> dict[str, Any]:
    """`value` if it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def sensible(value: object) -> int:
    """`value` if it can be a line length, else the default."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    return DEFAULT
