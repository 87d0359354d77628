"""Where a graph's boxes and edges stand: layers from hyperparameters down to observed sites.

All sites of offsets, and all contributions to a location, stand in one row in the order in which
they are sampled: an offset is an arc above that row, higher for sites further apart. Boxes are in
the bands of their layers and edges in the bands between them, so no edge runs through a box: one
that passes a layer does so in a gap, at a waypoint that is laid out as if it were a box.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from reparam_rewrite.messages import printable
from reparam_rewrite.suggest.graph import Graph, Node

Point = tuple[float, float]
Piece = tuple[Point, Point, Point, Point]  # of a cubic Bezier curve

NAME_SIZE, DETAIL_SIZE, LABEL_SIZE = 14.0, 11.0, 10.5
NAME_LEADING, DETAIL_LEADING = 17.0, 14.0
MONOSPACE = 0.61  # an advance by the size of the font, that of the widest common ones
WRAP = 22  # characters of a line in a box
PADDING = 10.0  # between a box and its text
GAP = 24.0  # between boxes of a layer
PORT = 8.0  # between the ends of arcs at a box
SWEEPS = 12
LEAN = 0.1  # of arcs, inwards, by their width: so they cross at wider angles

# Advances of the letters of sans-serif fonts by their size, of the widest common ones.
NARROW = dict.fromkeys("iljI|!.,:;'`", 0.36) | dict.fromkeys('ftr()[]{}/\\" -', 0.46)
WIDE = dict.fromkeys("mMW@%&", 1.0) | dict.fromkeys("wGOQNHDU+=<>~\u2192", 0.86)


@dataclass(frozen=True)
class Box:
    """A node's place; (x, y) is its upper left corner. `name` and `detail` are lines of text."""

    node: int
    x: float
    y: float
    width: float
    height: float
    name: tuple[str, ...]
    detail: tuple[str, ...]


@dataclass(frozen=True)
class Curve:
    """An edge's way, cubic pieces of four points that follow each other, from source to target.

    `label` is the middle of where its label has room, None if it has none.
    """

    edge: int
    pieces: tuple[Piece, ...]
    label: Point | None = None


@dataclass(frozen=True)
class Layout:
    """From (0, 0) to (width, height)."""

    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]
    width: float
    height: float


def layout(graph: Graph) -> Layout:
    """Boxes for all nodes, in their order, and curves for all edges between them."""
    links = Links(graph)
    layers = Layers(links)
    sizes = [Size(node) for node in graph.nodes]
    for index, size in enumerate(sizes):
        size.make_room(links, index)
    grid = Grid(links, layers, [size.width for size in sizes])
    return Drawing(graph, links, grid, sizes).layout()


