"""A cell in, the same cell out with its models rewritten: nothing else of the notebook changes."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from reparam_rewrite.config.rules import Config, Named
from reparam_rewrite.emit import emit
from reparam_rewrite.messages import Diagnostic, Place, Refusal
from reparam_rewrite.notebooks.executed import Executed, executed, surroundings
from reparam_rewrite.notebooks.joining import Joined, imported_before, join, part
from reparam_rewrite.notebooks.places import accounted, in_cells
from reparam_rewrite.plan import plan
from reparam_rewrite.plan.choose import choose
from reparam_rewrite.plan.globs import spelled_out
from reparam_rewrite.rewriting import Rewrite
from reparam_rewrite.survey import survey
from reparam_rewrite.survey.values import Survey

#: What the module of all that a cell sees is called; no message shows it.
MODULE = "<notebook>"


def rewrite_cell(
    text: str,
    config: Config,
    width: int,
    label: str,
    names: Mapping[str, object],
    labels: Mapping[str, str],
) -> Rewrite:
    """Rewrite the code below a cell magic, in the first line of the cell that is called `label`.

    `names` and `labels` are as for `surroundings`. Raises `Refusal` with every reason why it can't
    be done, and where it is another cell that would have to change.
    """
    cell = executed(text, label, above=1)
    joined = join(MODULE, [*surroundings(names, cell, labels), cell])
    try:
        return rewritten(joined, cell, config, width)
    except Refusal as refusal:
        raise in_cells(joined, refusal) from None


def rewritten(joined: Joined, cell: Executed, config: Config, width: int) -> Rewrite:
    surveyed = survey(MODULE, joined.source.text)
    planned = plan(surveyed, among(surveyed, config, joined.borders[-1]))
    accounts = tuple(accounted(joined, account) for account in planned.accounts)
    if planned.already or not planned.rewrites:
        return Rewrite(cell.text.encode(), accounts, planned.already)
    elsewhere = [a for a in accounts if a.path != cell.label and not a.skipped]
    if elsewhere:
        account = elsewhere[0]
        message = f"'{account.site}' is sampled in '{account.function}', of another cell"
        hint = "write %%reparam above that cell, and execute it again."
        raise Refusal(Diagnostic(Place(account.path, account.line, 1), message, hint))
    certain = imported_before(joined, joined.borders[-1])
    # To have been imported is certain for all that is there now.
    surveyed = replace(surveyed, certain=certain)
    border = joined.border_of(joined.borders[-1])
    changed = part(joined, emit(planned, surveyed, joined.source, width, border).decode())
    if not {*changed} <= {cell}:
        message = "another cell would have to change with this one"
        raise Refusal(Diagnostic(cell.label, message, "put both into one cell."))
    return Rewrite(changed[cell].encode(), accounts, already=False)


def among(surveyed: Survey, config: Config, border: int) -> Config:
    """The config for the functions of the cell alone, as others may sample the same sites."""
    if config.functions:
        return config
    own = {
        name: function
        for name, function in surveyed.functions.items()
        if function.place.line > border
    }
    only = replace(surveyed, functions=own)
    chosen = choose(only, spelled_out(only, config))
    place = Place(config.path, 1, 1)
    return replace(config, functions=tuple(Named(found.name, place) for found in chosen))
