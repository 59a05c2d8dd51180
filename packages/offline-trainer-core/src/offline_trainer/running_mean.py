"""Weighted means of lazy scalars, read in one transfer when somebody wants to see them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from offline_trainer.engine import Json, Scalar

_Place = TypeVar("_Place")


class RunningMean(Generic[_Place]):
    """The mean of a loss and its logs since the last `pop`.

    `add` only appends; nothing waits for a device until `read`.

    Args:
        read_scalars: `Engine.read`.
    """

    def __init__(self, read_scalars: Callable[[Sequence[Scalar]], list[float]]) -> None:
        self._read_scalars = read_scalars
        self._pending: list[tuple[Scalar, Mapping[str, Scalar], float, Scalar, _Place | None]] = []
        self._rows: list[tuple[dict[str, float], float]] = []

    def add(
        self,
        loss: Scalar,
        logs: Mapping[str, Scalar],
        weight: float,
        finite: Scalar = True,
        place: _Place | None = None,
    ) -> None:
        """Take in one step or batch; one that has a ``place`` counts only if it was finite."""
        self._pending.append((loss, logs, weight, finite, place))

    def read(self) -> list[_Place]:
        """Turn what is pending into numbers; return the places of what was not finite."""
        if not self._pending:
            return []
        scalars: list[Any] = []
        for loss, logs, _, finite, _ in self._pending:
            scalars += [loss, finite, *logs.values()]
        values = iter(self._read_scalars(scalars))
        not_finite = []
        for _, logs, weight, _, place in self._pending:
            row = {"loss": next(values)}
            finite_value = next(values)
            row.update({name: next(values) for name in logs})
            if place is None or (finite_value and math.isfinite(row["loss"])):
                self._rows.append((row, weight))
            else:
                not_finite.append(place)
        self._pending.clear()
        return not_finite

    def pop(self) -> dict[str, float]:
        """The weighted means of what was read, which are then forgotten."""
        totals: dict[str, float] = {}
        weights: dict[str, float] = {}
        for row, weight in self._rows:
            for name, value in row.items():
                totals[name] = totals.get(name, 0.0) + value * weight
                weights[name] = weights.get(name, 0.0) + weight
        self._rows.clear()
        return {n: total / weights[n] if weights[n] else math.nan for n, total in totals.items()}

    def state_dict(self) -> Json:
        """What was read and not yet popped; call `read` first."""
        return [[row, weight] for row, weight in self._rows]

    def load_state_dict(self, state: Json) -> None:
        """Go on from a saved state."""
        self._pending.clear()
        self._rows = [
            ({name: saved_number(value) for name, value in row.items()}, saved_number(weight))
            for row, weight in state
        ]


def saved_number(value: Json) -> float:
    """A number that was saved, as it is.

    Raises:
        TypeError, OverflowError: It is none that can be reckoned with.
    """
    if not isinstance(value, (int, float)):
        raise TypeError(f"{value!r:.40} is no number")
    float(value)  # an integer may be too large for one
    return value