class Links:
    """The edges by the indices of their nodes, sorted by how they are drawn."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = graph.nodes
        known: dict[str, int] = {}
        for index, node in enumerate(graph.nodes):
            known.setdefault(node.name, index)
        self.ends: dict[int, tuple[int, int]] = {
            index: (known[edge.source], known[edge.target])
            for index, edge in enumerate(graph.edges)
            if edge.source in known and edge.target in known
        }
        # The edges by how they are drawn: those from a site to itself, arcs over the row and under
        # it, and those from a layer to one below, the node that is sampled earlier first.
        self.loops: dict[int, int] = {}
        self.over: dict[int, tuple[int, int]] = {}
        self.under: dict[int, tuple[int, int]] = {}
        self.down: dict[int, tuple[int, int]] = {}
        for index, (source, target) in self.ends.items():
            if source == target:
                self.loops[index] = source
            elif graph.edges[index].kind == "offset":
                self.over[index] = source, target
            else:
                self.down[index] = min(source, target), max(source, target)

        self.children: list[list[int]] = [[] for _ in graph.nodes]
        self.parents: list[list[int]] = [[] for _ in graph.nodes]
        for above, below in sorted(set(self.down.values())):
            self.children[above].append(below)
            self.parents[below].append(above)
        row = {end for ends in self.over.values() for end in ends}
        for index in self.down:
            source = self.ends[index][0]
            if graph.edges[index].kind == "location" and graph.nodes[source].kind != "observed":
                row.add(source)
        # What stands between two of the row by its priors has to be in it too.
        following = reached(row, self.children)
        self.row = row | (following & reached(row, self.parents))
        self.below = following - self.row
        for index, (above, below) in list(self.down.items()):
            if above in self.row and below in self.row:
                self.under[index] = self.ends[index]
                del self.down[index]


def reached(starts: Iterable[int], following: list[list[int]]) -> set[int]:
    """What can be reached from `starts` in one step or more."""
    found: set[int] = set()
    waiting = list(starts)
    while waiting:
        for index in following[waiting.pop()]:
            if index not in found:
                found.add(index)
                waiting.append(index)
    return found


class Layers:
    """The layer of every node that has an edge; 0 is the row's, those above it are negative."""

    def __init__(self, links: Links) -> None:
        nodes = range(len(links.nodes))
        joined = {end for ends in links.ends.values() for end in ends}
        self.alone = [index for index in nodes if index not in joined]
        self.of: dict[int, int] = dict.fromkeys(sorted(links.row), 0)
        for index in nodes:
            if index in links.below:
                self.of[index] = 1 + max(self.of.get(up, 0) for up in links.parents[index])
        bottom = max(self.of.values(), default=0)
        for index in reversed(nodes):  # as far down as their children let them
            if index in joined and index not in self.of:
                observed = links.nodes[index].kind == "observed"
                self.of[index] = min(
                    (self.of[down] - 1 for down in links.children[index]),
                    default=bottom if observed else 0,
                )


class Size:
    """A box's lines and how much room they take."""

    def __init__(self, node: Node) -> None:
        self.name = tuple(wrapped(printable(node.name), WRAP))
        axes = f"[{', '.join(node.axes)}]" if node.axes else ""
        self.detail = tuple(
            line for text in (node.family, axes) for line in wrapped(printable(text), WRAP + 4)
        )
        widths = [monospace_width(line, NAME_SIZE) for line in self.name]
        widths += [sans_width(line, DETAIL_SIZE) for line in self.detail]
        self.width = max(56.0, 2 * PADDING + max(widths, default=0.0))
        lines = NAME_LEADING * len(self.name) + DETAIL_LEADING * len(self.detail)
        self.height = lines + PADDING + 2

    def make_room(self, links: Links, index: int) -> None:
        """Widens the box for the ends of edges, up to a point: then they are closer together."""
        down = list(links.down.values())
        for ends in links.over, links.under:
            others = [b if a == index else a for a, b in ends.values() if index in (a, b)]
            left = sum(other < index for other in others)
            half = PORT * max(left, len(others) - left)
            if others:
                self.width = max(self.width, min(2 * half + 2 * PADDING, 132.0))
        for side in 0, 1:
            count = sum(ends[side] == index for ends in down)
            self.width = max(self.width, min(PORT * 1.5 * (count + 1), 200.0))


