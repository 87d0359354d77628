"""Pictures are read back from the text of the SVG, as boxes, texts and points on the edges."""

from __future__ import annotations

import re
from importlib import import_module
from itertools import combinations, pairwise
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reparam_rewrite.messages import Refusal
from reparam_rewrite.suggest import drawing
from reparam_rewrite.suggest.drawing import dot, html, png, svg
from reparam_rewrite.suggest.graph import Edge, Graph, Node
from reparam_rewrite.suggest.layout import NAME_SIZE, monospace_width

SVG = "{http://www.w3.org/2000/svg}"
KINDS = ("prior", "location", "offset")


def site(name: str, family: str = "Normal", axes: str = "", kind: str = "latent") -> Node:
    return Node(name=name, kind=kind, family=family, axes=tuple(axes), line=1)


def chain(names: list[str]) -> list[Edge]:
    return [Edge(a, b, "offset") for a, b in combinations(names, 2)]


def tensor() -> Graph:
    """The graph of fixtures/tensor/model.py with all of its offsets."""
    walk = "GaussianRandomWalk"
    scales = [site(f"sigma_{name}", "HalfNormal") for name in "abzABC"]
    terms = [site("mu"), site("a", axes="i"), site("b", axes="j"), site("z", walk, "t")]
    terms += [site("A", walk, "it"), site("B", walk, "jt"), site("C", axes="ij")]
    nodes = [*scales, site("sigma", "HalfNormal"), *terms, site("y", axes="ijt", kind="observed")]
    names = [node.name for node in terms]
    edges = [Edge(f"sigma_{name}", name, "prior") for name in "abzABC"]
    edges += [Edge(name, "y", "location") for name in names]
    edges += [Edge("sigma", "y", "prior"), *chain(names)]
    return Graph("model.py: model", tuple(nodes), tuple(edges), ("21 offsets.", "One chain."))


def crossed() -> Graph:
    nodes = (site("mu"), site("a", axes="i"), site("b", axes="j"), site("y", kind="observed"))
    edges = [Edge(name, "y", "location") for name in ("mu", "a", "b")] + chain(["mu", "a", "b"])
    return Graph("crossed", nodes, tuple(edges))


def large() -> Graph:
    """25 sites: scales of scales, and a long chain."""
    betas = [f"beta_{place}" for place in range(18)]
    names = ["tau", *(f"scale_{place}" for place in range(5)), *betas]
    edges = [Edge("tau", f"scale_{place}", "prior") for place in range(5)]
    edges += [Edge(f"scale_{place % 5}", beta, "prior") for place, beta in enumerate(betas)]
    edges += [Edge(beta, "y", "location") for beta in betas] + chain(betas)
    return Graph("", (*map(site, names), site("y", kind="observed")), tuple(edges))


def long_names() -> Graph:
    names = ["the_level_of_all_groups_" * 4, "x" * 90, "<of \"all\" & 'more'>", "日本語の名前" * 5]
    nodes = [site(name, "TransformedDistribution") for name in names]
    nodes[0] = Node(names[0], "latent", "Normal", ("an_axis_with_a_name", "another_such_axis"), 3)
    edges = [Edge(name, "y", "location", "a label " * 3) for name in names]
    edges += [Edge(edge.source, edge.target, "offset", "xi") for edge in chain(names)]
    return Graph("<t> & \x00 " * 30, (*nodes, site("y", kind="observed")), tuple(edges), ("& <n>",))


def two_observed() -> Graph:
    """y2 reads y1, mu adds to both, sigma is in the prior of both: edges that pass a layer."""
    nodes = (
        *map(site, ["mu", "sigma", "b", "rho"]),
        site("y1", kind="observed"),
        site("y2", kind="observed"),
        site("lonely"),
    )
    edges = [
        Edge("mu", "y1", "location"),
        Edge("mu", "y2", "location"),
        Edge("b", "y2", "location"),
    ]
    edges += [Edge(source, "y2", "prior") for source in ("sigma", "y1", "rho")]
    edges += [Edge("sigma", "y1", "prior"), Edge("mu", "b", "offset")]
    return Graph("two observed", nodes, tuple(edges))


