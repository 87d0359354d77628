"""What is said of each configured site in the report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from reparam_rewrite.messages import joined
from reparam_rewrite.plan.children import Child, PowerScale, Whitening
from reparam_rewrite.plan.values import (
    Account,
    Met,
    OffsetRewrite,
    OtherRewrite,
    Rewrite,
    Term,
    terms_of,
)
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.functions import Survey
from reparam_rewrite.survey.values import SKIP


def account_of(survey: Survey, child: Child, *, skipped: bool = False) -> Account:
    """An account of a child; `skipped`: it is left alone, though asked for."""
    # The axes as the source has them, and not by the names of the config.
    read = survey.functions[child.function.name].sites[child.site.index].shape
    shape = "shape asked at run time"
    if read is not None:
        sizes = [axis.size or "?" for axis in read]
        shape = f"shape ({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
    return Account(
        path=survey.path,
        line=child.site.place.line,
        site=child.name,
        function=child.function.name,
        parents=tuple(described(child)),
        config=child.place,
        details=(shape,),
        skipped=skipped,
        as_written=child.is_as_written,
        sampled=child.site.sampled,
    )


def described(child: Child) -> Iterator[str]:
    """What is done to a child, in the words of the account."""
    scale = child.scale
    yield from (pair.parent for pair in child.pairs)
    if child.effects is not None:
        yield from ("the data", *child.effects.before(child.name))
    if scale is not None:
        other = "scale_tril" if isinstance(scale, Whitening) else "scale"
        yield f"scale by {scale.by.parent}" if isinstance(scale, PowerScale) else other
    if child.centered is not None:
        part = "centred" if child.centered == 1 else "partially non-centred"
        yield part if child.centered else "non-centred"
    if child.basis is not None:
        yield f"{child.basis.kind} basis"
    if child.reparam is not None:
        yield child.reparam.name


def noted(accounts: Iterable[Account], rewrites: Iterable[Rewrite]) -> Iterator[Account]:
    """The accounts, with what a person should know beside."""
    made = {(one.function, one.site.name): one for one in rewrites}
    for account in accounts:
        rewrite = made.get((account.function, account.site))
        if rewrite is not None:
            met = tuple(met_by(term) for term in terms_of(rewrite))
            account = replace(account, notes=tuple(notes_of(rewrite)), meets=met)
        if account.as_written:
            why = "nothing is added to it, and its scale stays what it is"
            note = f"'{account.site}' is left as it is written: {why}"
            account = replace(account, notes=(note, *account.notes))
        yield account


def met_by(term: Term) -> Met:
    """How a parent is taken, by the name that the config has for it where that can be."""
    value = term.value
    if value.evidence == "as written" or value.is_plain:
        words = term.label
    else:
        words = replace(value, expression=identifier(term.label)).in_words
    return Met(term.label, words, value.evidence, value.line)


def notes_of(rewrite: Rewrite) -> Iterator[str]:
    """What is left to run time, or depends on data, and comments that may have been meant."""
    site = rewrite.site
    for term in terms_of(rewrite):
        if term.value.at_run_time:
            missing = "that their sizes fit" if term.value.told else "both shapes"
            yield (
                f"'{term.label}' must broadcast to '{site.name}' when the model runs: the source "
                f"doesn't tell {missing}"
            )
    if isinstance(rewrite, OffsetRewrite | OtherRewrite) and rewrite.data:
        told = f"how '{site.name}' comes from its base depends on {joined([*rewrite.data])}"
        yield f"{told}: where draws of '{site.name}' are given, they count"
    if site.call.template and site.call.names is None:
        yield (
            f"'{site.name}' is sampled as '{re.sub('@[^{}]*', '', site.call.template)}' is: "
            "nothing is done where that never has this name"
        )
    for comment in site.comments:
        if comment.kind == "unknown":
            yield f"'{comment.text}' does nothing: '{SKIP}' would leave the site alone"