def wrapped(text: str, width: int) -> Iterator[str]:
    """The lines of `text`, which together are all of it, broken after signs where possible."""
    while cells(text) > width:
        end = 0
        while cells(text[: end + 1]) <= width:
            end += 1
        signs = [at for at in range(end // 2, end) if text[at] in " _./-,:;)]>"]
        end = signs[-1] + 1 if signs else end
        yield text[: max(end, 1)]
        text = text[max(end, 1) :]
    if text:
        yield text


def cells(text: str) -> int:
    """How many letters wide a text is in a monospaced font."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def monospace_width(text: str, size: float) -> float:
    return cells(text) * MONOSPACE * size


def sans_width(text: str, size: float) -> float:
    """An estimate that is rather too wide."""
    return size * sum(
        NARROW.get(c) or WIDE.get(c) or (0.72 if c.isupper() else 0.64) * cells(c) for c in text
    )


@dataclass
class Item:
    """A node in its layer, or with `node` None the waypoint of an edge that passes the layer."""

    node: int | None
    order: int
    width: float
    x: float = 0.0
    up: list[Item] = field(default_factory=list)
    down: list[Item] = field(default_factory=list)


class Grid:
    """The order and the x of what stands in each layer.

    Sweeps up and down put everything near to the mean of its neighbours; the best one is kept.
    """

    def __init__(self, links: Links, layers: Layers, widths: list[float]) -> None:
        self.items = {i: Item(i, i, widths[i]) for i in sorted(layers.of)}
        self.ways: dict[int, list[Item]] = {}
        numbers = range(min(layers.of.values(), default=0), max(layers.of.values(), default=-1) + 1)
        self.first = -numbers.start  # at which place in `layers` the row is
        at: dict[int, list[Item]] = {number: [] for number in numbers}
        for index, item in self.items.items():
            at[layers.of[index]].append(item)
        # The row in its order, then what else is at its height.
        self.fixed = [i for i in at.get(0, []) if i.node in links.row]
        if self.fixed:
            self.fixed += [i for i in at[0] if i.node not in links.row]
        for edge, (above, below) in links.down.items():
            way = [self.items[above]]
            for number in range(layers.of[above] + 1, layers.of[below]):
                way.append(Item(None, len(links.nodes) + edge, 0.0))
                at[number].append(way[-1])
            way.append(self.items[below])
            self.ways[edge] = way
            for upper, lower in pairwise(way):
                upper.down.append(lower)
                lower.up.append(upper)
        self.layers = list(at.values())
        self.arrange()

    def arrange(self) -> None:
        for layer in self.layers:
            if self.is_row(layer):
                layer[:] = self.fixed + [item for item in layer if item.node is None]
            place(layer, [0.0] * len(layer))
        best: tuple[int, float] | None = None
        kept: list[list[Item]] = []
        for sweep in range(SWEEPS):
            if sweep % 2:
                for layer in self.layers:
                    self.order(layer, lambda item: item.up)
            else:
                for layer in reversed(self.layers):
                    self.order(layer, lambda item: item.down)
            found = (self.crossings(), round(self.length(), 3))
            if best is None or found < best:
                best = found
                kept = [list(layer) for layer in self.layers]
        self.layers = kept
        for _ in range(4):
            self.straighten()

    def is_row(self, layer: list[Item]) -> bool:
        return bool(self.fixed) and self.fixed[0] in layer

    def order(self, layer: list[Item], near: Callable[[Item], list[Item]]) -> None:
        wanted = {id(item): mean(near(item), item.x) for item in layer}
        ordered = sorted(layer, key=lambda item: (wanted[id(item)], item.order))
        if self.is_row(layer):
            passing = [item for item in ordered if item.node is None]
            ordered = list(self.fixed)
            for item in passing:
                x = wanted[id(item)]
                place_in_row = next((i for i, o in enumerate(ordered) if o.x > x), len(ordered))
                item.x = x
                ordered.insert(place_in_row, item)
        layer[:] = ordered
        place(layer, [wanted[id(item)] for item in layer])

    def straighten(self) -> None:
        """The order stays: layers are moved from the row outwards, to where edges are short."""
        row = self.layers[self.first] if self.fixed else []
        place(row, [mean(item.up + item.down, item.x) for item in row])
        start = self.first if self.fixed else len(self.layers) - 1
        for layer in reversed(self.layers[:start]):
            place(layer, [mean(item.down, item.x) for item in layer])
        for layer in self.layers[start + 1 :]:
            place(layer, [mean(item.up, item.x) for item in layer])

    def crossings(self) -> int:
        total = 0
        for upper in self.layers:
            lines = [(item.x, low.x) for item in upper for low in item.down]
            total += sum(
                (a[0] - b[0]) * (a[1] - b[1]) < 0
                for place, a in enumerate(lines)
                for b in lines[:place]
            )
        return total

    def length(self) -> float:
        return sum(
            abs(item.x - low.x) for layer in self.layers for item in layer for low in item.down
        )


def mean(items: list[Item], default: float) -> float:
    return sum(item.x for item in items) / len(items) if items else default


def place(layer: list[Item], wanted: list[float]) -> None:
    """Gives each an x, in their order and without overlaps, in sum as near as can be to `wanted`.

    That is an isotonic regression on the x less the room of all that is to the left.
    """
    rooms = [0.0]
    for left, right in pairwise(layer):
        gap = GAP if left.node is not None and right.node is not None else GAP / 2
        rooms.append(rooms[-1] + (left.width + right.width) / 2 + gap)
    blocks: list[tuple[float, int]] = []  # sums and counts, with rising means
    for x, room in zip(wanted, rooms, strict=False):
        total, count = x - room, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            more, others = blocks.pop()
            total, count = total + more, count + others
        blocks.append((total, count))
    shifts = [total / count for total, count in blocks for _ in range(count)]
    for item, shift, room in zip(layer, shifts, rooms, strict=False):
        item.x = shift + room


class Drawing:
    """Heights, the ends of edges at their boxes, and the curves."""

    def __init__(self, graph: Graph, links: Links, grid: Grid, sizes: list[Size]) -> None:
        self.graph, self.links, self.grid, self.sizes = graph, links, grid, sizes
        self.layer_of = {
            item.node: number
            for number, layer in enumerate(grid.layers)
            for item in layer
            if item.node is not None
        }
        self.ranks = {item.node: rank for rank, item in enumerate(grid.fixed)}
        reach = max((self.distance(i) for i in (*links.over, *links.under)), default=1)
        self.step = min(30.0, 340.0 / reach)
        self.rises: dict[tuple[int, bool], float] = {}  # of arcs, by layer and side
        for over, edges in (True, links.over), (False, links.under):
            for index in edges:
                self.raise_to(grid.first, over, self.rise(index))
        for index, node in links.loops.items():
            self.raise_to(self.layer_of[node], graph.edges[index].kind == "offset", 24.0)
        self.tops, self.bottoms = self.bands()
        self.boxes = self.place_boxes()
        self.ports: dict[tuple[int, int, bool], float] = {}  # x by edge, node and at its top
        for box in self.boxes.values():
            for over in True, False:
                self.place_ports(box, over)

    def distance(self, edge: int) -> int:
        source, target = self.links.ends[edge]
        return abs(self.ranks[source] - self.ranks[target])

    def rise(self, edge: int) -> float:
        return 10 + self.step * self.distance(edge)

    def raise_to(self, layer: int, over: bool, rise: float) -> None:
        self.rises[layer, over] = max(self.rises.get((layer, over), 0.0), rise + 14)

    def rise_of(self, layer: int, over: bool) -> float:
        return self.rises.get((layer, over), 0.0)

    def bands(self) -> tuple[list[float], list[float]]:
        """The upper and lower ends of the layers' boxes."""
        tops: list[float] = []
        bottoms: list[float] = []
        y = self.rise_of(0, True)
        for number, layer in enumerate(self.grid.layers):
            tops.append(y)
            heights = [self.sizes[item.node].height for item in layer if item.node is not None]
            bottoms.append(y + max(heights, default=0.0))
            wide = max((abs(i.x - low.x) for i in layer for low in i.down), default=0.0)
            slack = min(max(40.0, 28 + 0.2 * wide), 130.0)
            y = bottoms[-1] + self.rise_of(number, False) + slack
            y += self.rise_of(number + 1, True)
        return tops, bottoms

    def place_boxes(self) -> dict[int, Box]:
        items = [item for layer in self.grid.layers for item in layer]
        left = min((item.x - item.width / 2 for item in items), default=0.0)
        for item in items:
            item.x = round(item.x - left, 2)
        boxes: dict[int, Box] = {}
        for number, layer in enumerate(self.grid.layers):
            for item in layer:
                if item.node is not None:
                    size = self.sizes[item.node]
                    top, height = self.tops[number], self.bottoms[number] - self.tops[number]
                    x = item.x - item.width / 2
                    boxes[item.node] = Box(
                        item.node, x, top, item.width, height, size.name, size.detail
                    )
        return boxes

    def place_ports(self, box: Box, over: bool) -> None:
        """Arcs to the left end in the left half of a box, those to the right in the right half.

        In both, the one from furthest away is the outermost arc: so they don't cross.
        """
        middle = box.x + box.width / 2
        spans = []
        for edge, way in self.grid.ways.items():
            at, near = (-1, -2) if over else (0, 1)
            if way[at].node == box.node:
                spans.append((way[near].x, edge))
        sides: tuple[list[tuple[float, int]], ...] = ([], [])
        for edge, ends in (self.links.over if over else self.links.under).items():
            if box.node in ends:
                other = self.boxes[ends[0] if ends[1] == box.node else ends[1]]
                x = other.x + other.width / 2
                sides[x > middle].append((x, edge))
        arcs = any(sides)
        room = box.width / 3 if arcs else box.width - 2 * PADDING
        gap = min(12.0, room / max(len(spans) - 1, 1))
        half = gap * max(len(spans) - 1, 0) / 2
        for place_, (_, edge) in enumerate(sorted(spans)):
            self.ports[edge, box.node, over] = middle - half + gap * place_
        for right, side in enumerate(sides):
            # Between the middle and a corner, nearer to the corner.
            start = middle + half + 4 if right else box.x + 5
            stop = box.x + box.width - 5 if right else middle - half - 4
            for place_, (_, edge) in enumerate(sorted(side, reverse=True)):
                x = start + (place_ + 0.5) * (stop - start) / len(side)
                self.ports[edge, box.node, over] = x

    def layout(self) -> Layout:
        curves = [
            self.loop(index)
            if index in self.links.loops
            else self.span(index)
            if index in self.grid.ways
            else self.arc(index)
            for index in self.links.ends
        ]
        boxes = dict(self.boxes)
        width = max(
            (item.x + item.width / 2 for way in self.grid.layers for item in way), default=0
        )
        height = max(
            (low + self.rise_of(number, False) for number, low in enumerate(self.bottoms)),
            default=0.0,
        )
        width, height = self.place_alone(boxes, width, height)
        labels = Labels(boxes.values(), width)
        curves = [
            Curve(c.edge, c.pieces, labels.find(c.pieces, self.graph.edges[c.edge].label))
            for c in curves
        ]
        ordered = tuple(boxes[index] for index in sorted(boxes))
        return Layout(ordered, tuple(curves), width, height)

    def place_alone(
        self, boxes: dict[int, Box], width: float, height: float
    ) -> tuple[float, float]:
        """Boxes without any edge, in lines below the others."""
        widest = max(width, 760.0)
        x, y, tallest = 0.0, height + 32 if boxes else 0.0, 0.0
        for index, size in enumerate(self.sizes):
            if index in boxes:
                continue
            if x and x + size.width > widest:
                x, y, tallest = 0.0, y + tallest + 16, 0.0
            boxes[index] = Box(index, x, y, size.width, size.height, size.name, size.detail)
            width = max(width, x + size.width)
            x += size.width + GAP
            tallest = max(tallest, size.height)
            height = max(height, y + size.height)
        return width, height

    def span(self, edge: int) -> Curve:
        """From layer to layer: bends where no arcs are, and straight down elsewhere."""
        way = self.grid.ways[edge]
        above, below = way[0].node, way[-1].node
        assert above is not None and below is not None
        first = self.layer_of[above]
        pieces: list[Piece] = []
        for step, (upper, lower) in enumerate(pairwise(way)):
            number = first + step
            x0 = self.ports[edge, above, False] if step == 0 else upper.x
            x1 = self.ports[edge, below, True] if lower is way[-1] else lower.x
            y0, y1 = self.bottoms[number], self.tops[number + 1]
            start = y0 + self.rise_of(number, False)
            stop = y1 - self.rise_of(number + 1, True)
            if step:
                pieces.append(straight((x0, self.tops[number]), (x0, y0)))
            if start > y0:
                pieces.append(straight((x0, y0), (x0, start)))
            bend = (start + stop) / 2
            pieces.append(((x0, start), (x0, bend), (x1, bend), (x1, stop)))
            if stop < y1:
                pieces.append(straight((x1, stop), (x1, y1)))
        if self.links.ends[edge][0] != above:  # upwards after all
            pieces = [piece[::-1] for piece in reversed(pieces)]
        return Curve(edge, tuple(pieces))

    def arc(self, edge: int) -> Curve:
        over = edge in self.links.over
        source, target = self.links.ends[edge]
        y = self.tops[self.grid.first] if over else self.bottoms[self.grid.first]
        x0, x1 = self.ports[edge, source, over], self.ports[edge, target, over]
        # A cubic curve comes to three quarters of the height of its inner points.
        peak = y + (-1 if over else 1) * self.rise(edge) / 0.75
        lean = LEAN * (x1 - x0)
        return Curve(edge, (((x0, y), (x0 + lean, peak), (x1 - lean, peak), (x1, y)),))

    def loop(self, edge: int) -> Curve:
        box = self.boxes[self.links.loops[edge]]
        over = self.graph.edges[edge].kind == "offset"
        y = box.y if over else box.y + box.height
        x = box.x + box.width - 14
        peak = y + (-24 if over else 24) / 0.75
        return Curve(edge, (((x - 10, y), (x - 16, peak), (x + 16, peak), (x + 10, y)),))


def straight(start: Point, stop: Point) -> Piece:
    return (start, start, stop, stop)


class Labels:
    """Finds room for labels: not on boxes, nor on each other."""

    def __init__(self, boxes: Iterable[Box], width: float) -> None:
        self.taken = [(b.x, b.y, b.x + b.width, b.y + b.height) for b in boxes]
        self.width = width

    def find(self, pieces: tuple[Piece, ...], label: str) -> Point | None:
        if not label:
            return None
        half = sans_width(printable(label), LABEL_SIZE) / 2 + 3
        bends = [piece for piece in pieces if piece[0] != piece[1]]
        for x, y in self.spots(bends[::-1], half):
            room = (x - half, y - 8, x + half, y + 8)
            if (
                min(room[:2]) >= 0
                and room[2] <= self.width
                and not any(
                    room[0] < b[2] and b[0] < room[2] and room[1] < b[3] and b[1] < room[3]
                    for b in self.taken
                )
            ):
                self.taken.append(room)
                return x, y
        return None

    def spots(self, bends: Sequence[Piece], half: float) -> Iterator[Point]:
        """Where a label might be, best first: on the curve, or beyond an arc that it would hide."""
        for piece in bends:
            (x0, y0), (x1, y1) = piece[0], piece[3]
            if y0 == y1 and abs(x1 - x0) < 3 * half:
                x, y = on(piece, 0.5)
                yield x, y + (10 if y > y0 else -10)
            for t in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8):
                yield on(piece, t)


def on(piece: Piece, t: float) -> Point:
    """The point of a cubic Bezier curve at `t` from 0 to 1."""
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    x, y = (sum(w * p[axis] for w, p in zip(weights, piece, strict=True)) for axis in (0, 1))
    return x, y
