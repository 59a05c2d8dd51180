"""SIGINT, SIGTERM and SIGUSR1 at any moment: the run saves, exits 75, leaves nobody, and goes on.

A signal comes from outside at a random moment or while a batch is waited for, or the process sends
it to itself in a validation, at an operation of a save, before the first step or in the test after
the training. A second SIGINT stops at once, and even that costs no more than what was not saved.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from run_files import steps

from reliability.campaign import campaign_config, command, golden_run, operations, write_config
from reliability.child import Faults
from reliability.configs import OUT_DIR, EngineName
from reliability.plan import Gate, Plan, forget, write_plans
from reliability.processes import Folder, Ot, folder, until
from reliability.row import Case, Row
from reliability.runs import check_finished, check_unlocked
from reliability.sigkill import changes

DONE, INTERRUPTED, STOPPED_AT_ONCE = 0, 75, 130
# A SIGINT that meets Python while it shuts down, after the run: an exit as Python has it.
_AT_ONCE = (STOPPED_AT_ONCE, 1, -2)
_SIGNALS = ("SIGINT", "SIGTERM", "SIGUSR1")
_AS_COMMAND_EVERY = 10
_VALIDATION_BATCHES = {"numpy": 12, "torch": 8}  # of all validations; those of the test follow


def run_case(case: Case, engine: EngineName) -> None:
    golden = golden_run(engine)
    asynchronous = case.random.random() < 0.5
    write_config(case.folder, campaign_config(engine, asynchronous=asynchronous))
    ways = list(_WAYS)
    way = ways[case.number % len(ways)]
    twice = case.number // len(ways) % 4 == 3
    signals = ("SIGINT", "SIGINT") if twice else (case.random.choice(_SIGNALS),)
    with folder(case.folder) as here:
        ot = _WAYS[way](case, here, engine, signals)
        code = ot.expect(DONE, INTERRUPTED, *(_AT_ONCE if "SIGINT" in signals else ()))
        case.tally[f"exit {code}"] += 1
        ot.leaves_nobody()
        forget(case.folder)
        _check_stopped(case.folder / OUT_DIR, code, twice=twice)
        moved = code in _AT_ONCE and not steps(case.folder / OUT_DIR)
        here.start(*command(here.path, engine)).expect(DONE)
    check_finished(case.folder, golden, most_moved=int(moved))


def _check_stopped(out_dir: Path, code: int, *, twice: bool) -> None:
    """Raise unless the run says how it ended, and has saved where it stands."""
    check_unlocked(out_dir.parent)
    if twice and code == STOPPED_AT_ONCE and not (out_dir / "status.json").exists():
        assert not steps(out_dir)  # it came while the run directory was made
        return
    status = json.loads((out_dir / "status.json").read_text())
    if code in _AT_ONCE:
        # Not by the first SIGINT, unless the run had ended when it came.
        assert (twice and code == STOPPED_AT_ONCE) or status["exit_code"] is not None, status
        return
    state = "done" if code == DONE else "interrupted"
    assert (status["state"], status["exit_code"]) == (state, code), status
    if code == INTERRUPTED:
        assert steps(out_dir)[-1] == status["step"], (steps(out_dir), status)


def _at_any_moment(case: Case, here: Folder, engine: EngineName, signals: tuple[str, ...]) -> Ot:
    has_begun = changes(here.path / OUT_DIR / "events.jsonl")
    ot = here.start(*command(here.path, engine), as_command=_now_and_then(case))
    until(has_begun, ot)
    for name in signals:
        time.sleep(case.random.uniform(0, golden_run(engine).seconds))
        ot.send(name)
    return ot


def _now_and_then(case: Case) -> bool:
    return case.random.randrange(_AS_COMMAND_EVERY) == 0


def _waiting_for_data(case: Case, here: Folder, engine: EngineName, signals: tuple[str, ...]) -> Ot:
    write_plans(here.path, Plan("batch", case.random.randint(1, 40), waits=True))
    ot = here.start(*command(here.path, engine))
    until(partial(Gate(here.path, "batch").has, ot.pid), ot)
    for name in signals:
        ot.send(name)
    return ot


def _planned(
    place: str, first: Callable[[EngineName], int], last: Callable[[EngineName], int]
) -> Callable[[Case, Folder, EngineName, tuple[str, ...]], Ot]:
    def start(case: Case, here: Folder, engine: EngineName, signals: tuple[str, ...]) -> Ot:
        count = case.random.randint(first(engine), last(engine))
        write_plans(here.path, Plan(place, count, signals))
        return here.start(*command(here.path, engine), as_command=_now_and_then(case))

    return start


def _at_an_operation(case: Case, here: Folder, engine: EngineName, signals: tuple[str, ...]) -> Ot:
    number = case.random.randint(1, operations(engine))
    return here.start(*command(here.path, engine), faults=Faults(signal_at=number, signals=signals))


_WAYS: dict[str, Callable[[Case, Folder, EngineName, tuple[str, ...]], Ot]] = {
    "any moment": _at_any_moment,
    "waiting": _waiting_for_data,
    "validation": _planned(
        "on_validation_batch_end", lambda engine: 1, lambda engine: _VALIDATION_BATCHES[engine]
    ),
    "operation": _at_an_operation,
    "before the first step": _planned("on_fit_start", lambda engine: 1, lambda engine: 1),
    "test": _planned(
        "on_validation_batch_end",
        lambda engine: _VALIDATION_BATCHES[engine] + 1,
        lambda engine: _VALIDATION_BATCHES[engine] + 3,
    ),
}

NUMPY = Row(
    name="signals_numpy",
    passes_when="saved, exit 75, nobody left; golden bytes when it goes on",
    commit_cases=40,
    full_cases=200,
    run_case=partial(run_case, engine="numpy"),
    in_memory=True,
)
TORCH = Row(
    name="signals_torch",
    passes_when="saved, exit 75, nobody left; golden bytes when it goes on",
    commit_cases=6,
    full_cases=40,
    run_case=partial(run_case, engine="torch"),
    chunks=1,
    in_memory=True,
)