def nested() -> Graph:
    """Priors between the sites of offsets, and a site between two of them that is in neither."""
    nodes = (*map(site, ["mu", "tau", "region", "school", "sigma"]), site("y", kind="observed"))
    edges = [Edge("mu", "tau", "prior"), Edge("tau", "school", "prior")]
    edges += [Edge("region", "school", "prior"), Edge("mu", "region", "prior")]
    edges += [Edge("school", "y", "location"), Edge("sigma", "y", "prior")]
    edges += [Edge("sigma", "school", "prior"), *chain(["mu", "region", "school"])]
    return Graph("nested", nodes, tuple(edges))


def odd() -> Graph:
    """What no model should give, and a picture may still be asked for."""
    nodes = (site("a"), site("b", "", kind="deterministic"), site("a", "Gamma"), site("alone"))
    edges = (
        Edge("b", "a", "prior"),  # from a later site
        Edge("a", "b", "offset"),
        Edge("b", "a", "offset"),
        Edge("a", "a", "offset"),
        Edge("b", "b", "prior"),
        Edge("a", "b", 'of an unknown "kind"', "why"),
        Edge("a", "nowhere", "prior"),
    )
    return Graph("odd", nodes, edges)


GRAPHS = {
    make.__name__: make()
    for make in (tensor, crossed, large, long_names, two_observed, nested, odd)
}

every_graph = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)


class Read:
    """What can be seen in a picture."""

    def __init__(self, text: str) -> None:
        self.root = ElementTree.fromstring(text)
        self.nodes = self.with_class("node")
        self.edges = self.with_class("edge")
        self.boxes = [self.rectangle(node.find(f"{SVG}rect")) for node in self.nodes]
        self.labels = [
            self.rectangle(label.find(f"{SVG}rect")) for label in self.with_class("label")
        ]

    def with_class(self, name: str) -> list[Any]:
        return [e for e in self.root.iter(f"{SVG}g") if name in (e.get("class") or "").split()]

    def rectangle(self, element: Any) -> tuple[float, float, float, float]:
        """Its left, upper, right and lower end."""
        x, y, width, height = (float(element.get(key)) for key in ("x", "y", "width", "height"))
        return x, y, x + width, y + height

    def names(self) -> list[str]:
        return ["".join(text.itertext()) for text in self.texts("name")]

    def texts(self, name: str) -> list[Any]:
        return [e for e in self.root.iter(f"{SVG}text") if name in (e.get("class") or "").split()]

    def named(self, edge: Any) -> tuple[str, list[int]]:
        """The kind of an edge and the numbers of the nodes that it joins."""
        classes = edge.get("class").split()
        kind = next((kind for kind in KINDS if kind in classes), "other")
        return kind, [int(name[1:]) for name in classes if re.fullmatch(r"e\d+", name)]


def points(edge: Any) -> list[tuple[float, float]]:
    """Points on the way of an edge, close to each other."""
    d = next(e.get("d") for e in edge.iter(f"{SVG}path") if e.get("class") == "line")
    assert re.fullmatch(r"M[^A-Z]+(?: [LC][^A-Z]+)+", d), d
    found: list[tuple[float, float]] = []
    at = (0.0, 0.0)
    for command, numbers in re.findall(r"([MLC])([^MLC]+)", d):
        values = list(map(float, numbers.split()))
        ends = list(zip(values[::2], values[1::2], strict=True))
        p = {"M": ends * 4, "L": [at, at, *ends * 2], "C": [at, *ends]}[command]
        for step in range(201):
            t = step / 200
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
            found.append(
                (
                    sum(w * q[0] for w, q in zip(weights, p, strict=True)),
                    sum(w * q[1] for w, q in zip(weights, p, strict=True)),
                )
            )
        at = ends[-1]
    return found


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def inside(point: tuple[float, float], box: tuple[float, ...], by: float = 0.0) -> bool:
    x, y = point
    return box[0] + by < x < box[2] - by and box[1] + by < y < box[3] - by


