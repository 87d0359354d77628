"""The arrays beside a generated file that it loads: are they there, and those that it means?

They are looked at without numpy, which the rewriter doesn't import: what an .npz has is told by the
names of its members, and a member of texts is read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reparam_rewrite.config.rules import ConditionalRule, Config
from reparam_rewrite.messages import Diagnostic, Place, Refusal, listed

if TYPE_CHECKING:
    from zipfile import ZipFile

AGAIN = "run 'reparam-rewrite fit' again, which writes it."


def refuse_missing_arrays(config: Config, output: str) -> None:
    """Refuse to generate a file that can't load its arrays from beside it. Raises `Refusal`."""
    for name, place in config.files:
        path = Path(output).parent / name
        if not path.is_file():
            message = f"there is no '{name}' beside {output}, which would load it"
            hint = "coefficients in an .npz are read from the folder of the generated file."
            if config.conditional is not None and config.conditional.data == name:
                hint = "fit writes it beside the config: copy it, or generate into that folder."
            raise refusal(config, place, message, hint)
        refuse_damaged(config, path, place)


def refuse_damaged(config: Config, path: Path, place: Place) -> None:
    """Refuse an .npz that is damaged, or of something else than the config. Raises `Refusal`."""
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            refuse_frozen(config, path.name, {*archive.namelist()})
            rule = config.conditional
            if rule is not None and rule.data == path.name:
                refuse_conditional(config, rule, archive)
    except (BadZipFile, OSError) as error:
        raise refusal(config, place, f"'{path.name}' is no .npz: {error}", AGAIN) from None


def refuse_frozen(config: Config, file: str, known: set[str]) -> None:
    """How a child and its parent meet must be there, as `fit` writes it."""
    for child, rule in config.frozen:
        array = config.settings(child, rule.parent).name.format(child=child, parent=rule.parent)
        if rule.per == file and f"{array}.rows.npy" not in known and "{" not in array:
            message = f"'{file}' has no arrays '{array}' for the offset of '{child}'"
            source = config.source_line(rule.place)
            raise Refusal(Diagnostic(rule.places["per"], message, AGAIN, source))


def refuse_conditional(config: Config, rule: ConditionalRule, archive: ZipFile) -> None:
    """What the data say must be of the sites that the config has, in their order and form."""
    place, file = rule.data_place or rule.place, rule.data
    asked: dict[str, list[str]] = {
        "order": [one.name for one in rule.order],
        "form": [str(rule.form or "exact")],
        "noise": [*rule.noise],
        "given": [one.name for one in rule.given],
    }
    for key, wanted in asked.items():
        try:
            found = texts_in(archive.read(f"conditional.{key}.npy"))
        except (KeyError, ValueError, SyntaxError):
            message = f"'{file}' doesn't have what the data say of the sites of 'conditional'"
            raise refusal(config, place, message, AGAIN) from None
        if found != wanted:
            message = f"'{file}' has {said(found)} as the '{key}' of 'conditional', and the config "
            raise refusal(config, place, f"{message}{said(wanted)}", AGAIN)


def said(names: Sequence[str]) -> str:
    return listed(names, limit=20) if names else "nothing"


def texts_in(data: bytes) -> list[str]:
    """The texts of a .npy file that has some, one after the other.

    https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Raises `ValueError` and
    `SyntaxError` for what is no such file.
    """
    import ast

    start = 10 + int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10:start].decode("latin-1").strip())
    if not isinstance(header, dict) or not str(header.get("descr")).startswith("<U"):
        raise ValueError("no texts")
    width = 4 * int(header["descr"][2:])
    texts = (data[at : at + width] for at in range(start, len(data), width))
    return [text.decode("utf-32-le").rstrip("\0") for text in texts]


def refusal(config: Config, place: Place, message: str, hint: str) -> Refusal:
    return Refusal(Diagnostic(place, message, hint, config.source_line(place)))
