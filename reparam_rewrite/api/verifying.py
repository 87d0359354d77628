"""``verify(plain, generated, args, kwargs)``: whether two models are one in other coordinates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from reparam_rewrite.api.calls import Model, arguments_of, path_of, running
from reparam_rewrite.running.values import Arguments
from reparam_rewrite.verifying.report import Subject, as_text
from reparam_rewrite.verifying.values import Options, Report

__all__ = ["Verified", "verify"]


class Verified(Report, frozen=True, kw_only=True):
    """What `verify` found. Its `str()` is the report that the command line prints.

    `lines` are those of the report, and `different` and `unchecked` the ones among them that say
    what differs, and what could not be told. `equivalent`: every check was made, and found nothing.
    `dims`: how many unconstrained latent values there are.
    """

    subject: Subject

    def __str__(self) -> str:
        return "\n".join(as_text(self, self.subject))

    __repr__ = __str__


def verify(
    plain: Model,
    generated: Model,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    points: int = 20,
    seed: int = 0,
    rtol: float = 1e-8,
    skip: Sequence[str] = (),
    coefficients: Iterable[str] | None = None,
    bases: Mapping[str, str] | None = None,
    base_name: str = "",
    predict_args: tuple[Sequence[Any], Mapping[str, Any]] | None = None,
    function: str | None = None,
) -> Verified:
    """Compare two models, as ``reparam-rewrite verify`` does.

    `plain` and `generated` are functions, or the `Path` of files in which `function` names the
    model if there are several. Both are called with `args` and `kwargs`, at `points` random points
    drawn by `seed`, and compared to a relative tolerance of `rtol`. `skip` are names of checks to
    leave out ("jit" is the slowest). `coefficients` are the names that the generated model's new
    params must have, and no others. `bases` tells the latent sampled for a site where that can't be
    told, such as {"theta": "theta_decentered"}, and `base_name` is a template that the name of
    every other one must follow, such as "{}_base". `predict_args` are a pair like ``(args,
    kwargs)`` with which both models predict from one draw; by default those of the call with the
    rows of the data in another order, and no observations.

    Raises `Refusal` for a file that can't be read or has no model, and what the plain model raises:
    without it there is nothing to compare with.

    >>> report = verify(model, reparameterize(model, config), args=(group,), kwargs={"y": y})
    >>> report.equivalent
    True
    """
    given = arguments_of(args, kwargs)
    first, name = loaded(plain, given, function)
    second, other = loaded(generated, given, function or (name if path_of(plain) else None))
    how = Options(
        points=points,
        seed=seed,
        rtol=rtol,
        skip=skip,
        coefficients=None if coefficients is None else list(coefficients),
        bases=bases or {},
        base_name=base_name,
        predict_args=None if predict_args is None else arguments_of(*predict_args),
    )
    with running("verify"):
        from reparam_rewrite.verifying import verify as compare

        report = compare(first, second, *given, how)
    subject = Subject(path_of(plain) or name, path_of(generated) or other, name)
    return Verified(
        points=report.points,
        seed=report.seed,
        dims=report.dims,
        lines=report.lines,
        subject=subject,
    )


def loaded(model: Model, given: Arguments, function: str | None) -> tuple[Callable[..., Any], str]:
    """A model as a function, and what it is called there. Raises `Refusal`."""
    path = path_of(model)
    if path is None:
        assert callable(model)
        return model, getattr(model, "__name__", "the model")
    from reparam_rewrite.running.call import Entry
    from reparam_rewrite.source.reading import read

    entry = Entry.of(read(path), function)
    return entry.bound(given)[0], entry.name
