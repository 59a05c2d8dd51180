"""Columns of any kind, numpy's and pyarrow's among them, as Python's own values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from offline_trainer.protocols import Values


def plain_values(values: Values) -> Sequence[Any]:
    """The values of a column as Python's own.

    >>> plain_values(("a", "b"))
    ('a', 'b')
    """
    for name in ("tolist", "to_pylist"):  # of numpy, of pyarrow
        if hasattr(values, name):
            plain: Sequence[Any] = getattr(values, name)()
            return plain
    as_they_are: Sequence[Any] = values
    return as_they_are
