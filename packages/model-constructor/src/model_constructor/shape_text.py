"""The shapes and types of values as text, for messages and tables. Imports no framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def shapes(value: Any) -> str:
    """The shapes and types in nested containers.

    >>> shapes({"y": [1, 2]})
    '{y: [int, int]}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shapes(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shapes(item) for item in value) + "]"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    return type(value).__name__
