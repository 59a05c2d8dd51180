"""The same run started a second time while it trains, as by two jobs of a cluster."""

from __future__ import annotations

import random
import re

from benchmarks.reliability.process import Running
from benchmarks.reliability.recovery import Reference, Tally, case_folder
from benchmarks.reliability.workload import STEPS


def run(framework: str, reference: Reference, cases: int, rng: random.Random) -> Tally:
    """Start a second process at a random step of the first, and see what becomes of both."""
    tally = Tally()
    for _ in range(cases):
        with case_folder() as folder:
            first = Running(framework, folder, resume=False)
            first.wait_for_step(rng.randint(STEPS // 10, STEPS // 4))
            second = Running(framework, folder, resume=True)
            came_in, there = second.wait(), first.wait()
            names_it = re.search(rf"\b{first.pid}\b", came_in.log) is not None
            refused = came_in.code not in (0, None) and names_it
            tally.count("cases")
            tally.count("refused", refused)
            tally.count("trained_too", came_in.steps > 0)
            tally.count("first_lost", not there.done)
            tally.count(
                "first_differs",
                there.ended is not None and there.ended.weights != reference.weights,
            )
            tally.count("second_lost", not refused and not came_in.done)
            for one in (there, came_in):
                if not one.done:
                    tally.explain(one)
    return tally
