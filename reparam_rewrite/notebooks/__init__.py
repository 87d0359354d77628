"""A notebook in, the same notebook out but for the cells that hold what is rewritten.

::

    JSON -> cells -> one module -> survey -> plan -> emit -> cells -> JSON

The cells are one module for all that reads or edits Python. What changed is put into the JSON text
where it was; nothing else of that text is written anew.
"""

from __future__ import annotations

from msgspec.structs import replace

from reparam_rewrite.config.rules import Config
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.notebooks.joining import Joined, imported_before, join, part
from reparam_rewrite.notebooks.places import accounted, in_cells
from reparam_rewrite.notebooks.reading import read_cells
from reparam_rewrite.notebooks.splicing import splice
from reparam_rewrite.plan.values import Account, Plan
from reparam_rewrite.rewriting import Rewrite
from reparam_rewrite.source.encoding import Source

__all__ = ["rewrite_notebook"]


def rewrite_notebook(source: Source, config: Config, width: int) -> Rewrite:
    """Rewrite the models in a notebook, whose JSON `source` holds, as `rewriting.rewrite` does.

    Places in accounts are those in cells, ``model.ipynb:cell 4:12``. Raises `Refusal` as
    `read_cells` does, and with all the reasons if anything in the config can't be done.
    """
    cells = read_cells(source)
    if not cells:
        raise Refusal(Diagnostic(source.path, "the notebook has no cell of Python"))
    joined = join(source.path, cells)
    try:
        return rewritten(source, joined, config, width)
    except Refusal as refusal:
        raise in_cells(joined, refusal) from None


def rewritten(source: Source, joined: Joined, config: Config, width: int) -> Rewrite:
    # Here as in `rewriting`: what refuses the notebook itself has no need of a parser.
    from reparam_rewrite.plan import plan
    from reparam_rewrite.survey import survey

    for name, place in config.files:
        message = f"'{name}' can't be loaded: the code of a notebook doesn't know its folder"
        hint = "give the coefficients as an array: init = [0.5, 1.0]."
        raise Refusal(Diagnostic(place, message, hint, config.source_line(place)))
    surveyed = survey(source.path, joined.source.text)
    planned = plan(surveyed, config)
    if planned.already or not planned.rewrites:  # all that is asked for is to be left alone
        return Rewrite(source.data, in_their_cells(joined, planned), planned.already)
    from reparam_rewrite.emit import emit

    first = min(surveyed.functions[name].place.line for name in functions_of(planned))
    surveyed = replace(surveyed, certain=imported_before(joined, first))
    data = emit(planned, surveyed, joined.source, width, joined.border_of(first))
    try:
        changed = part(joined, data.decode())
    except ValueError:
        message = "it can't be told which cell the generated code belongs to"
        raise Refusal(Diagnostic(source.path, message, "please report this notebook.")) from None
    text = splice(source.text, [(cell.span, code) for cell, code in changed.items()])
    data = text.encode(source.encoding)
    return Rewrite(data, in_their_cells(joined, planned), already=False)


def in_their_cells(joined: Joined, planned: Plan) -> tuple[Account, ...]:
    """The accounts with places in cells, but for those of a notebook that nothing is done to."""
    if planned.already:
        return planned.accounts
    return tuple(accounted(joined, account) for account in planned.accounts)


def functions_of(planned: Plan) -> set[str]:
    return {rewrite.function for rewrite in planned.rewrites}
