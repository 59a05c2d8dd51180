"""`transform.impute`: something in place of what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Array, Floats
from offline_trainer.data.transforms.training_rows import known_rows, known_texts
from offline_trainer.engine import Json

Strategy = Literal["mean", "median", "most_frequent", "constant"]


class Impute:
    """One value in place of every missing one.

    Args:
        columns: Which columns; every feature that it can be used for if None.
        strategy: ``mean`` or ``median`` of the training rows, for numbers; ``most_frequent`` of
            them, the smallest of several; or ``constant``.
        value: The constant.

    >>> impute = Impute(strategy="median")
    >>> state = impute.fit(np.array([1.0, 2.0, 9.0, np.nan]))
    >>> impute.apply(np.array([np.nan, 5.0]), state).tolist()
    [2.0, 5.0]
    """

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        strategy: Strategy = "mean",
        value: float | str | None = None,
    ) -> None:
        if (strategy == "constant") != (value is not None):
            raise ParameterError(
                f"value {value!r} and strategy {strategy!r} do not go together: a constant, and "
                "nothing else, needs a value",
                parameter="value",
            )
        self.columns = columns
        self._strategy = strategy
        self._value = value
        if strategy == "constant":
            self.takes: tuple[str, ...] = ("category",) if isinstance(value, str) else ("number",)
        else:
            both = strategy == "most_frequent"
            self.takes = ("number", "category") if both else ("number",)

    def fit(self, values: Array) -> Json:
        """What to put in, from training rows of shape (N, ...)."""
        if self._strategy == "constant":
            return {"value": self._value}
        if values.dtype == object:
            return {"value": _most_frequent(known_texts(values))}
        known = known_rows(values)
        if self._strategy == "mean":
            return {"value": np.nanmean(known, axis=0).tolist()}
        if self._strategy == "median":
            return {"value": np.nanmedian(known, axis=0).tolist()}
        columns = known.reshape(len(known), -1).T
        found = [_most_frequent(column[~np.isnan(column)].tolist()) for column in columns]
        return {"value": np.array(found).reshape(known.shape[1:]).tolist()}

    def apply(self, values: Array, state: Json) -> Array:
        """Values without missing ones, shape (N, ...)."""
        if values.dtype == object:
            return np.array(
                [state["value"] if text is None else text for text in values.tolist()], dtype=object
            )
        filled: Floats = np.where(np.isnan(values), np.asarray(state["value"], float), values)
        return filled


def _most_frequent(values: Sequence[Any]) -> Any:
    counts = Counter(values)
    most = max(counts.values())
    return min(value for value, count in counts.items() if count == most)
