"""SIGKILL at an instant drawn uniformly from the time of training."""

from __future__ import annotations

import random

from benchmarks.reliability.process import Running
from benchmarks.reliability.recovery import Reference, Tally, case_folder, start_again


def run(framework: str, reference: Reference, cases: int, rng: random.Random) -> Tally:
    """Kill, start again, compare."""
    tally = Tally()
    while tally.counts["cases"] < cases:
        with case_folder() as folder:
            job = Running(framework, folder, resume=False)
            job.wait_for_step(1)
            killed = job.kill_after(rng.uniform(0, reference.seconds))
            before = job.wait()
            if killed:  # else it was at its end before the instant: no case
                tally.add_end(start_again(framework, folder), reference, before.steps)
    return tally
