"""Opening a table by its name: CSV, npz; Parquet and Feather by pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from model_constructor.errors import ParameterError
from offline_trainer.data.arrow import has_arrow
from offline_trainer.data.arrow_table import ArrowTable
from offline_trainer.data.columns import TableRows
from offline_trainer.data.csv_arrow import FastCsvTable
from offline_trainer.data.csv_table import CsvTable
from offline_trainer.data.files import check_exists
from offline_trainer.data.npz_table import NpzTable

CSV_SUFFIXES = (".csv", ".tsv", ".txt")
ARROW_SUFFIXES = (".parquet", ".feather", ".arrow")
FAST_FROM_BYTES = 1 << 20
"""A smaller CSV file is read before pyarrow would be imported."""


def checked_delimiter(delimiter: str) -> str:
    """The parameter ``delimiter``.

    Raises:
        ParameterError: It is not one character that can stand between cells.
    """
    if len(delimiter) != 1 or delimiter in '"\n\r':
        raise ParameterError(
            f"delimiter must be one character, got {delimiter!r}", parameter="delimiter"
        )
    return delimiter


def suffix_of(path: Path) -> str:
    """What the name ends in, without ``.gz``.

    >>> suffix_of(Path("people.csv.gz"))
    '.csv'
    """
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    return suffixes[-1].lower() if suffixes else ""


def open_table(path: Path, delimiter: str = ",") -> TableRows:
    """All rows of a table.

    Raises:
        ParameterError: The file cannot be read, or is no table by its name.
    """
    suffix = suffix_of(path)
    if suffix == ".npz":
        return NpzTable(path)
    if suffix in CSV_SUFFIXES:
        check_exists(path)
        fast = path.stat().st_size >= FAST_FROM_BYTES and has_arrow()
        return FastCsvTable(path, delimiter) if fast else CsvTable(path, delimiter)
    if suffix in ARROW_SUFFIXES:
        return ArrowTable.open(path)
    raise _no_table(path)


def table_blocks(path: Path, rows: int, delimiter: str = ",") -> Iterator[TableRows]:
    """The rows of a table in their order, at least ``rows`` at a time unless there are no more.

    Of a CSV, Parquet or Feather file, no more than some blocks are in memory.

    Raises:
        ParameterError: As of `open_table`.
    """
    if suffix_of(path) in CSV_SUFFIXES:
        yield from CsvTable.blocks(path, delimiter, rows)
    elif suffix_of(path) in ARROW_SUFFIXES:
        yield from ArrowTable.blocks(path, rows)
    else:
        yield open_table(path, delimiter)


def _no_table(path: Path) -> ParameterError:
    known = ", ".join((*CSV_SUFFIXES, *ARROW_SUFFIXES))
    return ParameterError(
        f"{path} is no table by its name; expected {known} (text also with .gz) or .npz",
        parameter="path",
    )
