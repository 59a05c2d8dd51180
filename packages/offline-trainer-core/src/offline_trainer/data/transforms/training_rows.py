"""What a transform learns from: the training rows of a column in which something is known."""

from __future__ import annotations

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Array, Floats


def known_rows(values: Floats) -> Floats:
    """Rows of numbers of which a statistic can be taken, shape (N, ...); NaN where one is missing.

    Raises:
        ParameterError: There are none, or a column of them has nothing but missing values.
    """
    if not len(values) or bool(np.isnan(values).all(axis=0).any()):
        raise ParameterError("has no value in any training row")
    return values


def known_texts(values: Array) -> list[str]:
    """The texts of a category's rows without the missing ones.

    Raises:
        ParameterError: There are none.
    """
    known = [text for text in values.tolist() if text is not None]
    if not known:
        raise ParameterError("has no value in any training row")
    return known
