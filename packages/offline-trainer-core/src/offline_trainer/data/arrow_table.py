"""Columns of a Parquet, Feather or Arrow file, which knows their types and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.arrow import float_values, reading, release_unused
from offline_trainer.data.batches import Floats
from offline_trainer.data.csv_table import checked_header
from offline_trainer.protocols import Values

_BUFFER_BYTES = 1 << 20

_Read = Callable[[Sequence[str]], Any]
"""From names of columns to a ``pyarrow.Table`` of them."""


class ArrowTable:
    """Some or all rows of one file; a column is read when it is asked for.

    Args:
        path: The file.
        names: Its columns.
        length: How many rows these are.
        read: Reads some columns of them.
        first_row: The number of the first of them in the file.
    """

    def __init__(
        self, path: Path, names: Sequence[str], length: int, read: _Read, first_row: int = 0
    ) -> None:
        self.names = checked_header(path, names)
        self._path = path
        self._length = length
        self._read = read
        self._first_row = first_row
        if not length:
            raise ParameterError(f"{path} has no rows", parameter="path")

    @classmethod
    def open(cls, path: Path) -> ArrowTable:
        """The whole file.

        Raises:
            ParameterError: It cannot be read, or has no rows or two columns of one name.
        """
        with reading(path):
            if path.suffix.lower() == ".parquet":
                import pyarrow.parquet as parquet

                with parquet.ParquetFile(path) as file:
                    names, length = file.schema_arrow.names, file.metadata.num_rows
                return cls(
                    path, names, length, lambda some: parquet.read_table(path, columns=list(some))
                )
            from pyarrow import feather

            table = feather.read_table(path, memory_map=True)
            return cls(path, table.column_names, len(table), table.select)

    @classmethod
    def blocks(cls, path: Path, rows: int) -> Iterator[ArrowTable]:
        """The file as tables of so many rows each, one at a time in memory.

        Raises:
            ParameterError: As of `open`; what is wrong further down, when it is reached.
        """
        first_row = 0
        for batch in _batches(path, rows):
            yield cls(path, batch.column_names, len(batch), batch.select, first_row)
            first_row += len(batch)
        if not first_row:
            raise ParameterError(f"{path} has no rows", parameter="path")

    def __len__(self) -> int:
        return self._length

    def place(self, row: int) -> str:
        """Where a row is, for messages; rows count from 0."""
        return f"{self._path}, row {self._first_row + row} (from 0)"

    def texts(self, names: Sequence[str]) -> dict[str, list[str | None]]:
        """Columns of text, whole numbers, truth values, dates or times as text."""
        with reading(self._path):
            table = self._read(names)
            return {name: self._texts(name, table.column(name)) for name in names}

    def carried(self) -> dict[str, Values]:
        """All columns as they are."""
        with reading(self._path):
            table = self._read(self.names)
            return {name: table.column(name) for name in self.names}

    def numbers(self, names: Sequence[str], missing: Collection[str] = ()) -> dict[str, Floats]:
        """Columns of numbers as float64 (N,); NaN where there is none.

        Args:
            missing: Texts that stand for a missing number; ``nan`` for NaN is not needed.

        Raises:
            ParameterError: A column holds something else, or a value is not finite.
        """
        with reading(self._path):
            table = self._read(names)
            columns = {name: table.column(name) for name in names}
            del table  # so that each column is let go of when it has been converted
            release_unused()
            return {name: self._numbers(name, columns.pop(name), missing) for name in names}

    def _numbers(self, name: str, column: Any, missing: Collection[str]) -> Floats:
        from pyarrow import types

        kind = column.type
        if types.is_boolean(kind):
            column = column.cast("uint8")
        elif not (types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)):
            raise self._holds(name, kind, "not numbers")
        values = float_values(column.cast("float64", safe=False), missing)
        for row in np.flatnonzero(np.isinf(values)).tolist():
            raise ParameterError(
                f"{self.place(row)}, column `{name}`: {values[row]} is not a finite number",
                parameter="path",
            )
        return values

    def _texts(self, name: str, column: Any) -> list[str | None]:
        from pyarrow import timestamp, types

        kind = column.type.value_type if types.is_dictionary(column.type) else column.type
        if types.is_timestamp(kind):  # Python reads no nanoseconds
            column = column.cast(timestamp("us", kind.tz), safe=False)
        elif not any(
            is_of(kind)
            for is_of in (
                types.is_string,
                types.is_large_string,
                types.is_integer,
                types.is_boolean,
                types.is_date,
            )
        ):
            raise self._holds(name, kind, "not categories or dates")
        texts = column.cast("string").to_pylist()
        return [None if text is None else text.strip() for text in texts]

    def _holds(self, name: str, kind: Any, problem: str) -> ParameterError:
        return ParameterError(
            f"{self.place(0)}, column `{name}`: the column holds {kind}, {problem}",
            parameter="path",
            help=f"say what it is, `columns: {{{name}: {{type: …}}}}`, or choose other `features`",
        )


def _batches(path: Path, rows: int) -> Iterator[Any]:
    """The rows as ``pyarrow.Table``s, each with so many of them, the last with what is left."""
    with reading(path):
        import pyarrow as pa

        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as parquet

            # Without a buffer of this size, each group of rows is read whole.
            with parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
                for batch in file.iter_batches(batch_size=rows):
                    yield pa.Table.from_batches([batch])
            return
        from pyarrow import feather

        # Mapped, so that no more is in memory than what is looked at.
        table = feather.read_table(path, memory_map=True)
        for start in range(0, len(table), rows):
            yield table.slice(start, rows)