def check_geometry(graph: Graph) -> Read:
    read = Read(svg(graph))
    for a, b in combinations(read.boxes, 2):
        assert not overlap(a, b)
    for a, b in combinations(read.labels + read.boxes, 2):
        assert not overlap(a, b)
    for edge in read.edges:
        _, ends = read.named(edge)
        way = points(edge)
        for number, box in enumerate(read.boxes):
            # Its own boxes are touched, and not entered.
            by = 0.2 if number in ends else -1.0
            assert not any(inside(point, box, by) for point in way), edge.get("class")
        first, last = read.boxes[ends[0]], read.boxes[ends[-1]]
        assert inside(way[0], first, -0.2) and inside(way[-1], last, -0.2)
    return read


@every_graph
def test_every_site_is_named_once_and_every_edge_is_there_by_its_kind(graph: Graph) -> None:
    read = Read(svg(graph))
    assert read.names() == [node.name for node in graph.nodes]
    names = [node.name for node in graph.nodes]
    expected = sorted(
        (
            edge.kind if edge.kind in KINDS else "other",
            names.index(edge.source),
            names.index(edge.target),
        )
        for edge in graph.edges
        if edge.source in names and edge.target in names
    )
    assert sorted((kind, *ends) for kind, ends in map(read.named, read.edges)) == expected


@every_graph
def test_boxes_are_apart_and_no_edge_runs_through_one(graph: Graph) -> None:
    check_geometry(graph)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_boxes_are_apart_whatever_the_model(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 9))
    nodes = tuple(
        Node(
            name=f"{number}{data.draw(st.text(max_size=30))}",
            kind=data.draw(st.sampled_from(["latent", "latent", "observed"])),
            family=data.draw(st.sampled_from(["", "Normal", "TransformedDistribution"])),
            axes=tuple(data.draw(st.lists(st.text(max_size=9), max_size=2))),
            line=number,
        )
        for number in range(count)
    )
    names = st.sampled_from([node.name for node in nodes] or ["nothing"])
    kinds = st.sampled_from([*KINDS, "else"])
    edges = data.draw(st.lists(st.builds(Edge, names, names, kinds, st.text(max_size=12))))
    graph = Graph(data.draw(st.text()), nodes, tuple(edges), (data.draw(st.text()),))
    check_geometry(graph)
    html(graph)
    dot(graph)


@every_graph
def test_boxes_hold_their_texts(graph: Graph) -> None:
    read = Read(svg(graph))
    for node, (left, top, right, bottom) in zip(read.nodes, read.boxes, strict=True):
        name, *details = node.iter(f"{SVG}text")
        for line in name.iter(f"{SVG}tspan"):
            assert monospace_width(line.text, NAME_SIZE) <= right - left - 8
            assert top + 10 < float(line.get("y")) < bottom - 3
        for detail in details:
            # 0.5 of the size is what text has at least.
            assert len(detail.text) * 0.5 * float(detail.get("font-size")) <= right - left - 8
            assert top + 10 < float(detail.get("y")) < bottom - 3


@every_graph
def test_everything_is_in_the_picture(graph: Graph) -> None:
    read = Read(svg(graph))
    width, height = float(read.root.get("width")), float(read.root.get("height"))
    shift = next(g.get("transform") for g in read.root if (g.get("transform") or "") != "")
    dx, dy = map(float, re.findall(r"-?[\d.]+", shift))
    corners = [corner for a, b, c, d in read.boxes + read.labels for corner in ((a, b), (c, d))]
    for x, y in [*corners, *(point for edge in read.edges for point in points(edge))]:
        assert 0 < x + dx < width
        assert 0 < y + dy < height


def test_priors_point_down_and_observed_sites_are_below_all_others() -> None:
    read = Read(svg(tensor()))
    tops = {name: box[1] for name, box in zip(read.names(), read.boxes, strict=True)}
    row = ["mu", "a", "b", "z", "A", "B", "C"]
    assert len({tops[name] for name in row}) == 1
    assert all(tops[f"sigma_{name}"] < tops[name] for name in "abzABC")
    assert tops["y"] == max(tops.values()) > tops["mu"]
    lefts = [box[0] for name, box in zip(read.names(), read.boxes, strict=True) if name in row]
    assert lefts == sorted(lefts)
    for edge in read.edges:
        kind, _ = read.named(edge)
        way = points(edge)
        if kind != "offset":
            assert all(a[1] <= b[1] + 0.2 for a, b in pairwise(way))


