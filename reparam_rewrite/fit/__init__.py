"""Coefficients from a pilot: `fit` regresses each child's draws on its parents'.

`values` has what passes between the modules; importing the package itself imports nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reparam_rewrite.config.rules import Config
    from reparam_rewrite.fit.values import Fitted, Pilot
    from reparam_rewrite.rewriting import Rewrite
    from reparam_rewrite.source.document import Document

__all__ = ["Models", "fit_children"]


class Models:
    """What a config makes of a model: as it is, and with coefficients that can be told apart.

    `load` makes a function of the source of a generated module. Raises `Refusal` as `rewrite` does.
    """

    def __init__(self, document: Document, config: Config, load: Callable[[Rewrite], Any]) -> None:
        from reparam_rewrite.fit.children import children_of, learning, probe
        from reparam_rewrite.messages import Refusal
        from reparam_rewrite.rewriting import rewrite

        width = 88
        self.config = config
        self.rewritten = rewrite(document, config, width)
        probed = rewrite(document, probe(config), width)
        self.children = children_of(document, config)
        self.as_configured = load(self.rewritten)
        self.probe = load(probed)
        try:
            self.learning = load(rewrite(document, learning(config), width))
        except Refusal:  # of shapes that can't be written: one coefficient is fitted for each pair
            self.learning = None


def fit_children(
    models: Models, args: Sequence[Any], kwargs: Mapping[str, Any], pilot: Pilot
) -> list[Fitted]:
    """The coefficients of every child, in the order in which the model samples them."""
    import numpy as np

    from reparam_rewrite.fit.probing import Probe, regressions
    from reparam_rewrite.fit.regression import fitted
    from reparam_rewrite.running.trace import copied, double_precision, structure

    shapes: dict[str, tuple[int, ...]] = {}
    if models.learning is not None:
        with double_precision():
            trace = structure(models.learning, *copied(args, kwargs))
        shapes = {n: np.shape(s["value"]) for n, s in trace.items() if s["type"] == "param"}
    probe = Probe(models.probe, tuple(args), kwargs, shapes)
    return [fitted(one, pilot.chain) for one in regressions(probe, models.children, pilot)]
