"""The file that predictions are written to: CSV or Parquet, whole or not at all."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from offline_trainer.checkpoint.file_system import reported
from offline_trainer.errors import InputFileError
from offline_trainer.protocols import Values


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
    if path.name.endswith((".csv", ".csv.gz")):
        return lambda unfinished: _CsvFile(unfinished, packed=path.suffix == ".gz")
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


def plain_values(values: Values) -> Sequence[Any]:
    """The values of a column of any kind as Python's own."""
    for name in ("tolist", "to_pylist"):  # of numpy, of pyarrow
        if hasattr(values, name):
            plain: Sequence[Any] = getattr(values, name)()
            return plain
    as_they_are: Sequence[Any] = values
    return as_they_are
