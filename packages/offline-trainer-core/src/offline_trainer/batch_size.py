"""How many samples a batch has, whatever it is nested in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def sample_count(batch: Any) -> int | None:
    """The leading size of the first array that has one, going through nested containers."""
    shape: Sequence[int] = getattr(batch, "shape", ())
    if shape:
        return shape[0]
    if isinstance(batch, Mapping):
        batch = batch.values()
    elif not isinstance(batch, (list, tuple)):
        return None
    for item in batch:
        count = sample_count(item)
        if count is not None:
            return count
    return None