def test_offsets_are_arcs_over_their_row_higher_the_further_they_go() -> None:
    read = Read(svg(tensor()))
    heights: dict[int, set[float]] = {}
    for edge in read.edges:
        kind, (source, target) = read.named(edge)
        if kind == "offset":
            way = points(edge)
            top = read.boxes[source][1]
            assert all(y <= top + 0.01 for _, y in way)
            assert way[0][0] < way[-1][0]
            heights.setdefault(target - source, set()).add(top - min(y for _, y in way))
    ordered = [heights[distance] for distance in sorted(heights)]
    assert len(ordered) == 6
    assert all(max(low) + 15 < min(high) for low, high in pairwise(ordered))


def test_offsets_look_unlike_priors() -> None:
    read = Read(svg(tensor()))
    looks: dict[str, set[tuple[str | None, bool]]] = {}
    for edge in read.edges:
        line = next(e for e in edge.iter(f"{SVG}path") if e.get("class") == "line")
        kind, _ = read.named(edge)
        looks.setdefault(kind, set()).add((line.get("stroke"), "stroke-dasharray" in line.attrib))
    for a, b in combinations(looks.values(), 2):
        assert not {color for color, _ in a} & {color for color, _ in b}
    assert all(dashed == (kind == "offset") for kind in looks for _, dashed in looks[kind])


def test_the_tensor_model_fits_on_a_screen() -> None:
    root = Read(svg(tensor())).root
    assert float(root.get("width")) <= 1300
    assert float(root.get("height")) <= 800


def test_labels_stand_where_there_is_room() -> None:
    graph = tensor()
    edges = tuple(
        Edge(e.source, e.target, e.kind, f"xi_{e.target}_{e.source}") for e in graph.edges
    )
    read = check_geometry(Graph("", graph.nodes, edges))
    said = [text.text for text in read.texts("said")]
    assert {edge.label for edge in edges if edge.kind == "offset"} <= set(said)


def test_titles_say_what_is_under_the_mouse() -> None:
    graph = Graph(
        "",
        (Node("mu", "latent", "Normal", (), 3), Node("a", "latent", "Normal", ("i", "t"), 7)),
        (Edge("mu", "a", "offset", "mean over j"), Edge("mu", "a", "prior")),
    )
    titles = [element.text for element in Read(svg(graph)).root.iter(f"{SVG}title")]
    assert "a ~ Normal, latent, axes i, t, line 7" in titles
    assert "proposed: offset a by mu: mean over j" in titles
    assert "the prior of a reads mu" in titles


def test_names_are_nothing_but_text() -> None:
    name = '</text><script>"&amp;"</script>{source}\x1b\x00\ud800'
    graph = Graph(name, (site(name), site("b")), (Edge(name, "b", "offset", name),), (name,))
    for text in svg(graph), html(graph):
        assert "<script" not in text
        text.encode()
    shown = name.replace("\x1b\x00\ud800", "\\x1b\\x00\\ud800")
    assert shown in Read(svg(graph)).names()
    assert f"proposed: offset b by {shown}: {shown}" in html_titles(graph)


def html_titles(graph: Graph) -> list[str | None]:
    return [element.text for element in page(graph).iter(f"{SVG}title")]


def page(graph: Graph) -> Any:
    """The page as XML: it is written so that it is that too, but for its head."""
    text = html(graph)
    return ElementTree.fromstring(text[text.index("<body>") : text.index("</html>")])


@every_graph
def test_a_page_has_the_picture_and_a_table_of_the_sites(graph: Graph) -> None:
    text = html(graph)
    assert text.startswith("<!DOCTYPE html>")
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"(?:src|href)=|@import|url\((?!#)", text)  # nothing from elsewhere
    body = page(graph)
    assert body.find(f".//{SVG}svg") is not None
    assert ["".join(p.itertext()) for p in body.findall("p")] == list(graph.notes)
    rows = body.findall(".//tbody/tr")
    assert ["".join(row[0].itertext()) for row in rows] == [node.name for node in graph.nodes]


