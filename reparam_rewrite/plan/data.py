"""What do the draws of a child mean, when the data of another call are not the same?

`Predictive` computes a child from its base again, with the arguments of that call. Where the map
between both reads these, draws of the child itself count before those of its base, if there are
any: MCMC gives both. A guide has draws of the base only, and with the data that it was trained on
they give the child that they mean::

    # How b comes from its base depends on x: where draws of b are given, they count.
    b_reparam = by_name(ExplicitReparam(AffineTransform(b_loc, 1)))
"""

from __future__ import annotations

from collections.abc import Iterable

from reparam_rewrite.plan.children import Child, Whitening
from reparam_rewrite.plan.sources import Source


def data_of(child: Child, sources: Iterable[Source]) -> tuple[str, ...]:
    """The arguments of the call that a child's map to its base depends on, as they are written.

    They may be in what its offset and scale are made of, and in the prior where that decides on
    the map: by its support, or its loc and scale for a reparameterizer that takes it apart.
    """
    site, by = child.site, child.reparam
    found = {name for source in sources for name in source.data}
    taken_apart = by is not None and by.name in ("LocScaleReparam", "TransformReparam")
    if taken_apart or child.is_decentered or isinstance(child.scale, Whitening):
        found |= site.data.prior
    elif by is None and site.prior.support.kind == "runtime":
        found |= site.data.bounds
    return tuple(sorted(found))
