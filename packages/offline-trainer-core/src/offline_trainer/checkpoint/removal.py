"""Removing checkpoints so that no half one ever has the name of a checkpoint."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from offline_trainer.checkpoint.file_system import FileSystem, names, remove_tree
from offline_trainer.checkpoint.reading import REPLACED

TRASH_NAME = "trash"
WRITING = "writing-"
REHEARSAL = f"{WRITING}rehearsal"
_DELETING = "deleting-"
_LEFTOVER = re.compile(rf"{REHEARSAL}|({WRITING}|{_DELETING}({REPLACED})?)step-\d{{12}}(-\d+)?")


def remove_checkpoints(file_system: FileSystem, directory: Path, which: Iterable[str]) -> None:
    """Remove checkpoints of a folder: all of them are renamed first, then their files go.

    A crash leaves each one whole or under a name that `remove_leftovers` knows.
    """
    for name in which:
        file_system.rename(directory / name, directory / f"{_DELETING}{name}")
    remove_leftovers(file_system, directory)


def remove_leftovers(file_system: FileSystem, directory: Path) -> None:
    """Remove what a save or a removal that was cut off has left in a folder."""
    left = [name for name in names(directory) if _LEFTOVER.fullmatch(name)]
    if left:
        # A crash must not give one its old name back, with half of its files.
        file_system.sync_directory(directory)
    for name in left:
        remove_tree(file_system, directory / name)
