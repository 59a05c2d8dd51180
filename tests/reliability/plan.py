"""What interrupts a run, and where: a file beside it, so that its config says nothing of it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "plan.json"
_GATE = ".gate"
_WAIT_SECONDS = 0.01


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
            gate = Path(f"{place}{_GATE}")
            # In short waits: a signal that comes just before one, after Python last looked for
            # signals, is handled when that wait ends.
            while not gate.exists():
                time.sleep(_WAIT_SECONDS)


def write_plans(folder: Path, *plans: Plan) -> None:
    """Leave plans for the runs that start in a folder."""
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
    """Where processes wait in a folder, until there is a file of its name."""

    folder: Path
    place: str

    def has(self, pid: int) -> bool:
        """Whether a process has come there."""
        return (self.folder / f"{self.place}-{pid}").exists()

    def open(self) -> None:
        """Let everybody pass who waits or comes from now on."""
        (self.folder / f"{self.place}{_GATE}").touch()
