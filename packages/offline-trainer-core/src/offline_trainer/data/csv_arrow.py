"""CSV read by pyarrow, several times as fast as by `CsvTable`; the values are the same.

Only a file is read so in which nothing can be understood in two ways: UTF-8 text with at least two
columns and a row in each line, in which a quote is around a whole cell or nowhere. Whatever pyarrow
does not take, and each value that is not a finite number, is left to `CsvTable`, which either reads
it as well or says what is wrong. It is read in pieces, so that no more than the columns that are
asked for is ever in memory.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from offline_trainer.data.arrow import float_values, release_unused
from offline_trainer.data.batches import Floats
from offline_trainer.data.columns import numbers_that_are_missing
from offline_trainer.data.csv_table import CsvTable, checked_header
from offline_trainer.data.files import check_exists
from offline_trainer.data.order import Indices
from offline_trainer.data.threads import in_order
from offline_trainer.protocols import Values

_CHUNK_BYTES = 1 << 22
_THREADS = 2
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'


@dataclass(frozen=True, slots=True)
class _Plain:
    """A file that pyarrow may read.

    Attributes:
        header: Its first line.
        rows: How many lines there are below.
    """

    header: str
    rows: int


class FastCsvTable:
    """The columns of one CSV file; has the methods of `CsvTable`, and its errors.

    Args:
        path: A UTF-8 file, packed with gzip if its name ends in ``.gz``.
        delimiter: The character between cells.
    """

    def __init__(self, path: Path, delimiter: str = ",") -> None:
        check_exists(path)
        self._path = path
        self._delimiter = delimiter
        self._plain = _plain(path, delimiter)
        header = _cells(self._plain.header, delimiter) if self._plain is not None else []
        if self._plain is None or len(header) < 2 or not self._plain.rows:
            self._plain = None
            self.names = self._strict.names
        else:
            self.names = checked_header(path, header)

    @cached_property
    def _strict(self) -> CsvTable:
        return CsvTable(self._path, self._delimiter)

    def __len__(self) -> int:
        return len(self._strict) if self._plain is None else self._plain.rows

    def place(self, row: int) -> str:
        """Where a row is, for messages; rows count from 0."""
        if self._plain is None:
            return self._strict.place(row)
        return f"{self._path}, line {row + 2}"

    def carried(self) -> dict[str, Values]:
        """All cells by column, as they stand in the file."""
        return self._strict.carried()

    def texts(self, names: Sequence[str]) -> dict[str, list[str | None]]:
        """The cells of columns as they are, without surrounding blanks."""
        texts: dict[str, list[str | None]] = {name: [] for name in names}
        for table, _ in self._pieces(names, "string", ()):
            for name in names:
                texts[name] += [text.strip() for text in table.column(name).to_pylist()]
        return texts if self._plain is not None else self._strict.texts(names)

    def numbers(self, names: Sequence[str], missing: Collection[str] = ()) -> dict[str, Floats]:
        """Columns as float64 arrays of shape (N,); as of `CsvTable`."""
        numbers = {name: np.empty(len(self)) for name in names}
        for table, start in self._pieces(names, "float64", missing):
            for name in names:
                values = float_values(table.column(name), ())
                if np.isinf(values).any() or np.isnan(values).sum() > table.column(name).null_count:
                    self._plain = None
                    break
                numbers[name][start : start + len(values)] = values
        if self._plain is None:
            return self._strict.numbers(names, missing)
        absent = numbers_that_are_missing(missing)
        for values in numbers.values() if absent else ():
            values[np.isin(values, absent)] = np.nan
        return numbers

    def _pieces(
        self, names: Sequence[str], type_: str, missing: Collection[str]
    ) -> Iterator[tuple[Any, int]]:
        """The columns piece by piece, each with the number of its first row.

        Ends where pyarrow has any doubt, or somebody else has one; then the file is no longer
        `_plain`.
        """
        if self._plain is None:
            return
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        convert = arrow_csv.ConvertOptions(
            include_columns=list(names),
            column_types=dict.fromkeys(names, pa.type_for_alias(type_)),
            null_values=list(missing),
        )

        def parse(lines: bytes) -> Any:
            return arrow_csv.read_csv(
                pa.BufferReader(lines),
                arrow_csv.ReadOptions(
                    column_names=self.names, use_threads=False, block_size=len(lines) + 1
                ),
                arrow_csv.ParseOptions(delimiter=self._delimiter, ignore_empty_lines=False),
                convert,
            )

        start = 0
        try:
            # pyarrow's own threads need the whole table in memory, its stream uses one.
            for piece in in_order(parse, _below_header(self._path), _THREADS):
                if self._plain is None or start + len(piece) > self._plain.rows:
                    break
                yield piece, start
                start += len(piece)
        except (pa.ArrowException, OSError, EOFError, zlib.error):
            self._plain = None
        release_unused()
        if self._plain is not None and start != self._plain.rows:
            self._plain = None


def _cells(header: str, delimiter: str) -> list[str]:
    """The cells of a header; none if it does not end with its line."""
    try:
        return next(csv.reader([header], delimiter=delimiter, strict=True))
    except csv.Error:
        return []


def _plain(path: Path, delimiter: str) -> _Plain | None:
    """What is to be known of a file, if its lines are its rows; None if it takes a closer look."""
    header, rows = None, 0
    try:
        for lines in _whole_lines(path):
            body = lines
            if header is None:
                first, _, body = lines.partition(b"\n")
                header = first.decode("utf-8-sig")
                if not header.rstrip("\r"):
                    return None
            if not body.isascii():
                body.decode()
            found = _rows_of(body, delimiter)
            if found is None:
                return None
            rows += found
    except (OSError, EOFError, ValueError, zlib.error):
        return None
    return None if header is None else _Plain(header.rstrip("\r"), rows)


def _rows_of(lines: bytes, delimiter: str) -> int | None:
    """How many rows some whole lines are; None if that, or where a cell ends, is not certain."""
    if not lines:
        return 0
    symbols = np.frombuffer(lines, np.uint8)
    ends = np.flatnonzero(symbols == _NEWLINE)
    starts = np.append(0, ends[:-1] + 1)
    if b"\0" in lines or (symbols[starts] == _NEWLINE).any():
        return None
    if b"\r" in lines:
        # By itself it ends a line, too; and pyarrow makes rows of empty lines.
        returns = np.flatnonzero(symbols == _RETURN)
        if (symbols[returns + 1] != _NEWLINE).any() or (symbols[starts] == _RETURN).any():
            return None
    if b'"' in lines and not _are_cells(symbols, starts, delimiter):
        return None
    return len(ends)


def _are_cells(symbols: npt.NDArray[np.uint8], starts: Indices, delimiter: str) -> bool:
    """Whether all quotes are around whole cells of one line each, none doubled."""
    if len(delimiter.encode()) > 1:
        return False
    is_quote = symbols == _QUOTE
    if (np.add.reduceat(is_quote, starts, dtype=np.uint8) % 2).any():
        return False
    quotes = np.flatnonzero(is_quote)
    is_border = np.zeros(256, bool)
    is_border[[ord(delimiter), _NEWLINE, _RETURN]] = True
    # Before the first symbol is the end of a line, which is also the last symbol.
    return bool(
        is_border[symbols[quotes[::2] - 1]].all() and is_border[symbols[quotes[1::2] + 1]].all()
    )


def _below_header(path: Path) -> Iterator[bytes]:
    """The lines below the first, some at a time."""
    lines = _whole_lines(path)
    first = next(lines, b"").partition(b"\n")[2]
    yield from filter(None, chain([first], lines))


def _whole_lines(path: Path) -> Iterator[bytes]:
    """The file in pieces that each end with a line; an end is added to the last, if it has none."""
    rest = b""
    for chunk in _chunks(path):
        end = chunk.rfind(b"\n") + 1
        if end:
            yield rest + chunk[:end]
            rest = chunk[end:]
        else:
            rest += chunk
    if rest:
        yield rest + b"\n"


def _chunks(path: Path) -> Iterator[bytes]:
    opened: Callable[[Path], Any] = gzip.open if path.suffix == ".gz" else _open
    with opened(path) as stream:
        while chunk := cast("IO[bytes]", stream).read(_CHUNK_BYTES):
            yield chunk


def _open(path: Path) -> IO[bytes]:
    return path.open("rb", buffering=0)
