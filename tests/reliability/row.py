"""What a row is, and running its cases."""

from __future__ import annotations

import random
import tempfile
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a row.

    Attributes:
        number: Counts from 0.
        random: Seeded by row, seed and number.
        folder: An empty folder of its own.
    """

    number: int
    random: random.Random
    folder: Path


@dataclass(frozen=True, slots=True)
class Row:
    """A campaign.

    Attributes:
        name: What it is called on the command line.
        passes_when: What each case asserts, in a few words.
        commit_cases: How many cases `make test` runs.
        full_cases: How many `make test-full` runs.
        run_case: Raises an exception when a case fails.
        chunks: Into how many tests the cases of a commit are divided, to run beside each other.
    """

    name: str
    passes_when: str
    commit_cases: int
    full_cases: int
    run_case: Callable[[Case], None]
    chunks: int = 2


@dataclass(slots=True)
class Report:
    """What came of some cases; failures are texts that end with the command to repeat one."""

    cases: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> int:
        return self.cases - len(self.failures)


def run_row(row: Row, numbers: Iterable[int], seed: int, *, most_failures: int = 3) -> Report:
    """Run cases; stops after some failures."""
    report = Report()
    for number in numbers:
        report.cases += 1
        with tempfile.TemporaryDirectory(prefix=f"{row.name}-{number}-") as folder:
            case = Case(number, random.Random(f"{row.name} {seed} {number}"), Path(folder))
            try:
                row.run_case(case)
            except Exception:  # noqa: BLE001 - whatever a case raises is a failure of it
                report.failures.append(
                    f"{traceback.format_exc()}\nrepeat: {command(row, number, seed)}"
                )
                if len(report.failures) >= most_failures:
                    break
    return report


def command(row: Row, number: int, seed: int) -> str:
    """What repeats a case."""
    return f"make reliability ROWS={row.name} SEED={seed} CASE={number}"
