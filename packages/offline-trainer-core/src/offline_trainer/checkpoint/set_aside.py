"""Checkpoints that were moved to quarantine or to the trash."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from offline_trainer.checkpoint.file_record import read_regular
from offline_trainer.checkpoint.file_system import FileSystem, reported
from offline_trainer.checkpoint.inventory import size_of
from offline_trainer.checkpoint.reading import REPLACED, step_name
from offline_trainer.errors import DamagedCheckpointError

_NAME = re.compile(rf"({REPLACED})?step-[0-9]{{12}}(-[0-9]+)?")
REASON_SUFFIX = ".reason.txt"
_MOST_REASON_BYTES = 1 << 12


@dataclass(frozen=True, slots=True)
class SetAside:
    """A checkpoint that was moved to quarantine or to the trash, and why."""

    path: Path
    size_bytes: int
    reason: str


def list_set_aside(folder: Path) -> list[SetAside]:
    """What was moved to a quarantine or trash folder, by name; nothing where there is none."""
    with reported(f"list {folder}"):
        if not folder.is_dir():
            return []
        return [
            SetAside(path, size_of(path), _reason(path))
            for path in sorted(folder.iterdir())
            if is_name_of_checkpoint(path.name)
        ]


def is_name_of_checkpoint(name: str) -> bool:
    """Whether a checkpoint has such a name, in its folder or where it was moved to."""
    return _NAME.fullmatch(name) is not None


def reason_file(path: Path) -> Path:
    """The file beside a checkpoint in quarantine that says why it is there."""
    return path.with_name(f"{path.name}{REASON_SUFFIX}")


def _reason(path: Path) -> str:
    try:
        text = read_regular(FileSystem(), reason_file(path), _MOST_REASON_BYTES)
    except DamagedCheckpointError:
        return ""
    # It has the path that the checkpoint had before.
    step = path.name[: len(step_name(0))]
    return re.sub(rf"^.*?/{step}(/|: )", "", text.decode("utf-8", "replace").strip())
