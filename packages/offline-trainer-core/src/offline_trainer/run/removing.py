"""Removing checkpoints by hand: under the run's lock, and none that is still needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from offline_trainer.checkpoint.file_system import FileSystem, reported
from offline_trainer.checkpoint.pins import is_pinned
from offline_trainer.checkpoint.reading import (
    QUARANTINE_NAME,
    load,
    step_directories,
    step_name,
)
from offline_trainer.checkpoint.removal import TRASH_NAME, remove_checkpoints, remove_leftovers
from offline_trainer.checkpoint.set_aside import is_name_of_checkpoint, reason_file
from offline_trainer.errors import CheckpointError, RunDirectoryError
from offline_trainer.run.lock import RunLock
from offline_trainer.run.owner import run_of
from offline_trainer.run.repointing import looks_good, repoint


@dataclass(frozen=True, slots=True)
class Removed:
    """What was done in one folder.

    Attributes:
        paths: The checkpoints that are gone.
        repointed: Pointer → the step that it names now, or None if it names none any more.
    """

    paths: Sequence[Path]
    repointed: Mapping[str, int | None] = field(default_factory=dict)


def remove(paths: Iterable[Path], *, force: bool = False) -> list[Removed]:
    """Remove checkpoints; nothing is removed unless all of them may be.

    Args:
        paths: Checkpoints, also such as lie in quarantine or in the trash.
        force: Also the last good one of a run, and where it cannot be known whether a run is there.

    Raises:
        RunDirectoryError: A run is going on there, one is pinned, or it needs ``force``.
    """
    by_folder: dict[Path, list[Path]] = {}
    for path in dict.fromkeys(path.parent.resolve() / path.name for path in paths):
        by_folder.setdefault(path.parent, []).append(path)
    with ExitStack() as locks:
        runs = {folder: run_of(folder) for folder in by_folder}
        for run in sorted({run for run in runs.values() if run is not None}):
            _lock(run, locks)
        for folder, chosen in by_folder.items():
            _require_removable(folder, chosen, runs[folder], force=force)
        return [_remove(folder, chosen, runs[folder]) for folder, chosen in by_folder.items()]


def _lock(run: Path, locks: ExitStack) -> None:
    lock = RunLock(run)
    try:
        lock.acquire()
    except RunDirectoryError as error:
        raise RunDirectoryError(
            error.message, help="wait for that run to end, or stop it"
        ) from error
    locks.callback(lock.release)


def _require_removable(
    folder: Path, chosen: Sequence[Path], run: Path | None, *, force: bool
) -> None:
    for path in chosen:
        if not is_name_of_checkpoint(path.name):
            raise RunDirectoryError(
                f"{path} does not have the name of a checkpoint, such as {step_name(1200)}",
                help="it is no run's any more: remove it like any other folder",
            )
        if is_pinned(path):
            raise RunDirectoryError(f"{path} is pinned", help=f"ot ckpt unpin {path}")
    if force:
        return
    if run is None:
        raise RunDirectoryError(
            f"{folder} is in no run directory, so a run that uses it would not be noticed",
            help="--force removes it all the same",
        )
    if _is_aside(folder) or not any(map(looks_good, chosen)):
        return
    others = [path for path in step_directories(folder).values() if path not in chosen]
    if not any(map(_is_good, reversed(others))):
        raise RunDirectoryError(
            f"no good checkpoint of {run} would be left",
            help="--force removes it all the same; the run cannot be resumed then",
        )


def _remove(folder: Path, chosen: Sequence[Path], run: Path | None) -> Removed:
    system = FileSystem()
    with reported(f"remove checkpoints in {folder}"):
        remove_leftovers(system, folder)
        if _is_aside(folder):
            remove_checkpoints(system, folder, [path.name for path in chosen])
            for path in chosen:
                if reason_file(path).is_file():
                    system.remove_file(reason_file(path))
            return Removed(chosen)
        # First: a pointer that names nothing would mislead whoever reads it meanwhile.
        repointed = repoint(system, folder, chosen, run)
        remove_checkpoints(system, folder, [path.name for path in chosen])
    return Removed(chosen, repointed)


def _is_aside(folder: Path) -> bool:
    return folder.name in (QUARANTINE_NAME, TRASH_NAME)


def _is_good(path: Path) -> bool:
    try:
        load(path, keep_values=False)
    except CheckpointError:
        return False
    return True
