"""A suggestion as a picture: the sites, their priors, and the offsets that are proposed."""

from __future__ import annotations

from reparam_rewrite.suggest import drawing
from reparam_rewrite.suggest.graph import Edge, Graph, Node
from reparam_rewrite.suggest.values import Suggestion


def drawn(suggestion: Suggestion, kind: str) -> bytes:
    """The bytes of a file. `kind`: "svg", "html" or "png". Raises `Refusal` without Graphviz."""
    graph = graph_of(suggestion)
    if kind == "png":
        return drawing.png(graph)
    text = drawing.svg(graph) if kind == "svg" else drawing.html(graph)
    return text.encode()


def graph_of(suggestion: Suggestion) -> Graph:
    nodes = tuple(
        Node(
            name=one.name,
            kind="observed" if one.observed else "latent",
            family=one.family,
            axes=one.axes,
            line=one.line,
        )
        for one in suggestion.model
    )
    edges = [Edge(one, other, "prior") for one, other in suggestion.priors]
    edges += [Edge(one, other, "location") for one, other in suggestion.locations]
    edges += [
        Edge(offset.parent, offset.child, "offset", label_of(offset.init))
        for proposal in suggestion.proposals
        for offset in proposal.offsets
        if offset.parent != "loc"
    ]
    return Graph(f"{suggestion.function} of {suggestion.path}", nodes, tuple(edges))


def label_of(init: float) -> str:
    return "" if init == 1.0 else f"{init:g}"
