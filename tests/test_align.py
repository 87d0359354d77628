"""How a parent's value gets the axes of its child, shape by shape."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from reparam_rewrite.plan.alignment import Unaligned, align, among
from reparam_rewrite.plan.values import NOTHING, WHOLE, Check, ShapeAmong, Span, Value
from reparam_rewrite.survey.values import REST, UNIT, Axis, Shape

SIZES = {"i": 2, "j": 3, "t": 4, "1": 1}


def shape(letters: str) -> Shape:
    return tuple(
        UNIT if letter == "1" else Axis(f"n_{letter}", f"n_{letter}", repr(letter))
        for letter in letters
    )


def written(value: Value) -> str:
    """The value as code, as the README and the docstring write it."""
    text = value.expression
    if value.reduction is not None:
        by = value.reduction
        axis = f", axis={by.axes[0] if len(by.axes) == 1 else by.axes}" if by.axes else ""
        text = f"{by.function}({text}{axis}{', keepdims=True' if by.keepdims else ''})"
    if value.order:
        text = f"transpose({text}, {value.order})"
    return f"{text}[{', '.join(value.index)}]" if value.index else text


@pytest.mark.parametrize(
    ("parent", "child", "expected"),
    [
        ("", "", "p"),
        ("", "it", "p"),
        ("i", "i", "p"),
        ("t", "it", "p"),
        ("i", "it", "p[:, None]"),
        ("i", "ijt", "p[:, None, None]"),
        ("it", "ijt", "p[:, None]"),
        ("j", "it", "mean(p)"),
        ("it", "", "mean(p)"),
        ("it", "jt", "mean(p, axis=0)"),
        ("jt", "ij", "mean(p, axis=-1)"),
        ("it", "ij", "mean(p, axis=-1, keepdims=True)"),
        ("ijt", "t", "mean(p, axis=(0, 1))"),
        ("ti", "it", "transpose(p, (1, 0))"),
        ("i1t", "it", "p[:, 0]"),
        ("i11", "i1t", "p"),
        ("i1t", "ij1", "mean(p, axis=-1, keepdims=True)"),
        ("1", "", "p[0]"),
        ("11", "t", "p[0, 0]"),
        ("i1t", "jt", "mean(p, axis=0)"),
    ],
)
def test_aligned(parent: str, child: str, expected: str) -> None:
    assert written(align("p", shape(parent), shape(child), "mean")) == expected


LETTERS = [
    "".join(letters)
    for length in range(4)
    for letters in itertools.permutations("ijt1", length)
    if "1" not in letters or len(letters) > 1
]


@pytest.mark.parametrize("child", LETTERS)
def test_no_alignment_widens_or_mixes_up_axes(child: str) -> None:
    """Every parent over every child, computed: as einsum says, and broadcast into the child."""
    for parent in LETTERS:
        value = align("p", shape(parent), shape(child), "sum")
        array = np.arange(1.0, 1 + np.prod([SIZES[x] for x in parent], dtype=int))
        array = array.reshape([SIZES[x] for x in parent])
        functions = {"p": array, "sum": np.sum, "transpose": np.transpose}
        found = np.asarray(eval(written(value), functions))
        # The same by name: sum what the child lacks, then put every axis where the child has it.
        kept = [x for x in child if x in parent and x != "1"]
        bare = parent.replace("1", "")
        by_name = np.einsum(
            array.reshape([SIZES[x] for x in bare]),
            [ord(x) - 97 for x in bare],
            [ord(x) - 97 for x in kept],
        )
        full = by_name.reshape([SIZES[x] if x in kept else 1 for x in child])
        target = [SIZES[x] for x in child]
        assert np.broadcast_shapes(found.shape, target) == tuple(target), (parent, child)
        assert np.array_equal(np.broadcast_to(found, target), np.broadcast_to(full, target)), (
            parent,
            child,
        )


@pytest.mark.parametrize(
    ("parent", "child", "reduce", "message"),
    [
        ("j", "it", "error", "the child has no axis of plate 'j', and reduce is \"error\""),
        ("ii", "i", "mean", "two of its axes would be the same axis of the child"),
        ("i", "ii", "mean", "the child has 2 axes that could be its axis of plate 'i'"),
    ],
)
def test_refused(parent: str, child: str, reduce: str, message: str) -> None:
    with pytest.raises(Unaligned) as caught:
        align("p", shape(parent), shape(child), reduce)
    assert str(caught.value) == message


def test_sum_instead_of_mean() -> None:
    assert written(align("p", shape("j"), shape("i"), "sum")) == "sum(p)"


def test_a_size_is_an_axis_without_a_plate() -> None:
    steps = Axis("n_t", "n_t")
    plate = Axis("n_t", "n_t", "'t'")
    assert written(align("p", (steps,), (plate, UNIT), "mean")) == "p[:, None]"


def test_two_literal_sizes_are_two_axes() -> None:
    assert written(align("p", (Axis("2", "here"),), (Axis("2", "there"),), "mean")) == "mean(p)"


def test_one_plate_name_at_two_sizes_is_left_to_run_time() -> None:
    value = align("p", (Axis("n", "n", "'i'"),), (Axis("m", "m", "'i'"),), "mean")
    assert value.checks == (among(WHOLE),)


def plates(*names: str) -> Shape:
    """Axes of plates, "k:n" of the plate k and the size n, whose dims are from -1 to the left."""
    pairs = [name.split(":") for name in names]
    return tuple(
        Axis(size, size, repr(name), dim=at - len(pairs)) for at, (name, size) in enumerate(pairs)
    )


@pytest.mark.parametrize(
    ("parent", "child", "twice", "expected"),
    [
        (["i:n"], ["ci:n", "cj:m"], "", "p[:, None]"),
        (["j:m"], ["ci:n", "cj:m"], "", "p"),
        (["i:n"], ["ci:n", "cj:m"], "n", "mean(p)"),
        (["i:n"], ["ci:n", "cj:n"], "n", "mean(p)"),
        (["i:n"], ["j:n"], "", "mean(p)"),
        (["i:n", "j:m"], ["j2:m", "i2:n"], "", "transpose(p, (1, 0))"),
        (["i:n", "j:m"], ["i:n", "k:m"], "", "p"),
        (["i:n", "j:n"], ["k:n"], "n", "mean(p)"),
        (["i:n", "j:n"], ["i:n"], "n", "mean(p, axis=-1)"),
    ],
)
def test_plates_of_one_size_under_two_names(
    parent: list[str], child: list[str], twice: str, expected: str
) -> None:
    value = align("p", plates(*parent), plates(*child), "mean", frozenset(filter(None, [twice])))
    assert written(value) == expected
    assert not value.checks


BATCH = Axis(None, "batch", several=True)


@pytest.mark.parametrize(
    ("parent", "child", "expected", "checks"),
    [
        ((REST,), "ij", "p", [among(NOTHING, WHOLE)]),
        ((REST, *shape("i")), "", "mean(p)", []),
        ((REST, *shape("i")), "j", "mean(p)", []),
        ((REST, *shape("i")), "i", "p", [among(WHOLE)]),
        ((REST, *shape("j")), "ij", "p", [among(Span(-1))]),
        ((REST, *shape("i")), "ij", "p[..., None]",
         [ShapeAmong(Span(None, -1), (NOTHING,)), ShapeAmong(-1, (-2,))]),
        ((REST, *shape("i")), (REST, *shape("j")), "mean(p, axis=-1)[..., None]",
         [ShapeAmong(Span(None, -1), (NOTHING, Span(None, -1)))]),
        ((BATCH, *shape("i")), (BATCH, *shape("jt")), "mean(p, axis=-1)[..., None, None]", []),
        (shape("i"), (REST, *shape("ij")), "p[:, None]", []),
        (shape("i"), (REST,), "p", [among(WHOLE)]),
    ],
)  # fmt: skip
def test_what_does_not_show(
    parent: Shape, child: Shape | str, expected: str, checks: list[Check]
) -> None:
    there = shape(child) if isinstance(child, str) else child
    value = align("p", parent, there, "mean")
    assert written(value) == expected
    assert list(value.checks) == checks
