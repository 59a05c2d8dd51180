"""Nested batches: from host arrays to tensors on a device, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

PlacedWindow = Sequence[tuple[Any, float]]
"""Micro-batches on the device, each with its share of the window's weight; shares sum to 1."""

_PINNED_BYTES = 1 << 26  # batches and blocks of them; whole data sets are moved once, and may wait


def place(value: Any, device: torch.device) -> Any:
    """A batch with every array and tensor in it as a tensor on the device.

    On the CPU the tensors share memory with the arrays. Dicts, lists, tuples and named tuples are
    walked; an object with a ``to(device)`` method moves itself; anything else stays as it is.

    >>> place({"x": np.zeros((2, 3), np.float32), "id": "a"}, torch.device("cpu"))["x"].shape
    torch.Size([2, 3])
    """
    if isinstance(value, np.ndarray):
        return _from_array(value, device)
    if isinstance(value, dict):
        return {key: place(item, device) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [place(item, device) for item in value]
        if isinstance(value, list):
            return items
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, torch.Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, np.generic):
        return _from_array(np.asarray(value), device)
    move = getattr(value, "to", None)
    return move(device) if move is not None else value


def place_block(
    arrays: Mapping[str, Any], batch_size: int, device: torch.device
) -> list[dict[str, Any]]:
    """The batches that lie one after the other in arrays, all of them on the device.

    Args:
        arrays: By field, each (N, ...).
        batch_size: Rows of a batch; the last may have fewer.
        device: Where to.
    """
    placed = place(dict(arrays), device)
    fields = [_split(values, batch_size) for values in placed.values()]
    names = tuple(placed)
    return [dict(zip(names, batch)) for batch in zip(*fields)]  # noqa: B905 - checks take a while


def _split(values: Any, size: int) -> Sequence[Any]:
    """Rows in portions; text and objects are no tensors."""
    if isinstance(values, torch.Tensor):
        return torch.split(values, size)
    return [values[first : first + size] for first in range(0, len(values), size)]


def to_numpy(value: Any) -> Any:
    """Nested outputs with every tensor in them as a numpy array; bfloat16 becomes float32."""
    if isinstance(value, torch.Tensor):
        host = value.detach().cpu()
        return (host.float() if host.dtype is torch.bfloat16 else host).numpy()
    if isinstance(value, dict):
        return {key: to_numpy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [to_numpy(item) for item in value]
        if isinstance(value, list):
            return items
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value


def _from_array(array: np.ndarray[Any, Any], device: torch.device) -> Any:
    try:
        tensor = torch.from_numpy(array if array.flags.writeable else array.copy())
    except (TypeError, ValueError):
        if array.dtype.kind not in "biufc":
            return array  # text and objects: for whoever put them into the batch
        # torch takes native byte order only, and no negative strides.
        tensor = torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
    if device.type == "cpu":
        return tensor
    if device.type == "cuda" and tensor.nbytes <= _PINNED_BYTES:
        tensor = tensor.pin_memory()  # or the host would wait for what the device is doing
    return tensor.to(device, non_blocking=True)
