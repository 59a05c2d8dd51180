"""Folders in memory, and silence."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

from offline_trainer.checkpoint.file_system import FileSystem

_MEMORY = Path("/dev/shm")


def folder_for(*, in_memory: bool) -> Path | None:
    """Where temporary folders go; None for the usual place."""
    return _MEMORY if in_memory and os.access(_MEMORY, os.W_OK) else None


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """An empty folder on a disk in memory, where there is one."""
    with tempfile.TemporaryDirectory(
        prefix="reliability-", dir=folder_for(in_memory=True)
    ) as folder:
        yield Path(folder).resolve()


@contextmanager
def notices() -> Iterator[io.StringIO]:
    """What is said on stderr meanwhile."""
    with redirect_stderr(io.StringIO()) as said:
        yield said


class NotWaiting(FileSystem):
    """Does not wait for the disk, where that is not what is tested."""

    def sync(self, descriptor: int) -> None:
        pass

    def sync_directory(self, path: Path) -> None:
        pass
