"""Eight processes that begin in one run directory at the same moment: one trains.

All of them wait right before the directory is locked and are let go together; the winner waits at
its first training batch until the others have ended. In two thirds of the cases a process has died
there before, or the lock file names one that never was.
"""

from __future__ import annotations

import json
import os
import re
from functools import partial

from reliability.campaign import campaign_config, command, golden_run, write_config
from reliability.configs import OUT_DIR
from reliability.plan import Gate, Plan, forget, write_plans
from reliability.processes import Folder, Ot, folder, until
from reliability.row import Case, Row
from reliability.runs import check_finished, check_unlocked

_PROCESSES = 8
_USAGE = 2


def run_case(case: Case) -> None:
    place = case.folder
    golden = golden_run("numpy")
    write_config(place, campaign_config("numpy"))
    before = ("nobody", "a dead holder", "a made-up holder")[case.number % 3]
    with folder(place) as here:
        if before == "a dead holder":
            _die_with_the_lock(here)
        if before == "a made-up holder":
            entry = {"pid": os.getpid(), "host": "elsewhere", "started": "2001-01-01T00:00:00"}
            (place / f"{OUT_DIR}.lock").write_text(json.dumps(entry) + "\n")
        write_plans(place, Plan("example", waits=True), Plan("batch", waits=True))
        everybody = [here.start(*command(place, "numpy")) for _ in range(_PROCESSES)]
        _wait_for_all(everybody, Gate(place, "example"))
        Gate(place, "example").open()
        winner = _winner(everybody, Gate(place, "batch"))
        for ot in everybody:
            if ot is not winner:
                ot.expect(_USAGE)
                _check_names(winner, ot.said())
        Gate(place, "batch").open()
        winner.expect(0)
    check_finished(place, golden, most_moved=int(before == "a dead holder"))


def _die_with_the_lock(here: Folder) -> None:
    write_plans(here.path, Plan("batch", waits=True))
    dead = here.start(*command(here.path, "numpy"))
    _wait_for_all([dead], Gate(here.path, "batch"))
    dead.kill()
    forget(here.path)
    check_unlocked(here.path)


def _wait_for_all(processes: list[Ot], gate: Gate) -> None:
    for ot in processes:
        assert until(partial(gate.has, ot.pid), ot), ot.said()


def _winner(everybody: list[Ot], gate: Gate) -> Ot:
    """The one that comes to its first batch when all others have ended."""
    for ot in everybody:
        until(partial(gate.has, ot.pid), ot)
    winners = [ot for ot in everybody if gate.has(ot.pid)]
    assert len(winners) == 1, f"{len(winners)} train: {[ot.said() for ot in everybody]}"
    return winners[0]


def _check_names(winner: Ot, said: str) -> None:
    holder = re.search(r"in use by process (\d+) on", said)
    assert holder is not None, said
    assert int(holder[1]) == winner.pid, f"{winner.pid} holds it: {said}"


ROW = Row(
    name="concurrency",
    passes_when="one trains to the golden bytes, seven exit 2 and name it",
    commit_cases=25,
    full_cases=100,
    run_case=run_case,
    in_memory=True,
)
