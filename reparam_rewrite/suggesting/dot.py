"""A suggestion as a picture: the sites, what their priors read, and the offsets that are proposed.

Graphviz (https://graphviz.org) decides where everything stands; its language is what is written
here. A page needs no Graphviz: it has a table of the sites, and the picture in that language.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from reparam_rewrite.messages import Diagnostic, Refusal, printable
from reparam_rewrite.suggesting.values import Suggestion
from reparam_rewrite.survey.sums import is_observed
from reparam_rewrite.survey.terms import Form
from reparam_rewrite.survey.values import Site

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

#: What stands around sites that are sampled given the data, in the order of their row.
GIVEN = ('color="#0072b2", penwidth=2', "blue frame: sampled given the data, from left to right")

#: By what a parent meets its child where the picture says how: ``s[state] per county``.
TOLD = ("sum", "prior", "config", "frozen")

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
    if kind == "dot":
        return text
    import subprocess  # no other run of suggest pays for it

    try:
        ran = subprocess.run(["dot", f"-T{kind}"], input=text, capture_output=True, check=True)
    except OSError:
        message = f"a .{kind} picture needs Graphviz' program 'dot', which can't be run"
        hint = "install Graphviz (graphviz.org), or write a .html or a .dot file."
        raise Refusal(Diagnostic(None, message, hint)) from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip()
        message = f"Graphviz' program 'dot' could not draw the picture: {said}"
        hint = "write a .html or a .dot file, which don't need it."
        raise Refusal(Diagnostic(None, message, hint)) from None
    return ran.stdout


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
        told = met is not None and met.evidence in TOLD and met.value != offset.parent
        said = [met.value if met and told else "", "" if offset.init == 1.0 else f"{offset.init:g}"]
        edge = offset.parent, offset.child, ", ".join(filter(None, said))
        found["offset"] += [edge] if offset.parent in names else []
    return found


def nodes(suggestion: Suggestion) -> Iterator[tuple[Site, str]]:
    """The sites, each once, with what their axes are called."""
    sites = suggestion.model.function.sites if suggestion.model is not None else ()
    for site in {site.name: site for site in sites}.values():
        axes = [(axis.plate or axis.size or "?").strip("\"'") for axis in site.shape or ()]
        yield site, ", ".join(axes)


def dot(suggestion: Suggestion) -> str:
    """The picture in Graphviz' language; the sites that offsets join stand in one row."""
    joined = edges(suggestion)
    legend = [text for kind, (_, text) in STYLES.items() if joined[kind]]
    legend += [GIVEN[1]] if suggestion.order else []
    lines = [
        f"graph [label={quoted(title(suggestion), *legend)}, labelloc=t, ranksep=0.8, "
        'nodesep=0.35, dpi=144, fontname="Helvetica", fontsize=12]',
        'node [style="filled,rounded", shape=box, fontname="Helvetica", fontsize=13, '
        'color="#59636e", fontcolor="#1f2328", fillcolor="#ffffff"]',
        'edge [fontname="Helvetica", fontsize=10, arrowsize=0.7]',
    ]
    in_offsets = {name for parent, child, _ in joined["offset"] for name in (parent, child)}
    row = [*map(quoted, suggestion.order)]
    for site, axes in nodes(suggestion):
        label = quoted(*filter(None, (site.name, site.prior.family, axes and f"[{axes}]")))
        fill = ', fillcolor="#d9dee4"' if is_observed(site) else ""
        fill += f", {GIVEN[0]}" if site.name in suggestion.order else ""
        lines.append(f"{quoted(site.name)} [label={label}{fill}]")
        row += [quoted(site.name)] if site.name in in_offsets else []
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
    for site, axes in nodes(suggestion):
        kind = "observed" if is_observed(site) else "latent"
        kind += ", given the data" if site.name in suggestion.order else ""
        about = (site.name, str(site.place.line), kind, site.prior.family or "", axes)
        sources = [
            ", ".join(
                f"<code>{shown(source)}</code>{f' ({label})' if label else ''}"
                for source, target, label in joined[kind]
                if target == site.name
            )
            for kind in STYLES
        ]
        cells = "".join(f"<td>{cell}</td>" for cell in (*map(shown, about), *sources))
        yield f"<tr>{cells}</tr>\n"


def shown(text: str) -> str:
    """`text` for HTML, which has no control characters, not even escaped ones."""
    return escape(printable(text))
