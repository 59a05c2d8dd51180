"""All rows, in the order of the table in docs/checkpoints.md."""

from __future__ import annotations

from reliability import corruption, crash_states, errno_row, mutants
from reliability.row import Row

ROWS: tuple[Row, ...] = (crash_states.ROW, mutants.ROW, corruption.ROW, errno_row.ROW)


def named(names: str) -> list[Row]:
    """Rows by name, separated by commas; all of them for an empty text.

    Raises:
        KeyError: There is no such row.
    """
    known = {row.name: row for row in ROWS}
    return [known[name] for name in names.split(",")] if names else list(ROWS)
