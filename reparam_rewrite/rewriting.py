"""The pipeline: a document and a config in, the rewritten bytes and an account out."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.config.rules import Config
from reparam_rewrite.messages import Diagnostic, Named, Place, Refusal
from reparam_rewrite.plan.values import Account
from reparam_rewrite.source.document import Document
from reparam_rewrite.source.encoding import Source
from reparam_rewrite.source.line_length import line_length

if TYPE_CHECKING:
    from reparam_rewrite.ordering import MovedUp, Ordered
    from reparam_rewrite.survey.functions import Survey


class Rewrite(Struct, frozen=True):
    """What became of a document. `already`: it had been rewritten before, and `data` is its own.

    `moves` are the sites that were moved up above their children, and `read` other files that
    decided what became of it.
    """

    data: bytes
    accounts: tuple[Account, ...]
    already: bool
    moves: tuple[MovedUp, ...] = ()
    read: tuple[bytes, ...] = ()


#: The way out where a generated model is given.
PLAIN = "give the plain model."


def rewrite_plain(
    document: Document,
    config: Config,
    width: int | None = None,
    hint: str = PLAIN,
) -> Rewrite:
    """`rewrite` of what is to be run as it was written by hand.

    Raises `Refusal` too, with this `hint`, for what had been rewritten before.
    """
    found = rewrite(document, config, width)
    if found.already:
        raise already(document.path, hint)
    return found


def already(path: str | None, hint: str = PLAIN) -> Refusal:
    """The refusal of a generated model where a plain one is meant."""
    return Refusal(Diagnostic(path, "the model is rewritten already", hint))


def rewrite(document: Document, config: Config, width: int | None = None) -> Rewrite:
    """Rewrite the models of a document as a config says.

    `width` is the line length of generated code; without it, it is that of the project's formatter
    for a file at the path of the document, or in this folder. Raises `Refusal` with all the
    reasons if anything in the config can't be done.
    """
    if config.is_empty:
        return Rewrite(document.data, (), already=False)
    if width is None:
        width = line_length(Path(document.path))
    # The growing trees have no cycles: they are freed as soon as nothing holds them, and the cyclic
    # garbage collector would go through them many times.
    collecting = gc.isenabled()
    gc.disable()
    try:
        module = document.module  # its own refusals speak of places in the document already
        try:
            return rewritten(document, module, config, width)
        except Refusal as refusal:
            raise document.located(refusal) from None
    finally:
        if collecting:
            gc.enable()


def rewritten(document: Document, module: Source, config: Config, width: int) -> Rewrite:
    """`rewrite`, with refusals that speak of places in the module."""
    # LibCST is half of the program's start-up: a config with errors never gets to it.
    from reparam_rewrite.ordering import ordered
    from reparam_rewrite.survey import survey

    if not document.knows_folder:
        for name, place in config.files:
            message = f"'{name}' can't be loaded: the code of a notebook doesn't know its folder"
            hint = "give the coefficients as an array: init = [0.5, 1.0]."
            if any(parent.per == name for _, parent in config.frozen):
                hint = 'say how both meet: { value = "s[state]", per = "county" }, for example.'
            if config.conditional is not None and config.conditional.data == name:
                hint = "write the model into a .py file, or take 'conditional' out."
            raise Refusal(Diagnostic(place, message, hint, config.source_line(place)))
    surveyed = survey(module.path, module.text)
    try:
        config = of_changeable(config, surveyed, document.first_line)
        found = ordered(module, config, surveyed)
    except Refusal as refusal:
        raise surveyed.located(refusal) from None
    try:
        return of_ordered(document, found, config, width)
    except Refusal as refusal:
        raise found.located(refusal) from None


def of_ordered(document: Document, found: Ordered, config: Config, width: int) -> Rewrite:
    """`rewritten`, with refusals that speak of places in the module with its parents in order."""
    from reparam_rewrite.plan import plan

    surveyed = found.survey
    planned = plan(surveyed, config, found.request)
    if planned.already:
        accounts = tuple(replace(each, path=document.path) for each in planned.accounts)
        return Rewrite(document.data, accounts, already=True, read=surveyed.read)

    def place(place: Place) -> Place:
        return document.place(found.place(place))

    accounts = tuple(located(account, place) for account in planned.accounts)
    if not planned.rewrites:  # all that is asked for is to be left alone
        return Rewrite(document.data, accounts, already=False, read=surveyed.read)
    for account in accounts:
        if not account.skipped:
            at = Place(account.path, account.line, 1)
            document.refuse_elsewhere(at, account.site, account.function)
    from reparam_rewrite.emit import emit

    heads = (surveyed.functions[step.function].place.line for step in planned.rewrites)
    first = found.line(min(heads))
    certain = document.imported_before(first)
    if certain is not None:
        surveyed = replace(surveyed, certain=certain)
    data = emit(planned, surveyed, found.module, width, document.border(first))
    text, plain = (one.decode(found.module.encoding) for one in (data, found.module.data))
    if surveyed.spelt(text) != text and surveyed.spelt(plain) == plain:
        message = "the generated code would read a name of another file, so nothing was edited"
        raise Refusal(Diagnostic(document.path, message, "please report this file."))
    moves = tuple(moved.placed(document.place) for moved in found.moves)
    data, read = document.with_module(data), surveyed.read
    return Rewrite(data, accounts, already=False, moves=moves, read=read)


def of_changeable(config: Config, surveyed: Survey, first_line: int) -> Config:
    """The config for functions from `first_line` on alone, as others may sample the same sites."""
    from reparam_rewrite.plan.resolve import chosen

    if config.functions or first_line == 1:
        return config
    functions = {
        name: function
        for name, function in surveyed.own.items()
        if function.place.line >= first_line
    }
    place = Place(config.path, 1, 1)
    asked = chosen(replace(surveyed, functions=functions), config)
    return replace(config, functions=tuple(Named(function.name, place) for function in asked))


def located(account: Account, place: Callable[[Place], Place]) -> Account:
    """An account with its places as a user finds them."""

    found = place(Place(account.path, account.line, 1))

    def line(number: int) -> int:
        there = place(Place(account.path, number, 1))
        # What is read of another file is read where the model calls it.
        return there.line if there.path == found.path else found.line

    meets = tuple(replace(met, line=met.line and line(met.line)) for met in account.meets)
    sampled = account.sampled and place(account.sampled)
    if sampled is not None and sampled.path == found.path:
        sampled = None
    return replace(account, path=found.path, line=found.line, meets=meets, sampled=sampled)
