"""Columns of a ``.npz`` file: each array is one column, or several where it has two dimensions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Floats
from offline_trainer.data.columns import numbers_that_are_missing
from offline_trainer.data.npy_files import read_npz


class NpzTable:
    """The columns of one ``.npz`` file; has the methods of `CsvTable`.

    Raises:
        ParameterError: The file cannot be read, or its arrays differ in length.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._arrays = read_npz(path)
        self.names = tuple(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays[self.names[0]])

    def place(self, row: int) -> str:
        """Where a row is, for messages; rows count from 0."""
        return f"{self._path}, row {row} (from 0)"

    def texts(self, names: Sequence[str]) -> dict[str, list[str | None]]:
        """Columns of text; whole numbers are written out.

        Raises:
            ParameterError: One is neither.
        """
        return {name: self._texts(name) for name in names}

    def _texts(self, name: str) -> list[str | None]:
        array = self._arrays[name]
        if array.dtype.kind not in "Uiub" or array.ndim != 1:
            raise self._error(name, f"is {array.dtype} of shape {array.shape}, not one text a row")
        return [str(text).strip() for text in array.tolist()]

    def carried(self) -> dict[str, Any]:
        """The arrays with one dimension, by name."""
        return {name: array for name, array in self._arrays.items() if array.ndim == 1}

    def numbers(self, names: Sequence[str], missing: Collection[str] = ()) -> dict[str, Floats]:
        """Columns as float64 arrays of shape (N,), or (N, k) for k columns in one array.

        Args:
            missing: Texts that stand for a missing number, which becomes NaN; ``nan`` for NaN.

        Raises:
            ParameterError: An array is not numeric, has more dimensions, or a value is not finite
                and not missing either.
        """
        return {name: self._numbers(name, missing) for name in names}

    def _numbers(self, name: str, missing: Collection[str]) -> Floats:
        array = self._arrays[name]
        if array.dtype.kind not in "biuf" or array.ndim > 2:
            raise self._error(
                name, f"is {array.dtype} of shape {array.shape}, not a column of numbers"
            )
        values: Floats = array.astype(np.float64, copy=False)
        is_finite = np.isfinite(values)
        absent = numbers_that_are_missing(missing)
        if is_finite.all() and not absent:
            return values
        is_missing = np.isin(values, absent) | (np.isnan(values) & bool(np.isnan(absent).any()))
        wrong = np.argwhere(~is_finite & ~is_missing)
        if len(wrong):
            row, *column = wrong[0].tolist()
            label = name + "".join(f"[{position}]" for position in column)
            raise ParameterError(
                f"{self.place(row)}, column `{label}`: "
                f"{values[tuple(wrong[0])]} is not a finite number",
                parameter="path",
                help="if it stands for a missing value, say so: `missing: [nan]`",
            )
        return np.where(is_missing, np.nan, values)

    def _error(self, name: str, problem: str) -> ParameterError:
        return ParameterError(
            f"{self._path}, array `{name}` {problem}",
            parameter="path",
            help="choose other columns with `features`, or read it with data.arrays",
        )
