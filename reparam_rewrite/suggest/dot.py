"""A suggestion as a picture: the sites, what their priors read, and the offsets that are proposed.

Graphviz (https://graphviz.org) decides where everything stands; its language is what is written
here. A page needs no Graphviz: it has a table of the sites, and the picture in that language.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from html import escape

from reparam_rewrite.messages import Diagnostic, Refusal, printable
from reparam_rewrite.suggest.values import Drawn, Suggestion

#: What a file may end in.
KINDS = ("svg", "png", "html", "dot")

#: An edge: the site that is read, the one that reads it, and what stands at the arrow.
Edge = tuple[str, str, str]

# The blue is Okabe and Ito's, which those who see fewer colours tell from greys too.
STYLES = {
    "prior": ('color="#8b929b"', "grey: is in the prior of"),
    "location": ('color="#1f2328", penwidth=1.5', "black: adds to the location of"),
    "offset": (
        'color="#0072b2", fontcolor="#0072b2", style=dashed, constraint=false',
        "blue, dashed: proposed offset, parent to child",
    ),
}

PAGE_CSS = """\
:root { color-scheme: light dark }
body { margin: 2rem auto; max-width: 90rem; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif }
table { border-collapse: collapse; margin: 1.5rem 0 }
th, td { padding: 0.3rem 0.8rem; text-align: left; border-bottom: 1px solid #8b929b55 }
"""


def drawn(suggestion: Suggestion, kind: str) -> bytes:
    """The bytes of a picture file; `kind` is one of `KINDS`.

    Raises `Refusal` for "svg" and "png" where Graphviz is not installed, or fails.
    """
    if kind == "html":
        return html(suggestion).encode()
    text = dot(suggestion).encode()
    return text if kind == "dot" else laid_out(text, kind)


def laid_out(text: bytes, kind: str) -> bytes:
    """What Graphviz draws of a text in its language."""
    hint = "write a .html or a .dot file, which don't need it."
    try:
        ran = subprocess.run(["dot", f"-T{kind}"], input=text, capture_output=True, check=True)
    except OSError:
        message = f"a .{kind} picture needs Graphviz' program 'dot', which can't be run"
        way_out = "install Graphviz (graphviz.org), or write a .html or a .dot file."
        raise Refusal(Diagnostic(None, message, way_out)) from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip()
        message = f"Graphviz' program 'dot' could not draw the picture: {said}"
        raise Refusal(Diagnostic(None, message, hint)) from None
    return ran.stdout


def edges(suggestion: Suggestion) -> dict[str, list[Edge]]:
    """The edges between sites of the picture, by their kinds."""
    names = {site.name for site in suggestion.model}
    every: dict[str, list[Edge]] = {
        "prior": [(read, by, "") for read, by in suggestion.priors],
        "location": [(added, to, "") for added, to in suggestion.locations],
        "offset": [
            (offset.parent, offset.child, "" if offset.init == 1.0 else f"{offset.init:g}")
            for proposal in suggestion.proposals
            for offset in proposal.offsets
        ],
    }
    return {
        kind: [edge for edge in several if {edge[0], edge[1]} <= names]
        for kind, several in every.items()
    }


def dot(suggestion: Suggestion) -> str:
    """The picture in Graphviz' language; the sites that offsets join stand in one row."""
    joined = edges(suggestion)
    legend = [text for kind, (_, text) in STYLES.items() if joined[kind]]
    lines = [
        f"graph [label={quoted(title(suggestion), *legend)}, labelloc=t, ranksep=0.8, "
        'nodesep=0.35, dpi=144, fontname="Helvetica", fontsize=12]',
        'node [style="filled,rounded", shape=box, fontname="Helvetica", fontsize=13, '
        'color="#59636e", fontcolor="#1f2328", fillcolor="#ffffff"]',
        'edge [fontname="Helvetica", fontsize=10, arrowsize=0.7]',
    ]
    for site in suggestion.model:
        axes = f"[{', '.join(site.axes)}]" if site.axes else ""
        label = quoted(*filter(None, (site.name, site.family, axes)))
        fill = ', fillcolor="#d9dee4"' if site.observed else ""
        lines.append(f"{quoted(site.name)} [label={label}{fill}]")
    in_offsets = {name for parent, child, _ in joined["offset"] for name in (parent, child)}
    row = [quoted(site.name) for site in suggestion.model if site.name in in_offsets]
    if row:
        # Invisible edges keep the row in the order of sampling.
        lines += [f"{{ rank=same; {'; '.join(row)} }}", f"{' -> '.join(row)} [style=invis]"]
    for kind, (style, _) in STYLES.items():
        for source, target, label in joined[kind]:
            said = f", label={quoted(label)}" if label else ""
            lines.append(f"{quoted(source)} -> {quoted(target)} [{style}{said}]")
    return "digraph {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def quoted(*lines: str) -> str:
    """Lines as a string of Graphviz' language, which takes what looks like an entity for one."""
    text = "\\n".join(printable(ln).replace("\\", "\\\\").replace('"', '\\"') for ln in lines)
    return f'"{text}"'.replace("&", "&amp;")


def title(suggestion: Suggestion) -> str:
    return f"{suggestion.function} of {suggestion.path}"


def html(suggestion: Suggestion) -> str:
    """A page with a table of the sites and the text of the picture."""
    heads = ("site", "line", "kind", "distribution", "axes")
    sources = ("its prior reads", "its location adds up", "proposed offset by")
    cells = "".join(f'<th scope="col">{head}</th>' for head in (*heads, *sources))
    named = shown(title(suggestion))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{named}</title>\n<style>\n{PAGE_CSS}</style>\n</head>\n<body>\n"
        f"<h1>{named}</h1>\n<table>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n"
        f"{''.join(rows(suggestion))}</tbody>\n</table>\n"
        "<p>The picture, in the language of Graphviz (<code>dot -Tsvg</code> draws it):</p>\n"
        f"<pre>\n{escape(dot(suggestion))}</pre>\n</body>\n</html>\n"
    )


def rows(suggestion: Suggestion) -> Iterator[str]:
    joined = edges(suggestion)
    for site in suggestion.model:
        sources = [
            ", ".join(
                f"<code>{shown(source)}</code>{f' ({label})' if label else ''}"
                for source, target, label in joined[kind]
                if target == site.name
            )
            for kind in STYLES
        ]
        cells = [*map(shown, about(site)), *sources]
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"


def about(site: Drawn) -> tuple[str, ...]:
    kind = "observed" if site.observed else "latent"
    return site.name, str(site.line or ""), kind, site.family, ", ".join(site.axes)


def shown(text: str) -> str:
    """`text` for HTML, which has no control characters, not even escaped ones."""
    return escape(printable(text))
