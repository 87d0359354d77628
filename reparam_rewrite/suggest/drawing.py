"""A graph as SVG, as a page with a table of its sites, and, through Graphviz, as PNG.

The same graph gives the same bytes. SVG and HTML need nothing but Python and hold all they need:
light colours are attributes, which every viewer understands; a style sheet has what only browsers
can do, dark colours and showing just the edges of the site under the mouse.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib import import_module
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Struct

from reparam_rewrite.messages import Diagnostic, Refusal, printable
from reparam_rewrite.suggest.graph import Edge, Graph, Node
from reparam_rewrite.suggest.layout import (
    DETAIL_LEADING,
    DETAIL_SIZE,
    LABEL_SIZE,
    NAME_LEADING,
    NAME_SIZE,
    Box,
    Curve,
    Links,
    layout,
    sans_width,
    wrapped,
)

MARGIN = 24.0
NARROWEST = 480.0  # the width of a picture, for its legend
TITLE_SIZE, NOTE_SIZE = 17.0, 12.0

SANS = 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif'
MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace'


class Style(Struct, frozen=True):
    """How a kind of edge looks on white and on black, and what it says."""

    light: str
    dark: str
    width: float
    dashes: str
    legend: str
    title: str


# The blue is Okabe and Ito's, which those who see fewer colours tell from greys too.
STYLES = {
    "prior": Style(
        "#8b929b", "#7d8590", 1.2, "", "is in the prior of", "the prior of {target} reads {source}"
    ),
    "location": Style(
        "#1f2328",
        "#e6edf3",
        1.5,
        "",
        "adds to the location of",
        "{source} adds to the location of {target}",
    ),
    "offset": Style(
        "#0072b2",
        "#3f9ad6",
        1.5,
        "5 3",
        "proposed offset, parent to child",
        "proposed: offset {target} by {source}",
    ),
}
# The arcs of every other parent, so that they can be followed where they cross.
ODD = msgspec.structs.replace(STYLES["offset"], light="#46a0d9", dark="#9ad0f2")
OTHER = Style("#8b929b", "#7d8590", 1.2, "1 3", "other", "{source} to {target}")

KINDS = STYLES | {"odd": ODD, "other": OTHER}

PAPER, INK, FAINT, LINE = "#ffffff", "#1f2328", "#59636e", "#59636e"
LATENT, OBSERVED = "#ffffff", "#d9dee4"
DARK = {"paper": "#0d1117", "ink": "#e6edf3", "faint": "#9198a1", "observed": "#2d333b"}


def svg(graph: Graph) -> str:
    """A picture that stands for itself, with title, legend and notes."""
    return Picture(graph).text(alone=True)


def html(graph: Graph) -> str:
    """A page with the picture, what the notes say, and a table of the sites."""
    title = shown(graph.title) or "model"
    notes = "".join(f"<p>{shown(note)}</p>\n" for note in graph.notes)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{PAGE_CSS}</style>\n</head>\n<body>\n"
        f"<h1>{title}</h1>\n{notes}"
        f'<div class="wide">\n{Picture(graph).text(alone=False)}</div>\n{table(graph)}'
        f"</body>\n</html>\n"
    )


def png(graph: Graph) -> bytes:
    """The picture as Graphviz lays it out. Raises `Refusal` if that is not installed."""
    way_out = "write a .svg or a .html picture, which need nothing, or install {}."
    package = "the package 'graphviz' (pip install graphviz) and Graphviz itself (graphviz.org)"
    try:
        graphviz: Any = import_module("graphviz")
    except ImportError:
        message = "a .png picture needs the Python package 'graphviz', which is not installed"
        raise Refusal(Diagnostic(None, message, way_out.format(package))) from None
    try:
        drawn: bytes = graphviz.Source(dot(graph)).pipe(format="png")
    except graphviz.ExecutableNotFound:
        message = "a .png picture needs Graphviz' program 'dot', which is not on the PATH"
        hint = way_out.format("Graphviz (graphviz.org)")
        raise Refusal(Diagnostic(None, message, hint)) from None
    except graphviz.CalledProcessError as error:
        message = f"Graphviz' program 'dot' could not draw the picture: {error}"
        hint = "write a .svg or a .html picture, which don't need it."
        raise Refusal(Diagnostic(None, message, hint)) from None
    return drawn


def dot(graph: Graph) -> str:
    """The picture in Graphviz' language: it decides where everything stands."""
    links = Links(graph)
    label = "\n".join([graph.title, *legend_lines(graph), *graph.notes])
    lines = [
        f"graph [label={dot_text(label)}, labelloc=t, ranksep=0.8, nodesep=0.35, dpi=144, "
        'fontname="Helvetica", fontsize=12]',
        'node [style="filled,rounded", shape=box, fontname="Helvetica", fontsize=13, '
        f'color="{LINE}", fontcolor="{INK}", fillcolor="{LATENT}"]',
        'edge [fontname="Helvetica", fontsize=10, arrowsize=0.7]',
    ]
    for index, node in enumerate(graph.nodes):
        axes = f"[{', '.join(node.axes)}]" if node.axes else ""
        label = "\n".join(line for line in (node.name, node.family, axes) if line)
        fill = f', fillcolor="{OBSERVED}"' if node.kind == "observed" else ""
        lines.append(f"n{index} [label={dot_text(label)}{fill}]")
    row = [f"n{index}" for index in sorted(links.row)]
    if row:
        lines.append(f"{{ rank=same; {'; '.join(row)} }}")
    # Invisible edges keep the row in its order.
    lines += [f"{left} -> {right} [style=invis]" for left, right in pairwise(row)]
    kinds = styles(graph)
    for index, (source, target) in links.ends.items():
        edge = graph.edges[index]
        style = KINDS[kinds[index]]
        settings = [f'color="{style.light}", penwidth={style.width}']
        if edge.kind == "offset":
            settings.append("style=dashed, constraint=false")
        elif edge.kind not in STYLES:
            settings.append("style=dotted")
        if edge.label:
            settings.append(f'label={dot_text(edge.label)}, fontcolor="{style.light}"')
        lines.append(f"n{source} -> n{target} [{', '.join(settings)}]")
    return "digraph {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def dot_text(text: str) -> str:
    """`text` as a quoted string of dot, whose lines end at its line breaks alone."""
    lines = [printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n")]
    # What looks like an entity of HTML is one, to dot.
    return '"' + "\\n".join(lines).replace("&", "&amp;") + '"'


def legend_lines(graph: Graph) -> list[str]:
    looks = {"prior": "grey", "location": "black", "offset": "blue, dashed"}
    kinds = {edge.kind for edge in graph.edges}
    return [f"{look}: {STYLES[kind].legend}" for kind, look in looks.items() if kind in kinds]


class Picture:
    """A graph laid out, as lines of SVG."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.layout = layout(graph)
        self.kinds = styles(graph)
        self.width = max(self.layout.width, NARROWEST) + 2 * MARGIN

    def text(self, alone: bool) -> str:
        """alone: not in a page that has the title and the notes."""
        graph, placed = self.graph, self.layout
        y = MARGIN
        head: list[str] = []
        if alone and graph.title:
            for line in self.lines(graph.title, TITLE_SIZE * 1.08):
                y += TITLE_SIZE
                head.append(
                    f'<text class="ink title" x="{number(MARGIN)}" y="{number(y)}" fill="{INK}" '
                    f'font-size="{number(TITLE_SIZE)}" font-weight="600">{shown(line)}</text>'
                )
                y += 7
            y += 12
        left = (self.width - placed.width) / 2
        body = [f'<g transform="translate({number(left)} {number(y)})">']
        body += self.edges()
        body += [line for box in placed.boxes for line in self.node(box)]
        body += self.labels()
        body.append("</g>")
        y += placed.height + 34
        legend, y = self.legend(y)
        if alone:
            y += 4 if graph.notes else 0
            for note in graph.notes:
                for line in self.lines(note, NOTE_SIZE):
                    y += 17
                    legend.append(
                        f'<text class="faint" x="{number(MARGIN)}" y="{number(y)}" fill="{FAINT}" '
                        f'font-size="{number(NOTE_SIZE)}">{shown(line)}</text>'
                    )
        height = y + MARGIN
        size = f"{number(self.width)} {number(height)}"
        start = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="sites" role="img" '
            f'width="{number(self.width)}" height="{number(height)}" viewBox="0 0 {size}" '
            f'font-family="{escape(SANS)}">',
            f"<title>{shown(graph.title) or 'model'}</title>",
            "<style>",
            *self.css(),
            "</style>",
            *self.markers(),
            f'<rect class="paper" width="100%" height="100%" fill="{PAPER}"/>',
        ]
        return "\n".join([*start, *head, *body, *legend, "</svg>"]) + "\n"

    def lines(self, text: str, size: float) -> list[str]:
        room = self.width - 2 * MARGIN
        return [line.strip() for line in wrapped(printable(text), max(20, int(room / size / 0.6)))]

    def css(self) -> Iterator[str]:
        yield ".sites .edge:hover .line { stroke-width: 3 }"
        for index in range(len(self.graph.nodes)):
            yield f".sites:has(.n{index}:hover) .edge:not(.e{index}) {{ opacity: 0.12 }}"
        yield "@media (prefers-color-scheme: dark) {"
        yield f".sites .paper, .sites .behind {{ fill: {DARK['paper']} }}"
        yield f".sites .box {{ fill: {DARK['paper']}; stroke: {DARK['faint']} }}"
        yield f".sites .observed .box {{ fill: {DARK['observed']} }}"
        yield f".sites .ink {{ fill: {DARK['ink']} }}"
        yield f".sites .faint {{ fill: {DARK['faint']} }}"
        yield f".sites .blue {{ fill: {STYLES['offset'].dark} }}"
        for kind, style in KINDS.items():  # "odd" after "offset"
            yield f".sites .{kind} .line {{ stroke: {style.dark} }}"
            yield f".sites .head-{kind} {{ fill: {style.dark} }}"
        yield "}"

    def markers(self) -> Iterator[str]:
        yield "<defs>"
        for kind, style in KINDS.items():
            yield (
                f'<marker id="head-{kind}" viewBox="0 0 9 8" refX="8.5" refY="4" '
                f'markerWidth="9" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
                f'<path class="head-{kind}" d="M0.5 0.8 L8.5 4 L0.5 7.2 L2.2 4 Z" '
                f'fill="{style.light}"/></marker>'
            )
        yield "</defs>"

    def edges(self) -> Iterator[str]:
        """Offsets last: they are what the picture is about."""
        order = {"other": 0, "prior": 1, "location": 2, "odd": 3, "offset": 3}
        curves = self.layout.curves
        for curve in sorted(curves, key=lambda c: order[self.kinds[c.edge]]):
            edge, kind = self.graph.edges[curve.edge], self.kinds[curve.edge]
            yield (
                f'<g class="edge {classes(kind)} {self.ends(edge)}">'
                f"<title>{shown(edge_title(edge))}</title>"
                f'<path d="{path(curve)}" fill="none" stroke="#000" stroke-opacity="0" '
                f'stroke-width="9"/>{stroke(kind, path(curve))}</g>'
            )

    def ends(self, edge: Edge) -> str:
        """The classes by which the edges of a site are found."""
        names = [node.name for node in self.graph.nodes]
        return " ".join(f"e{names.index(name)}" for name in (edge.source, edge.target))

    def node(self, box: Box) -> Iterator[str]:
        node = self.graph.nodes[box.node]
        observed = node.kind == "observed"
        yield (
            f'<g class="node {"observed" if observed else "latent"} n{box.node}">'
            f"<title>{shown(node_title(node))}</title>"
        )
        yield rectangle(box.x, box.y, box.width, box.height, observed)
        middle = box.x + box.width / 2
        tall = NAME_LEADING * len(box.name) + DETAIL_LEADING * len(box.detail)
        y = box.y + (box.height - tall) / 2 - 4
        spans = [
            f'<tspan x="{number(middle)}" y="{number(y + NAME_LEADING * row)}">{line}</tspan>'
            for row, line in enumerate(map(shown, box.name), 1)
        ]
        yield (
            f'<text class="name ink" text-anchor="middle" xml:space="preserve" fill="{INK}" '
            f'font-size="{number(NAME_SIZE)}" font-weight="600" font-family="{escape(MONO)}">'
            f"{''.join(spans)}</text>"
        )
        y += NAME_LEADING * len(box.name)
        for line in box.detail:
            y += DETAIL_LEADING
            yield (
                f'<text class="detail faint" x="{number(middle)}" y="{number(y)}" '
                f'text-anchor="middle" fill="{FAINT}" font-size="{number(DETAIL_SIZE)}">'
                f"{shown(line)}</text>"
            )
        yield "</g>"

    def labels(self) -> Iterator[str]:
        for curve in self.layout.curves:
            edge = self.graph.edges[curve.edge]
            if curve.label is None:
                continue
            x, y = curve.label
            label = printable(edge.label)
            wide = sans_width(label, LABEL_SIZE) + 4
            offset = edge.kind == "offset"
            color = STYLES["offset"].light if offset else FAINT
            yield (
                f'<g class="label">'
                f'<rect class="behind" x="{number(x - wide / 2)}" y="{number(y - 7)}" '
                f'width="{number(wide)}" height="14" rx="3" fill="{PAPER}" fill-opacity="0.9"/>'
                f'<text class="said {"blue" if offset else "faint"}" x="{number(x)}" '
                f'y="{number(y + 3.7)}" text-anchor="middle" fill="{color}" '
                f'font-size="{number(LABEL_SIZE)}">{shown(label)}</text></g>'
            )

    def legend(self, y: float) -> tuple[list[str], float]:
        """What the picture has, in lines below it, and where the last line ends."""
        entries = [
            (kind, f"{kind} site")
            for kind in ("latent", "observed")
            if any((node.kind == "observed") == (kind == "observed") for node in self.graph.nodes)
        ]
        kinds = {self.kinds[curve.edge] for curve in self.layout.curves}
        entries += [
            (kind, style.legend) for kind, style in KINDS.items() if kind in kinds and kind != "odd"
        ]
        lines = ['<g class="legend">'] if entries else []
        x = MARGIN
        for kind, text in entries:
            wide = 34 + 8 + sans_width(text, NOTE_SIZE)
            if x > MARGIN and x + wide > self.width - MARGIN:
                x, y = MARGIN, y + 20
            if kind in ("latent", "observed"):
                sign = rectangle(x + 6, y - 7, 24, 14, kind == "observed")
            else:
                bend = f"M{number(x)} {number(y + 5)} C{number(x)} {number(y - 9)} "
                bend += f"{number(x + 34)} {number(y - 9)} {number(x + 34)} {number(y + 6)}"
                line = f"M{number(x)} {number(y)} L{number(x + 34)} {number(y)}"
                sign = stroke(kind, bend if kind == "offset" else line)
            lines.append(
                f'<g class="{kind}">{sign}<text class="faint" x="{number(x + 42)}" '
                f'y="{number(y + 4)}" fill="{FAINT}" font-size="{number(NOTE_SIZE)}">'
                f"{text}</text></g>"
            )
            x += wide + 22
        return [*lines, "</g>"] if entries else [], y + 8


def styles(graph: Graph) -> list[str]:
    """The keys in KINDS of all edges."""
    parents = {edge.source for edge in graph.edges if edge.kind == "offset"}
    ordered = [node.name for node in graph.nodes if node.name in parents]
    odd = set(ordered[1::2])
    return [
        "odd"
        if edge.kind == "offset" and edge.source in odd
        else edge.kind
        if edge.kind in STYLES
        else "other"
        for edge in graph.edges
    ]


def classes(kind: str) -> str:
    return "offset odd" if kind == "odd" else kind


def stroke(kind: str, d: str) -> str:
    style = KINDS[kind]
    dashes = f' stroke-dasharray="{style.dashes}"' if style.dashes else ""
    return (
        f'<path class="line" d="{d}" fill="none" stroke="{style.light}" '
        f'stroke-width="{number(style.width)}"{dashes} marker-end="url(#head-{kind})"/>'
    )


def rectangle(x: float, y: float, width: float, height: float, observed: bool) -> str:
    return (
        f'<rect class="box" x="{number(x)}" y="{number(y)}" width="{number(width)}" '
        f'height="{number(height)}" rx="{3 if observed else 7}" '
        f'fill="{OBSERVED if observed else LATENT}" stroke="{LINE}" stroke-width="1.2"/>'
    )


def path(curve: Curve) -> str:
    """The curve in SVG's language, with M, C and L alone."""
    parts = [f"M{point(curve.pieces[0][0])}"]
    for start, first, second, stop in curve.pieces:
        straight = (start, stop) == (first, second)
        parts.append(
            f"L{point(stop)}" if straight else f"C{point(first)} {point(second)} {point(stop)}"
        )
    return " ".join(parts)


def point(at: tuple[float, float]) -> str:
    return f"{number(at[0])} {number(at[1])}"


def number(value: float) -> str:
    """With one decimal, as every machine writes it."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def shown(text: str) -> str:
    """`text` for XML and HTML, which have no control characters, not even escaped ones."""
    return escape(printable(text))


def node_title(node: Node) -> str:
    """``a ~ Normal, latent, axes i, line 22``"""
    parts = [f"{node.name} ~ {node.family}" if node.family else node.name, node.kind]
    if node.axes:
        parts.append(f"{'axis' if len(node.axes) == 1 else 'axes'} {', '.join(node.axes)}")
    if node.line:
        parts.append(f"line {node.line}")
    return ", ".join(parts)


def edge_title(edge: Edge) -> str:
    title = STYLES.get(edge.kind, OTHER).title
    named = title.format(source=edge.source, target=edge.target)
    return f"{named}: {edge.label}" if edge.label else named


def table(graph: Graph) -> str:
    """The sites in their order, each with the sites that its edges come from."""
    heads = (
        "site",
        "line",
        "kind",
        "distribution",
        "axes",
        "its prior reads",
        "its location adds up",
    )
    rows = []
    for node in graph.nodes:
        cells = [
            f'<th scope="row"><code>{shown(node.name)}</code></th>',
            f"<td>{node.line or ''}</td>",
            *(f"<td>{shown(text)}</td>" for text in (node.kind, node.family, ", ".join(node.axes))),
            *(f"<td>{sources(graph, node, kind)}</td>" for kind in STYLES),
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>\n")
    if not rows:
        return "<p>No sites.</p>\n"
    titles = "".join(f'<th scope="col">{head}</th>' for head in (*heads, "proposed offset by"))
    return (
        f'<div class="wide">\n<table>\n<thead><tr>{titles}</tr></thead>\n<tbody>\n'
        f"{''.join(rows)}</tbody>\n</table>\n</div>\n"
    )


def sources(graph: Graph, node: Node, kind: str) -> str:
    found = [edge for edge in graph.edges if edge.kind == kind and edge.target == node.name]
    return ", ".join(
        f"<code>{shown(edge.source)}</code>{f' ({shown(edge.label)})' if edge.label else ''}"
        for edge in found
    )


PAGE_CSS = f"""\
:root {{ color-scheme: light dark }}
body {{ margin: 2rem auto; max-width: 90rem; padding: 0 1rem; font: 15px/1.5 {SANS};
  color: {INK}; background: {PAPER} }}
h1 {{ font-size: 1.4rem }}
.wide {{ overflow-x: auto }}
table {{ border-collapse: collapse; margin: 1.5rem 0 }}
th, td {{ padding: 0.3rem 0.8rem; text-align: left; border-bottom: 1px solid #8b929b55;
  vertical-align: top }}
thead th {{ font-weight: 600; color: {FAINT} }}
code {{ font: 0.93em {MONO} }}
@media (prefers-color-scheme: dark) {{
body {{ color: {DARK["ink"]}; background: {DARK["paper"]} }}
thead th {{ color: {DARK["faint"]} }}
}}
"""
