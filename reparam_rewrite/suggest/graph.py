"""A model's sites and what joins them, as they are drawn: plain values."""

from __future__ import annotations

from msgspec import Struct


class Node(Struct, frozen=True):
    """A site.

    kind: "latent" or "observed". family: its distribution's, "" if unknown.
    axes: what its axes are called. line: where it is sampled, 0 if unknown.
    """

    name: str
    kind: str
    family: str
    axes: tuple[str, ...]
    line: int


class Edge(Struct, frozen=True):
    """What joins two sites, by their names.

    kind: "prior", the target's prior reads the source; "location", the source is a contribution
    to the location of the observed target; "offset", proposed: the target is the child, the
    source the parent.
    """

    source: str
    target: str
    kind: str
    label: str = ""


class Graph(Struct, frozen=True):
    """All of a model: its nodes in the order in which they are sampled.

    Edges whose ends are no node are left out of pictures. notes: lines for the legend.
    """

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    notes: tuple[str, ...] = ()
