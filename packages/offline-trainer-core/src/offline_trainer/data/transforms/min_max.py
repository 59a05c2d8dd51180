"""`transform.min_max`: the range of the training rows, mapped to a range of one's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Floats
from offline_trainer.data.transforms.training_rows import known_rows
from offline_trainer.engine import Json


class MinMax:
    """The smallest training value becomes ``low`` and the largest ``high``, the rest in proportion.

    A value beyond those of the training rows lands beyond the range. A column that is constant over
    the training rows becomes ``low``. Missing values stay missing.

    Args:
        columns: Which columns; every feature that is a number if None.
        low: Where the smallest value lands.
        high: Where the largest value lands.

    >>> scaling = MinMax(low=-1.0)
    >>> state = scaling.fit(np.array([2.0, 4.0]))
    >>> scaling.apply(np.array([2.0, 3.0, 4.0]), state).tolist()
    [-1.0, 0.0, 1.0]
    """

    takes = ("number",)

    def __init__(
        self, columns: Sequence[str] | None = None, low: float = 0.0, high: float = 1.0
    ) -> None:
        if not low < high:
            raise ParameterError(f"high must be above low {low}, got {high}", parameter="high")
        self.columns = columns
        self._low, self._high = low, high

    def fit(self, values: Floats) -> Json:
        """Smallest value and width of training rows, shape (N, ...)."""
        known = known_rows(values)
        smallest, largest = np.nanmin(known, axis=0), np.nanmax(known, axis=0)
        width = np.where(smallest == largest, 1.0, largest - smallest)
        return {"min": smallest.tolist(), "width": width.tolist()}

    def apply(self, values: Floats, state: Json) -> Floats:
        """Values in the new range, shape (N, ...)."""
        share = (values - np.asarray(state["min"])) / np.asarray(state["width"])
        mapped: Floats = share * (self._high - self._low) + self._low
        return mapped

    def invert(self, values: Floats, state: Json) -> Floats:
        """Back from what `apply` gave."""
        share = (values - self._low) / (self._high - self._low)
        original: Floats = share * np.asarray(state["width"]) + np.asarray(state["min"])
        return original
