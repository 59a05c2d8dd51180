"""Batches of arrays in memory, gathered a whole batch at a time by index.

A row is never touched on its own: several batches are gathered with one index operation per array
and handed out as views of it. Every batch is a copy of the data, so whoever receives it may write
to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from model_constructor.errors import ParameterError
from offline_trainer.data.order import EpochOrder, Indices, WeightedOrder

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Batch = dict[str, Array]

_ORDERED_ROWS = 1 << 16  # an order costs as much for a few rows as for thousands
_GATHER_BYTES = 1 << 21  # a gathered block stays in the processor's cache until it is used


class Loader(Protocol):
    """The batches of one epoch; iterable as often as wanted."""

    def __len__(self) -> int:
        """How many batches an iteration yields."""

    def __iter__(self) -> Iterator[Batch]: ...


class ArrayLoader:
    """The batches of one epoch over equally long arrays; iterable as often as wanted.

    Args:
        arrays: Arrays of shape (N, ...), by field name.
        batch_size: Rows of a batch.
        rows: Which rows belong to this part of the data (int64, any order); all of them if None.
        order: In which order they are visited; as they stand if None.
        start_batch: How many batches of the epoch to leave out at the start.
        drop_last: Whether a last batch with fewer rows is left out.
        place: Where the arrays are a framework's, on its device: brings an array there.

    Raises:
        ParameterError: The epoch has fewer batches than ``start_batch``.

    >>> loader = ArrayLoader({"x": np.arange(5)}, batch_size=2)
    >>> [batch["x"].tolist() for batch in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        arrays: Mapping[str, Array],
        *,
        batch_size: int,
        rows: Indices | None = None,
        order: EpochOrder | WeightedOrder | None = None,
        start_batch: int = 0,
        drop_last: bool = False,
        place: Callable[[Any], Any] | None = None,
    ) -> None:
        self._arrays = dict(arrays)
        self._place = place
        self._batch_size = batch_size
        self._rows = rows
        self._order = order
        self._start_batch = start_batch
        length = len(rows) if rows is not None else len(next(iter(self._arrays.values())))
        self._length = length - length % batch_size if drop_last else length
        batches = -(-self._length // batch_size)
        if start_batch > batches:
            raise ParameterError(
                f"the run stood at batch {start_batch} of an epoch, which now has only {batches}: "
                "the data or batch_size has changed",
                parameter="batch_size",
            )
        self._remaining = batches - start_batch

    def __len__(self) -> int:
        """How many batches an iteration yields."""
        return self._remaining

    @property
    def batch_size(self) -> int:
        """Rows of a batch."""
        return self._batch_size

    def __iter__(self) -> Iterator[Batch]:
        size = self._batch_size
        for block in self.blocks():
            length = len(next(iter(block.values())))
            for first in range(0, length, size):
                last = first + size
                yield {name: values[first:last] for name, values in block.items()}

    def blocks(self) -> Iterator[Batch]:
        """The same batches, several at a time, one after the other in each array."""
        size = self._batch_size
        row_bytes = sum(array[:1].nbytes for array in self._arrays.values())
        block = size * max(1, _GATHER_BYTES // max(1, row_bytes * size))
        ordered = block * max(1, _ORDERED_ROWS // block)
        for start in range(self._start_batch * size, self._length, ordered):
            stop = min(start + ordered, self._length)
            indices = self._indices(start, stop)
            for first in range(start, stop, block):
                last = min(first + block, stop)
                if indices is None and self._place is None:
                    yield {name: array[first:last].copy() for name, array in self._arrays.items()}
                    continue
                if indices is None:
                    rows = np.arange(first, last)
                else:
                    rows = indices[first - start : last - start]
                yield self._gather(rows)

    def _gather(self, rows: Indices) -> Batch:
        if self._place is None:
            return {name: array.take(rows, axis=0) for name, array in self._arrays.items()}
        placed = self._place(rows)
        return {name: array[placed] for name, array in self._arrays.items()}

    def _indices(self, start: int, stop: int) -> Indices | None:
        """Which rows are visited from a position on; None where they stand in their order."""
        indices = self._order[start:stop] if self._order is not None else None
        if self._rows is None:
            return indices
        return self._rows[start:stop] if indices is None else self._rows[indices]
