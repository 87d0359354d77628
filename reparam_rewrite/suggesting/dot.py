"""A suggestion as a picture: the sites, what their priors read, and the offsets that are proposed.

Graphviz (https://graphviz.org) decides where everything stands; its language is what is written
here. A page has the picture if Graphviz is there, and a table of the sites in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from reparam_rewrite.messages import Diagnostic, Refusal, printable
from reparam_rewrite.pages import page, scrolled, shown
from reparam_rewrite.suggesting.values import Suggestion
from reparam_rewrite.survey.sums import is_observed
from reparam_rewrite.survey.terms import Form
from reparam_rewrite.survey.values import Site

#: What a file may end in.
KINDS = ("svg", "png", "html", "dot")

#: An edge: the site that is read, the one that reads it, and how, as the box of that says it.
Edge = tuple[str, str, str]

# The blue is Okabe and Ito's, which those who see fewer colours tell from greys too.
BLUE, GREY, BLACK, FRAME = "#0068a3", "#6b747d", "#1f2328", "#59636e"
FILLED, WHITE = "#d9dee4", "#ffffff"

#: What each of them is for who reads in the dark.
DARK = {
    BLUE: "#56b4e9",
    GREY: "#8b949e",
    BLACK: "#e6e8eb",
    FRAME: "#a3abb5",
    FILLED: "#3d444d",
    WHITE: "#16181c",
    "white": "#16181c",
}

# Both in a picture of its own and in a page; what can't read it shows the light one.
THEME = "<style>svg:root {{ background: {} }} {} {{ {} }}</style>".format(
    WHITE,
    "@media screen and (prefers-color-scheme: dark)",
    " ".join(
        [f"svg:root {{ background: {DARK[WHITE]} }}"]
        + [f'svg [fill="{light}"] {{ fill: {dark} }}' for light, dark in DARK.items()]
        + [f'svg [stroke="{light}"] {{ stroke: {dark} }}' for light, dark in DARK.items()]
    ),
)

#: How edges are drawn: their colour and width, and whether they are dashed.
STYLES = {"prior": (GREY, 1.0, False), "location": (BLACK, 1.5, False), "offset": (BLUE, 1.0, True)}

#: How boxes are: the colours of the frame and of the inside, and how wide the frame is.
BOXES = {"site": (FRAME, WHITE, 1), "observed": (FRAME, FILLED, 1), "given": (BLUE, WHITE, 2)}

#: What each of them means, and the blue text in a box; in this order in the legend.
LEGEND = {
    "site": "a site: its name, its distribution and [its axes]",
    "observed": "an observed site",
    "given": "sampled given the data, in the order from top to bottom",
    "prior": "is in the prior of",
    "location": "adds to the location of",
    "offset": "proposed offset: the site at the arrow is sampled around the other one",
    "around": "what a site is sampled around: here half of mu, as its coefficient starts at 0.5, "
    "and not at 1",
}

#: By what a parent meets its child where the picture says how: ``s[state] per county``.
TOLD = ("sum", "prior", "config", "frozen")

#: How much of an expression a box has; a page's table has all of it.
LONGEST = 44

PAGE_CSS = """\
.legend { list-style: none; padding: 0; display: grid; gap: .25rem 2rem; font-size: 14px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)) }
.legend li { display: grid; grid-template-columns: 4.5rem 1fr; gap: .75rem }
.legend svg { width: 4.5rem; height: 20px }
.scrolled > svg { display: block; margin: 0 auto }
.graph > polygon:first-of-type { fill: none }
td:nth-child(2), thead th:nth-child(2) { text-align: right }
.around { color: var(--mark) } .around, td:nth-child(3) { white-space: nowrap }
@media print { .scrolled > svg { max-width: 100%; height: auto } }
"""


def drawn(suggestion: Suggestion, kind: str) -> bytes:
    """The bytes of a picture file; `kind` is one of `KINDS`.

    Raises `Refusal` for "svg" and "png" where Graphviz is not installed, or fails.
    """
    if kind == "dot":
        return dot(suggestion).encode()
    if kind != "html":
        return by_graphviz(dot(suggestion), kind)
    try:
        picture = by_graphviz(dot(suggestion, legend=False), "svg").decode()
    except Refusal:
        picture = ""
    return html(suggestion, picture).encode()


def by_graphviz(text: str, kind: str) -> bytes:
    import subprocess  # no other run of suggest pays for it

    words = ["dot", f"-T{kind}", *["-Gdpi=144"] * (kind == "png")]
    try:
        ran = subprocess.run(words, input=text.encode(), capture_output=True, check=True)
    except OSError:
        message = f"a .{kind} picture needs Graphviz' program 'dot', which can't be run"
        hint = "install Graphviz (graphviz.org), or write a .html or a .dot file."
        raise Refusal(Diagnostic(None, message, hint)) from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip()
        message = f"Graphviz' program 'dot' could not draw the picture: {said}"
        hint = "write a .html or a .dot file, which don't need it."
        raise Refusal(Diagnostic(None, message, hint)) from None
    return themed(ran.stdout.decode()).encode() if kind == "svg" else ran.stdout


def themed(svg: str) -> str:
    """A picture in the theme of its reader, whose fonts may be narrower than those of Graphviz."""

    def centred(node: re.Match[str]) -> str:
        across = [float(x) for x in re.findall(r"(-?[\d.]+),", node[1])]
        middle = f'text-anchor="middle" x="{(min(across) + max(across)) / 2:g}"'
        return re.sub(r'text-anchor="start" x="[^"]*"', middle, node[0])

    node = r'<g id="\w+" class="node">.*?(?:d|points)="([^"]*)".*?</g>'
    return re.sub(node, centred, svg.replace("<g id=", f"{THEME}\n<g id=", 1), flags=re.DOTALL)


def edges(suggestion: Suggestion) -> dict[str, list[Edge]]:
    """The edges between sites of the picture, by their kinds."""
    found: dict[str, list[Edge]] = {kind: [] for kind in STYLES}
    model = suggestion.model
    if model is None:
        return found
    sites = model.function.sites
    names = {site.name for site in sites}

    def add(kind: str, form: Form, by: str) -> None:
        for edge in ((sites[index].name, by, "") for index in sorted(form.sites)):
            found[kind] += [edge] if edge not in found[kind] else []

    for index, made in model.priors.items():
        for form in made.arguments.values():
            add("prior", form, sites[index].name)
    for observed in model.observed:
        for name, form in observed.arguments.items():
            add("location" if name == observed.parameter else "prior", form, observed.site.name)
    for offset in (offset for one in suggestion.proposals for offset in one.offsets):
        met = suggestion.met.get((offset.child, offset.label or offset.parent))
        told = met is not None and met.evidence in TOLD
        said = met.value if met and told else offset.value or offset.parent
        said = said if offset.init == 1.0 else f"{offset.init:g} * {said}"
        edge = offset.parent, offset.child, said
        found["offset"] += [edge] if offset.parent in names else []
    return found


def nodes(suggestion: Suggestion) -> Iterator[tuple[Site, str]]:
    """The sites, each once, with what their axes are called."""
    sites = suggestion.model.function.sites if suggestion.model is not None else ()
    for site in {site.name: site for site in sites}.values():
        axes = [(axis.plate or axis.size or "?").strip("\"'") for axis in site.shape or ()]
        yield site, ", ".join(axes)


def kinds(suggestion: Suggestion) -> list[str]:
    """What the legend tells: what there is of it."""
    joined, sites = edges(suggestion), [site for site, _ in nodes(suggestion)]
    there = {kind for kind in STYLES if joined[kind]} | {box(suggestion, one) for one in sites}
    return [kind for kind in LEGEND if kind in there or (kind == "around" and joined["offset"])]


def box(suggestion: Suggestion, site: Site) -> str:
    return "given" if site.name in suggestion.order else "observed" if is_observed(site) else "site"


def dot(suggestion: Suggestion, legend: bool = True) -> str:
    """The picture in Graphviz' language; the sites that offsets join stand in one column."""
    joined = edges(suggestion)
    lines = [
        f"graph [{explained(suggestion) if legend else ''}rankdir=LR, ranksep=0.8, nodesep=0.25]",
        f'node [style="filled,rounded", shape=box, fontname="Helvetica", fontsize=11, '
        f'fontcolor="{BLACK}", margin="0.12,0.06"]',
        "edge [arrowsize=0.7]",
    ]
    in_offsets = {name for parent, child, _ in joined["offset"] for name in (parent, child)}
    column = [*map(quoted, suggestion.order)]
    for site, axes in nodes(suggestion):
        about = " ".join(filter(None, (site.prior.family, axes and f"[{axes}]")))
        offsets = [label for _, child, label in joined["offset"] if child == site.name]
        label = f"<b>{shown(site.name) or ' '}</b>" + "".join(
            [f"<br/>{shown(about)}"] * bool(about)
            + [f'<br/><font point-size="9" color="{BLUE}">{cut(one)}</font>' for one in offsets]
        )
        frame, inside, pen = BOXES[box(suggestion, site)]
        drawn_as = f'color="{frame}", fillcolor="{inside}", penwidth={pen}'
        lines.append(f"{quoted(site.name)} [label=<{label}>, {drawn_as}]")
        column += [quoted(site.name)] if site.name in in_offsets else []
    if column:
        # Invisible edges keep the column in the order of sampling.
        lines += [f"{{ rank=same; {'; '.join(column)} }}", f"{' -> '.join(column)} [style=invis]"]
    for kind, (colour, wide, dashed) in STYLES.items():
        drawn_as = f'color="{colour}", penwidth={wide}'
        drawn_as += ", style=dashed, constraint=false" * dashed
        for source, target, _ in joined[kind]:
            lines.append(f"{quoted(source)} -> {quoted(target)} [{drawn_as}]")
    return "\n  ".join([f"digraph {quoted(title(suggestion))} {{", *lines]) + "\n}\n"


