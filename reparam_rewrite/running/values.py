"""What passes between the functions that run a model. Imports no jax."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Model = Callable[..., Any]
Values = dict[str, Any]
Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Site = dict[str, Any]
Trace = Mapping[str, Site]
