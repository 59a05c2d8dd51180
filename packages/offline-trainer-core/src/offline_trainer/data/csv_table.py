"""Columns of a CSV file, read strictly.

A file without quotes in which every line has as many cells as the header is parsed by
`numpy.loadtxt`, in C. Anything else, and any file in which that fails, goes through the csv module
cell by cell, which either reads it as well or says exactly which cell is wrong.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Floats
from offline_trainer.data.columns import MISSING_HELP, numbers_that_are_missing
from offline_trainer.data.files import open_text, read_text
from offline_trainer.protocols import Values

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
        text = read_text(path).rstrip("\n")
        if not text:
            raise _error(path, "is empty; expected a header and rows")
        lines = text.split("\n")
        if '"' not in text and _is_regular(lines, delimiter):
            self._set(path, delimiter, lines[0].split(delimiter), 2, lines=lines[1:])
        else:
            reader = _Records(path, delimiter, io.StringIO(text))
            self._set(path, delimiter, reader.header, 2, records=list(reader))
        if len(self) == 0:
            raise _error(path, "has a header and no rows")

    def _set(
        self,
        path: Path,
        delimiter: str,
        header: Sequence[str],
        first_line: int,
        *,
        lines: list[str] | None = None,
        records: Sequence[_Record] = (),
    ) -> None:
        self._path = path
        self._delimiter = delimiter
        self._first_line = first_line
        self._lines = lines
        self._records = records
        self.names = checked_header(path, header)

    @classmethod
    def blocks(cls, path: Path, delimiter: str, rows: int) -> Iterator[CsvTable]:
        """The file as tables of so many rows each, one at a time in memory.

        Raises:
            ParameterError: As of the constructor; what is wrong with a row, when it is reached.
        """
        with open_text(path) as stream:
            yield from cls._blocks(path, delimiter, rows, _until_the_last_row(stream))

    @classmethod
    def _blocks(
        cls, path: Path, delimiter: str, rows: int, lines: Iterator[str]
    ) -> Iterator[CsvTable]:
        first = next(lines, None)
        if first is None:
            raise _error(path, "is empty; expected a header and rows")
        header = first.rstrip("\n").split(delimiter)
        line = 2
        quoted, waiting = '"' in first, list[str]()
        while not quoted and (block := list(islice(lines, rows))):
            if '"' in "".join(block):
                quoted, waiting = True, block
                break
            stripped = [each.rstrip("\n") for each in block]
            _check_regular(path, stripped, header, delimiter, line)
            yield cls._block(path, delimiter, header, line, lines=stripped)
            line += len(stripped)
        is_empty = line == 2
        if quoted:  # from here on, a row may have several lines
            reader = _Records(path, delimiter, chain([first], waiting, lines), line - 2)
            while records := list(islice(reader, rows)):
                yield cls._block(path, delimiter, reader.header, line, records=records)
                is_empty = False
        if is_empty:
            raise _error(path, "has a header and no rows")

    @classmethod
    def _block(
        cls,
        path: Path,
        delimiter: str,
        header: Sequence[str],
        first_line: int,
        *,
        lines: list[str] | None = None,
        records: Sequence[_Record] = (),
    ) -> CsvTable:
        table = cls.__new__(cls)
        table._set(path, delimiter, header, first_line, lines=lines, records=records)
        return table

    def __len__(self) -> int:
        return len(self._records if self._lines is None else self._lines)

    def place(self, row: int) -> str:
        """Where a row is, for messages; rows count from 0."""
        line = row + self._first_line if self._lines is not None else self._records[row][0]
        return f"{self._path}, line {line}"

    def texts(self, names: Sequence[str]) -> dict[str, list[str | None]]:
        """The cells of columns as they are, without surrounding blanks."""
        rows = list(self._rows())
        positions = {name: self.names.index(name) for name in names}
        return {
            name: [cells[position].strip() for _, cells in rows]
            for name, position in positions.items()
        }

    def carried(self) -> dict[str, Values]:
        """All cells by column, as they stand in the file."""
        columns = zip(*(cells for _, cells in self._rows()), strict=True)
        return dict(zip(self.names, columns, strict=True))

    def numbers(self, names: Sequence[str], missing: Collection[str] = ()) -> dict[str, Floats]:
        """Columns as float64 arrays of shape (N,).

        Args:
            missing: The texts that stand for a missing number, which becomes NaN.

        Raises:
            ParameterError: A cell is not a finite number, and not missing either.
        """
        positions = [self.names.index(name) for name in names]
        values = self._parsed_fast(positions)
        if values is None:
            values = self._parsed_by_cell(positions, frozenset(missing))
        if absent := numbers_that_are_missing(missing):
            values[np.isin(values, absent)] = np.nan
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

    def _parsed_by_cell(self, positions: Sequence[int], missing: Collection[str]) -> Floats:
        values = np.empty((len(self), len(positions)))
        for row, (_, cells) in enumerate(self._rows()):
            for column, position in enumerate(positions):
                cell = cells[position].strip()
                values[row, column] = (
                    np.nan if cell in missing else self._number(cells[position], row, position)
                )
        return values

    def _number(self, text: str, row: int, position: int) -> float:
        value = number_in(text)
        if value is not None and math.isfinite(value):
            return value
        if not text.strip():
            problem, help = "the cell is empty", MISSING_HELP
        elif value is None:
            problem, help = f"{text!r} is not a number", NUMBER_HELP
        else:
            problem, help = f"{text!r} is not a finite number", NUMBER_HELP
        raise ParameterError(
            f"{self.place(row)}, column `{self.names[position]}`: {problem}",
            parameter="path",
            help=help,
        )

    def _rows(self) -> Iterator[_Record]:
        if self._lines is None:
            return iter(self._records)
        split = (line.split(self._delimiter) for line in self._lines)
        return enumerate(split, start=self._first_line)


NUMBER_HELP = (
    "correct the file, choose other columns with `features`, declare what the column is with "
    "`columns`, or what is missing with `missing`"
)


def number_in(text: str) -> float | None:
    """The number that a cell holds, None if it is none.

    >>> number_in(" 1e3 "), number_in("1_000")
    (1000.0, None)
    """
    try:
        # float() also takes `1_000` and digits of other scripts; a data file should not.
        return float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        return None


class _Records:
    """The rows below the header, cell by cell; iterable once.

    Args:
        lines_before: How many lines of the file are left out between the header and the rest.
    """

    def __init__(
        self, path: Path, delimiter: str, lines: Iterable[str], lines_before: int = 0
    ) -> None:
        self._path = path
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)
        self._line = 1
        self._before = 0
        self.header: list[str] = []
        _, self.header = next(self)
        self._line += lines_before
        self._before = lines_before

    def __iter__(self) -> Iterator[_Record]:
        return self

    def __next__(self) -> _Record:
        line = self._line
        try:
            cells = next(self._reader)
        except csv.Error as error:
            raise _error(self._path, f"is not valid CSV at line {line}: {error}") from error
        if self.header and len(cells) != len(self.header):
            raise _ragged(self._path, line, len(cells), len(self.header))
        self._line = self._reader.line_num + 1 + self._before
        return line, cells


def checked_header(path: Path, header: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns without surrounding blanks.

    Raises:
        ParameterError: Two of them are the same.
    """
    names = tuple(name.strip() for name in header)
    first: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if name in first:
            raise ParameterError(
                f"{path} has two columns named `{name}`: {first[name]} and {position}",
                parameter="path",
                help="the first line must hold a different name for each column",
            )
        first[name] = position
    return names


def _until_the_last_row(stream: Iterable[str]) -> Iterator[str]:
    """The lines, each with its end, without the empty ones after the last."""
    empty = 0
    for line in stream:
        if line == "\n":
            empty += 1
            continue
        yield from ("\n" for _ in range(empty))
        empty = 0
        yield line


def _check_regular(
    path: Path, lines: Sequence[str], header: Sequence[str], delimiter: str, first_line: int
) -> None:
    """Refuse lines without quotes that have another number of cells than the header."""
    expected = len(header) - 1
    for line, text in enumerate(lines, start=first_line):
        if text.count(delimiter) != expected or not text:
            raise _ragged(path, line, text.count(delimiter) + 1 if text else 0, len(header))


def _ragged(path: Path, line: int, cells: int, header: int) -> ParameterError:
    return _error(path, f"is ragged: line {line} has {cells} cells, the header has {header}")


def _error(path: Path, problem: str) -> ParameterError:
    return ParameterError(f"{path} {problem}", parameter="path")


def _is_regular(lines: Sequence[str], delimiter: str) -> bool:
    return "" not in lines and len({line.count(delimiter) for line in lines}) == 1
