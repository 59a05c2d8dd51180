"""What interrupts a run, and where: a file beside it, so that its config says nothing of it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "plan.json"
_GATE = ".gate"


@dataclass(slots=True)
class Plan:
    """What happens when a place is reached for the n-th time.

    Attributes:
        place: A hook of callbacks; ``example``: the very first batch is asked for, before the run
            directory is locked; ``batch``: a training batch is.
        count: Which time, from 1.
        signals: What this process sends itself, in this order.
        waits: Wait until somebody opens the gate (see `Gate`).
    """

    place: str
    count: int = 1
    signals: Sequence[str] = ()
    waits: bool = False

    def reached(self, place: str) -> None:
        """Count a place, and do what is planned there."""
        if place != self.place:
            return
        self.count -= 1
        if self.count:
            return
        for name in self.signals:
            os.kill(os.getpid(), getattr(signal, name))
        if self.waits:
            Path(f"{place}-{os.getpid()}").touch()
            os.close(os.open(f"{place}{_GATE}", os.O_RDONLY))


def write_plans(folder: Path, *plans: Plan) -> None:
    """Leave plans for the runs that start in a folder."""
    for plan in plans:
        if plan.waits:
            os.mkfifo(folder / f"{plan.place}{_GATE}")
    (folder / FILE).write_text(json.dumps([asdict(plan) for plan in plans]))


def read_plans() -> list[Plan]:
    """Those that were left in the current folder."""
    path = Path(FILE)
    return [Plan(**plan) for plan in json.loads(path.read_text())] if path.exists() else []


def forget(folder: Path) -> None:
    """Let the next run in a folder go on undisturbed."""
    for path in (folder / FILE, *folder.glob(f"*{_GATE}")):
        path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Gate:
    """Where processes wait in a folder: a pipe that is opened for reading until somebody writes."""

    folder: Path
    place: str

    def has(self, pid: int) -> bool:
        """Whether a process has come there."""
        return (self.folder / f"{self.place}-{pid}").exists()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """A context in which everybody passes who waits or comes; somebody has to."""
        descriptor = os.open(self.folder / f"{self.place}{_GATE}", os.O_WRONLY)
        try:
            yield
        finally:
            os.close(descriptor)
