"""Retention over random histories: what is kept, and that a good checkpoint always is.

A case is a history of some steps: saves, kills, other settings, going on from an older checkpoint,
pins, and damage, of which there is at most one among the two newest at any time.
"""

from __future__ import annotations

from reliability.keeping import STEPS, Keeping
from reliability.row import Case, Report, Row
from reliability.scratch import notices

_STEPS_OF_A_CASE = 50


def run_case(case: Case) -> None:
    keeping = Keeping(case.random, case.folder, case.tally)
    steps, weights = zip(*STEPS, strict=True)
    done = []
    with notices():
        for step in case.random.choices(steps, weights, k=_STEPS_OF_A_CASE):
            done.append(step.__name__)
            try:
                step(keeping)
                keeping.check()
            except Exception as error:
                raise AssertionError(f"{error}, after {', '.join(done)}") from error
    case.tally["steps"] += len(done)


def enough(report: Report) -> None:
    """Check that the histories were as varied as they are long."""
    tally = report.tally
    assert tally["steps"] == _STEPS_OF_A_CASE * report.cases
    for event, least in (("saves", 10), ("removed", 4), ("killed", 1), ("damaged", 1)):
        assert tally[event] >= least * report.cases, f"only {tally[event]} {event}"


ROW = Row(
    name="retention",
    passes_when="at least one verified checkpoint always; what is protected is never removed",
    commit_cases=110,
    full_cases=2_000,
    run_case=run_case,
    in_memory=True,
    enough=enough,
)
