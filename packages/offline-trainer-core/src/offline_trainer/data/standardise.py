"""Shifting and scaling features to mean 0 and variance 1 over the training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offline_trainer.data.batches import Floats
from offline_trainer.engine import Json


@dataclass(frozen=True, slots=True)
class Standardisation:
    """``(x - mean) / scale``, with one mean and one scale per column.

    Attributes:
        mean: Shape (F,).
        scale: Standard deviation (of the population), shape (F,); 1 where a column is constant,
            so that it becomes 0.
    """

    mean: Floats
    scale: Floats

    @classmethod
    def fit(cls, values: Floats) -> Standardisation:
        """Measure rows of shape (N, F), with N at least 1.

        >>> Standardisation.fit(np.array([[1.0, 7.0], [3.0, 7.0]])).mean.tolist()
        [2.0, 7.0]
        """
        # Of a constant column, a computed deviation may be a rounding error above 0.
        constant = values.min(axis=0) == values.max(axis=0)
        mean = np.where(constant, values[0], values.mean(axis=0))
        scale = np.where(constant, 1.0, values.std(axis=0))
        return cls(mean, scale)

    def __call__(self, values: Floats) -> Floats:
        """Standardise rows of shape (N, F)."""
        return (values - self.mean) / self.scale

    def state(self, columns: Sequence[str]) -> Json:
        """The fitted values, with the columns they belong to."""
        return {
            "columns": list(columns),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
        }
