"""What is in a table: each column's type, what is missing, its range and its distinct values.

Nothing is taken for granted: every cell of the file is looked at, some rows at a time in memory.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from offline_trainer.data.columns import days_since_1970
from offline_trainer.data.csv_table import number_in
from offline_trainer.data.table_files import table_blocks
from offline_trainer.data.values import plain_values

LOOKS_MISSING = frozenset(("", "?", "-", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None"))
"""Texts that often stand for a missing value."""

MOST_DISTINCT = 1000
_BLOCK_ROWS = 8192


@dataclass(slots=True)
class ColumnSummary:
    """What is in a column.

    Attributes:
        name: Of the column.
        missing: How often nothing is there, or each text that looks as if it stood for nothing.
        numbers: How many values are finite numbers; of these,
        whole: how many are whole, and the
        smallest: and
        largest:.
        dates: How many are dates or times by ISO 8601; of these, as texts, the
        first: and
        last:.
        others: How many are something else.
        distinct: How often there is each value but the missing; None if they are more than
            `MOST_DISTINCT`.
    """

    name: str
    missing: Counter[str] = field(default_factory=Counter)
    numbers: int = 0
    whole: int = 0
    smallest: float = math.inf
    largest: float = -math.inf
    dates: int = 0
    first: str = ""
    last: str = ""
    others: int = 0
    distinct: Counter[str] | None = field(default_factory=Counter)

    @property
    def known(self) -> int:
        """How many values are not missing."""
        return self.numbers + self.dates + self.others

    @property
    def type(self) -> str:
        """``number``, ``date`` or ``text``; ``empty`` if there is nothing."""
        if not self.known:
            return "empty"
        if self.numbers == self.known:
            return "number"
        return "date" if self.dates == self.known else "text"

    def add(self, values: Iterable[Any]) -> None:
        """Look at some values more."""
        for value in values:
            text = "" if value is None or value != value else str(value).strip()
            if text in LOOKS_MISSING:
                self.missing[text] += 1
                continue
            if self.distinct is not None:
                self.distinct[text] += 1
                if len(self.distinct) > MOST_DISTINCT:
                    self.distinct = None
            self._classify(value, text)

    def _classify(self, value: Any, text: str) -> None:
        number = number_in(text) if isinstance(value, str) else _number(value)
        if number is not None and math.isfinite(number):
            self.numbers += 1
            self.whole += number.is_integer()
            self.smallest, self.largest = min(self.smallest, number), max(self.largest, number)
        elif isinstance(value, date) or _is_date(text):
            self.dates += 1
            self.first = min(self.first or text, text)
            self.last = max(self.last, text)
        else:
            self.others += 1


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is in a table.

    Attributes:
        path: The file.
        rows: How many there are.
        columns: In the order of the file.
    """

    path: Path
    rows: int
    columns: list[ColumnSummary]


def inspect_table(path: Path, delimiter: str = ",") -> Inspection:
    """Look at every value of a table.

    Raises:
        ParameterError: The file cannot be read.
    """
    columns: dict[str, ColumnSummary] = {}
    rows = 0
    for block in table_blocks(path, _BLOCK_ROWS, delimiter):
        carried = block.carried()
        for name in block.names:
            summary = columns.setdefault(name, ColumnSummary(name))
            if name in carried:
                summary.add(plain_values(carried[name]))
            else:  # several columns in one array
                summary.add(block.numbers([name], ["nan"])[name].ravel().tolist())
        rows += len(block)
    return Inspection(path, rows, list(columns.values()))


def _number(value: Any) -> float | None:
    """A value that a file holds as a number, a truth value among them."""
    try:
        return None if isinstance(value, (date, datetime)) else float(value)
    except (TypeError, ValueError):
        return None


def _is_date(text: str) -> bool:
    if not text[:4].isdigit():
        return False
    try:
        return math.isfinite(days_since_1970(text, None))
    except ValueError:
        return False
