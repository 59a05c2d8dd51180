"""Columns put side by side into one matrix of the dtype that a model gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Array
from offline_trainer.data.transforms.pipeline import Columns, Place

_EXACT_INTEGERS = 2.0**53  # below this, a float64 is the very integer that the file says
_BLOCK_ROWS = 4096  # so many rows of a matrix are in the processor's cache while they are filled


@dataclass(frozen=True, slots=True)
class Matrix:
    """How columns become a matrix.

    Attributes:
        dtype: ``float32``, ``float64`` or ``int64``.
        parameter: What chose the dtype.
    """

    dtype: str
    parameter: str

    def of(
        self,
        columns: Columns,
        names: Sequence[str],
        place: Place,
        labels: Callable[[str, Array], Sequence[str]],
    ) -> Array:
        """Some columns, each (N,) or (N, k), as (N, F); they are taken out of ``columns``.

        Args:
            place: Where a row is, for messages.
            labels: What the parts of a column are called.

        Raises:
            ParameterError: A value is missing, or cannot be of this dtype.
        """
        taken = {name: columns.pop(name) for name in names}
        if self.dtype == "int64" or any(each.dtype == object for each in taken.values()):
            self._check(taken, place, labels)
        parts = [values.reshape(len(values), -1) for values in taken.values()]
        matrix = np.empty((len(parts[0]), sum(each.shape[1] for each in parts)), self.dtype)
        for start in range(0, len(matrix), _BLOCK_ROWS):
            block = matrix[start : start + _BLOCK_ROWS]
            column = 0
            with np.errstate(over="ignore"):
                for values in parts:
                    stop = column + values.shape[1]
                    block[:, column:stop] = values[start : start + _BLOCK_ROWS]
                    column = stop
            # Here the block is in the cache still; where the value is, is looked for only then.
            if not np.isfinite(block).all():
                self._check(taken, place, labels)
        return matrix

    def _check(
        self, taken: Columns, place: Place, labels: Callable[[str, Array], Sequence[str]]
    ) -> None:
        for name, values in taken.items():
            self._check_column(values, name, place, labels)

    def _check_column(
        self,
        values: Array,
        name: str,
        place: Place,
        labels: Callable[[str, Array], Sequence[str]],
    ) -> None:
        if values.dtype == object:
            raise ParameterError(
                f"column `{name}` holds categories, and nothing makes numbers of them",
                parameter="transforms",
                help="transforms: [{_type_: transform.one_hot}]",
            )
        if self.dtype == "int64":
            fits = (values == np.rint(values)) & (np.abs(values) < _EXACT_INTEGERS)
        else:
            fits = np.abs(values) <= np.finfo(self.dtype).max
        if fits.all():
            return
        row, column = np.argwhere(~fits.reshape(len(values), -1))[0].tolist()
        where = f"{place(row)}, column `{labels(name, values)[column]}`"
        value = float(values.reshape(len(values), -1)[row, column])
        if np.isnan(value):
            raise ParameterError(
                f"{where}: the value is missing",
                parameter="transforms",
                help="fill it by transform.impute, or take the row out of the file",
            )
        raise ParameterError(f"{where}: {value!r} is no {self.dtype}", parameter=self.parameter)
