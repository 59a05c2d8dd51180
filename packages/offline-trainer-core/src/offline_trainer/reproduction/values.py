"""Where two states part: the first tensor, element or plain value that is not the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from model_constructor.config.scalars import shorten
from model_constructor.errors import ConfigPath, format_config_path
from offline_trainer.checkpoint.tensor_file import NUMPY_DTYPES
from offline_trainer.engine import HostTensor, Json

_MISSING = object()


def tensor_difference(
    first: Mapping[str, HostTensor], second: Mapping[str, HostTensor]
) -> str | None:
    """The first of the named tensors that differs, and in what; None if none does."""
    for name in {**first, **second}:
        one, other = first.get(name), second.get(name)
        if one is None or other is None:
            return f"tensor `{name}` is only in {missing_side(other is None)}"
        if (one.dtype, one.shape) != (other.dtype, other.shape):
            kinds = [f"{each.dtype} {each.shape}" for each in (one, other)]
            return f"tensor `{name}` is {kinds[0]} in the run, {kinds[1]} now"
        found = _element_difference(one, other)
        if found is not None:
            return f"tensor `{name}` {found}"
    return None


def _element_difference(one: HostTensor, other: HostTensor) -> str | None:
    first, second = (np.frombuffer(each.data, np.uint8) for each in (one, other))
    if np.array_equal(first, second):
        return None
    differs = (first != second).reshape(math.prod(one.shape), -1).any(axis=1)
    at = int(differs.argmax())
    values = [_element(each, at) for each in (one, other)]
    return (
        f"first differs at element {at}: {values[0]} in the run, {values[1]} now "
        f"({int(differs.sum())} of {differs.size} differ)"
    )


def _element(tensor: HostTensor, at: int) -> str:
    if tensor.dtype == "BF16":  # the upper half of a float32
        half = np.frombuffer(tensor.data, "<u2")[at : at + 1]
        return str((half.astype("<u4") << 16).view("<f4")[0])
    return str(np.frombuffer(tensor.data, NUMPY_DTYPES[tensor.dtype])[at])


def plain_difference(first: Json, second: Json, path: ConfigPath = ()) -> str | None:
    """The first place in plain data where two values differ, with both; None if they do not."""
    if isinstance(first, dict) and isinstance(second, dict):
        keys: Any = {**first, **second}
        pairs = ((key, first.get(key, _MISSING), second.get(key, _MISSING)) for key in keys)
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        pairs = ((i, *pair) for i, pair in enumerate(zip(first, second, strict=True)))
    elif first is _MISSING or second is _MISSING:
        return f"{format_config_path(path)} is only in {missing_side(second is _MISSING)}"
    elif repr(first) == repr(second):
        return None
    else:
        values = [shorten(repr(each)) for each in (first, second)]
        return f"{format_config_path(path)} is {values[0]} in the run, {values[1]} now"
    for key, one, other in pairs:
        found = plain_difference(one, other, (*path, key))
        if found is not None:
            return found
    return None


def missing_side(second_lacks: bool) -> str:
    """Where something is that one of the two runs does not have."""
    return "the run" if second_lacks else "what was made now"
