"""All campaigns against one framework, written to one JSON file; started by ``__main__``.

A process of its own for each framework, so that its forkserver has imported that one only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.reliability.campaigns import (
    concurrency,
    corruption,
    disk_full,
    kill,
    kill_in_save,
)
from benchmarks.reliability.process import Running, import_once
from benchmarks.reliability.recovery import Reference, Tally, case_folder
from benchmarks.reliability.workload import SAVE_EVERY_STEPS, STEPS, job_named

DEFAULT_CASES = {
    "kill": 20,
    "kill_in_save": 20,
    "flipped_bit": 50,
    "truncation": 25,
    "zeroed_page": 25,
    "disk_full": 10,
    "concurrency": 10,
}


def measure_reference(framework: str) -> Reference:
    """Train twice without a fault; the two must agree, or no comparison would mean anything.

    Raises:
        SystemExit: They do not, or a run does not end as it should.
    """
    found: list[Reference] = []
    for _ in range(2):
        with case_folder() as folder:
            job = Running(framework, folder, resume=False)
            job.wait_for_step(1)
            started = time.monotonic()
            ending = job.wait()
            seconds = time.monotonic() - started
        if ending.ended is None or ending.ended.steps != STEPS or ending.steps != STEPS:
            raise SystemExit(f"{framework} does not train {STEPS} steps:\n{ending.log}")
        save_bytes = ending.written_bytes // (STEPS // SAVE_EVERY_STEPS)
        found.append(Reference(ending.ended.weights, seconds, ending.operations, save_bytes))
    if found[0].weights != found[1].weights:
        raise SystemExit(f"{framework} trains to other weights each time")
    return found[-1]


def campaigns_of(framework: str, reference: Reference) -> dict[str, Callable[..., Tally]]:
    """What runs, by the names of `DEFAULT_CASES`; each takes a number of cases and a generator."""
    return {
        "kill": partial(kill.run, framework, reference),
        "kill_in_save": partial(kill_in_save.run, framework, reference),
        "flipped_bit": partial(corruption.run, framework, corruption.flip_bit),
        "truncation": partial(corruption.run, framework, corruption.truncate),
        "zeroed_page": partial(corruption.run, framework, corruption.zero_page),
        "disk_full": partial(disk_full.run, framework, reference),
        "concurrency": partial(concurrency.run, framework, reference),
    }


def revision() -> str:
    """The commit that was measured, marked if the code differs from it."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git(
        "status", "--porcelain", "--", "packages", ":(glob)benchmarks/reliability/**/*.py"
    )
    return f"{commit}{'-changed' if changed else ''}"


def _git(*arguments: str) -> str:
    root = Path(__file__).parents[2]
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def measure(framework: str, most: int, seed: int) -> dict[str, Any]:
    """Run every campaign.

    Args:
        framework: Name of the module in ``jobs/``.
        most: No campaign has more cases than this.
        seed: Seed of what is drawn.
    """
    import_once(framework)
    began = time.monotonic()
    reference = measure_reference(framework)
    results = {}
    for name, run in campaigns_of(framework, reference).items():
        rng = random.Random(f"{seed} {framework} {name}")
        tally = run(min(DEFAULT_CASES[name], most), rng)
        counts = ", ".join(f"{key} {count}" for key, count in tally.counts.items())
        print(f"{framework}: {name}: {counts}", flush=True)
        results[name] = {"counts": dict(tally.counts), "messages": dict(tally.messages)}
    return {
        "framework": framework,
        "versions": {package: version(package) for package in job_named(framework).PACKAGES},
        "revision": revision(),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "date": datetime.now(timezone.utc).date().isoformat(),
        "seed": seed,
        "took_seconds": round(time.monotonic() - began),
        "reference_seconds": round(reference.seconds, 3),
        "reference_operations": reference.operations,
        "save_bytes": reference.save_bytes,
        "campaigns": results,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("framework")
    parser.add_argument("--cases", type=int, default=sys.maxsize)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--to", type=Path, required=True)
    given = parser.parse_args()
    results = measure(given.framework, given.cases, given.seed)
    given.to.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
