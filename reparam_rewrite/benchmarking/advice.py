"""What the figures say, in sentences. A rival that wins is named; so is what can't be told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reparam_rewrite.benchmarking.tables import figures, middle, short
from reparam_rewrite.benchmarking.values import Results, Row

#: Gains below this are left: a change of the model should be worth its lines.
WORTH = 1.2

#: R-hat above this says that chains haven't found the same posterior (Vehtari et al. 2021).
LARGEST_RHAT = 1.01

COLUMN = "least_ess_per_1000_gradients"

#: Nats that an ELBO may rise over the last tenth of the steps, beyond what chance makes of it.
RISE = 2.0

#: The figures that are ranked, and what they are per.
RANKED = {
    COLUMN: "1,000 gradients",
    f"{COLUMN}_all_in": "1,000 gradients, warm-up, pilots and training too",
    "least_ess_per_second": "second of sampling",
    "least_ess_per_second_all_in": "second in all",
}


def advice(results: Results) -> list[str]:
    """The sentences: one for each question that the rows answer."""
    return [*of_nuts(results.nuts), *of_svi(results.svi)]


def comparable(rows: Sequence[Row]) -> list[Row]:
    """The rows that have figures of one posterior."""
    return [row for row in rows if row.done and not row.other_prior]


def ranked(rows: Sequence[Row], column: str) -> list[Row]:
    return sorted(rows, key=lambda row: -middle(row, column))


def of_nuts(rows: Sequence[Row]) -> Iterator[str]:
    fair = comparable(rows)
    if not fair:
        return
    plain = fair[0] if fair[0].kind == "plain" else None
    apart = [row for row in fair if not row.same]
    for column, per in RANKED.items() if apart else ():
        best, *others = ranked(apart, column)
        said = f"Per {per}: '{best.name}' has the greatest least ESS, {short(middle(best, column))}"
        if plain is not None and best is not plain and middle(plain, column):
            said += f", {short(middle(best, column) / middle(plain, column))} times '{plain.name}'"
        for second in others[:1]:
            said += f"; next is '{second.name}' with {short(middle(second, column))}"
            if overlap(best, second, column):
                said += ", and their ranges over keys overlap"
        yield said + "."
    if plain is not None:
        yield from verdict(plain, fair)
    for row in fair:
        worst, diverged = max(figures(row, "rhat")), sum(figures(row, "divergences"))
        if worst > LARGEST_RHAT:
            yield f"'{row.name}' has not converged: R-hat is {worst:.3f}, so its ESS is a guess."
        if diverged:
            draws = "draw: look at it" if diverged == 1 else "draws: look at them"
            yield f"'{row.name}' has {diverged:.0f} divergent {draws} first."
    for row in rows:
        if row.other_prior and row.done:
            yield (
                f"'{row.name}' is another prior, with another posterior: its figure of "
                f"{short(middle(row, COLUMN))} is of another model."
            )


def verdict(plain: Row, fair: Sequence[Row]) -> Iterator[str]:
    """What to use for NUTS: of what can be believed the best, if the keys tell that it is.

    Rows whose chains haven't converged, or have divergences, aren't advised.
    """
    for row in fair:
        if row.same:
            yield (
                f"'{row.name}' is the model as written for NUTS: its coefficients are 0, and MCMC "
                "keeps a coefficient where it starts. Give --fit, or numbers as `init`."
            )
    order = ranked([row for row in fair if not row.same], COLUMN)
    if not any(row.kind == "config" for row in order):
        return
    believed = [row for row in order if not doubts(row)]
    for row in order[: order.index(believed[0]) if believed else None]:
        if row.kind != "plain":
            yield f"'{row.name}' isn't advised: it {' and '.join(doubts(row))}."
    if not believed:
        yield "Nothing is advised for NUTS: give more --warmup and --draws, and see what converges."
        return
    best, *others = believed
    config = next((row for row in believed if row.kind == "config"), None)
    sure = plain in believed
    alike = [row for row in others if row is not plain and overlap(best, row)]
    if best is plain and order[0] is not plain:
        yield "Leave the model as written for NUTS until what does better can be believed."
    elif sure and middle(best, COLUMN) < WORTH * middle(plain, COLUMN):
        yield "Leave the model as written for NUTS: no config makes much of a difference."
    elif sure and overlap(best, plain):
        yield (
            f"Leave the model as written for NUTS, or give more --keys: the ranges of "
            f"'{best.name}' and '{plain.name}' overlap."
        )
    elif best.kind == "rival" and config is not None and not overlap(best, config):
        yield f"'{best.name}' does better than '{config.name}': use that."
    elif alike and (best.kind != "rival" or config is not None):
        names = " or ".join(f"'{row.name}'" for row in (best, *alike))
        yield f"Use {names} for NUTS: their ranges overlap, so that the keys don't tell more."
    else:
        yield f"Use '{best.name}' for NUTS."


def doubts(row: Row) -> list[str]:
    """Why a row's figures can't be believed yet, as what the row has."""
    rhat, diverged = max(figures(row, "rhat")), sum(figures(row, "divergences"))
    found = [f"has an R-hat of {rhat:.3f}"] * (rhat > LARGEST_RHAT)
    draws = "draw" if diverged == 1 else "draws"
    return found + [f"has {diverged:.0f} divergent {draws}"] * bool(diverged)


def overlap(better: Row, other: Row, column: str = COLUMN) -> bool:
    """Do the ranges over keys meet?"""
    return min(figures(better, column)) <= max(figures(other, column))


def of_svi(rows: Sequence[Row]) -> Iterator[str]:
    fair = comparable(rows)
    if not fair:
        return
    best = ranked(fair, "elbo")[0]
    said = f"For SVI '{best.name}' has the greatest ELBO, {middle(best, 'elbo'):,.1f}"
    plain = next((row for row in fair if row.kind == "plain"), None)
    if plain is not None and plain is not best:
        said += f", {short(middle(best, 'elbo') - middle(plain, 'elbo'))} nats above '{plain.name}'"
    yield said + "."
    for row in fair:
        least, ratios = middle(row, "least_sd_ratio"), row.done[0].ratios
        if 0 < least < 0.5:
            worst = min(ratios, key=lambda name: ratios[name][0])
            yield f"'{row.name}' is too narrow: it has {least:.2g} of the sd of '{worst}'."
    rising = {row.name: max(risen(run.trace) for run in row.done) for row in fair}
    said = ", ".join(f"'{name}' by {short(by)}" for name, by in rising.items() if by > RISE)
    if said:
        yield (
            f"Still rising, in nats over the last tenth of the steps: {said}. With more --steps "
            "their figures are others."
        )


def risen(trace: Sequence[float]) -> float:
    """How much higher the mean of the last tenth is than that of the tenth before."""
    tenth = len(trace) // 10
    if not tenth:
        return 0.0
    return (sum(trace[-tenth:]) - sum(trace[-2 * tenth : -tenth])) / tenth
