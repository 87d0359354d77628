"""The rewriter as a function: ``rewrite(source, config)``.

What it gives is what the command line writes to standard output, byte for byte.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

from msgspec import Struct
from msgspec.structs import asdict

from reparam_rewrite.config.reading import Config, config_at, read_config
from reparam_rewrite.config.writing import to_toml
from reparam_rewrite.messages import Diagnostic, Refusal, too_deep
from reparam_rewrite.ordering import MovedUp
from reparam_rewrite.plan.values import Account, Met
from reparam_rewrite.rewriting import rewrite as rewrite_document
from reparam_rewrite.source.diff import unified_diff
from reparam_rewrite.source.document import Document
from reparam_rewrite.source.reading import read

__all__ = ["Met", "Move", "Rewrite", "Site", "rewrite"]

Code = TypeVar("Code", str, bytes)

AnyConfig = str | os.PathLike[str] | Mapping[str, object]

#: What messages call a source and a config that are no files.
SOURCE, CONFIG = "<source>", "<config>"


class Site(Struct, frozen=True, kw_only=True):
    """What became of a site that the config asks for.

    `site` is its name, and `function`, `path` and `line` tell where it is sampled. `parents` are
    what it is offset by, and what else is done to it ("scale", "dct basis", "LocScaleReparam"), in
    words. `config_line` is the line of the config that asks for it. `details` tell its shape, in
    the words of the source; `notes` what one should know beside. `skipped`: a comment,
    ``# reparam: skip``, has it left alone, and nothing of this was done. `meets` says of each site
    among the parents as what it is taken, and by what that was told: in ``mu + s[state] +
    a[county]`` s is taken for a as ``s[state] per county``, by the "sum" in `line`. `sampled` is
    where a function of another file samples it, "parts.py:6", if one does that `line` calls.
    """

    site: str
    function: str
    path: str
    line: int
    parents: tuple[str, ...]
    config_line: int
    details: tuple[str, ...]
    notes: tuple[str, ...]
    skipped: bool
    meets: tuple[Met, ...]
    sampled: str


class Move(Struct, frozen=True, kw_only=True):
    """A site that was moved up, as it is a parent of what the model samples before it.

    `line` is where the model samples it, and `above` the line of the statement that it went above;
    `others` are those of statements that had to go with it. `config_line` is the line of the config
    that asks for this order.
    """

    site: str
    function: str
    path: str
    line: int
    above: int
    others: tuple[int, ...]
    config_line: int


class Rewrite(Struct, Generic[Code], frozen=True, kw_only=True):
    """A rewritten model.

    `code` is the whole file, a str if the source was given as one and bytes otherwise. `sites` are
    in the order in which they are sampled, and `moves` what was moved up for that. `already`: the
    source had been rewritten before, and `code` is the same again. `before` and `after` are the
    bytes of both, in the `encoding` of the source.
    """

    code: Code
    sites: tuple[Site, ...]
    moves: tuple[Move, ...]
    already: bool
    path: str
    encoding: str
    before: bytes
    after: bytes

    def diff(self) -> str:
        """Give the unified diff from the source, which `git apply` takes; "" if nothing changed."""
        path = None if self.path == SOURCE else Path(self.path)
        diff = unified_diff(self.before, self.after, path, b"model.py")
        return diff.decode(self.encoding, "replace")


@overload
def rewrite(
    source: str, config: AnyConfig, *, path: str | None = None, line_length: int | None = None
) -> Rewrite[str]: ...


@overload
def rewrite(
    source: bytes | os.PathLike[str],
    config: AnyConfig,
    *,
    path: str | None = None,
    line_length: int | None = None,
) -> Rewrite[bytes]: ...


def rewrite(
    source: str | bytes | os.PathLike[str],
    config: AnyConfig,
    *,
    path: str | None = None,
    line_length: int | None = None,
) -> Rewrite[str] | Rewrite[bytes]:
    """Rewrite a NumPyro model with the offsets that a config asks for.

    `source` is the code of the model, or a `Path` to a file, which is read and never written. It
    is a notebook if its path ends in ".ipynb". `config` is the text of a config, a `Path` to one,
    or a dictionary such as ``{"sites": {"a": {"offset": "mu"}}}``. A str is never a path.

    `path` is what messages and the diff call a source that isn't given as a `Path`. `line_length`
    is what generated code is broken at; by default the formatter's setting in the pyproject.toml
    of the source's project, the current folder's for a source without a path, else 88.

    Raises `Refusal` if anything in the config can't be done; `str()` of it is the message that the
    command line prints, and its `diagnostics` are the reasons one by one. Raises TypeError for a
    source or a config of another type.

    >>> result = rewrite(Path("model.py"), {"sites": {"a": {"offset": "mu"}}})
    >>> Path("model_reparam.py").write_bytes(result.code)
    >>> result.sites[0].parents
    ('mu',)
    """
    settings = config_of(config)
    document = document_of(source, path)
    try:
        result = rewrite_document(document, settings, line_length)
    except RecursionError:
        raise Refusal(too_deep(document.path)) from None
    encoding = document.encoding.removesuffix("-sig")  # a byte order mark is a character
    about: dict[str, Any] = {
        "sites": tuple(map(site_of, result.accounts)),
        "moves": tuple(map(move_of, result.moves)),
        "already": result.already,
        "path": document.path,
        "encoding": encoding,
        "before": document.data,
        "after": result.data,
    }
    if isinstance(source, str):
        return Rewrite(code=result.data.decode(encoding), **about)
    return Rewrite(code=result.data, **about)


def site_of(account: Account) -> Site:
    told = asdict(account)
    del told["as_written"]  # which a note says
    at = told.pop("sampled")
    sampled = f"{at.path}:{at.line}" if at is not None else ""
    return Site(config_line=told.pop("config").line, sampled=sampled, **told)


def move_of(up: MovedUp) -> Move:
    return Move(
        site=up.site,
        function=up.function,
        path=up.at.path,
        line=up.at.line,
        above=up.above.line,
        others=tuple(place.line for place in up.others),
        config_line=up.config.line,
    )


def document_of(source: str | bytes | os.PathLike[str], path: str | None) -> Document:
    """The source, read. Raises `Refusal` as `read` does."""
    if isinstance(source, str) and source.endswith((".py", ".ipynb")) and "\n" not in source:
        message = f"the source is the text '{source}', which is no model"
        raise Refusal(Diagnostic(SOURCE, message, f"a path is given as Path({source!r})."))
    if isinstance(source, (str, bytes)):
        return read(path or SOURCE, source)
    if isinstance(source, os.PathLike):
        if path is not None:
            raise TypeError("a source that is a path has that path")
        return read(os.fspath(source))
    raise TypeError(f"source must be str, bytes or a path, not {type(source).__name__}")


def config_of(config: AnyConfig) -> Config:
    """The config, read. Raises `Refusal` as `read_config` does."""
    if isinstance(config, str):
        if config.endswith(".toml") and "\n" not in config:
            message = f"the config is the text '{config}', which isn't TOML"
            raise Refusal(Diagnostic(CONFIG, message, f"a path is given as Path({config!r})."))
        return read_config(config.encode("utf-8", "surrogatepass"), CONFIG)
    if isinstance(config, Mapping):
        return read_config(to_toml(config, CONFIG).encode(), CONFIG)
    if isinstance(config, os.PathLike):
        return config_at(os.fspath(config))
    raise TypeError(f"config must be str, a path or a dictionary, not {type(config).__name__}")
