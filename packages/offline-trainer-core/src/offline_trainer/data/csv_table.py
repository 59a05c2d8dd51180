"""Columns of a CSV file, read strictly.

A file without quotes in which every line has as many cells as the header is parsed by
`numpy.loadtxt`, in C. Anything else, and any file in which that fails, goes through the csv module
cell by cell, which either reads it as well or says exactly which cell is wrong.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Floats
from offline_trainer.data.files import read_text

_Record = tuple[int, list[str]]  # line of its first character, cells


class CsvTable:
    """The columns of one CSV file with a header.

    Args:
        path: A UTF-8 file, packed with gzip if its name ends in ``.gz``.
        delimiter: The character between cells.

    Raises:
        ParameterError: The file cannot be read, is empty, has no rows, rows of different lengths,
            or two columns of one name.
    """

    def __init__(self, path: Path, delimiter: str = ",") -> None:
        self._path = path
        self._delimiter = delimiter
        text = read_text(path).rstrip("\n")
        if not text:
            raise self._error("is empty; expected a header and rows")
        lines = text.split("\n")
        self._lines: list[str] | None = None
        if '"' not in text and _is_regular(lines, delimiter):
            header, self._lines = lines[0].split(delimiter), lines[1:]
        else:
            header, self._records = self._read_records(text)
        self.names = tuple(name.strip() for name in header)
        self._check_names()
        if len(self) == 0:
            raise self._error("has a header and no rows")

    def __len__(self) -> int:
        return len(self._records if self._lines is None else self._lines)

    def place(self, row: int) -> str:
        """Where a row is, for messages; rows count from 0."""
        line = row + 2 if self._lines is not None else self._records[row][0]
        return f"{self._path}, line {line}"

    def texts(self, name: str) -> list[str]:
        """The cells of a column as they are, without surrounding blanks."""
        position = self.names.index(name)
        return [cells[position].strip() for _, cells in self._rows()]

    def numbers(self, names: Sequence[str]) -> dict[str, Floats]:
        """Columns as float64 arrays of shape (N,).

        Raises:
            ParameterError: A cell is not a finite number.
        """
        positions = [self.names.index(name) for name in names]
        values = self._parsed_fast(positions)
        if values is None:
            values = self._parsed_by_cell(positions)
        return {name: values[:, column] for column, name in enumerate(names)}

    def _parsed_fast(self, positions: Sequence[int]) -> Floats | None:
        if self._lines is None:
            return None
        try:
            values = np.loadtxt(
                self._lines,
                dtype=np.float64,
                delimiter=self._delimiter,
                comments=None,
                usecols=positions,
                ndmin=2,
            )
        except ValueError:
            return None
        complete = len(values) == len(self._lines) and bool(np.isfinite(values).all())
        return values if complete else None

    def _parsed_by_cell(self, positions: Sequence[int]) -> Floats:
        values = np.empty((len(self), len(positions)))
        for row, (_, cells) in enumerate(self._rows()):
            for column, position in enumerate(positions):
                values[row, column] = self._number(cells[position], row, position)
        return values

    def _number(self, text: str, row: int, position: int) -> float:
        try:
            # float() also takes `1_000` and digits of other scripts; a data file should not.
            value = float(text) if text.isascii() and "_" not in text else None
        except ValueError:
            value = None
        if value is not None and math.isfinite(value):
            return value
        if not text.strip():
            problem = "the cell is empty"
        elif value is None:
            problem = f"{text!r} is not a number"
        else:
            problem = f"{text!r} is not a finite number"
        raise ParameterError(
            f"{self.place(row)}, column `{self.names[position]}`: {problem}",
            parameter="path",
            help="correct the file, or choose other columns with `features`",
        )

    def _rows(self) -> Iterator[_Record]:
        if self._lines is None:
            return iter(self._records)
        split = (line.split(self._delimiter) for line in self._lines)
        return enumerate(split, start=2)

    def _read_records(self, text: str) -> tuple[list[str], list[_Record]]:
        reader = csv.reader(io.StringIO(text), delimiter=self._delimiter, strict=True)
        records: list[_Record] = []
        line = 1
        try:
            for cells in reader:
                if records and len(cells) != len(records[0][1]):
                    raise self._error(
                        f"is ragged: line {line} has {len(cells)} cells, the header has "
                        f"{len(records[0][1])}"
                    )
                records.append((line, cells))
                line = reader.line_num + 1
        except csv.Error as error:
            raise self._error(f"is not valid CSV at line {line}: {error}") from error
        return records[0][1], records[1:]

    def _check_names(self) -> None:
        first: dict[str, int] = {}
        for position, name in enumerate(self.names, start=1):
            if name in first:
                raise ParameterError(
                    f"{self._path} has two columns named `{name}`: {first[name]} and {position}",
                    parameter="path",
                    help="the first line must hold a different name for each column",
                )
            first[name] = position

    def _error(self, problem: str) -> ParameterError:
        return ParameterError(f"{self._path} {problem}", parameter="path")


def _is_regular(lines: Sequence[str], delimiter: str) -> bool:
    return "" not in lines and len({line.count(delimiter) for line in lines}) == 1
