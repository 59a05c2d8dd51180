"""Columns of a ``.npz`` file: each array is one column, or several where it has two dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Floats
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

    def texts(self, name: str) -> list[str]:
        """A column of text.

        Raises:
            ParameterError: It is not text.
        """
        array = self._arrays[name]
        if array.dtype.kind != "U" or array.ndim != 1:
            raise self._error(name, f"is {array.dtype} of shape {array.shape}, not one text a row")
        return [str(text).strip() for text in array]

    def numbers(self, names: Sequence[str]) -> dict[str, Floats]:
        """Columns as float64 arrays of shape (N,), or (N, k) for k columns in one array.

        Raises:
            ParameterError: An array is not numeric, has more dimensions, or a value is not finite.
        """
        return {name: self._numbers(name) for name in names}

    def _numbers(self, name: str) -> Floats:
        array = self._arrays[name]
        if array.dtype.kind not in "biuf" or array.ndim > 2:
            raise self._error(
                name, f"is {array.dtype} of shape {array.shape}, not a column of numbers"
            )
        values = array.astype(np.float64)
        wrong = np.argwhere(~np.isfinite(values))
        if len(wrong):
            row, *column = wrong[0].tolist()
            label = name + "".join(f"[{position}]" for position in column)
            raise ParameterError(
                f"{self.place(row)}, column `{label}`: "
                f"{values[tuple(wrong[0])]} is not a finite number",
                parameter="path",
            )
        return values

    def _error(self, name: str, problem: str) -> ParameterError:
        return ParameterError(
            f"{self._path}, array `{name}` {problem}",
            parameter="path",
            help="choose other columns with `features`, or read it with data.arrays",
        )
