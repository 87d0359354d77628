"""A suggestion as a config: TOML that can be used as it is, with a comment for every reason."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from reparam_rewrite.config.writing import name_of, value_of
from reparam_rewrite.messages import listed
from reparam_rewrite.suggest.values import Offset, Proposal, Suggestion

WIDTH = 88

#: Why a parent in the chain isn't one of a child, where nothing speaks against it.
NOTHING = "it has no part in it"


class Line(Struct, frozen=True):
    """A line of the config, and which child and parent it is about, if it is about one."""

    text: str
    child: str = ""
    parent: str = ""


def config_lines(suggestion: Suggestion) -> list[Line]:
    """The lines of the config, without what is said of sites that are left alone."""
    found: list[Line] = []
    if suggestion.is_empty:
        found += commented("Nothing is proposed; the reasons are below.")
        return [*found, Line("chain = []")]
    if suggestion.named:
        found += [Line(f"functions = {value_of([suggestion.function], (), '')}"), Line("")]
    chained = [offset for p in suggestion.proposals for offset in p.offsets if offset.chained]
    for total in suggestion.sums:
        found += commented(
            f"{total.where}: the {total.parameter} of '{total.observed}' is {total.text}. What one "
            "of them gains another can lose and the data don't notice, so that each is sampled "
            "around those before it."
        )
    if suggestion.sums and not suggestion.chains:
        found.append(Line(""))
    if suggestion.chains:
        several = len(suggestion.chains) > 1
        value = (
            [list(chain) for chain in suggestion.chains] if several else list(suggestion.chains[0])
        )
        found += [Line(f"chain = {value_of(value, (), '')}"), Line("")]
    if chained:
        found += [Line("[defaults]")]
        shares = (
            "its share by the variances of their priors"
            if suggestion.ran
            else "an equal share, as the source doesn't tell how far each can go (--args does)"
        )
        others = any(offset.rivals for offset in chained)
        found += commented(
            "1 makes up for all of what is before"
            + (f"; where others can do so too it is {shares}" if others else "")
            + ". MCMC keeps a coefficient where it starts, and SVI learns it from there."
        )
        found += [Line("init = 1.0")]
        picked = [one.reasons["coefficient"] for one in suggestion.proposals if one.elementwise]
        if picked:
            found += commented(
                "One number for each element, as some may have more observations than others: "
                f"they are picked by {listed(dict.fromkeys(picked), last='or')}."
            )
        else:
            found += commented("One number for each pair: one for each element is hardly better.")
        kind = "elementwise" if picked else "shared"
        found += [Line(f'coefficient = "{kind}"'), Line("")]
    found += axes_lines(suggestion)
    for proposal in (*suggestion.proposals, *bystanders(suggestion)):
        lines = list(site_lines(proposal, suggestion))
        if lines:
            found += [*lines, Line("")]
    while found and not found[-1].text:
        found.pop()
    return found


def bystanders(suggestion: Suggestion) -> Iterator[Proposal]:
    """The sites that are in a chain for what is sampled around them, and are left as they are."""
    proposed = {proposal.site.name for proposal in suggestion.proposals}
    reasons = {one.site: one.reason for one in suggestion.alone if not one.around}
    chained = {name for chain in suggestion.chains for name in chain}
    for site in {site.name: site for site in suggestion.latents}.values():
        if site.name in chained - proposed:
            yield Proposal(site, reasons=dict.fromkeys(chained, reasons.get(site.name, NOTHING)))


def axes_lines(suggestion: Suggestion) -> list[Line]:
    """What the axes of the sites in the offsets are called, if they have to be told."""
    offsets = [offset for proposal in suggestion.proposals for offset in proposal.offsets]
    used = {name for offset in offsets for name in (offset.child, offset.parent)}
    axes = {name: names for name, names in suggestion.axes.items() if name in used}
    if len(axes) < 2:
        return []
    said = "Axes of one name are one and others aren't, by how the sites are added."
    found = [Line("[axes]"), *commented(said)]
    for name, names in axes.items():
        found.append(Line(f"{name_of(name, (), '')} = {value_of(list(names), (), '')}", name))
    return [*found, Line("")]


def site_lines(proposal: Proposal, suggestion: Suggestion) -> Iterator[Line]:
    """The table of one site; nothing where the chain says it all."""
    name = proposal.site.name
    said: list[Line] = []
    init = usual_init(proposal)
    if init != 1.0:
        said += commented(why_init(next(o for o in proposal.offsets if o.init == init)), name)
        said.append(Line(f"init = {init!r}", name))
    if proposal.by:
        said += commented(proposal.reasons["scale"], name)
        power = f"{{ by = {value_of(proposal.by, (), '')}, power = {proposal.power!r} }}"
        said.append(Line(f"scale = {power}", name))
    if proposal.scale:
        said += commented(proposal.reasons["scale"], name)
        said.append(Line(f"scale = {value_of(proposal.scale, (), '')}", name))
    if proposal.basis:
        said += commented(proposal.reasons["basis"], name)
        said.append(Line(f"basis = {value_of(proposal.basis, (), '')}", name))
    header = f"sites.{name_of(name, (), '')}"
    if said:
        yield Line(f"[{header}]", name)
        yield from said
    pairs = list(offset_lines(proposal, suggestion))
    if pairs:
        if said:
            yield Line("")
        yield Line(f"[{header}.offset]", name)
        yield from pairs


def offset_lines(proposal: Proposal, suggestion: Suggestion) -> Iterator[Line]:
    """What the chain doesn't say: other signs, expressions, and pairs that it has too many."""
    name = proposal.site.name
    offered = {offset.parent: offset for offset in proposal.offsets}
    for chain in suggestion.chains:
        before = chain[: chain.index(name)] if name in chain else ()
        for parent in before:
            if parent not in offered:
                yield from commented(f"not this one: {proposal.reasons.get(parent, NOTHING)}")
                yield Line(f"{name_of(parent, (), '')} = false", name, parent)
    for offset in proposal.offsets:
        yield from pair_lines(proposal, offset)


