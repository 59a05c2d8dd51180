"""`transform.one_hot`: a column for each category, 1 where the row has it and 0 elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from offline_trainer.data.batches import Array, Floats
from offline_trainer.data.transforms.categories import (
    UNKNOWN,
    checked_categories,
    learned_categories,
    numbers_of,
    texts_of,
)
from offline_trainer.engine import Json


class OneHot:
    """Categories as (N, k) zeros and ones.

    Args:
        columns: Which columns; every feature that is a category if None.
        categories: All there are, in the order of the new columns; those that the table
            declares, or that are in the training rows, if None.
        unknown: What becomes of another one: an ``error``, or ``zeros`` in all columns.

    >>> one_hot = OneHot()
    >>> state = one_hot.fit(np.array(["red", "blue"], dtype=object))
    >>> one_hot.apply(np.array(["blue"], dtype=object), state).tolist()
    [[1.0, 0.0]]
    >>> one_hot.output_names("colour", state)
    ['colour=blue', 'colour=red']
    """

    takes = ("category",)

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        categories: Sequence[str] | None = None,
        unknown: Literal["error", "zeros"] = "error",
    ) -> None:
        self.columns = columns
        self._categories = checked_categories(categories, "categories")
        self._refuse_unknown = unknown == "error"

    def fit(self, values: Array) -> Json:
        """The categories of training rows, object (N,), unless they are declared."""
        return {"categories": self._categories or learned_categories(values)}

    def fit_declared(self, categories: Sequence[str]) -> Json:
        """The categories that are declared of a column."""
        return {"categories": self._categories or list(categories)}

    def apply(self, values: Array, state: Json) -> Floats:
        """Zeros and ones, float64 (N, k)."""
        categories = state["categories"]
        numbers = numbers_of(values, categories, refuse_unknown=self._refuse_unknown)
        ones = np.zeros((len(values), len(categories)))
        known = np.flatnonzero(numbers != UNKNOWN)
        ones[known, numbers[known]] = 1.0
        return ones

    def invert(self, values: Floats, state: Json) -> Array:
        """The category of the largest of each row's values, object (N,); None for all zeros."""
        numbers = np.where(values.any(axis=1), values.argmax(axis=1), UNKNOWN)
        return texts_of(numbers, state["categories"])

    def output_names(self, name: str, state: Json) -> list[str]:
        """``column=category`` for each new column."""
        return [f"{name}={category}" for category in state["categories"]]
