"""All rows, in the order of the table in docs/checkpoints.md."""

from __future__ import annotations

from reliability import (
    concurrency,
    config_fuzz,
    corruption,
    crash_states,
    errno_row,
    hostile,
    invariance,
    mutants,
    resume,
    retention_row,
    sigkill,
    sigkill_operation,
    signals,
)
from reliability.row import Row

ROWS: tuple[Row, ...] = (
    crash_states.ROW,
    mutants.ROW,
    sigkill.NUMPY,
    sigkill.TORCH,
    sigkill_operation.ROW,
    resume.ROW,
    invariance.ROW,
    corruption.ROW,
    errno_row.ROW,
    hostile.ROW,
    concurrency.ROW,
    signals.NUMPY,
    signals.TORCH,
    retention_row.ROW,
    config_fuzz.ROW,
)


def named(names: str) -> list[Row]:
    """Rows by name, separated by commas; all of them for an empty text.

    Raises:
        KeyError: There is no such row.
    """
    known = {row.name: row for row in ROWS}
    return [known[name] for name in names.split(",")] if names else list(ROWS)
