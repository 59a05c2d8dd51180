"""A run whose disk refuses something: what it is made of, and what has to be in order then."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.checkpoint.reading import (
    Checkpoint,
    load,
    step_directories,
    step_name,
)
from offline_trainer.checkpoint.retention import Retention
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.checkpoint.writing import Save
from offline_trainer.engine import HostState, HostTensor
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.run.line_file import FileEnd, LineFile
from reliability.contents import Files, check_same, lines_end
from reliability.disk_model import Tree, materialise, read_tree
from reliability.scratch import folder_in_memory, notices

STEPS = (10, 20)
NEXT = 90
"""What is saved when the disk works again."""


class Noting(FileSystem):
    """Knows which new names are sure to last."""

    def __init__(self) -> None:
        self._renamed: set[Path] = set()
        self._sure: set[Path] = set()

    def is_sure(self, path: Path) -> bool:
        return path in self._sure

    def sync_directory(self, path: Path) -> None:
        super().sync_directory(path)
        self._sure |= {name for name in self._renamed if name.parent == path}

    def rename(self, source: Path, target: Path) -> None:
        self._renamed.add(target)
        super().rename(source, target)


class Scenario:
    """A run with checkpoints of some steps, and a line for each, that goes on from the newest.

    Attributes:
        steps: Which are there before.
        retention: Which are kept.
        forever: Whether the disk refuses everything from the first refusal on.
        may_remove: Steps that retention may remove meanwhile.
    """

    steps: ClassVar[tuple[int, ...]] = STEPS
    retention: ClassVar[Retention] = Retention()
    forever: ClassVar[bool] = False
    may_remove: ClassVar[tuple[int, ...]] = ()

    def __init__(self, folder: Path) -> None:
        materialise(_tree(self.steps), folder)
        self.files = Files(folder)
        self.lines = LineFile(self.files.metrics)
        self.written = b"".join(map(line, self.steps))
        self.store = self.open_store()
        self.saves = {step: save_of(step, end_of(self.steps, step)) for step in self.steps}
        self.prepare()

    def prepare(self) -> None:
        """Go on from the newest checkpoint."""
        self.go_on(self.store.latest())

    def act(self) -> None:
        """What may be refused."""
        raise NotImplementedError

    def check(self, error: OfflineTrainerError | None) -> None:
        """Check what is left; the disk works again.

        Args:
            error: What the act ended with.
        """

    def check_all(self, error: OfflineTrainerError | None) -> None:
        """Check that nothing is lost, and that the run can go on."""
        there = set()
        for path in step_directories(self.files.checkpoints).values():
            checkpoint = load(path)
            there.add(checkpoint.loop_state["save"])
            check_same(checkpoint, self.saves[checkpoint.loop_state["save"]])
        lost = set(self.steps) - there - set(self.may_remove)
        assert not lost, f"the checkpoints of steps {lost} are lost"
        self.check(error)
        self.save(NEXT)
        latest = self.open_store().latest()
        assert latest is not None
        check_same(latest, self.saves[NEXT])
        left = {path.name.split("-")[0] for path in self.files.checkpoints.iterdir()}
        assert left <= {"step", "last", "best", "trash"}, f"the next save leaves {left}"
        assert (self.files.checkpoints / "last").read_text() == f"step-{NEXT:012d}\n"
        assert self.files.metrics.read_bytes() == self.written, "lines are lost, or stand twice"

    def close(self) -> None:
        self.lines.close()

    def open_store(self, file_system: FileSystem | None = None) -> CheckpointStore:
        disk = file_system or FileSystem()
        return self.files.open_store(disk, self.retention, 2, self.lines.sync)

    def go_on(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is not None:
            self.store.continue_from(checkpoint)
            self.store.settle()
            self.lines.go_back_to(lines_end(checkpoint), keep_rest=self.store.leaves_a_line())
            self.written = self.written[: lines_end(checkpoint).bytes]

    def append(self, step: int) -> None:
        self.written += line(step)
        self.lines.append(line(step))

    def save(self, step: int) -> None:
        self.append(step)
        self.saves[step] = save_of(step, self.lines.end())
        self.store.save(self.saves[step])

    def path(self, step: int) -> Path:
        return self.files.checkpoints / step_name(self.saves[step].step)

    def is_there(self, step: int) -> bool:
        return self.path(step).is_dir()


def line(step: int) -> bytes:
    """What is appended at a step."""
    return b"line %d\n" % step


def save_of(step: int, end: FileEnd, number: int | None = None) -> Save:
    tensor = HostTensor("I32", (1,), step.to_bytes(4, "little"))
    state = HostState({"model": {"w": tensor}, "rng": {"s": tensor}}, {"step": step})
    lines = {"bytes": end.bytes, "sha256": end.sha256}
    return Save(state, {"save": number or step, "lines": lines}, step, 0, {"loss": 1 / step})


def end_of(steps: tuple[int, ...], last: int) -> FileEnd:
    """Where the file of lines ends after that of a step."""
    content = b"".join(line(step) for step in steps if step <= last)
    return FileEnd(len(content), hashlib.sha256(content).hexdigest())


@lru_cache
def _tree(steps: tuple[int, ...]) -> Tree:
    with folder_in_memory() as folder, notices():
        files = Files(folder)
        lines = LineFile(files.metrics)
        store = files.open_store(FileSystem(), Retention(), 1, lines.sync)
        for step in steps:
            lines.append(line(step))
            store.save(save_of(step, lines.end()))
        lines.close()
        return read_tree(folder)