def explained(suggestion: Suggestion) -> str:
    """The title and the legend, which stand above the picture."""
    rows = f'<tr><td colspan="2" align="left"><b>{shown(title(suggestion))}</b></td></tr>'
    for kind in kinds(suggestion):
        if kind in BOXES:
            frame, inside, wide = BOXES[kind]
            drawn_as = f'border="{wide}" color="{frame}" bgcolor="{inside}" style="rounded"'
            rows += f"<tr><td {drawn_as}> a </td>"
        else:
            colour, _, dashed = STYLES.get(kind, (BLUE, 1.0, False))
            said = "- - - &gt;" if dashed else "\u2014\u2014&gt;" if kind in STYLES else "0.5 * mu"
            rows += f'<tr><td><font color="{colour}">{said}</font></td>'
        rows += f'<td align="left">{shown(LEGEND[kind])}</td></tr>'
    return (
        f'label=<<table border="0" cellborder="0" cellspacing="4">{rows}</table>>, labelloc=t, '
        f'labeljust=l, fontname="Helvetica", fontsize=11, fontcolor="{BLACK}", '
    )


def sample(kind: str) -> str:
    """What stands in a page's legend."""
    if kind in BOXES:
        frame, inside, wide = BOXES[kind]
        drawn_as = f'fill="{inside}" stroke="{frame}" stroke-width="{wide}"'
        inner = f'<rect x="20" y="2" width="32" height="16" rx="4" {drawn_as}/>'
    elif kind in STYLES:
        colour, width, dashed = STYLES[kind]
        drawn_as = f'fill="none" stroke="{colour}" stroke-width="{width}"'
        dashes = ' stroke-dasharray="5 3"' * dashed
        inner = f'<path d="M10 10H60" {drawn_as}{dashes}/><path d="M54 6l7 4-7 4" {drawn_as}/>'
    else:
        inner = f'<text x="10" y="14" font-size="12" fill="{BLUE}">0.5 * mu</text>'
    return f'<svg aria-hidden="true" viewBox="0 0 72 20">{inner}</svg>'


