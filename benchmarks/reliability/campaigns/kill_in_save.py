"""SIGKILL in the middle of a save: instead of a file operation drawn from all those of the saves.

An operation is a call that changes the disk (open for writing, write, rename, unlink, mkdir, …)
below the folder of the checkpoints or the one for temporary files, counted by `faults.c`.
"""

from __future__ import annotations

import random
import signal

from benchmarks.reliability.faults import Faults
from benchmarks.reliability.process import Running
from benchmarks.reliability.recovery import Reference, Tally, case_folder, start_again


def run(framework: str, reference: Reference, cases: int, rng: random.Random) -> Tally:
    """Kill, start again, compare."""
    tally = Tally()
    while tally.counts["cases"] < cases:
        faults = Faults(kill_at_operation=rng.randint(1, reference.operations))
        with case_folder() as folder:
            before = Running(framework, folder, resume=False, faults=faults).wait()
            if before.code == -signal.SIGKILL:  # else it did fewer operations than the reference
                tally.add_end(start_again(framework, folder), reference, before.steps)
    return tally
