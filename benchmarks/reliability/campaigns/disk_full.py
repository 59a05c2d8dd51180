"""A disk that is full for the time of two saves: it fills up at a random byte of the first.

What does not fit fails with ENOSPC, and so does everything after it until the disk is freed.
"""

from __future__ import annotations

import random

from benchmarks.reliability.faults import Faults
from benchmarks.reliability.process import Running
from benchmarks.reliability.recovery import Reference, Tally, case_folder, start_again
from benchmarks.reliability.workload import SAVE_EVERY_STEPS, STEPS

FULL_SAVES = 2


def run(framework: str, reference: Reference, cases: int, rng: random.Random) -> Tally:
    """Fill the disk, free it, and start the run again if it has ended."""
    tally = Tally()
    saves = STEPS // SAVE_EVERY_STEPS
    while tally.counts["cases"] < cases:
        step = SAVE_EVERY_STEPS * rng.randint(1, saves - FULL_SAVES)
        faults = Faults(
            fill_from_step=step - 1,
            fill_until_step=step + FULL_SAVES * SAVE_EVERY_STEPS - 1,
            room_bytes=rng.randrange(reference.save_bytes),
        )
        with case_folder() as folder:
            last = Running(framework, folder, resume=False, faults=faults).wait()
            if last.done and not last.refusals:
                continue  # nothing was written while the disk was full: no case
            tally.count("ended", not last.done)
            before = 0
            if not last.done:
                tally.explain(last)
                before, last = last.steps, start_again(framework, folder)
            tally.add_end(last, reference, before)
    return tally
