"""What functions of arrays do to a sum, by the last of their names."""

from __future__ import annotations

#: Sums and products of the first two arguments: by what the second is multiplied, 0 for a product.
ADDING = {"add": 1.0, "subtract": -1.0, "multiply": 0.0}

#: What moves elements, and changes none. Of those that take several arrays all are meant.
MOVING = frozenset(
    [
        "append",
        "array",
        "asarray",
        "atleast_1d",
        "atleast_2d",
        "broadcast_to",
        "column_stack",
        "concatenate",
        "expand_dims",
        "flip",
        "hstack",
        "moveaxis",
        "ravel",
        "repeat",
        "reshape",
        "roll",
        "squeeze",
        "stack",
        "swapaxes",
        "tile",
        "transpose",
        "vstack",
    ]
)

#: Those of them that put the elements of several arrays into one.
JOINING = frozenset(["append", "column_stack", "concatenate", "hstack", "stack", "vstack"])

#: Of the argument only the differences along an axis are seen.
SOFTMAX = frozenset(["softmax", "log_softmax"])

MOVING_METHODS = frozenset(
    [
        "add",
        "astype",
        "flatten",
        "ravel",
        "repeat",
        "reshape",
        "set",
        "squeeze",
        "swapaxes",
        "transpose",
    ]
)

ELEMENTWISE_METHODS = frozenset(["clip", "round"])
