"""Every call of save, retention, load, quarantine, rehearsal, pins and lines is refused once.

A case is a scenario and a way to fail: each call of the scenario fails once. In the commit tier the
errors that the code does not tell apart take turns over the calls; the full one gives each of them
to each call. What leaves is an `OfflineTrainerError` that says what the system said, or nothing;
nothing is lost; and when the disk works again, so does the run.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from offline_trainer.errors import OfflineTrainerError
from reliability import saver_scenarios, scenarios
from reliability.row import Case, Row
from reliability.scenario import Scenario
from reliability.scratch import notices
from reliability.system_calls import ERRORS, HARMLESS, OTHER_KINDS, SystemCalls, applies

SCENARIOS: tuple[type[Scenario], ...] = (
    scenarios.FirstSave,
    scenarios.Saving,
    scenarios.SavingAgain,
    scenarios.LeavingALine,
    scenarios.Rehearsing,
    scenarios.Opening,
    scenarios.GoingOn,
    scenarios.SettingAside,
    scenarios.Pinning,
    scenarios.Unpinning,
    scenarios.Pinned,
    scenarios.Appending,
    scenarios.GoingBack,
    saver_scenarios.Warned,
    saver_scenarios.WarnedLater,
    saver_scenarios.Rehearsed,
    saver_scenarios.GivenUp,
)


_TURNS = "one after the other"
_KINDS = (_TURNS, *OTHER_KINDS, *ERRORS)
_KINDS_OF_A_COMMIT = (_TURNS, *OTHER_KINDS)


def run_case(case: Case) -> None:
    kind, make = _KINDS[case.number // len(SCENARIOS)], SCENARIOS[case.number % len(SCENARIOS)]
    turn = case.random.randrange(len(ERRORS))
    for number, call in enumerate(_run(make, case.folder, "", None)):
        how = list(ERRORS)[(turn + number) % len(ERRORS)] if kind == _TURNS else kind
        if applies(how, call):
            try:
                _run(make, case.folder, how, number)
            except Exception as error:
                message = f"{make.__name__}, {how} at call {number} ({call}): {error}"
                raise AssertionError(message) from error


def _run(make: type[Scenario], place: Path, kind: str, number: int | None) -> list[str]:
    """Let one call of a scenario fail; return the calls that it makes."""
    with tempfile.TemporaryDirectory(dir=place) as folder, notices() as said:
        scenario = make(Path(folder))
        calls = SystemCalls(scenario.files.root, kind, number, forever=scenario.forever)
        error = None
        try:
            with calls:
                scenario.act()
        except OfflineTrainerError as refused:
            error = refused
        try:
            if error is not None:
                _check_error(error, kind)
            scenario.check_all(error)
        except Exception as problem:
            raise AssertionError(f"{problem}; it said {error} {said.getvalue()}") from problem
        finally:
            scenario.close()
    return calls.made


def _check_error(error: OfflineTrainerError, kind: str) -> None:
    assert kind not in ("", *HARMLESS), f"this should have gone unnoticed: {error}"
    code = ERRORS.get(kind, errno.EIO)
    assert os.strerror(code) in str(error), f"it does not say what is wrong: {error}"
    assert str(error).startswith("cannot "), f"it does not say what cannot be done: {error}"


ROW = Row(
    name="errno",
    passes_when="no traceback, nothing lost, and the run goes on when the disk works again",
    commit_cases=len(SCENARIOS) * len(_KINDS_OF_A_COMMIT),
    full_cases=len(SCENARIOS) * len(_KINDS),
    run_case=run_case,
    in_memory=True,
)
