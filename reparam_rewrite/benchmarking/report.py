"""One page of HTML with everything in it: the verdict, figures, what to doubt, and the diffs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reparam_rewrite.benchmarking import plots
from reparam_rewrite.benchmarking.advice import RANKED, comparable, of_svi, verdict
from reparam_rewrite.benchmarking.tables import sections
from reparam_rewrite.benchmarking.values import Results, Row
from reparam_rewrite.pages import page as framed
from reparam_rewrite.pages import scrolled, shown

STYLE = """\
.verdict { border-left: 4px solid var(--mark); background: var(--box); padding: .75rem 1rem;
  border-radius: 0 6px 6px 0 }
.verdict p { margin: .25rem 0 } .verdict p:not(.soft) { font-size: 1.2rem }
td { text-align: right; white-space: nowrap } td small { display: block }
thead th { text-align: right }
thead tr:first-child th { text-align: center; border-left: 1px solid var(--line) }
td[colspan] { text-align: left; white-space: normal; color: var(--bad) }
td[colspan] span { display: block; max-width: min(36rem, 55vw) }
summary { padding: .3rem 0; cursor: pointer }
.command { white-space: pre-wrap }
ins { text-decoration: none; color: var(--good) } del { text-decoration: none; color: var(--bad) }
"""

#: What stands above the heads of some columns, and above how many.
GROUPS = {
    "NUTS": (("ESS for 1,000 gradients", 4), ("ESS for a second", 3), ("chains", 2)),
    "SVI": (("guide", 1), ("sd, as a part of the reference's", 3), ("time", 1)),
}

#: Heads of a terminal's table, which has nothing above them.
SHORTER = {
    "least ESS/1k grad.": "least",
    "least ESS/s": "least",
    "div.": "divergences",
    "least sd ratio": "least",
}


#: How the sentences begin that rank rows.
RANKS = tuple(f"Per {per}:" for per in RANKED.values())


def page(results: Results, advice: Sequence[str]) -> str:
    """The page as HTML; it needs no other file and no network."""
    rows = [*results.nuts, *results.svi]
    use = verdicts(results, advice)
    ranks = [one for one in advice if one.startswith(RANKS) and one not in use]
    doubts = [one for one in advice if one not in {*use, *ranks}]
    body = [
        '<section class="verdict" aria-label="What to use">',
        f"<p>{named(use[0], rows)}</p>",
        *(f'<p class="soft">{named(one, rows)}</p>' for one in ranks[:1]),
        *(f"<p>{named(one, rows)}</p>" for one in use[1:]),
        "</section>",
        *figures(results, [named(one, rows) for one in ranks[1:]]),
        *listed("<h2>Caveats</h2>", (named(one, rows) for one in [*doubts, *failures(rows)])),
        *measured(results),
        *diffs(rows),
    ]
    title = f"{results.model}: which parameterization?"
    return framed(title, "\n".join(body) + "\n", plots.STYLE + STYLE)


def verdicts(results: Results, advice: Sequence[str]) -> list[str]:
    """What to use for NUTS, or what is ahead where that isn't said, and for SVI."""
    fair = comparable(results.nuts)
    told = [*verdict(fair[0], fair)] if fair and fair[0].kind == "plain" else []
    told = told or [one for one in advice if one.startswith(RANKS)][:1]
    return [*told[-1:], *[*of_svi(results.svi)][:1]] or ["No run ended: nothing can be advised."]


def named(sentence: str, rows: Sequence[Row]) -> str:
    """A sentence whose names of rows stand out."""
    text = shown(sentence)
    for row in rows:
        text = text.replace(shown(f"'{row.name}'"), f"<b>{shown(row.name)}</b>")
    return text


def listed(head: str, lines: Iterable[str]) -> Iterator[str]:
    items = "\n".join(f"<li>{line}</li>" for line in lines)
    if items:
        yield f"{head}\n<ul>\n{items}\n</ul>"


def failures(rows: Sequence[Row]) -> Iterator[str]:
    """Of rows without figures, the table says why."""
    for row in rows:
        failed = len(row.runs) - len(row.done)
        if failed and row.done:
            yield f"'{row.name}' failed for {failed} of {len(row.runs)} keys: {row.why}"


def figures(results: Results, ranks: Sequence[str]) -> Iterator[str]:
    for title, how, lines in sections(results):
        yield f"<h2>{title}</h2>"
        if title == "NUTS":
            yield plots.plots_of_nuts(results.nuts)
            yield from listed("", ranks)
        else:
            yield plots.plots_of_svi(results.svi, results.reference is not None)
        yield scrolled(f"All figures of {title}", table(lines, GROUPS[title]))
        more = ' "Ratio" is that of the least to the first row\'s.' if title == "NUTS" else ""
        more += " * is another prior." if any(line[0].endswith(" *") for line in lines) else ""
        yield f'<p class="soft">{shown(" ".join(how.split()))}{more}</p>'


def table(lines: Sequence[Sequence[str]], groups: Sequence[tuple[str, int]]) -> str:
    """The cells, each range below its median."""
    heads, *rows = lines
    above = "".join(f'<th scope="colgroup" colspan="{n}">{group}</th>' for group, n in groups)
    shorter = (SHORTER.get(head, head) for head in heads[1:])
    below = "".join(f'<th scope="col">{shown(head)}</th>' for head in shorter)
    text = [
        f"<table>\n<thead><tr><td></td>{above}</tr>\n<tr><td></td>{below}</tr></thead>\n<tbody>"
    ]
    for name, *cells in rows:
        if len(cells) < len(heads) - 1:
            made = f'<td colspan="{len(heads) - 1}"><span>{shown(cells[0])}</span></td>'
        else:
            parts = (one.rstrip(")").partition(" (") for one in cells)
            made = "".join(
                f"<td>{median}{f'<small>{span}</small>' if span else ''}</td>"
                for median, _, span in parts
            )
        text.append(f'<tr><th scope="row">{shown(name)}</th>{made}</tr>')
    return "\n".join([*text, "</tbody>\n</table>"])


def measured(results: Results) -> Iterator[str]:
    versions = ", ".join(f"{name} {number}" for name, number in results.versions.items())
    yield "<h2>How it was measured</h2>"
    yield f'<pre class="command">{shown(results.command)}</pre>'
    yield f"<p>{results.date}; {results.dims:,} dims; {shown(versions)}</p>"
    yield from listed("<p>Notes:</p>", map(shown, results.notes))


def diffs(rows: Sequence[Row]) -> Iterator[str]:
    """Each once, under the name of the first row that has it; as long as they are, they unfold."""
    names: dict[str, str] = {}
    for row in rows:
        names.setdefault(row.diff, row.name)
    names.pop("", None)
    if names:
        yield "<h2>What the configs change</h2>"
    for diff, name in names.items():
        lines = [*map(coloured, diff.splitlines())]
        head = f"The diff of <b>{shown(name)}</b>, {len(lines)} lines"
        text = "\n".join(lines)
        yield f'<details><summary>{head}</summary><pre tabindex="0">{text}</pre></details>'


def coloured(line: str) -> str:
    tag = {"+": "ins", "-": "del"}.get(line[:1])
    return f"<{tag}>{shown(line)}</{tag}>" if tag else shown(line)
