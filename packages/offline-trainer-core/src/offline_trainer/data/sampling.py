"""How often training draws each row: evenly, by a weight of its own, or each class as often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model_constructor.errors import ParameterError, close_matches
from offline_trainer.data.batches import Floats
from offline_trainer.data.order import Indices

_KEYS = ("weights", "balance")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How training draws rows; one of both.

    Attributes:
        weights: A column with the weight of each row.
        balance: A column; rows of each of its values are drawn as often as those of any other.
    """

    weights: str | None = None
    balance: str | None = None


def read_sampling(given: object, *, shuffle: bool) -> Sampling:
    """The parameter ``sampling``.

    Raises:
        ParameterError: It is not one of the two.
    """
    if given is None:
        return Sampling()
    if not isinstance(given, Mapping) or len(given) != 1:
        raise ParameterError(
            f"sampling must be {{weights: COLUMN}} or {{balance: COLUMN}}, got {given!r}",
            parameter="sampling",
        )
    ((name, column),) = given.items()
    if name not in _KEYS:
        raise ParameterError(
            f"unknown key `{name}`; sampling has {' or '.join(_KEYS)}",
            parameter=("sampling", name),
            suggestions=close_matches(str(name), _KEYS),
        )
    if not isinstance(column, str):
        raise ParameterError(
            f"{name} must be the name of a column, got {column!r}", parameter=("sampling", name)
        )
    if not shuffle:
        raise ParameterError(
            "rows that are drawn by weights have no order to keep: shuffle must be true",
            parameter="shuffle",
        )
    return Sampling(**{name: column})


def checked_weights(weights: Floats, rows: Indices, place: Callable[[int], str]) -> Floats:
    """The weights of training rows, float64 (N,).

    Raises:
        ParameterError: One is missing or negative, or all are 0.
    """
    of_rows = weights[rows]
    for row in rows[np.flatnonzero(~(of_rows >= 0))].tolist():
        raise ParameterError(
            f"{place(row)}: weight {weights[row]} is not 0 or more",
            parameter=("sampling", "weights"),
        )
    if not of_rows.any():
        raise ParameterError("all training rows weigh 0", parameter=("sampling", "weights"))
    return of_rows


def balancing_weights(labels: Sequence[str | None], rows: Indices) -> Floats:
    """Weights of training rows, float64 (N,), by which each label is drawn as often."""
    texts = np.array([str(labels[row]) for row in rows.tolist()])
    _, label_of, counts = np.unique(texts, return_inverse=True, return_counts=True)
    weights: Floats = 1.0 / counts[label_of]
    return weights
