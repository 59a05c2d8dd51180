"""Golden runs, and what a run has to look like that went on after interruptions."""

from __future__ import annotations

import atexit
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from run_files import fingerprint, rows, steps

from offline_trainer.checkpoint.reading import load
from offline_trainer.experiment import RunResult, run_experiment
from offline_trainer.run.lock import RunLock
from reliability.configs import OUT_DIR, Config
from reliability.scratch import folder_for

_LEFTOVERS = ("writing-*", "deleting-*", "*.new")


@dataclass(frozen=True, slots=True)
class Golden:
    """What the uninterrupted run left behind.

    Attributes:
        prints: Hashes of the final checkpoint's files, but its manifest, and of metrics.jsonl.
        step: The last step.
        validations: How often it was validated and tested.
        seconds: How long it took.
    """

    prints: dict[str, str]
    step: int
    validations: int
    seconds: float

    @classmethod
    def of(cls, folder: Path, seconds: float = 0.0) -> Golden:
        """Of the run in a folder."""
        out_dir = folder / OUT_DIR
        validations = sum(row["stage"] != "train" for row in rows(out_dir))
        return cls(fingerprint(out_dir), steps(out_dir)[-1], validations, seconds)

    def check(self, folder: Path) -> None:
        """Raise if the run in a folder did not end as this one."""
        out_dir = folder / OUT_DIR
        assert steps(out_dir)[-1] == self.step, f"ended at step {steps(out_dir)[-1]}"
        found = fingerprint(out_dir)
        differing = [name for name in self.prints if found.get(name) != self.prints[name]]
        assert found == self.prints, f"not the golden bytes: {differing}"


def check_finished(folder: Path, golden: Golden, *, most_moved: int = 0) -> None:
    """Raise unless the run in a folder is done, golden, unlocked and tidy.

    Args:
        most_moved: How many earlier runs without a checkpoint may have been moved aside.
    """
    out_dir = folder / OUT_DIR
    golden.check(folder)
    status = json.loads((out_dir / "status.json").read_text())
    assert (status["state"], status["exit_code"], status["step"]) == ("done", 0, golden.step)
    check_unlocked(folder)
    left = [path for pattern in _LEFTOVERS for path in out_dir.rglob(pattern)]
    assert not left, f"left behind: {left}"
    last = (out_dir / "checkpoints" / "last").read_text().strip()
    assert load(out_dir / "checkpoints" / last).step == golden.step, f"`last` says {last}"
    moved = list(folder.glob(f"{OUT_DIR}.2*"))
    assert len(moved) <= most_moved, f"moved aside: {moved}"
    for line in (out_dir / "events.jsonl").read_text().splitlines():
        json.loads(line)


def check_unlocked(folder: Path) -> None:
    """Raise if somebody holds the run directory."""
    lock = RunLock((folder / OUT_DIR).resolve())
    lock.acquire()
    lock.release()


def train(folder: Path, config: Config, *, resume: bool = False, **trainer: object) -> RunResult:
    """Train here, in this process, in a folder.

    Args:
        resume: With ``--resume auto``.
        trainer: Options of the trainer that replace the config's.
    """
    changed = {**config, "trainer": {**config["trainer"], **trainer}}
    said = io.StringIO()
    with inside(folder), redirect_stdout(said), redirect_stderr(said):
        return run_experiment(changed, resume="auto" if resume else None)


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """A context in which a folder is the current one."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def kept_folder() -> Path:
    """A new folder that is there until this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="golden-", dir=folder_for(in_memory=True)))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
