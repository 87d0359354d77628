"""The text that is rewritten: the module with every parent above its child, and the way back.

Where the model samples a parent later than its child, it is moved up, one after the other, and the
text is read again after each. All that is said of it is then said of the lines that it had before.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.config.rules import Config
from reparam_rewrite.messages import Place, Refusal
from reparam_rewrite.plan.resolve import Request, resolve
from reparam_rewrite.source.encoding import Source
from reparam_rewrite.survey import survey
from reparam_rewrite.survey.functions import Survey


class MovedUp(Struct, frozen=True):
    """A site whose statement was moved up above that of another, which it is a parent of.

    `at` is where the model samples it, and `above` is the statement that it went above. `others`
    had to go with it, and `config` says where that is asked for.
    """

    site: str
    function: str
    at: Place
    above: Place
    others: tuple[Place, ...]
    config: Place

    def placed(self, place: Callable[[Place], Place]) -> MovedUp:
        """The same with its places in the model's file as a user finds them."""
        others = tuple(map(place, self.others))
        return replace(self, at=place(self.at), above=place(self.above), others=others)


class Ordered(Struct, frozen=True):
    """A module whose parents are above their children.

    `request` is what a config asks of it. `moves` is what was moved, and `lines` has for each line
    the number of the one that it was: nothing where nothing was moved.
    """

    module: Source
    survey: Survey
    request: Request
    moves: tuple[MovedUp, ...] = ()
    lines: tuple[int, ...] = ()

    def line(self, number: int) -> int:
        """The line of the module as it was read."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else number

    def place(self, place: Place) -> Place:
        """A place in the module as it was read; places in other files stay what they are."""
        place = self.survey.place(place)
        if not self.lines or place.path != self.module.path:
            return place
        return replace(place, line=self.line(place.line))

    def located(self, refusal: Refusal) -> Refusal:
        """A refusal with its places in the module as it was read."""
        spelt = self.survey.spelt
        return Refusal(told.moved(self.place, told.source, spelt) for told in refusal.diagnostics)


def ordered(module: Source, config: Config, surveyed: Survey | None = None) -> Ordered:
    """A module with every parent moved above its child that is sampled later, and that can be.

    `surveyed` is what was read of it, if that is known already.
    """
    surveyed = surveyed or survey(module.path, module.text)
    found = Ordered(module, surveyed, resolve(surveyed, config))
    if not found.request.is_late:
        return found
    from reparam_rewrite.emit.moving import composed, moved
    from reparam_rewrite.plan.ordering import next_move

    while (move := next_move(found.survey, found.request.to_rewrite)) is not None:
        text, order = moved(found.module, move.lines, move.line)
        up = MovedUp(
            site=move.pair.parent,
            function=move.function,
            at=found.place(move.at),
            above=found.place(move.above),
            others=tuple(map(found.place, move.others)),
            config=move.pair.place,
        )
        surveyed = survey(text.path, text.text)
        lines = tuple(composed(order, found.lines) if found.lines else order)
        found = Ordered(text, surveyed, resolve(surveyed, config), (*found.moves, up), lines)
    return found
