"""A suggestion as a config: TOML that can be used as it is, with a comment for every reason."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from reparam_rewrite.config.writing import name_of, value_of
from reparam_rewrite.messages import listed
from reparam_rewrite.suggesting.values import Offset, Proposal, Suggestion

WIDTH = 88

#: Why a parent in the chain isn't one of a child, where nothing speaks against it.
NOTHING = "it has no part in it"


Chains = tuple[tuple[str, ...], ...]


class Line(NamedTuple):
    """A line of the config, and the parent that it is about, if it is about a pair."""

    text: str
    parent: str = ""


def setting(name: str, value: object, parent: str = "") -> Line:
    return Line(f"{name_of(name, (), '')} = {value_of(value, (), '')}", parent)


def commented(text: str) -> list[Line]:
    return [Line(f"# {line}") for line in wrapped(text, WIDTH - 2)]


def wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def apart(blocks: Iterable[list[Line]]) -> list[Line]:
    """Blocks with a blank line between any two that aren't empty."""
    lines = [line for block in blocks if block for line in (*block, Line(""))]
    return lines[:-1]


def config_lines(suggestion: Suggestion, next_step: bool = True) -> list[Line]:
    """The lines of the config, without what is said of sites that are left alone.

    next_step: say what to do next.
    """
    if suggestion.is_empty:
        nothing = commented("Nothing is proposed; the reasons are below.")
        return [*nothing, setting("chain", [])]
    function = [setting("functions", [suggestion.function])] if suggestion.named else []
    sums: list[Line] = hindrance(suggestion)
    for total in suggestion.sums:
        sums += commented(
            f"{total.where}: the {total.parameter} of '{total.observed}' is {total.text}. What one "
            "of them gains another can lose and the data don't notice, so that each is sampled "
            "around those before it."
        )
    if sums and suggestion.notes:
        sums += commented(" ".join(dict.fromkeys(suggestion.notes)))
    chains = suggestion.chains
    chain = [setting("chain", chains if len(chains) > 1 else chains[0])] if chains else []
    every = (*suggestion.proposals, *suggestion.bystanders)
    tables = (site_lines(proposal, chains) for proposal in every)
    blocks = (
        function,
        given_lines(suggestion, next_step),
        [*sums, *chain],
        default_lines(suggestion),
        axes_lines(suggestion),
    )
    return apart([*blocks, *tables])


#: What makes a proposal of sites that are sampled given the data complete.
NEXT = "Next, 'reparam-rewrite fit' computes what the data say; it needs no draws."


def given_lines(suggestion: Suggestion, next_step: bool) -> list[Line]:
    """The sites that are sampled given the data, and why."""
    found = suggestion.conditional
    if found is None or not found.order:
        return []
    reasons = (*found.reasons, NEXT) if next_step else found.reasons
    said = [line for reason in reasons for line in commented(reason)]
    return [*said, setting("conditional", found.order)]


def hindrance(suggestion: Suggestion) -> list[Line]:
    """Why the sites of a chain aren't sampled given the data, which would be better."""
    found = suggestion.conditional
    if found is None or found.order or not suggestion.chains:
        return []
    names = [name for chain in suggestion.chains for name in chain if found.why.get(name)]
    if not names:
        return []
    others = f"; the same goes for {listed(names[1:])}" if names[1:] else ""
    alike = all(found.why[name] == found.why[names[0]] for name in names)
    untaken = f"'{names[0]}' can't be sampled given the data ('conditional')"
    return commented(f"{untaken}: {found.why[names[0]]}{others if alike else ''}.")


def default_lines(suggestion: Suggestion) -> list[Line]:
    """Where coefficients start, and how many there are, if there are any in a chain."""
    chained = [offset for p in suggestion.proposals for offset in p.offsets if offset.chained]
    if not chained:
        return []
    starts = "1 makes up for all of what is before"
    if any(offset.weighed for offset in chained):
        starts += "; it is less where others can do so too, or where a prior holds it back, by "
        starts += "how many observations there are, at scales that are typical of the priors"
    elif any(offset.rivals for offset in chained):
        untold = "an equal share, as the source doesn't tell how far each can go (--args does)"
        shares = "its share by the variances of their priors" if suggestion.ran else untold
        starts += f"; where others can do so too it is {shares}"
    starts += ". MCMC keeps a coefficient where it starts, and SVI learns it from there."
    picked = [one.reasons["coefficient"] for one in suggestion.proposals if one.elementwise]
    numbers = "One number for each pair: one for each element is hardly better."
    if picked:
        by = f"they are picked by {listed(dict.fromkeys(picked), last='or')}."
        numbers = (
            f"One number for each element, as some may have more observations than others: {by}"
        )
    kind = setting("coefficient", "elementwise" if picked else "shared")
    said = [*commented(starts), setting("init", 1.0), *commented(numbers), kind]
    return [Line("[defaults]"), *said]


def axes_lines(suggestion: Suggestion) -> list[Line]:
    """What the axes of the sites in the offsets are called, if they have to be told."""
    offsets = [offset for proposal in suggestion.proposals for offset in proposal.offsets]
    used = {name for offset in offsets for name in (offset.child, offset.parent)}
    axes = [setting(name, names) for name, names in suggestion.axes.items() if name in used]
    said = "Axes of one name are one and others aren't, by how the sites are added."
    return [Line("[axes]"), *commented(said), *axes] if len(axes) > 1 else []


