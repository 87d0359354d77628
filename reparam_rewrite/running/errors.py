"""Errors of the code that is run: where they are in the user's files, and at which site."""

from __future__ import annotations

import linecache
import re
import site as site_packages
import sysconfig
import traceback
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from jax.errors import TracerArrayConversionError, UnexpectedTracerError

from reparam_rewrite.bases import BASES
from reparam_rewrite.messages import Diagnostic, Place, Refusal

#: Where Python and installed packages are: a frame there is not the user's.
INSTALLED = tuple(
    str(Path(path).resolve())
    for path in (
        sysconfig.get_paths()["stdlib"],
        sysconfig.get_paths()["purelib"],
        *site_packages.getsitepackages(),
        str(Path(__file__).parents[1]),
    )
)

#: What a basis is made of, as an error about an older NumPyro names it.
OF_BASES = re.compile(
    rf"\b(?:{'|'.join(kind.stem for kind in BASES.values())})(?:Transform|Reparam)\b"
)
BASES_SINCE = "0.22"

#: What JAX says where what was sampled inside of a compiled function is used outside.
COMPILED = "Computation compiled for"


def first_line(error: BaseException) -> str:
    """The first line of what an error says; "" if it says nothing."""
    return str(error).strip().split("\n")[0].strip()


def summary(error: BaseException) -> str:
    """What an error is and says, in one line."""
    name, said = type(error).__name__, first_line(error)
    said = f"{said[:157]}..." if len(said) > 160 else said
    return f"{name}: {said}" if said else name


def site_of(error: BaseException, names: Iterable[str]) -> str:
    """The site that an error names in quotes, as it is or with ``_base``; "" if it names none."""
    for name in sorted(names, key=len, reverse=True):
        if re.search(rf"['\"`]{re.escape(name)}(_base)?['\"`]", str(error)):
            return name
    return ""


def frame_of(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost frame of an error that is in the user's own code."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = frame.filename
        made = path.startswith(("<frozen", "<string>"))
        if not made and not str(Path(path).resolve()).startswith(INSTALLED):
            return frame
    return None


def refusal(error: BaseException, path: str, doing: str, hint: str = "") -> Refusal:
    """`error` as a message with its place in the user's file: nothing could be checked."""
    place: Place | str = path
    source, message = "", f"{doing}: {summary(error)}"
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        place = Place(relative(error.filename), error.lineno, error.offset or 1)
        source = error.text or linecache.getline(error.filename, error.lineno)
        message = f"{doing}: {error.msg}"
    elif frame := frame_of(error):
        place = Place(relative(frame.filename), frame.lineno or 1, (frame.colno or 0) + 1)
        source = linecache.getline(frame.filename, frame.lineno or 1)
    is_missing = isinstance(error, ImportError | AttributeError)
    if is_missing and (missing := OF_BASES.search(str(error))):
        hint = (
            f"{missing[0]} came with NumPyro {BASES_SINCE}, and this is {version('numpyro')}: "
            "update NumPyro, or take the basis out of the config."
        )
    if isinstance(error, TracerArrayConversionError):
        hint = "JAX traces what NumPy's array is indexed by or put in: let --args give jax arrays."
    if isinstance(error, UnexpectedTracerError) or COMPILED in str(error):
        hint = "what samples can't be inside of jax.jit, jax.vmap or the like: take that off."
    refused = Refusal(Diagnostic(place, message, hint, source))
    refused.__cause__ = error
    return refused


def cannot_run(error: BaseException, path: str, name: str) -> Refusal:
    """What the model `name` raised when it was run with the arguments that it was given."""
    hint = "give it what it takes, or name another function (--function)."
    return refusal(error, path, f"'{name}' can't be run with these arguments", hint)


def file_of(model: object) -> str:
    """The file that a model is from, as a user would write it; "" for what is no function."""
    code = getattr(getattr(model, "__func__", model), "__code__", None)
    return relative(code.co_filename) if code else ""


def relative(path: str) -> str:
    """`path` from the current folder, where it is below it."""
    try:
        return str(Path(path).resolve().relative_to(Path.cwd().resolve()))
    except (ValueError, OSError):
        return path
