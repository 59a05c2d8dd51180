"""What a checkpoint holds besides tensors, leaf by leaf, each with its path."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from offline_trainer.engine import Json

LONG = 8
"""From how many items on a list of plain values is one leaf, such as the state of a generator."""

_SUMMED_UP = 4
_TENSOR = "$tensor"


def leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Path and value of everything in nested state; empty and long lists and dicts are one leaf.

    >>> list(leaves({"loop": {"step": 3, "lrs": [0.1, 0.2]}, "none": {}}))
    [('loop.step', 3), ('loop.lrs[0]', 0.1), ('loop.lrs[1]', 0.2), ('none', {})]
    """
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, _below(path, key))
    elif isinstance(value, list) and value and not is_long(value):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def is_long(value: Json) -> bool:
    """Whether it is a long list of plain values."""
    return (
        isinstance(value, list)
        and len(value) >= LONG
        and not any(isinstance(item, list | dict) for item in value)
    )


def summary(value: Json, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of what a person may want to know: short lists in one line, long ones counted.

    Tags such as ``$tuple`` are left out, and with them what only names a tensor.

    >>> list(summary({"betas": {"$tuple": [0.9, 0.99]}, "seen": [1] * 600, "w": {"$tensor": "w"}}))
    [('betas', '[0.9, 0.99]'), ('seen', '600 items')]
    """
    if isinstance(value, dict):
        for key, item in value.items():
            if key.startswith("$"):
                yield from summary(item, path) if key != _TENSOR else ()
            else:
                yield from summary(item, _below(path, key))
    elif isinstance(value, list) and len(value) > _SUMMED_UP:
        yield path, f"{len(value)} items"
    elif isinstance(value, list) and any(isinstance(item, list | dict) for item in value):
        for index, item in enumerate(value):
            yield from summary(item, f"{path}[{index}]")
    elif isinstance(value, list):
        yield path, f"[{', '.join(map(plain_text, value))}]"
    else:
        yield path, plain_text(value)


def _below(path: str, key: str) -> str:
    """A key with a dot of its own is quoted, so that two paths are never written alike."""
    if not key or set(key) & set('.[]"'):
        return f"{path}[{json.dumps(key)}]"
    return f"{path}.{key}" if path else key


def parent_of(path: str) -> str:
    """What a path is below.

    >>> parent_of("loop.metrics.val_loss"), parent_of("loop")
    ('loop.metrics', '')
    """
    return path.rpartition(".")[0]


def plain_text(value: Json) -> str:
    """A plain value as JSON has it, or ``inf``, ``-inf``, ``nan``; text without quotes."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return value if isinstance(value, str) else repr(value)


def same(one: Json, other: Json) -> bool:
    """Whether two plain values say the same; NaN equals itself, true is not 1."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)
