"""``suggest(model)``: a config for a model, read or run once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from reparam_rewrite.api.calls import Model, arguments_of, call_of, path_of, running
from reparam_rewrite.source.reading import read

if TYPE_CHECKING:
    from reparam_rewrite.suggesting import Suggestion

__all__ = ["Suggested", "suggest"]


class Suggested:
    """A proposed config. Its `str()` is `config`, TOML with a reason for every line.

    `function` is the model. `conditional` are the sites that are to be sampled given the data, in
    their order, and `chains` those of which each is offset by the ones before. `left` says of all
    others why they are left alone. `is_empty`: nothing is proposed.
    """

    def __init__(self, suggestion: Suggestion) -> None:
        from reparam_rewrite.suggesting import to_text

        self.config = to_text(suggestion)
        self.function = suggestion.function
        self.conditional = suggestion.order
        self.chains = suggestion.chains
        self.left = {one.site: one.reason for one in suggestion.alone}
        self.is_empty = suggestion.is_empty
        self._suggestion = suggestion

    def dag(self, kind: Literal["svg", "png", "html", "dot"] = "svg") -> bytes:
        """Draw the sites, their priors and the proposal, and give the file's bytes.

        Needs Graphviz, but for "dot". Raises `Refusal` where that isn't installed.
        """
        from reparam_rewrite.suggesting.dot import drawn

        return drawn(self._suggestion, kind)

    def __str__(self) -> str:
        return self.config

    __repr__ = __str__


def suggest(
    model: Model,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    offsets: bool = False,
    function: str | None = None,
) -> Suggested:
    """Read a model and propose a config for it, as ``reparam-rewrite suggest`` does.

    `model` is a function, imported or typed in a notebook, or the `Path` of a file, of which
    `function` names one if there are several. Without `args` and `kwargs` it isn't run, but that a
    function is there already. With those of one call it is run once, which tells sizes, shapes and
    data. `offsets`: propose these alone, and nothing that is sampled given the data.

    Raises `Refusal` where there is no model, and for what a run raises.

    >>> print(suggest(model, args=(group,), kwargs={"y": y}).config)
    """
    path = path_of(model)
    runs = args is not None or kwargs is not None
    if path is not None and not runs:
        from reparam_rewrite.suggesting import suggest as read_model

        return Suggested(read_model(read(path), function, offsets=offsets))
    if not runs:
        from reparam_rewrite.running.functions import Live
        from reparam_rewrite.suggesting import suggest as read_model

        live, document, _ = Live.of_function(model)
        return Suggested(read_model(document, live.name, offsets=offsets))
    with running("suggest with arguments"):
        from reparam_rewrite.fitting.automatic import Proposing, proposed

        if path is not None:
            given = arguments_of(args or (), kwargs)
            return Suggested(proposed(read(path), given, function, offsets))
        call, _ = call_of(model, [], args or (), kwargs, function)
        proposing = Proposing(call)
        return Suggested(proposing.suggestion(True) if offsets else proposing.worthwhile())
