"""`transform.quantile`: each value by its rank among the training rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Literal

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Floats
from offline_trainer.data.transforms.training_rows import known_rows
from offline_trainer.engine import Json

_FARTHEST = 1e-7  # a normal distribution has no value for the ranks 0 and 1: about 5.2 deviations


class Quantile:
    """The share of training values below a value, evenly spread or as a normal distribution.

    Between two quantiles it is interpolated; a value beyond those of the training rows gets the
    rank of the nearest. Missing values stay missing.

    Args:
        columns: Which columns; every feature that is a number if None.
        quantiles: How many are kept, at most one for each training row.
        distribution: ``uniform`` for ranks from 0 to 1, or ``normal`` for mean 0 and variance 1.

    >>> ranks = Quantile()
    >>> state = ranks.fit(np.array([1.0, 10.0, 100.0]))
    >>> ranks.apply(np.array([1.0, 10.0, 55.0, 1000.0]), state).tolist()
    [0.0, 0.5, 0.75, 1.0]
    """

    takes = ("number",)

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        quantiles: int = 1000,
        distribution: Literal["uniform", "normal"] = "uniform",
    ) -> None:
        if quantiles < 2:
            raise ParameterError(
                f"quantiles must be at least 2, got {quantiles}", parameter="quantiles"
            )
        self.columns = columns
        self._quantiles = quantiles
        self._normal = distribution == "normal"

    def fit(self, values: Floats) -> Json:
        """The quantiles of training rows, shape (N,) or (N, k): k lists of them."""
        known = known_rows(values)
        ranks = np.linspace(0.0, 1.0, min(self._quantiles, max(2, len(known))))
        columns = known.reshape(len(known), -1).T
        found = [np.nanquantile(column, ranks) for column in columns]
        # Interpolation may leave the order by a rounding error.
        return {"quantiles": [np.maximum.accumulate(each).tolist() for each in found]}

    def apply(self, values: Floats, state: Json) -> Floats:
        """Ranks of values, shape (N, ...)."""
        ranks = _each_column(values, state, _ranks)
        return _to_normal(ranks) if self._normal else ranks

    def invert(self, values: Floats, state: Json) -> Floats:
        """Back from what `apply` gave; a value beyond those of the training rows is the nearest."""
        shares = _from_normal(values) if self._normal else values
        return _each_column(shares, state, _values_at)


def _each_column(
    values: Floats, state: Json, of_column: Callable[[Floats, Floats], Floats]
) -> Floats:
    """What becomes of each column by its quantiles; missing values stay missing."""
    columns = values.reshape(len(values), -1)
    made = np.full(columns.shape, np.nan)
    for position, quantiles in enumerate(state["quantiles"]):
        known = ~np.isnan(columns[:, position])
        made[known, position] = of_column(columns[known, position], np.asarray(quantiles))
    return made.reshape(values.shape)


def _ranks(column: Floats, quantiles: Floats) -> Floats:
    """Interpolated from both ends, so that a value which many rows share gets its middle rank."""
    shares = np.linspace(0.0, 1.0, len(quantiles))
    from_below = np.interp(column, quantiles, shares)
    from_above = np.interp(-column, -quantiles[::-1], -shares[::-1])
    ranks: Floats = (from_below - from_above) / 2
    return ranks


def _values_at(column: Floats, quantiles: Floats) -> Floats:
    found: Floats = np.interp(column, np.linspace(0.0, 1.0, len(quantiles)), quantiles)
    return found


def _to_normal(shares: Floats) -> Floats:
    # NaN passes: no comparison with it is true.
    inside = np.clip(shares, _FARTHEST, 1 - _FARTHEST)
    inverse = NormalDist().inv_cdf
    flat = [share if share != share else inverse(share) for share in inside.ravel().tolist()]
    return np.array(flat).reshape(shares.shape)


def _from_normal(values: Floats) -> Floats:
    distribution = NormalDist().cdf
    return np.array([distribution(value) for value in values.ravel().tolist()]).reshape(
        values.shape
    )
