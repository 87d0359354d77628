"""The frame of every page: one file that needs no other and no script, in the reader's theme."""

from __future__ import annotations

from html import escape

from reparam_rewrite.messages import printable

#: The colours, light and dark; each has a contrast of 4.5 or more to `back` and to `box`.
COLOURS = {
    "back": ("#ffffff", "#16181c"),
    "box": ("#f4f6f8", "#22252b"),
    "text": ("#1f2328", "#e6e8eb"),
    "soft": ("#59636e", "#a3abb5"),
    "line": ("#d1d9e0", "#3d444d"),
    "mark": ("#0068a3", "#56b4e9"),
    "good": ("#116329", "#6fd08c"),
    "bad": ("#a40e26", "#ff8f8f"),
}

LIGHT, DARK = (
    "; ".join(f"--{name}: {both[at]}" for name, both in COLOURS.items()) for at in (0, 1)
)

# What is printed is light. A table is as wide as it needs to be, in a box that scrolls; what stands
# first in a row stays there.
STYLE = f"""\
:root {{ color-scheme: light; {LIGHT} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ color-scheme: dark; {DARK} }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 0 auto;
  padding: 1.5rem 1rem 3rem; background: var(--back); color: var(--text);
  overflow-wrap: break-word; -webkit-text-size-adjust: 100% }}
h1 {{ font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem }}
h2 {{ font-size: 1.25rem; margin: 2.5rem 0 .5rem }} h3 {{ font-size: 1rem; margin: 1.5rem 0 .5rem }}
code, pre {{ font: 13px/1.5 ui-monospace, monospace }}
pre {{ background: var(--box); padding: .75rem; border-radius: 6px }}
.scrolled, pre {{ overflow-x: auto; max-width: 100% }}
.scrolled:focus-visible, pre:focus-visible {{ outline: 2px solid var(--mark) }}
table {{ border-collapse: separate; border-spacing: 0; font-size: 14px;
  font-variant-numeric: tabular-nums }}
td, th {{ padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; font-weight: normal }}
thead th {{ vertical-align: bottom; font-weight: 600; white-space: nowrap }}
tbody th, thead tr > :first-child {{ position: sticky; left: 0; background: var(--back);
  padding-left: 0; min-width: 6rem; max-width: 18rem; overflow-wrap: break-word }}
.soft, small {{ color: var(--soft) }} small {{ font-size: 12px }}
@media (max-width: 40rem) {{ tbody th {{ max-width: 9.5rem }} }}
@media print {{
  @page {{ margin: 1.5cm }}
  body {{ font-size: 10pt; padding: 0; max-width: none }} table {{ font-size: 7.5pt }}
  td, th {{ padding: .15rem .25rem }} small {{ font-size: 6.5pt }}
  .scrolled, pre {{ overflow: visible }} pre {{ white-space: pre-wrap; font-size: 8pt }}
  tr, li, figure {{ break-inside: avoid }} h2, h3, figcaption {{ break-after: avoid }}
}}
"""


def page(title: str, body: str, style: str = "") -> str:
    """A whole page, whose heading is its title."""
    named = shown(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{named}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{named}</h1>\n{body}</main>\n</body>\n</html>\n"
    )


def scrolled(what: str, inner: str) -> str:
    """What may be wider than a phone; one without a pointer scrolls it with the keys."""
    return f'<section class="scrolled" aria-label="{shown(what)}" tabindex="0">{inner}</section>\n'


def shown(text: str) -> str:
    """`text` for HTML, which has no control characters, not even escaped ones."""
    return escape(printable(text))
