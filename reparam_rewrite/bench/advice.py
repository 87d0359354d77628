"""What the figures say, in sentences. A rival that wins is named; so is what can't be told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reparam_rewrite.bench.tables import figures, middle, short
from reparam_rewrite.bench.values import Results, Row

#: Gains below this are left: a change of the model should be worth its lines.
WORTH = 1.2

#: R-hat above this says that chains haven't found the same posterior (Vehtari et al. 2021).
LARGEST_RHAT = 1.05

#: Nats that an ELBO may rise over the last tenth of the steps, beyond what chance makes of it.
RISE = 2.0


def advice(results: Results) -> list[str]:
    """A sentence for each question that the rows answer."""
    return [*of_nuts(results.nuts), *of_svi(results.svi)]


def of_nuts(rows: Sequence[Row]) -> Iterator[str]:
    fair = [row for row in rows if row.done and not row.other_prior]
    if not fair:
        return
    plain = fair[0] if fair[0].kind == "plain" else None
    for column, per in (
        ("least_ess_per_1000_gradients", "1,000 gradients"),
        (
            "least_ess_per_1000_gradients_all_in",
            "1,000 gradients, warm-up, pilots and training too",
        ),
        ("least_ess_per_second", "second of sampling"),
        ("least_ess_per_second_all_in", "second in all"),
    ):
        ranked = sorted(fair, key=lambda row: -middle(row, column))
        best = ranked[0]
        said = f"Per {per}: '{best.name}' has the greatest least ESS, {short(middle(best, column))}"
        if plain is not None and best is not plain and middle(plain, column):
            said += f", {short(middle(best, column) / middle(plain, column))} times '{plain.name}'"
        if len(ranked) > 1:
            second = ranked[1]
            said += f"; next is '{second.name}' with {short(middle(second, column))}"
            if min(figures(best, column)) <= max(figures(second, column)):
                said += ", and their ranges over keys overlap"
        yield said + "."
    ours = [row for row in fair if row.kind == "config"]
    if ours and plain is not None:
        column = "least_ess_per_1000_gradients"
        best = max(ours, key=lambda row: middle(row, column))
        if middle(best, column) < WORTH * middle(plain, column):
            yield "Leave the model as written for NUTS: no config makes much of a difference."
        elif (first := max(fair, key=lambda row: middle(row, column))).kind == "rival":
            yield f"'{first.name}' does better than '{best.name}': use that."
        else:
            yield f"Use '{best.name}' for NUTS."
    for row in fair:
        worst = max(figures(row, "rhat"))
        if worst > LARGEST_RHAT:
            yield f"'{row.name}' has not converged: R-hat is {worst:.2f}, so its ESS is a guess."
        diverged = sum(figures(row, "divergences"))
        if diverged:
            draws = "draw: look at it" if diverged == 1 else "draws: look at them"
            yield f"'{row.name}' has {diverged:.0f} divergent {draws} first."
    for row in rows:
        if row.other_prior and row.done:
            column = "least_ess_per_1000_gradients"
            yield (
                f"'{row.name}' is another prior, with another posterior: its figure of "
                f"{short(middle(row, column))} is of another model."
            )


def of_svi(rows: Sequence[Row]) -> Iterator[str]:
    fair = [row for row in rows if row.done and not row.other_prior]
    if not fair:
        return
    ranked = sorted(fair, key=lambda row: -middle(row, "elbo"))
    best = ranked[0]
    said = f"For SVI '{best.name}' has the greatest ELBO, {middle(best, 'elbo'):,.1f}"
    plain = next((row for row in fair if row.kind == "plain"), None)
    if plain is not None and plain is not best:
        said += f", {short(middle(best, 'elbo') - middle(plain, 'elbo'))} nats above '{plain.name}'"
    yield said + "."
    for row in fair:
        least = middle(row, "least_sd_ratio")
        if 0 < least < 0.5:
            worst = min(row.done[0].ratios, key=lambda name: row.done[0].ratios[name][0])
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