def site_lines(proposal: Proposal, chains: Chains) -> list[Line]:
    """The tables of one site; nothing where the chain says it all."""
    said: list[Line] = []
    init = usual_init(proposal)
    if init != 1.0:
        said += commented(why_init(next(o for o in proposal.offsets if o.init == init)))
        said.append(setting("init", init))
    power = {"by": proposal.by, "power": power_of(proposal)}
    scale = power if proposal.by else proposal.scale
    for name, value in (("scale", scale), ("basis", proposal.basis)):
        if value:
            said += [*commented(proposal.reasons[name]), setting(name, value)]
    header = f"sites.{name_of(proposal.site.name, (), '')}"
    pairs = list(offset_lines(proposal, chains))
    table = [Line(f"[{header}]"), *said] if said else []
    return apart([table, [Line(f"[{header}.offset]"), *pairs] if pairs else []])


def power_of(proposal: Proposal) -> object:
    """The power of a scale, or the table by which it is learned."""
    return {"init": proposal.power} if proposal.learned else proposal.power


def offset_lines(proposal: Proposal, chains: Chains) -> Iterator[Line]:
    """What the chain doesn't say: other signs, expressions, and pairs that it has too many."""
    name = proposal.site.name
    offered = {offset.parent for offset in proposal.offsets}
    before = [parent for c in chains if name in c for parent in c[: c.index(name)]]
    for parent in before:
        if parent not in offered:
            reason = proposal.reasons.get(parent, proposal.alone or NOTHING)
            yield from commented(f"not this one: {reason}")
            yield setting(parent, False, parent)
    for offset in proposal.offsets:
        parent = offset.parent
        if not offset.chained:
            said = proposal.reasons.get("loc", "")
            if offset.expected:
                said = (
                    f"{offset.where}: its prior expects {offset.reason}. It is sampled around that "
                )
                said += "as far as its observations leave it to the prior"
            elif offset.reason:
                others = f"; {listed(offset.rivals)} can too" if offset.rivals else ""
                makes_up = f"'{name}' makes up for '{parent}' by {offset.reason}{others}"
                said = f"{offset.where}: {makes_up}"
            value = {"value": offset.value} if offset.value else {}
            yield from commented(said)
            yield setting(offset.label or parent, {**value, "init": offset.init}, parent)
        elif offset.init != usual_init(proposal):
            yield from commented(why_init(offset))
            yield setting(parent, {"init": offset.init}, parent)


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
    elif offset.weighed and abs(offset.init) < abs(offset.ratio):
        parts.append(f"the prior of '{offset.child}' holds it back")
    elif offset.init not in (0.0, 1.0) and not parts:
        parts.append(f"'{offset.child}' is in the sum with another factor")
    return f"{offset.where}: {', and '.join(parts) or 'nothing later can make up for it'}"


def to_text(suggestion: Suggestion, by: str = "suggest") -> str:
    """The whole file, as the command that it is made `by` writes it."""
    alone = [Line("# Left as they are:")] if suggestion.alone else []
    for one in suggestion.alone:
        first, *rest = wrapped(f"{one.site} ({one.where}): {one.reason}", WIDTH - 6)
        alone += [Line(f"#   {first}"), *(Line(f"#     {part}") for part in rest)]
    about = f"'{suggestion.function}' of {suggestion.path}"
    head = commented(f"What 'reparam-rewrite {by}' proposes for {about}.")
    others = f"--function names another: {', '.join(suggestion.others)}."
    end = commented(others) if suggestion.others else []
    lines = apart([head, config_lines(suggestion, by == "suggest"), alone, end])
    return "".join(f"{line.text}\n" for line in lines)


def to_json(suggestion: Suggestion, text: str) -> str:
    """For programs; `text` is the config."""

    def offset_entry(offset: Offset) -> dict[str, Any]:
        why = {"value": offset.value or None, "reason": offset.reason or None}
        met = suggestion.met.get((offset.child, offset.label or offset.parent))
        told = met and {"value": met.value, "evidence": met.evidence, "line": met.line or None}
        return {"parent": offset.parent, "init": offset.init, **why, "meets": told}

    def site_entry(one: Proposal) -> dict[str, Any]:
        return {
            "site": one.site.name,
            "line": one.site.place.line,
            "offsets": list(map(offset_entry, one.offsets)),
            "scale": {"by": one.by, "power": power_of(one)} if one.by else one.scale or None,
            "basis": one.basis or None,
            "coefficient": "elementwise" if one.elementwise else "shared",
            "reasons": one.reasons,
        }

    sums = suggestion.sums
    found: dict[str, Any] = {
        "version": 1,
        "path": suggestion.path,
        "function": suggestion.function,
        "sums": [
            {key: getattr(one, key) for key in ("observed", "parameter", "sites")} for one in sums
        ],
        "conditional": None
        if suggestion.conditional is None
        else {
            "order": suggestion.conditional.order,
            "reasons": suggestion.conditional.reasons,
            "not": suggestion.conditional.why,
        },
        "chains": suggestion.chains,
        "sites": list(map(site_entry, suggestion.proposals)),
        "left_alone": [{"site": one.site, "reason": one.reason} for one in suggestion.alone],
        "other_functions": suggestion.others,
        "config": text,
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"
