"""JSON that gives back exactly what went in, for what a checkpoint holds besides tensors.

Floats are written with as many digits as they need (Python's ``repr``), so they come back bit for
bit. JSON has no infinity and no NaN, and a plateau schedule starts at infinity: these become
``{"$float": "inf"}``, ``"-inf"`` or ``"nan"``. A key of the data that starts with ``$`` gets a
second ``$``, so nothing that a component stores can be taken for one. Tuples become lists.
"""

from __future__ import annotations

import json
import math
from typing import Any

from offline_trainer.engine import Json

_TAG = "$float"
_NON_FINITE = ("inf", "-inf", "nan")


def to_json(value: Json, *, indent: int | None = None) -> str:
    """Write plain data as JSON text.

    Args:
        value: None, bool, int, float, str, or lists, tuples and str-keyed dicts of these.
        indent: Spaces per level; None for one line.

    Raises:
        TypeError: Something in it is none of these; the message has its path.

    >>> to_json({"best": float("inf"), "step": 3})
    '{"best": {"$float": "inf"}, "step": 3}'
    """
    return json.dumps(_encode(value, ""), indent=indent, allow_nan=False)


def from_json(text: str | bytes) -> Json:
    """Read what `to_json` wrote.

    Raises:
        ValueError: The text is not that.
    """
    if isinstance(text, bytes):
        text = text.decode()
    try:
        return _decode(json.loads(text, parse_constant=_refuse_constant))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def copied(value: Json) -> Json:
    """Plain data that does not change when its owner goes on; what `to_json` refuses is kept as is.

    >>> state = {"seen": [1, 2]}
    >>> before = copied(state)
    >>> state["seen"].append(3)
    >>> before
    {'seen': [1, 2]}
    """
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [copied(item) for item in value]
    return value


def _encode(value: Any, path: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_TAG: repr(float(value))}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_encode(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, dict):
        raise TypeError(
            f"`{path or 'the value'}` is a {type(value).__module__}.{type(value).__qualname__}; "
            "only None, bool, int, float, str, lists and dicts can be saved as JSON"
        )
    encoded = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(f"`{path or 'the value'}` has the key {key!r}; keys must be strings")
        name = f"${key}" if key.startswith("$") else key
        encoded[name] = _encode(item, f"{path}.{key}" if path else key)
    return encoded


def _decode(value: Any) -> Json:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_TAG}:
        if value[_TAG] not in _NON_FINITE:
            raise ValueError(f"{value[_TAG]!r} is none of {', '.join(_NON_FINITE)}")
        return float(value[_TAG])
    return {key[1:] if key.startswith("$") else key: _decode(item) for key, item in value.items()}


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
