"""Keeps ``last`` and ``best`` from naming a checkpoint that is about to be removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.checkpoint.lineage import newest_line
from offline_trainer.checkpoint.manifest import Manifest
from offline_trainer.checkpoint.pointers import (
    BEST_NAME,
    LAST_NAME,
    point,
    pointed_step,
    remove_pointer,
)
from offline_trainer.checkpoint.reading import check_complete, read_manifest, step_directories
from offline_trainer.errors import CheckpointError
from offline_trainer.run.owner import ranking_of


def repoint(
    system: FileSystem, folder: Path, chosen: Sequence[Path], run: Path | None
) -> dict[str, int | None]:
    """Let pointers that name what goes name the next in line.

    Args:
        system: Where faults are put in tests.
        folder: Of the checkpoints.
        chosen: Those that are about to be removed.
        run: Whose config says which is the best; None where there is no run.

    Returns:
        Pointer → the step that it names now, or None if it is removed; only those that changed.
    """
    repointed: dict[str, int | None] = {}
    left: dict[Path, Manifest] = {}
    going = []
    for step, path in step_directories(folder).items():
        if path in chosen:
            going.append(step)
        elif looks_good(path):
            left[path] = read_manifest(path)
    for pointer in (LAST_NAME, BEST_NAME):
        if pointed_step(folder, pointer) not in going:
            continue
        heir = _next_step(pointer, left, run)
        if heir is None:
            remove_pointer(system, folder, pointer)
        else:
            point(system, folder, pointer, heir)
        repointed[pointer] = heir
    return repointed


def _next_step(pointer: str, left: Mapping[Path, Manifest], run: Path | None) -> int | None:
    if pointer == LAST_NAME:
        line = newest_line(left)
        return left[line[-1]].step if line else None
    if run is None:
        return None
    measured = {manifest.step: manifest.metrics for manifest in left.values()}
    return next(iter(ranking_of(run).ranked(measured)), None)


def looks_good(path: Path) -> bool:
    """Whether a checkpoint has its files, each of its size; no more is looked at."""
    try:
        check_complete(path)
    except CheckpointError:
        return False
    return True
