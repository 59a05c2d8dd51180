"""Nested state as plain JSON plus named tensors, and back, without naming any class.

Optimizers, schedules and modules keep state in nested dicts, lists and tuples that hold tensors,
numbers and now and then a set or a Counter. `pack` writes what JSON has no word for as a dict with
one key: ``$tensor`` (a name), ``$tuple``, ``$set``, ``$counter`` or ``$map`` (dicts whose keys are
not plain text).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from offline_trainer.engine import Json
from offline_trainer.errors import OfflineTrainerError, StateMismatchError
from offline_trainer_torch.host_tensors import HostCopies


def pack(value: Any, name: str, copies: HostCopies) -> Json:
    """Write nested state as JSON.

    Args:
        value: The state.
        name: Its name; a tensor inside is called by it and by the keys on the way, with dots.
        copies: Where tensors go.

    Raises:
        OfflineTrainerError: Something in it is none of the known types; the message has its name.

    >>> copies = HostCopies()
    >>> pack({"step": 3, "average": torch.zeros(2)}, "sgd", copies)
    {'step': 3, 'average': {'$tensor': 'sgd.average'}}
    >>> list(copies.tensors)
    ['sgd.average']
    """

    def inner(item: Any, key: object) -> Json:
        return pack(item, f"{name}.{key}", copies)

    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, torch.Tensor):
        name = copies.free_name(name)  # {"a.b": …} and {"a": {"b": …}} would share one
        copies.add(name, value)
        return {"$tensor": name}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list):
        return [inner(item, index) for index, item in enumerate(value)]
    if isinstance(value, tuple):
        return {"$tuple": [inner(item, index) for index, item in enumerate(value)]}
    if isinstance(value, (set, frozenset)):
        return {"$set": [inner(item, index) for index, item in enumerate(sorted(value, key=repr))]}
    if isinstance(value, Counter):
        return {"$counter": [[inner(key, key), count] for key, count in value.items()]}
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: inner(item, key) for key, item in value.items()}
        return {"$map": [[inner(key, key), inner(item, key)] for key, item in value.items()]}
    raise OfflineTrainerError(
        f"`{name}` is a {type(value).__module__}.{type(value).__qualname__} and cannot be saved",
        help="state may hold tensors, numbers, text, and lists, tuples, sets and dicts of these",
    )


def unpack(packed: Json, take: Callable[[str], torch.Tensor]) -> Any:
    """Read what `pack` wrote.

    Args:
        packed: The JSON.
        take: Gives the tensor of a name.

    Raises:
        StateMismatchError: It is not what `pack` writes.
    """
    if isinstance(packed, list):
        return [unpack(item, take) for item in packed]
    if not isinstance(packed, dict):
        return packed
    tag = next(iter(packed), "")
    if not tag.startswith("$"):
        return {key: unpack(item, take) for key, item in packed.items()}
    content = packed[tag]
    if len(packed) == 1:
        if tag == "$tensor" and isinstance(content, str):
            return take(content)
        if tag == "$tuple":
            return tuple(unpack(content, take))
        if tag == "$set":
            return set(unpack(content, take))
        if tag == "$counter":
            return Counter(dict(unpack(content, take)))
        if tag == "$map":
            return dict(unpack(content, take))
    raise StateMismatchError(f"saved state has the unknown form {tag!r}")
