"""One start of a job as a process of its own, which can be killed and says how it ended.

A forkserver has the framework imported already, so a start costs milliseconds; what is forked is a
real process with a pid, files, signals and locks of its own.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, cast

from benchmarks.reliability.faults import NO_FAULT, Faults, counted
from benchmarks.reliability.workload import Ended, job_named

TIMEOUT_SECONDS = 120.0
_CONTEXT = multiprocessing.get_context("forkserver")
# Places in the memory that a job shares with the driver.
_STEPS, _OPERATIONS, _BYTES, _REFUSALS = range(4)


def import_once(framework: str) -> None:
    """Let the forkserver import what the jobs need; to be called before the first start."""
    # torch imports the last one when the first optimizer is made.
    modules = [f"benchmarks.reliability.jobs.{framework}", __name__, "torch._dynamo"]
    _CONTEXT.set_forkserver_preload(modules)


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended.

    Attributes:
        code: Exit code, negative for a signal; None if it had to be killed after the timeout.
        steps: Optimizer steps that this process did.
        operations: File operations of its saves,
        written_bytes: what they wrote, and
        refusals: how many found no room on the disk; all 0 if it did not get to its end.
        ended: What the job said at its end, if it got there.
        log: What it printed.
    """

    code: int | None
    steps: int
    operations: int
    written_bytes: int
    refusals: int
    ended: Ended | None
    log: str

    @property
    def done(self) -> bool:
        """Whether the job got to its end."""
        return self.code == 0 and self.ended is not None


class Running:
    """A started job.

    Args:
        framework: Name of the module in ``jobs/``.
        folder: Holds the job's ``run`` directory, which a later start finds again.
        resume: Go on from the newest checkpoint.
        faults: What goes wrong.
    """

    def __init__(
        self, framework: str, folder: Path, *, resume: bool, faults: Faults = NO_FAULT
    ) -> None:
        self._place = Path(tempfile.mkdtemp(dir=folder, prefix="start-"))
        self._shared: Any = _CONTEXT.RawArray("q", 4)
        arguments = (framework, folder, self._place, resume, faults, self._shared)
        self._process: ForkServerProcess = _CONTEXT.Process(target=_work, args=arguments)
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return cast(int, self._process.pid)  # None only before the start

    def wait_for_step(self, step: int) -> None:
        """Wait until it has done so many steps, or has ended."""
        until = time.monotonic() + TIMEOUT_SECONDS
        while self._shared[_STEPS] < step and self._process.is_alive() and time.monotonic() < until:
            time.sleep(0.001)

    def kill_after(self, seconds: float) -> bool:
        """SIGKILL after some time; False if it ended before."""
        self._process.join(seconds)
        if not self._process.is_alive():
            return False
        self._process.kill()
        return True

    def wait(self) -> Exit:
        """Wait for its end, and kill it if that does not come."""
        self._process.join(TIMEOUT_SECONDS)
        timed_out = self._process.is_alive()
        if timed_out:
            self._process.kill()
            self._process.join()
        result = self._place / "ended.json"
        return Exit(
            code=None if timed_out else self._process.exitcode,
            steps=self._shared[_STEPS],
            operations=self._shared[_OPERATIONS],
            written_bytes=self._shared[_BYTES],
            refusals=self._shared[_REFUSALS],
            ended=Ended(**json.loads(result.read_text())) if result.exists() else None,
            log=(self._place / "log.txt").read_text(errors="replace"),
        )


def run_directory(folder: Path) -> Path:
    """Where the jobs started in a folder have their run."""
    return folder / "run"


def _work(
    framework: str, folder: Path, place: Path, resume: bool, faults: Faults, shared: Any
) -> None:
    log = os.open(place / "log.txt", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    # Lightning writes in the folder for temporary files first: on the run's disk, moving is atomic.
    temporary = place / "temporary"
    temporary.mkdir()
    tempfile.tempdir = str(temporary)
    job = job_named(framework)
    out_dir = run_directory(folder)

    def on_step() -> None:
        shared[_STEPS] += 1
        faults.after_step(shared[_STEPS])

    # A full disk is full for everything a run writes, not only for its checkpoints.
    faults.arm(out_dir if faults.fill_from_step else job.checkpoints(out_dir), temporary)
    ended = job.train(out_dir, resume, on_step)
    shared[_OPERATIONS], shared[_BYTES], shared[_REFUSALS] = counted()
    (place / "ended.json").write_text(json.dumps(asdict(ended)))
