"""What do the draws of a child mean, when the data of another call are not the same?

`Predictive` computes a child from its base again, with the arguments of that call. Where the map
between both reads these, draws of the child itself count before those of its base if the
observations are None::

    # How b comes from its base depends on x: predict with the plain model.
    b_reparam = ExplicitReparam(AffineTransform(b_loc, 1))
    if y is None:
        b_reparam = by_name(b_reparam)

A guide has draws of the base only, and with the data that it was trained on they give the child
that they mean.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from reparam_rewrite.plan.alternatives import exclusive, is_before
from reparam_rewrite.plan.children import Child
from reparam_rewrite.plan.context import Context
from reparam_rewrite.plan.sources import Source
from reparam_rewrite.plan.values import DataDependence
from reparam_rewrite.survey.data import reference
from reparam_rewrite.survey.values import Site


def data_of(child: Child, sources: Iterable[Source]) -> tuple[str, ...]:
    """The arguments of the call that a child's map to its base depends on, as they are written.

    They may be in what its offset and scale are made of, and in the prior where that decides on
    the map: by its support, or its loc and scale for a reparameterizer that takes it apart.
    """
    site, by = child.site, child.reparam
    found = {name for source in sources for name in source.data}
    if by is not None and by.name in ("LocScaleReparam", "TransformReparam"):
        found |= site.data.prior
    elif by is None and site.prior.support.kind == "runtime":
        found |= site.data.bounds
    return tuple(sorted(found))


def dependence(
    context: Context, site: Site, data: tuple[str, ...], moment: int
) -> DataDependence | None:
    """That on `data`, and what tells before the statement `moment` whether there are observations.

    Where several may be missing, all must be there: as soon as one is to be predicted, draws must
    be taken by name.
    """
    if not data:
        return None
    watched = [
        other
        for other in context.function.sites
        if other.data.observations is not None and not exclusive(other, site)
    ]
    texts = [told(context, other, site, moment) for other in watched]
    optional = tuple(dict.fromkeys(filter(None, texts)))
    return DataDependence(data, optional, untold=not texts or not all(texts))


def told_at(context: Context, site: Site, data: tuple[str, ...], moments: list[int]) -> list[int]:
    """Those of `moments` at which can be told whether there are observations, if that matters.

    All of them, if it can be told at none.
    """
    found = [dependence(context, site, data, moment) for moment in moments]
    told = [0 if one is None else len(one.optional) for one in found]
    both = zip(moments, told, strict=True)
    return [at for at, count in both if count == max(told) or at == site.statement]


def told(context: Context, observed: Site, site: Site, moment: int) -> str:
    """What is None before `moment` if a site has no observations; empty if that can't be told.

    ``y``, also where ``y = jnp.log(y)`` comes later, as that has a value only if `y` has: the one
    argument that it is computed of, if that still stands for this then.
    """
    observations, timeline = observed.data.observations, context.function.timeline
    assert observations is not None
    text = observations.optional

    def can_be_read(text: str) -> bool:  # or does it raise where the model may not, as data["y"]?
        inside = "@" not in text and is_before(observed.path, site.path)
        return text.isidentifier() or inside

    if text and timeline.holds(observations.reads, moment) and can_be_read(text):
        return text
    if not text.isidentifier() or len(observations.data) > 1:
        return ""
    made = timeline.before(text, observed.statement)
    (text,) = observations.data
    read = reference(ast.parse(text, mode="eval").body)
    if read is None or made is None or not made.computed or not can_be_read(text):
        return ""
    binding = timeline.before(read.root, moment)
    own = binding is not None and binding.certain and binding.data == {read.root}
    return text if own and not timeline.is_unstable(read.root) else ""
