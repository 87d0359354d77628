"""What is said of each configured site in the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from reparam_rewrite.plan.children import Child, Found, PowerScale
from reparam_rewrite.plan.values import Account, DataDependence, Rewrite, ScanRewrite, terms_of
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.values import SKIP, Site


def accounts_of(survey: Survey, functions: Found, *, skipped: bool = False) -> tuple[Account, ...]:
    """An account of each child; `skipped`: of sites that are left alone, though asked for."""
    return tuple(
        account_of(survey, function, child, skipped)
        for function, children in functions
        for child in children
    )


def in_file_order(accounts: tuple[Account, ...]) -> tuple[Account, ...]:
    """The accounts in the order of the file, if some are of sites that are left alone."""
    if not any(account.skipped for account in accounts):
        return accounts
    return tuple(sorted(accounts, key=lambda account: account.line))


def account_of(survey: Survey, function: Function, child: Child, skipped: bool) -> Account:
    read = survey.functions[function.name].sites[child.site.index]
    return Account(
        path=survey.path,
        line=child.site.place.line,
        site=child.site.name,
        function=function.name,
        parents=tuple(described(child)),
        config=child.place,
        details=tuple(shape_text(read)),
        skipped=skipped,
    )


def described(child: Child) -> Iterable[str]:
    """What is done to a child, in the words of the account."""
    yield from (pair.parent for pair in child.pairs)
    if child.scale is not None:
        scale = child.scale
        yield f"scale by {scale.by.parent}" if isinstance(scale, PowerScale) else "scale"
    if child.basis is not None:
        yield f"{child.basis.kind} basis"
    if child.reparam is not None:
        yield child.reparam.name


def shape_text(site: Site) -> Iterable[str]:
    """The child's shape in the words of the source, for the verbose account."""
    if site.shape is None:
        yield "shape asked at run time"
    else:
        sizes = [axis.size or "?" for axis in site.shape]
        yield f"shape ({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def noted(accounts: Iterable[Account], rewrites: Iterable[Rewrite]) -> Iterator[Account]:
    """The accounts, with what a person should know beside."""
    notes = {
        (rewrite.function, rewrite.site.name): tuple(notes_of(rewrite)) for rewrite in rewrites
    }
    for account in accounts:
        yield replace(account, notes=notes.get((account.function, account.site), ()))


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
    if not isinstance(rewrite, ScanRewrite) and rewrite.data is not None:
        yield of_data(site.name, rewrite.data)
    for comment in site.comments:
        if comment.kind == "unknown":
            yield f"'{comment.text}' does nothing: '{SKIP}' would leave the site alone"


def of_data(site: str, data: DataDependence) -> str:
    """How draws are to be used of a child whose map to its base depends on data."""
    text = f"how '{site}' comes from its base depends on {' and '.join(data.arguments)}"
    if not data.optional:
        ending = ", and the source doesn't tell when there are no observations"
    else:
        missing = " or ".join(data.optional)
        ending = f", so that draws of '{site}' itself count first where {missing} is None"
        if data.untold:
            ending += " (not all that is observed can be told)"
    return f"{text}{ending}: predict with the plain model"
