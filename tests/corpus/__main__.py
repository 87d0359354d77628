"""The census: see `tests.corpus` for what it counts and where the sources come from."""

from __future__ import annotations

import argparse
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tests.corpus.asking import Outcome, ask, candidates
from tests.corpus.finding import Site, sites_of
from tests.corpus.reading import Source, sources


@dataclass
class Census:
    """Everything that was found, and what became of each site that was asked for."""

    files: int = 0
    unparsed: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    asked: list[tuple[Source, Site, Outcome]] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[tuple[Source, Site, Outcome]]:
        return [entry for entry in self.asked if entry[2].kind == kind]


def census(roots: list[Path]) -> Census:
    taken = Census()
    for source in sources(roots):
        if isinstance(source, str):
            taken.unparsed.append(source)
            continue
        taken.files += 1
        for site in sites_of(source.tree):
            why = reason_to_leave_out(site)
            if why:
                taken.left_out[why] += 1
            else:
                taken.asked.append((source, site, ask(source, site)))
    return taken


def reason_to_leave_out(site: Site) -> str:
    if site.observed:
        return "observed"
    if not site.continuous:
        return "discrete or without a density"
    if site.in_guide:
        return "in a guide"
    if not site.function:
        return "at module level, so in no model"
    if not candidates(site) and site.elsewhere:
        return "latent, whose earlier sites are all in branches that needn't have run"
    if not candidates(site):
        return "latent, without an earlier latent continuous site"
    return ""


def report(taken: Census, reason: str) -> None:
    refused, crashed = taken.of_kind("refused"), taken.of_kind("crashed")
    rewritten = taken.of_kind("rewritten")
    broken = [entry for entry in rewritten if entry[2].broken]
    damaged = [entry for entry in rewritten if entry[2].lost]
    later = Counter(len(outcome.tried) for _, _, outcome in rewritten)
    total = len(taken.asked)
    print(f"{taken.files} files, {len(taken.unparsed)} that Python can't parse")
    for what, count in taken.left_out.most_common():
        print(f"{count:6} {what} (not counted)")
    print(f"{total:6} latent sites with an earlier one")
    print(f"{len(rewritten) - len(broken):6} rewritten and compiled", end="")
    print(f" ({later[2]} by the second parent, {later[3]} by the third)")
    print(f"{len(refused):6} refused, {100 * len(refused) / max(total, 1):.1f} %")
    copies = {site.text: outcome.kind for _, site, outcome in taken.asked}
    share = 100 * Counter(copies.values())["refused"] / max(len(copies), 1)
    print(f"{'':7}({share:.1f} % of {len(copies)} sites, if copies of a function count once)")
    print(f"{len(broken):6} rewritten into what doesn't compile, or into itself")
    print(f"{len(crashed):6} crashed")
    print(f"{len(damaged):6} with lines lost outside of what is rewritten")

    print("\nrefusals")
    by_reason: dict[str, list[tuple[Source, Site, Outcome]]] = defaultdict(list)
    for entry in refused:
        by_reason[entry[2].reason].append(entry)
    for text, entries in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        functions = {(source.name, site.function) for source, site, _ in entries}
        print(f"{len(entries):6} in {len(functions)} functions: {text}")
        print(f"{'':7}{place(*entries[0][:2])}")
    for source, site, outcome in crashed:
        print(f"\ncrashed: {place(source, site)} <- {outcome.tried[-1]}\n{outcome.text}")
    for source, site, outcome in broken:
        print(f"\nbroken: {place(source, site)} <- {outcome.tried[-1]}: {outcome.broken}")
    for source, site, outcome in damaged:
        if reason in "lines lost":
            print(f"\nlines lost: {place(source, site)} <- {outcome.tried[-1]}")
            print("\n".join(f"  -{line}" for line in outcome.lost[:10]))


def place(source: Source, site: Site) -> str:
    return f"{source.name}:{site.position[0]} {site.function or '(module)'}: {site.key}"


def show(source: Source, site: Site, outcome: Outcome) -> None:
    """A refusal as a person needs it to judge: the place, the code around it, the message."""
    print(f"\n=== {place(source, site)} <- {', '.join(outcome.tried)}")
    lines = source.data.decode("utf-8", "replace").split("\n")
    first = site.withs[0].lineno if site.withs else site.statement.lineno
    for number in range(max(1, first - 3), min(len(lines), site.statement.end_lineno or 0) + 2):
        print(f"{number:5} {lines[number - 1]}")
    print(outcome.text)


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.corpus", description=__doc__)
    parser.add_argument("roots", nargs="+", type=Path, help="folders, .py files, notebooks")
    parser.add_argument("--sample", type=int, default=0, help="this many refusals in full")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reason", default="", help="only refusals whose reason has this text")
    options = parser.parse_args()
    taken = census([root.resolve() for root in options.roots])
    report(taken, options.reason)
    refused = [e for e in taken.of_kind("refused") if options.reason in e[2].reason]
    chosen = random.Random(options.seed).sample(refused, min(options.sample, len(refused)))
    for source, site, outcome in chosen:
        show(source, site, outcome)


if __name__ == "__main__":
    main()
