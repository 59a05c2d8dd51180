"""The categories of a column: which there are, in which order, and the number of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_constructor.errors import ParameterError, close_matches
from model_constructor.listing import first_few
from offline_trainer.data.batches import Array
from offline_trainer.data.order import Indices
from offline_trainer.data.transforms.training_rows import known_texts
from offline_trainer.protocols import BadValueError

_SHOWN = 12
UNKNOWN = -1


def checked_categories(categories: object, *path: str | int) -> list[str] | None:
    """Declared categories as texts; None if none are.

    Raises:
        ParameterError: They are no list, empty, or one is there twice.
    """
    if categories is None:
        return None
    if not isinstance(categories, (list, tuple)) or not categories:
        raise ParameterError(
            f"categories must be a list of at least one, got {categories!r}", parameter=path
        )
    for position, each in enumerate(categories):
        if isinstance(each, bool) or not isinstance(each, (str, int)):
            raise ParameterError(
                f"a category is a text or a whole number, got {each!r}", parameter=(*path, position)
            )
    texts = [str(each) for each in categories]
    for position, text in enumerate(texts):
        if text in texts[:position]:
            raise ParameterError(f"`{text}` stands there twice", parameter=(*path, position))
    return texts


def learned_categories(values: Array) -> list[str]:
    """The distinct texts of training rows: in the order of numbers if all are, else of texts.

    >>> learned_categories(np.array(["10", "9", None, "9"], dtype=object))
    ['9', '10']
    """
    distinct = set(known_texts(values))
    try:
        return sorted(distinct, key=lambda text: (float(text), text))
    except ValueError:
        return sorted(distinct)


def numbers_of(values: Array, categories: Sequence[str], *, refuse_unknown: bool) -> Indices:
    """The position of each value's category, int64 (N,); `UNKNOWN` where it has none.

    Raises:
        BadValueError: One is missing, or is none of the categories and ``refuse_unknown``.
    """
    position = {text: number for number, text in enumerate(categories)}
    numbers = np.fromiter(
        (position.get(text, UNKNOWN) for text in values.tolist()), np.int64, len(values)
    )
    for row in np.flatnonzero(numbers == UNKNOWN).tolist():
        if values[row] is None:
            raise BadValueError(row, "the value is missing", help="add transform.impute before it")
        if refuse_unknown:
            raise BadValueError(
                row,
                f"{values[row]!r} is none of its categories {first_few(categories, _SHOWN)}",
                suggestions=close_matches(values[row], categories),
            )
    return numbers


def texts_of(numbers: Indices, categories: Sequence[str]) -> Array:
    """The categories at these positions, object (N,); None for a position that has none."""
    texts = np.array([*categories, None], dtype=object)
    found: Array = texts[np.where((numbers < 0) | (numbers >= len(categories)), -1, numbers)]
    return found