def cut(text: str) -> str:
    return shown(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}\u2026")


def quoted(text: str) -> str:
    """A string of Graphviz' language, which takes what looks like an entity for one."""
    text = printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'.replace("&", "&amp;")


def title(suggestion: Suggestion) -> str:
    return f"{suggestion.function} of {suggestion.path}"


def html(suggestion: Suggestion, picture: str = "") -> str:
    """A page with the legend, the picture if there is one, and a table of the sites."""
    items = "".join(f"<li>{sample(one)} {shown(LEGEND[one])}</li>\n" for one in kinds(suggestion))
    svg = picture[picture.find("<svg") :]
    svg = svg.replace("<svg", '<svg role="img" aria-label="The sites of the table below"', 1)
    drawing = f'<ul class="legend">\n{items}</ul>\n{scrolled("The picture", svg)}'
    sites = f"<h2>Sites</h2>\n{scrolled('All sites', table(suggestion))}"
    instead = (
        "<p>Where Graphviz (graphviz.org) is installed, a page has the picture. Its <code>dot "
        f'-Tsvg</code> draws this:</p>\n<pre tabindex="0">\n{escape(dot(suggestion))}</pre>\n'
    )
    return page(title(suggestion), drawing + sites if picture else sites + instead, PAGE_CSS)


def table(suggestion: Suggestion) -> str:
    """A row for every site; columns that would be empty aren't there."""
    joined, rows = edges(suggestion), []
    for site, axes in nodes(suggestion):
        prior, location, offset = (
            [(source, said) for source, target, said in joined[kind] if target == site.name]
            for kind in STYLES
        )
        given = ", given the data" if site.name in suggestion.order else ""
        row = {
            "site": shown(site.name),
            "line": str(site.place.line),
            "kind": f"observed{given}" if is_observed(site) else f"latent{given}",
            "distribution": shown(site.prior.family or ""),
            "axes": shown(axes),
            "proposed offset by": "<br>".join(
                f'<code class="around">{shown(said)}</code>' for _, said in offset
            ),
            "its prior reads": ", ".join(f"<code>{shown(name)}</code>" for name, _ in prior),
            "its location adds up": ", ".join(
                f"<code>{shown(name)}</code>" for name, _ in location
            ),
        }
        rows.append(row)
    heads = [head for head in (rows[0] if rows else ()) if any(row[head] for row in rows)]
    lines = ["".join(f'<th scope="col">{head}</th>' for head in heads)]
    for row in rows:
        cells = "".join(f"<td>{row[head]}</td>" for head in heads[1:])
        lines.append(f'<tr><th scope="row">{row["site"]}</th>{cells}</tr>')
    head, *body = lines
    return "\n".join(
        [f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>", *body, "</tbody>\n</table>"]
    )
