"""What the columns of a table are: numbers, categories or dates, and what stands for a missing one.

Nothing is guessed: a column is a number unless it is declared to be something else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Protocol

import numpy as np

from model_constructor.errors import ParameterError, close_matches
from model_constructor.listing import first_few
from offline_trainer.data.batches import Array, Floats
from offline_trainer.data.transforms.categories import checked_categories
from offline_trainer.protocols import Values

TYPES = ("number", "category", "date")
_KEYS = ("type", "categories", "format", "missing")
_FORMAT = "%Y-%m-%d"
_SECONDS_PER_DAY = 86400.0
_SHOWN = 12


class TableRows(Protocol):
    """Rows of a table file; `CsvTable`, `ArrowTable` and `NpzTable` are some."""

    @property
    def names(self) -> Sequence[str]:
        """The columns, in the order of the file."""

    def __len__(self) -> int: ...

    def place(self, row: int) -> str:
        """Where a row is, for messages; rows count from 0."""

    def texts(self, names: Sequence[str]) -> dict[str, list[str | None]]:
        """Columns as text without surrounding blanks; None where the file has nothing."""

    def carried(self) -> Mapping[str, Values]:
        """Everything in these rows by column, to be written beside predictions."""

    def numbers(self, names: Sequence[str], missing: Collection[str] = ()) -> dict[str, Floats]:
        """Columns as float64 (N,), or (N, k) for k in one; NaN where one is missing.

        Args:
            missing: The texts that stand for a missing number.

        Raises:
            ParameterError: A value is no finite number, and not missing either.
        """


@dataclass(frozen=True, slots=True)
class Column:
    """What is declared of a column.

    Attributes:
        type: One of `TYPES`.
        categories: All that there may be; None for any.
        format: How a date is written, as for `datetime.strptime`; None for ISO 8601.
        missing: Texts that stand for a missing value.
    """

    type: str = "number"
    categories: Sequence[str] | None = None
    format: str | None = None
    missing: frozenset[str] = frozenset()


def read_declarations(declared: object, missing: object) -> tuple[dict[str, Column], Column]:
    """The columns of ``data.table`` that are declared, and what all others are.

    Raises:
        ParameterError: Naming what is wrong.
    """
    everywhere = _texts(missing, "missing")
    columns: dict[str, Column] = {}
    if declared is not None and not isinstance(declared, Mapping):
        raise ParameterError(
            f"columns must map names to what they are, got {declared!r}",
            parameter="columns",
            help="columns: {city: {type: category}}",
        )
    for name, fields in (declared or {}).items():
        columns[name] = _declaration(name, fields, everywhere)
    return columns, Column(missing=everywhere)


def _declaration(name: str, fields: object, everywhere: frozenset[str]) -> Column:
    where = ("columns", name)
    if not isinstance(fields, Mapping):
        raise ParameterError(
            f"`{name}` must be a mapping such as {{type: category}}, got {fields!r}",
            parameter=where,
        )
    for key in fields:
        if key not in _KEYS:
            raise ParameterError(
                f"unknown key `{key}`; a column has {', '.join(_KEYS)}",
                parameter=(*where, key),
                suggestions=close_matches(str(key), _KEYS),
            )
    type_, format_ = fields.get("type", "number"), fields.get("format")
    if type_ not in TYPES:
        raise ParameterError(
            f"type must be one of {', '.join(TYPES)}, got {type_!r}",
            parameter=(*where, "type"),
            suggestions=close_matches(str(type_), TYPES),
        )
    for key, wanted in (("categories", "category"), ("format", "date")):
        if fields.get(key) is not None and type_ != wanted:
            raise ParameterError(
                f"{key} is for a column of type {wanted}, and this one is a {type_}",
                parameter=(*where, key),
            )
    if format_ is not None and not isinstance(format_, str):
        raise ParameterError(
            f"format must be a text such as '{_FORMAT}', got {format_!r}",
            parameter=(*where, "format"),
        )
    missing = fields.get("missing")
    return Column(
        type_,
        checked_categories(fields.get("categories"), *where, "categories"),
        format_,
        everywhere if missing is None else _texts(missing, *where, "missing"),
    )


def _texts(values: object, *path: str | int) -> frozenset[str]:
    if not isinstance(values, (list, tuple)):
        raise ParameterError(
            f"missing must be a list of texts, got {values!r}", parameter=path, help='missing: [""]'
        )
    for position, each in enumerate(values):
        if isinstance(each, bool) or not isinstance(each, (str, int, float)):
            raise ParameterError(f"expected a text, got {each!r}", parameter=(*path, position))
    return frozenset(str(each).strip() for each in values)


def read_columns(
    rows: TableRows, names: Sequence[str], columns: Mapping[str, Column], otherwise: Column
) -> dict[str, Array]:
    """Some columns by what they are, in the order of ``names``.

    Numbers, and dates as days since 1970-01-01 UTC, are float64 with NaN where one is missing;
    categories are an object array of texts with None.

    Raises:
        ParameterError: A value is not what its column is declared to be.
    """
    is_what = {name: columns.get(name, otherwise) for name in names}
    found: dict[str, Array] = {}
    by_missing: dict[frozenset[str], list[str]] = {}
    for name, column in is_what.items():
        if column.type == "number":
            by_missing.setdefault(column.missing, []).append(name)
    for missing, together in by_missing.items():
        found |= rows.numbers(together, missing)
    written = [name for name, column in is_what.items() if column.type != "number"]
    texts = rows.texts(written) if written else {}
    for name in written:
        known = [None if text in is_what[name].missing else text for text in texts.pop(name)]
        convert = _dates if is_what[name].type == "date" else _categories
        found[name] = convert(known, name, is_what[name], rows)
    return {name: found[name] for name in names}


def numbers_that_are_missing(missing: Collection[str]) -> list[float]:
    """Those of the texts that are numbers, so that -999 is also found as -999.0.

    >>> numbers_that_are_missing(["", "NA", "-999"])
    [-999.0]
    """
    found = []
    for text in missing:
        try:
            found.append(float(text))
        except ValueError:
            continue
    return found


def _categories(texts: list[str | None], name: str, column: Column, rows: TableRows) -> Array:
    known = None if column.categories is None else set(column.categories)
    for row, text in enumerate(texts):
        if text == "" and (known is None or "" not in known):
            raise _bad(rows, row, name, "the cell is empty", help=MISSING_HELP)
        if known is not None and text is not None and text not in known:
            raise _bad(
                rows,
                row,
                name,
                f"{text!r} is none of its categories {first_few(column.categories or (), _SHOWN)}",
                suggestions=close_matches(text, known),
            )
    return np.array(texts, dtype=object)


def _dates(texts: list[str | None], name: str, column: Column, rows: TableRows) -> Array:
    days = np.empty(len(texts))
    for row, text in enumerate(texts):
        if text is None:
            days[row] = np.nan
            continue
        try:
            days[row] = days_since_1970(text, column.format)
        except ValueError as error:
            expected = column.format or f"such as {_FORMAT} (ISO 8601)"
            if not text:
                raise _bad(rows, row, name, "the cell is empty", help=MISSING_HELP) from error
            raise _bad(
                rows,
                row,
                name,
                f"{text!r} is no date {expected}",
                help=f"say how its dates are written: `columns: {{{name}: {{format: …}}}}`",
            ) from error
    return days


def days_since_1970(text: str, format: str | None) -> float:
    """A date or time as days since 1970-01-01 UTC; one without a zone is taken as UTC.

    Raises:
        ValueError: It is not written so.

    >>> days_since_1970("1970-01-02T12:00", None)
    1.5
    """
    if format is not None:
        time = datetime.strptime(text, format)
    else:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if time.tzinfo is None:
        time = time.replace(tzinfo=timezone.utc)
    return time.timestamp() / _SECONDS_PER_DAY


MISSING_HELP = (
    'if it stands for a missing value, say so: `missing: [""]`, and fill it by transform.impute'
)


def _bad(rows: TableRows, row: int, name: str, problem: str, **more: Any) -> ParameterError:
    return ParameterError(
        f"{rows.place(row)}, column `{name}`: {problem}", parameter="path", **more
    )
