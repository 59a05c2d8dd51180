"""What a row is, and running its cases."""

from __future__ import annotations

import random
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from reliability.scratch import folder_for


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a row.

    Attributes:
        number: Counts from 0.
        seed: Of the campaign: with it, cases can share what is costly to make.
        random: Seeded by row, seed and number.
        folder: An empty folder of its own.
        tally: What is counted over all cases of a row that run together.
    """

    number: int
    seed: int
    random: random.Random
    folder: Path
    tally: Counter[str] = field(default_factory=Counter)


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
        in_memory: Whether the folder of a case is on a disk in memory, where there is one.
        enough: Raises when what many cases counted shows that they met too little of what they are
            there for; not called for a single case.
    """

    name: str
    passes_when: str
    commit_cases: int
    full_cases: int
    run_case: Callable[[Case], None]
    chunks: int = 2
    in_memory: bool = False
    enough: Callable[[Report], None] | None = None


@dataclass(slots=True)
class Report:
    """What came of some cases; failures are texts that end with the command to repeat one."""

    cases: int = 0
    failures: list[str] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)

    @property
    def passed(self) -> int:
        return self.cases - len(self.failures)


def run_row(row: Row, numbers: Iterable[int], seed: int, *, most_failures: int = 3) -> Report:
    """Run cases; stops after some failures."""
    report = Report()
    place = folder_for(in_memory=row.in_memory)
    for number in numbers:
        report.cases += 1
        with tempfile.TemporaryDirectory(prefix=f"{row.name}-{number}-", dir=place) as folder:
            source = random.Random(f"{row.name} {seed} {number}")
            case = Case(number, seed, source, Path(folder).resolve(), report.tally)
            try:
                row.run_case(case)
            except Exception:  # noqa: BLE001 - whatever a case raises is a failure of it
                report.failures.append(
                    f"{traceback.format_exc()}\nrepeat: {command(row, number, seed)}"
                )
                if len(report.failures) >= most_failures:
                    break
    if row.enough is not None and report.cases > 1 and not report.failures:
        try:
            row.enough(report)
        except AssertionError as error:
            report.failures.append(f"{row.name}: {error}, in {report.cases} cases")
    return report


def command(row: Row, number: int, seed: int) -> str:
    """What repeats a case."""
    return f"make reliability ROWS={row.name} SEED={seed} CASE={number}"
