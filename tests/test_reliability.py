"""The campaigns of `reliability`, each divided into a few tests that can run beside each other."""

from __future__ import annotations

import pytest

from reliability.row import Row, run_row
from reliability.rows import ROWS

SEED = 0


def parts() -> list[tuple[Row, int]]:
    return [(row, part) for row in ROWS for part in range(row.chunks)]


@pytest.mark.parametrize(("row", "part"), parts(), ids=lambda value: getattr(value, "name", value))
def test_every_case_passes(row: Row, part: int, request: pytest.FixtureRequest) -> None:
    count = row.full_cases if request.config.getoption("--full") else row.commit_cases
    report = run_row(row, range(part, count, row.chunks), SEED)
    assert not report.failures, "\n".join(report.failures)
    assert report.cases
