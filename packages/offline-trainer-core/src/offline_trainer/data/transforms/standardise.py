"""`transform.standardise`: mean 0 and variance 1 over the training rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offline_trainer.data.batches import Floats
from offline_trainer.data.transforms.training_rows import known_rows
from offline_trainer.engine import Json


class Standardise:
    """``(x - mean) / scale``, where scale is the standard deviation of the population.

    A column that is constant over the training rows becomes 0. Missing values stay missing.

    Args:
        columns: Which columns; every feature that is a number if None.

    >>> standardise = Standardise()
    >>> state = standardise.fit(np.array([1.0, 3.0]))
    >>> standardise.apply(np.array([1.0, 2.0, 3.0]), state).tolist()
    [-1.0, 0.0, 1.0]
    """

    takes = ("number",)

    def __init__(self, columns: Sequence[str] | None = None) -> None:
        self.columns = columns

    def fit(self, values: Floats) -> Json:
        """Mean and scale of training rows, shape (N, ...), without the missing ones."""
        known = known_rows(values)
        # Of a constant column, a computed deviation may be a rounding error above 0.
        constant = np.nanmin(known, axis=0) == np.nanmax(known, axis=0)
        mean = np.where(constant, np.nanmin(known, axis=0), np.nanmean(known, axis=0))
        scale = np.where(constant, 1.0, np.nanstd(known, axis=0))
        return {"mean": mean.tolist(), "scale": scale.tolist()}

    def apply(self, values: Floats, state: Json) -> Floats:
        """Values shifted and scaled, shape (N, ...)."""
        standardised: Floats = (values - np.asarray(state["mean"])) / np.asarray(state["scale"])
        return standardised

    def invert(self, values: Floats, state: Json) -> Floats:
        """Back from what `apply` gave."""
        original: Floats = values * np.asarray(state["scale"]) + np.asarray(state["mean"])
        return original
