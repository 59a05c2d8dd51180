"""What lies in a folder of checkpoints: looked at, not verified; nothing here changes the disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from offline_trainer.checkpoint.file_system import reported
from offline_trainer.checkpoint.lineage import newest_line
from offline_trainer.checkpoint.manifest import MANIFEST_NAME, Manifest
from offline_trainer.checkpoint.pins import is_pinned
from offline_trainer.checkpoint.pointers import POINTERS, pointed_step
from offline_trainer.checkpoint.reading import check_complete, read_manifest, step_directories
from offline_trainer.errors import DamagedCheckpointError, OfflineTrainerError

PINNED, ABANDONED, DAMAGED, UNREADABLE = "pinned", "abandoned", "damaged", "unreadable"
_END_OF_TIME_SECONDS = 253_370_764_800  # 9999, the last year that a datetime has


@dataclass(frozen=True, slots=True)
class Listed:
    """A checkpoint as it is listed.

    Attributes:
        path: Its directory.
        step: Optimizer steps done.
        manifest: What it says of itself; None where that cannot be read.
        saved: When its manifest was written, in local time.
        size_bytes: Of its files.
        marks: ``last`` and ``best`` (by the pointers), ``pinned``, ``abandoned`` (not of the newest
            line), ``damaged`` (something is missing, added, or of another size), ``unreadable``.
        reason: Why it has one of the last two.
    """

    path: Path
    step: int
    manifest: Manifest | None
    saved: datetime
    size_bytes: int
    marks: tuple[str, ...]
    reason: str


def list_checkpoints(folder: Path) -> list[Listed]:
    """The checkpoints of a folder, lowest step first; one that goes meanwhile is left out."""
    with reported(f"list {folder}"):
        steps = step_directories(folder)
        manifests: dict[Path, Manifest] = {}
        for path in steps.values():
            try:
                manifests[path] = read_manifest(path)
            except OfflineTrainerError:
                continue  # looked at more closely below
        line = set(newest_line(manifests))
        pointed = {pointer: pointed_step(folder, pointer) for pointer in POINTERS}
        found = []
        for step, path in steps.items():
            marks = [pointer for pointer in POINTERS if pointed[pointer] == step]
            marks += [PINNED] if is_pinned(path) else []
            marks += [ABANDONED] if path in manifests and path not in line else []
            condition, reason = _condition(path)
            marks += [condition] if condition else []
            try:
                saved = written_at(path)
                size = size_of(path)
            except FileNotFoundError:
                continue
            found.append(Listed(path, step, manifests.get(path), saved, size, tuple(marks), reason))
    return found


def written_at(path: Path) -> datetime:
    """When a checkpoint's manifest was written, in local time; without one, the directory.

    Raises:
        FileNotFoundError: The directory is not there.
    """
    file = path / MANIFEST_NAME
    seconds = (file if os.path.lexists(file) else path).lstat().st_mtime
    return datetime.fromtimestamp(min(max(seconds, 0), _END_OF_TIME_SECONDS)).astimezone()


def size_of(path: Path) -> int:
    """Bytes of the files of a checkpoint, as far as they may be looked at."""
    return sum(_file_sizes(path))


def within(path: Path, message: str) -> str:
    """What is said of a checkpoint, without the path of it, for a line that has it already."""
    return message.replace(f"{path}{os.sep}", "").removeprefix(f"{path}: ")


def _condition(path: Path) -> tuple[str, str]:
    try:
        check_complete(path)
    except DamagedCheckpointError as damage:
        return DAMAGED, within(path, damage.message)
    except OfflineTrainerError as error:  # a newer format, or a disk that cannot be read
        return UNREADABLE, within(path, error.message)
    return "", ""


def _file_sizes(path: Path) -> Iterator[int]:
    if path.is_symlink() or not path.is_dir():
        return
    with suppress(PermissionError):
        for entry in path.iterdir():
            status = entry.lstat()
            if stat.S_ISREG(status.st_mode):
                yield status.st_size
