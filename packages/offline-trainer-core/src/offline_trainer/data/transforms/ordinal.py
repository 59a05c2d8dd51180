"""`transform.ordinal`: categories as numbers, as class labels and embeddings want them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offline_trainer.data.batches import Array, Floats
from offline_trainer.data.transforms.categories import (
    checked_categories,
    learned_categories,
    numbers_of,
    texts_of,
)
from offline_trainer.engine import Json


class Ordinal:
    """The position of each category among all, from 0.

    Args:
        columns: Which columns; every feature that is a category if None.
        categories: All there are, in their order; those that the table declares, or that are in the
            training rows, if None.

    >>> ordinal = Ordinal(categories=["low", "high"])
    >>> ordinal.apply(np.array(["high", "low"], dtype=object), ordinal.fit(None)).tolist()
    [1.0, 0.0]
    """

    takes = ("category",)

    def __init__(
        self, columns: Sequence[str] | None = None, categories: Sequence[str] | None = None
    ) -> None:
        self.columns = columns
        self._categories = checked_categories(categories, "categories")

    def fit(self, values: Array) -> Json:
        """The categories of training rows, object (N,), unless they are declared."""
        return {"categories": self._categories or learned_categories(values)}

    def fit_declared(self, categories: Sequence[str]) -> Json:
        """The categories that are declared of a column."""
        return {"categories": self._categories or list(categories)}

    def apply(self, values: Array, state: Json) -> Floats:
        """Positions, float64 (N,)."""
        return numbers_of(values, state["categories"], refuse_unknown=True).astype(np.float64)

    def invert(self, values: Floats, state: Json) -> Array:
        """The categories at the nearest positions, object (N,); None where there is none."""
        return texts_of(np.rint(values).astype(np.int64), state["categories"])
