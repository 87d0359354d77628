"""A child that a scan samples: its offset is added to the `loc` of its prior, step by step.

NumPyro's autoguides can't follow `ExplicitReparam` inside a scan, so that the base site is sampled
from the shifted distribution itself. The map is a shift, so its determinant is one::

    def step(z_prev, xi_z_mu_t):
        z_loc = xi_z_mu_t * mu
        z_base = numpyro.sample("z_base", dist.Normal(z_prev + z_loc, sigma_z))
        z = numpyro.deterministic("z", z_base - z_loc)
        return z, z

    xi_z_mu = numpyro.param("xi_z_mu", jnp.zeros(n_t))
    _, z = scan(step, 0.0, xi_z_mu, length=n_t)
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.messages import Filler, OfSite, Problem
from reparam_rewrite.plan.alignment import unaligned, value_of
from reparam_rewrite.plan.asking_prior import written
from reparam_rewrite.plan.children import Child, Pair
from reparam_rewrite.plan.coefficients import (
    coefficient_of,
    matrix,
    structure_of,
    written_axes,
)
from reparam_rewrite.plan.context import Context, Stop
from reparam_rewrite.plan.placement import can_keep, holds_site, not_kept
from reparam_rewrite.plan.sources import Source, source_of
from reparam_rewrite.plan.values import Placement, ScanRewrite, Term, Threading, Value
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.scans import loc_position
from reparam_rewrite.survey.values import Handler, Plate, Scan, Site


class ScanContext(Struct):
    """What the children in the body of one scan share.

    `outer` is of the function that calls scan, and `body` of its body; they share their names.
    `carried` maps what goes through `xs` to the name of a step's part of it.
    """

    scan: Scan
    outer: Context
    body: Context
    carried: dict[str, str] = {}

    def carry(self, expression: str, wanted: str) -> str:
        if expression not in self.carried:
            self.carried[expression] = self.outer.names.new(wanted)
        return self.carried[expression]

    def threading(self) -> Threading:
        scan, found = self.scan, tuple(self.carried.items())
        packed = ""
        if not scan.passes and found:
            packed = found[0][1] if len(found) == 1 else self.outer.names.new("xs")
        return Threading(
            call=scan.statement,
            body=scan.body.rpartition(".")[2],
            definition=scan.definition,
            first=scan.first,
            indent=scan.inner_indent,
            argument=scan.argument,
            packed=packed,
            carried=found,
        )


def offset_in_scan(context: ScanContext, child: Child) -> ScanRewrite:
    """The rewrite of a child that a scan samples. Raises `Stop`, before names are taken."""
    site, scan = child.site, context.scan
    check_form(child)
    assert site.step is not None and site.prior.family is not None
    step = one_step(site)
    parts = [Part(context, site, step, pair) for pair in child.pairs]
    values = [part.value() for part in parts]
    structures = [part.structure() for part in parts]

    # Nothing can fail from here on: names may be taken.
    names, base = context.outer.names, identifier(site.name)
    terms = [
        part.term(structure, value)
        for part, value, structure in zip(parts, values, structures, strict=True)
    ]
    return ScanRewrite(
        site=step,
        function=scan.body,
        place=Placement(scan.statement, step.statement),
        terms=tuple(terms),
        loc=names.new(f"{base}_loc"),
        base=names.new(f"{step.variable}_base"),
        position=loc_position(site.prior.family),
        indent=scan.indent,
    )


def one_step(site: Site) -> Site:
    """What one call of the body samples, with the axes called as those of the stacked site."""
    assert site.step is not None
    shape = None if site.shape is None else site.shape[1:]
    batch = None if site.batch is None else site.batch[1:]
    return replace(site.step, shape=shape, batch=batch)


def check_form(child: Child) -> None:
    """What a shift of `loc` can do, and where it can be written."""
    site = child.site
    scan, step = site.scan, site.step
    assert scan is not None and step is not None

    def stop(message: str, hint: str) -> Stop:
        text = f"'{{site}}' is sampled by a scan ({{scan}}): {message}"
        parts: dict[str, Filler] = {"scan": scan.place, "variable": identifier(site.name)}
        return Stop(
            Problem("not-offset-in-a-scan", OfSite(site.name), site.place, text, hint, parts)
        )

    if child.scale is not None or child.basis is not None or child.reparam is not None:
        raise stop("only offsets are written there", "take its scale, basis or reparam out.")
    if site.computed or any(pair.site is not None and pair.site.computed for pair in child.pairs):
        raise stop("names there must be plain strings", "write the name out.")
    names = [site.name, f"{site.name}_base", *(pair.parent for pair in child.pairs)]
    if not all(reaches_others(item, names) for frame in site.frames for item in frame.items):
        raise stop(
            "the scan stands in a with, whose plates or handlers reach into it",
            "put the scan outside, or take the site out of the config.",
        )
    if any(plate.subsampled for frame in step.frames for plate in frame.plates):
        raise stop(
            "a subsampled plate stands around it there",
            "take the site out of the config.",
        )
    if not step.located:
        raise stop(
            "an offset is added to the loc of its prior there, and its prior has none that can be "
            "told to shift it and nothing else",
            "only Normal, StudentT, Laplace, Cauchy, MultivariateNormal and the like, made in the "
            "call itself, can be offset in a scan.",
        )
    if not step.assigns or not step.alone:
        raise stop(
            "it isn't a statement of its own there",
            'write {variable} = numpyro.sample("{site}", ...).',
        )


def reaches_others(item: Plate | Handler, names: list[str]) -> bool:
    """Does what stands around a scan leave these sites alone? ``condition(data={"y": y})``"""
    return isinstance(item, Handler) and all(map(item.leaves, names))


class Part:
    """One parent of a child in a scan, as it is read inside the body."""

    def __init__(self, context: ScanContext, site: Site, step: Site, pair: Pair) -> None:
        """`site` is the stacked child, `step` what one call of the body samples of it."""
        self.pair = pair
        self._context, self._site, self._step = context, site, step
        #: The axis of an outer parent that is the scan's own: every step has its part of it.
        self._axis: int | None = None
        #: The parent, if the same body samples it before.
        self._inner: Site | None = None
        parent = pair.site
        if parent is not None and parent.scan == context.scan:
            self._inner = one_step(parent)
            pair = replace(pair, site=self._inner)
        self.source: Source = source_of(context.body, step, pair)
        if self.source.data:
            raise Stop(self._depends_on_data())
        if parent is not None and self._inner is None:
            self._slice(parent)
        if parent is not None and not self._is_there(parent):
            raise Stop(not_kept(parent, site.name))

    def _slice(self, parent: Site) -> None:
        """An outer parent that has the scan's axis is read step by step."""
        steps = self._site.shape[0] if self._site.shape else None
        for at, axis in enumerate(parent.shape or ()):
            if steps is not None and axis.same(steps) and parent.shape is not None:
                self._axis = at
                rest = (*parent.shape[:at], *parent.shape[at + 1 :])
                self.source = replace(self.source, shape=rest)
                if at and len(parent.shape) > 2:
                    reason = "the scan runs along another axis of it than the first"
                    raise Stop(unaligned(self.source, reason, parent.variable or ""))
                return

    def _is_there(self, parent: Site) -> bool:
        """Can its value be read when the offset is computed, or be kept until then?"""
        if self._holds:
            return True
        if self._inner is not None:
            return can_keep(self._inner, self._step, self._step.statement)
        return can_keep(parent, self._site, self._context.scan.statement)

    @property
    def _holds(self) -> bool:
        """Does the parent's variable stand for its value, and can the body see it?"""
        parent, body, outer = self.pair.site, self._context.body, self._context.outer
        assert parent is not None
        if self._inner is not None:
            return holds_site(body, self._inner, self._step.statement)
        hidden = parent.variable is None or parent.variable in body.function.timeline
        return not hidden and holds_site(outer, parent, self._context.scan.statement)

    def value(self) -> Value:
        """The parent's value in the axes of one step's child."""
        value = value_of(self._context.body, self.source, self._step, self._step.shape)
        if value.at_run_time:
            raise Stop(
                Problem(
                    "wider-than-a-scan",
                    self.pair.about,
                    self.pair.place,
                    "'{parent}' isn't known to fit '{child}', which a scan samples ({scan}): it "
                    "may be wider",
                    'say how it is to be read: {parent} = {{ value = "jnp.mean(...)" }}, for '
                    "example.",
                    {"scan": self._context.scan.place},
                )
            )
        return value

    def structure(self) -> tuple[tuple[str, ...], str, bool]:
        """The coefficient's sizes, its contraction, and whether each step has its part of it."""
        pair, site, scan = self.pair, self._site, self._context.scan
        outer, shape = self._context.outer, site.shape
        if shape is None:
            if pair.coefficient.has_shape and pair.coefficient.structure != "shared":
                raise Stop(self._steps_unknown())
            return (), "*", False
        sizes = written(outer, shape, scan.statement)
        if pair.coefficient.structure == "matrix":
            # One for all steps if the parent is the step's own, else one for each.
            ours = self._axis is not None or self._inner is not None
            axes = written_axes(outer, self.source, shape, scan.statement)
            own, contraction = matrix(pair, self.source.shape, self._step.shape, axes)
            if ours:
                return own, contraction, False
            if shape[0] not in axes:
                raise Stop(self._steps_unknown())
            return (axes[shape[0]], *own), contraction, True
        if sizes is None and pair.coefficient.has_shape and pair.coefficient.structure != "shared":
            raise Stop(self._steps_unknown())
        found, _ = structure_of(outer, self.source, shape, sizes, scan.statement)
        return found or (), "*", bool(found) and len(found or ()) == len(shape)

    def _depends_on_data(self) -> Problem:
        return Problem(
            "scan-depends-on-data",
            self.pair.about,
            self.pair.place,
            "'{child}' is sampled by a scan ({scan}), and its offset by '{parent}' depends on "
            "{data}: with the data of another call its draws would mean something else",
            "write numbers in the place of {data}.",
            {"scan": self._context.scan.place, "data": " and ".join(sorted(self.source.data))},
        )

    def _steps_unknown(self) -> Problem:
        return Problem(
            "steps-unknown",
            self.pair.about,
            self._site.place,
            "the shape of '{child}', which a scan samples ({scan}), can't be written before that, "
            "for its coefficients of '{parent}'",
            "give the scan a length= and an init whose shape shows, such as 0.0 or "
            'jnp.zeros((n,)), or use coefficient = "shared".',
            {"scan": self._context.scan.place},
        )

    def term(self, structure: tuple[tuple[str, ...], str, bool], value: Value) -> Term:
        """The coefficient times the value, by the names that these have in the body."""
        sizes, product, by_step = structure
        coefficient = coefficient_of(self.pair.coefficient, sizes, None, computed=False)
        variable = step = ""
        if self.pair.coefficient.has_shape:
            variable = self._context.outer.names.new(identifier(self.pair.coefficient.name))
            step = self._context.carry(variable, f"{variable}_t") if by_step else ""
        label, value = self.pair.parent, self.named(value)
        return Term(label, coefficient, value, variable, product, step)

    def named(self, value: Value) -> Value:
        """The value by the name that it has in the body."""
        parent = self.pair.site
        if parent is None:
            return value
        if self._inner is not None:
            kept = None if self._holds else self._context.body.keep(self._inner).name
            return replace(value, expression=kept or self._inner.variable or "")
        variable = parent.variable or ""
        if not self._holds:
            variable = self._context.outer.keep(parent).name
        if self._axis is not None:
            whole = variable if self._axis == 0 else f"{variable}.T"
            variable = self._context.carry(whole, f"{variable}_t")
        return replace(value, expression=variable)
