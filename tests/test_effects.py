"""What a call may change in place: the table against NumPy and SciPy."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from reparam_rewrite.survey.effects import OUT, OUT_OF_SPECIAL, effect_of, effect_of_call


def position_of_out(function: Callable[..., Any]) -> int | None:
    """Which argument a function of NumPy writes into, by position."""
    if isinstance(function, np.ufunc):
        return function.nin
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        return None
    for position, part in enumerate(parameters):
        if part.name == "out" and part.kind != part.KEYWORD_ONLY:
            return position
    return None


def functions_of(module: Any) -> dict[str, Callable[..., Any]]:
    found = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    return {n: f for n, f in found.items() if callable(f) and not inspect.isclass(f)}


def test_it_knows_where_numpy_writes() -> None:
    positions = {name: position_of_out(f) for name, f in functions_of(np).items()}
    assert {n: p for n, p in positions.items() if p not in (None, OUT.get(n))} == {}


def test_it_knows_which_special_functions_take_several_arrays() -> None:
    """What isn't known is taken to write into its second argument."""
    for name, position in OUT_OF_SPECIAL.items():
        assert getattr(scipy.special, name).nin == position


def arguments_of(count: int) -> list[np.ndarray]:
    return [np.array([0.25, 0.75, 0.5]) for _ in range(count)]


def test_numpy_changes_nothing_of_what_is_said_to_be_quiet() -> None:
    """Each function is called with several arrays, as many as it is said to leave alone."""
    for name, function in functions_of(np).items():
        effect = effect_of(f"numpy.{name}")
        if name in ("info", "show_config", "show_runtime", "test"):
            continue  # they print, or take long
        for count in range(1, 4):
            call = ast.parse(f"f({', '.join('x' * count)})", mode="eval").body
            assert isinstance(call, ast.Call)
            if not effect.quiet or not effect_of_call(call, f"numpy.{name}").quiet:
                continue
            given = arguments_of(count)
            try:
                function(*given)
            except Exception:
                continue
            for before, after in zip(arguments_of(count), given, strict=True):
                np.testing.assert_array_equal(before, after, err_msg=f"np.{name} of {count}")
