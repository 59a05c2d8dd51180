"""What the campaigns save, where it lies in the folder of a run, and whether it came back."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from random import Random

from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.checkpoint.reading import REPLACED, Checkpoint, step_name
from offline_trainer.checkpoint.retention import Retention
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.checkpoint.writing import Save
from offline_trainer.engine import HostState, HostTensor
from offline_trainer.run.line_file import FileEnd

RUN_ID = "run"


@dataclass(frozen=True, slots=True)
class Files:
    """Where things are in the folder of a run."""

    root: Path

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.jsonl"

    def path(self, save: Save) -> Path:
        """Where a checkpoint is, or is about to be put back by the store."""
        path = self.checkpoints / step_name(save.step)
        replaced = path.with_name(f"{REPLACED}{path.name}")
        return replaced if replaced.is_dir() and not path.exists() else path

    def open_store(
        self,
        file_system: FileSystem,
        retention: Retention,
        attempt: int,
        before_commit: Callable[[], None] | None = None,
    ) -> CheckpointStore:
        return CheckpointStore(
            self.checkpoints,
            run_id=RUN_ID,
            config_hash="hash",
            quarantine=self.quarantine,
            attempt=attempt,
            retention=retention,
            before_commit=before_commit,
            file_system=file_system,
        )


def lines_end(checkpoint: Checkpoint) -> FileEnd:
    """Where the file of lines ended when a checkpoint was taken."""
    return FileEnd(**checkpoint.loop_state["lines"])


def check_same(checkpoint: Checkpoint, save: Save) -> None:
    """Check that a checkpoint is what was saved."""
    assert checkpoint.state == save.state, f"{checkpoint.path} is not as it was saved"
    assert checkpoint.loop_state == save.loop_state
    assert (checkpoint.step, checkpoint.epoch) == (save.step, save.epoch)
    assert dict(checkpoint.manifest.metrics) == dict(save.metrics)


def check_quarantine(files: Files, damaged: Collection[str]) -> None:
    """Check that only what the disk has damaged is set aside, and each with a reason."""
    there = {path.name for path in files.quarantine.glob("*")}
    for name in there:
        if not name.endswith((".reason.txt", ".new")):
            assert name[:17] in damaged, f"{name} was set aside"
            assert f"{name}.reason.txt" in there, f"{name} is in quarantine without a reason"


def random_state(random: Random, number: int) -> HostState:
    """A state of a few small tensors."""

    def tensor() -> HostTensor:
        size = random.choice((0, 1, 4, 60))
        return HostTensor("U8", (size,), random.randbytes(size))

    groups = ["model", "rng", *(["optimizer"] if random.random() < 0.5 else [])]
    return HostState(
        {name: {f"t{i}": tensor() for i in range(random.randint(0, 2))} for name in groups},
        {"number": number, "rate": random.random()},
    )


def random_retention(random: Random) -> Retention:
    return Retention(
        keep_last=random.choice((None, 1, 2, 3)),
        save_top_k=random.choice((None, None, 1, 2)),
        monitor="loss",
        mode=random.choice(("min", "max")),
    )
