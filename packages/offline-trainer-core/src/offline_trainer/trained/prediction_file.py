"""The file that predictions are written to: CSV or Parquet, whole or not at all."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from offline_trainer.checkpoint.file_system import reported
from offline_trainer.data.arrow import INSTALL, has_arrow
from offline_trainer.data.values import plain_values
from offline_trainer.errors import InputFileError
from offline_trainer.protocols import Values

_ROW_GROUP = 1 << 16


class PredictionFile(Protocol):
    """An open file of predictions."""

    def write(self, rows: Mapping[str, Values]) -> None:
        """Add rows, by column; the columns are the same each time."""

    def close(self) -> None:
        """Write what is left."""


@contextmanager
def prediction_file(path: Path) -> Iterator[PredictionFile]:
    """A file that is at its place when all went well, and leaves nothing behind if not.

    Raises:
        InputFileError: Nothing can be written there, or by this name.
    """
    make = _writer_of(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with reported(f"write {path}", InputFileError):
        try:
            file = make(unfinished)
            try:
                yield file
            finally:
                file.close()
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def _writer_of(path: Path) -> Callable[[Path], PredictionFile]:
    if path.name.lower().endswith((".csv", ".csv.gz")):
        return lambda unfinished: _CsvFile(unfinished, packed=path.suffix.lower() == ".gz")
    if path.suffix.lower() == ".parquet":
        if not has_arrow():
            raise InputFileError(f"to write {path}, pyarrow is needed", help=INSTALL)
        return _ParquetFile
    raise InputFileError(f"{path} is neither a .csv nor a .parquet file by its name")


class _CsvFile:
    """Cells as they were read; numbers with as many digits as they need."""

    def __init__(self, path: Path, *, packed: bool) -> None:
        self._stream: Any
        if packed:
            self._stream = gzip.open(path, "wt", encoding="utf-8", newline="")  # noqa: SIM115
        else:
            self._stream = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._stream, lineterminator="\n")
        self._names: list[str] | None = None

    def write(self, rows: Mapping[str, Values]) -> None:
        """Add rows, by column."""
        if self._names is None:
            self._names = list(rows)
            self._writer.writerow(self._names)
        columns = [plain_values(rows[name]) for name in self._names]
        self._writer.writerows(zip(*columns, strict=True))

    def close(self) -> None:
        """Write what is left."""
        self._stream.close()


class _ParquetFile:
    """Columns of the types that they had; cells of a CSV file are text."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[Any] = []
        self._rows = 0
        self._writer: Any = None

    def write(self, rows: Mapping[str, Values]) -> None:
        """Add rows, by column."""
        import pyarrow as pa

        self._waiting.append(pa.table({name: _arrow_array(each) for name, each in rows.items()}))
        self._rows += len(self._waiting[-1])
        if self._rows >= _ROW_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        if self._waiting:
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as parquet

        table = pa.concat_tables(self._waiting)
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)
        self._waiting, self._rows = [], 0


def _arrow_array(values: Values) -> Any:
    import pyarrow as pa

    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    is_text = not hasattr(values, "dtype") or values.dtype == object
    return pa.array(values, pa.string() if is_text else None)
