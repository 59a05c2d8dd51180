"""Picks one value out of nested outputs or targets by its path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from model_constructor.errors import ParameterError, close_matches

ValuePath = str | int | Sequence[str | int] | None


def select(value: Any, path: ValuePath, *, parameter: str) -> Any:
    """The value at a path; without a path, the only entry of a mapping, or the value itself.

    Args:
        value: Nested mappings, lists and tuples.
        path: A key, an index, or a list of them; ``"a.b"`` is short for ``["a", "b"]``.
        parameter: Whose path it is, for errors.

    Raises:
        ParameterError: Nothing is there; the message lists what is.

    >>> select({"heads": [1.0, 2.0]}, "heads.1", parameter="pred_path")
    2.0
    >>> select({"y": 3.0}, None, parameter="target_path")
    3.0
    """
    if path is None:
        while isinstance(value, (dict, Mapping)) and len(value) == 1:
            (value,) = value.values()
            if isinstance(value, torch.Tensor):  # said here, for nothing is asked more often
                break
        return value
    parts: Sequence[str | int] = [path] if isinstance(path, (str, int)) else path
    for position, part in enumerate(parts):
        value = _step(value, part, parts[:position], parameter)
    return value


def _step(value: Any, part: str | int, before: Sequence[str | int], parameter: str) -> Any:
    if isinstance(value, Mapping):
        for key in (part, str(part)):
            if key in value:
                return value[key]
    elif isinstance(value, (list, tuple)):
        index = int(part) if isinstance(part, int) or part.lstrip("-").isdigit() else None
        if index is not None and -len(value) <= index < len(value):
            return value[index]
    if isinstance(part, str) and "." in part:
        for position, piece in enumerate(part.split(".")):
            value = _step(value, piece, [*before, *part.split(".")[:position]], parameter)
        return value
    where = f" under `{'.'.join(map(str, before))}`" if before else ""
    raise ParameterError(
        f"{parameter}: there is no `{part}`{where}; there is {describe(value)}",
        parameter=parameter,
        suggestions=close_matches(part, value) if isinstance(value, Mapping) else (),
    )


def describe(value: Any) -> str:
    """What a nested value holds, in words.

    >>> describe({"logits": 1, "features": 2})
    'a mapping with `logits`, `features`'
    """
    if isinstance(value, Mapping):
        return f"a mapping with {', '.join(f'`{key}`' for key in value) or 'nothing in it'}"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + (f" of shape {tuple(shape)}" if shape is not None else "")
