"""SIGKILL right after each single operation on the file system of a run that saves.

The run is short, and its last saves remove old checkpoints. Each process dies at one operation (a
write: half-way through it), from making the run directory to its last status; the run that goes on
has to end golden and tidy. Every third case lets that run die at the same operation, too.
"""

from __future__ import annotations

from functools import cache

from run_files import steps

from reliability.campaign import CONFIG, command, write_config
from reliability.child import COUNTED, Faults
from reliability.configs import OUT_DIR, Config, checkpointing, make_config
from reliability.processes import folder
from reliability.row import Case, Row
from reliability.runs import Golden, check_finished, kept_folder

KILLED = -9
_CASES = 160


def operation_config() -> Config:
    """Three steps; each is saved, one is validated, and the last save removes a checkpoint."""
    config = make_config("numpy")
    config["trainer"].update(max_steps=3, val_every_n_steps=2)
    checkpointing(config)["every_n_steps"] = 1
    return config


@cache
def golden_run() -> tuple[Golden, int]:
    """The run that nothing interrupts, and the number of its operations."""
    place = kept_folder()
    write_config(place, operation_config())
    with folder(place) as here:
        here.start("run", CONFIG, faults=Faults(count=True)).expect(0)
    golden = Golden.of(place)
    check_finished(place, golden)
    return golden, int((place / COUNTED).read_text())


def run_case(case: Case) -> None:
    """Each case has one operation, or more, so that all cases together have all."""
    golden, operations = golden_run()
    for operation in range(case.number + 1, operations + 1, _CASES):
        place = case.folder / str(operation)
        place.mkdir()
        write_config(place, operation_config())
        faults = Faults(kill_at=operation)
        kills_before_a_checkpoint = 0
        with folder(place) as here:
            for _ in range(1 + (case.number % 3 == 0)):
                if here.start(*command(place, "numpy"), faults=faults).expect(0, KILLED) == KILLED:
                    kills_before_a_checkpoint += not steps(place / OUT_DIR)
                    case.tally["kills"] += 1
            here.start(*command(place, "numpy")).expect(0)
        check_finished(place, golden, most_moved=kills_before_a_checkpoint)


ROW = Row(
    name="sigkill_operation",
    passes_when="golden bytes, exit 0, unlocked, nothing left behind",
    commit_cases=_CASES,
    full_cases=_CASES,
    run_case=run_case,
    in_memory=True,
)