def test_the_table_says_what_joins_the_sites() -> None:
    rows = {"".join(row[0].itertext()): row for row in page(tensor()).findall(".//tbody/tr")}
    cells = ["".join(cell.itertext()) for cell in rows["z"]]
    assert cells == ["z", "1", "latent", "GaussianRandomWalk", "t", "sigma_z", "", "mu, a, b"]
    cells = ["".join(cell.itertext()) for cell in rows["y"]]
    assert cells[-3:] == ["sigma", "mu, a, b, z, A, B, C", ""]


def test_title_legend_and_notes_are_texts() -> None:
    texts = ["".join(e.itertext()) for e in Read(svg(tensor())).root.iter(f"{SVG}text")]
    assert {"model.py: model", "21 offsets.", "One chain.", "latent site", "observed site"} < {
        *texts
    }
    assert "proposed offset, parent to child" in texts
    texts = [
        "".join(e.itertext())
        for e in Read(svg(Graph("", (site("a"),), ()))).root.iter(f"{SVG}text")
    ]
    assert texts == ["a", "Normal", "latent site"]


@pytest.mark.parametrize("draw", [svg, html, dot])
def test_a_model_without_sites_has_a_picture(draw: Any) -> None:
    assert draw(Graph("", (), ()))
    assert "nothing" in draw(Graph("nothing", (), (), ("a note",)))


@pytest.mark.parametrize("draw", [svg, html, dot])
@every_graph
def test_the_same_graph_is_the_same_text(draw: Any, graph: Graph) -> None:
    assert draw(graph) == draw(graph)


@every_graph
def test_dot_has_every_site_and_edge(graph: Graph) -> None:
    lines = dot(graph).splitlines()
    assert (lines[0], lines[-1]) == ("digraph {", "}")
    names = [node.name for node in graph.nodes]
    joined = [e for e in graph.edges if e.source in names and e.target in names]
    visible = [line for line in lines if " -> " in line and "style=invis" not in line]
    assert len(visible) == len(joined)
    for edge, line in zip(joined, visible, strict=True):
        source, target = names.index(edge.source), names.index(edge.target)
        assert line.startswith(f"  n{source} -> n{target} [")
        assert ("constraint=false" in line and "style=dashed" in line) == (edge.kind == "offset")
    for number in range(len(names)):
        assert sum(line.startswith(f"  n{number} [label=") for line in lines) == 1


def test_dot_takes_names_as_text() -> None:
    text = dot(Graph("", (site('a"\\n\n&lt;', "", ""),), ()))
    assert 'n0 [label="a\\"\\\\n\\n&amp;lt;"]' in text


def missing(name: str) -> Any:
    if name == "graphviz":
        raise ModuleNotFoundError(f"No module named '{name}'")
    return import_module(name)


def test_png_without_graphviz_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "import_module", missing)
    with pytest.raises(Refusal) as caught:
        png(tensor())
    (diagnostic,) = caught.value.diagnostics
    assert "'graphviz'" in diagnostic.message
    assert "pip install graphviz" in diagnostic.hint
    assert ".svg" in diagnostic.hint and ".html" in diagnostic.hint


class ExecutableNotFound(RuntimeError):
    pass


class CalledProcessError(RuntimeError):
    pass


def graphviz(result: bytes | Exception) -> Any:
    """What the package has, with a program that gives `result`."""

    class Source:
        def __init__(self, source: str) -> None:
            assert source.startswith("digraph {")

        def pipe(self, format: str) -> bytes:
            assert format == "png"
            if isinstance(result, Exception):
                raise result
            return result

    return SimpleNamespace(
        Source=Source, ExecutableNotFound=ExecutableNotFound, CalledProcessError=CalledProcessError
    )


@pytest.mark.parametrize(
    "error, message",
    [
        (ExecutableNotFound("dot"), "not on the PATH"),
        (CalledProcessError("exit status 1"), "could not draw the picture: exit status 1"),
    ],
    ids=["no program", "a program that fails"],
)
def test_png_refuses_what_dot_cannot_do(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    monkeypatch.setattr(drawing, "import_module", lambda name: graphviz(error))
    with pytest.raises(Refusal) as caught:
        png(tensor())
    (diagnostic,) = caught.value.diagnostics
    assert message in diagnostic.message
    assert ".svg" in diagnostic.hint


def test_png_is_what_dot_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "import_module", lambda name: graphviz(b"\x89PNG"))
    assert png(tensor()) == b"\x89PNG"