def usual_init(proposal: Proposal) -> float:
    """The initial value that most of a site's coefficients in the chain have."""
    counts = Counter(offset.init for offset in proposal.offsets if offset.chained)
    return counts.most_common(1)[0][0] if counts else 1.0


def why_init(offset: Offset) -> str:
    """Why a coefficient starts where it does."""
    parts = []
    if not (offset.init or offset.rivals):
        parts.append(
            "data may say little of some logits, so that it starts as it is written; SVI and "
            "'reparam-rewrite fit' find how far it goes"
        )
    elif offset.init < 0:
        parts.append(f"'{offset.child}' is in the sum with the other sign")
    if offset.rivals:
        parts.append(f"{listed(offset.rivals)} can make up for '{offset.parent}' too")
    elif offset.init not in (0.0, 1.0) and not parts:
        parts.append(f"'{offset.child}' is in the sum with another factor")
    return f"{offset.where}: {', and '.join(parts) or 'nothing later can make up for it'}"


def pair_lines(proposal: Proposal, offset: Offset) -> Iterator[Line]:
    name, parent = proposal.site.name, offset.parent
    if offset.chained:
        if offset.init != usual_init(proposal):
            yield from commented(why_init(offset), name, parent)
            yield Line(f"{name_of(parent, (), '')} = {{ init = {offset.init!r} }}", name, parent)
        return
    if offset.reason:
        others = f"; {listed(offset.rivals)} can too" if offset.rivals else ""
        said = f"{offset.where}: '{name}' makes up for '{parent}' by {offset.reason}{others}"
        yield from commented(said, name, parent)
    elif "loc" in proposal.reasons:
        yield from commented(proposal.reasons["loc"], name, parent)
    value = f"value = {value_of(offset.value, (), '')}, " if offset.value else ""
    label = name_of(offset.label or parent, (), "")
    yield Line(f"{label} = {{ {value}init = {offset.init!r} }}", name, parent)


def commented(text: str, child: str = "", parent: str = "") -> list[Line]:
    wrapped = textwrap.wrap(text, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return [Line(f"# {line}", child, parent) for line in wrapped]


def to_text(suggestion: Suggestion) -> str:
    """The whole file."""
    lines = commented(
        f"What 'reparam-rewrite suggest' proposes for '{suggestion.function}' of {suggestion.path}."
    )
    lines += [Line(""), *config_lines(suggestion)]
    if suggestion.alone:
        lines += [Line(""), Line("# Left as they are:")]
        for one in suggestion.alone:
            text = f"{one.site} ({one.where}): {one.reason}"
            wrapped = textwrap.wrap(text, WIDTH - 6, break_long_words=False, break_on_hyphens=False)
            for at, part in enumerate(wrapped):
                lines.append(Line(f"#   {'' if at == 0 else '  '}{part}"))
    if suggestion.others:
        lines.append(Line(""))
        lines += commented(f"--function names another: {', '.join(suggestion.others)}.")
    return "".join(f"{line.text}\n" for line in lines)


def to_json(suggestion: Suggestion, text: str) -> str:
    """For programs; `text` is the config."""
    found: dict[str, Any] = {
        "version": 1,
        "path": suggestion.path,
        "function": suggestion.function,
        "sums": [
            {"observed": one.observed, "parameter": one.parameter, "sites": list(one.sites)}
            for one in suggestion.sums
        ],
        "chains": [list(chain) for chain in suggestion.chains],
        "sites": [
            {
                "site": one.site.name,
                "line": one.site.place.line,
                "offsets": [
                    {
                        "parent": offset.parent,
                        "init": offset.init,
                        "value": offset.value or None,
                        "reason": offset.reason or None,
                    }
                    for offset in one.offsets
                ],
                "scale": {"by": one.by, "power": one.power} if one.by else one.scale or None,
                "basis": one.basis or None,
                "coefficient": "elementwise" if one.elementwise else "shared",
                "reasons": one.reasons,
            }
            for one in suggestion.proposals
        ],
        "left_alone": [{"site": one.site, "reason": one.reason} for one in suggestion.alone],
        "other_functions": list(suggestion.others),
        "config": text,
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"
