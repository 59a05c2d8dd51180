"""Pins: an empty file beside a checkpoint that keeps it from being removed.

It lies beside, not inside, for nothing may be added to what a manifest describes; and there is a
file for each checkpoint, so a pin can be set while the run goes on.
"""

from __future__ import annotations

import os
from pathlib import Path

from offline_trainer.checkpoint.file_system import FileSystem, exists, reported
from offline_trainer.checkpoint.reading import REPLACED

PIN_SUFFIX = ".pinned"


def pin_file(checkpoint: Path) -> Path:
    """The file that pins a checkpoint.

    >>> pin_file(Path("step-000000000010")).name
    'step-000000000010.pinned'
    """
    return checkpoint.with_name(f"{checkpoint.name.removeprefix(REPLACED)}{PIN_SUFFIX}")


def is_pinned(checkpoint: Path) -> bool:
    """Whether a checkpoint is pinned.

    Raises:
        OSError: That cannot be found out; it may be.
    """
    return exists(pin_file(checkpoint))


def pin(file_system: FileSystem, checkpoint: Path) -> None:
    """Keep a checkpoint from being removed; a second pin changes nothing.

    Raises:
        OfflineTrainerError: The disk refuses.
    """
    with reported(f"pin {checkpoint}"):
        if not is_pinned(checkpoint):
            os.close(file_system.create(pin_file(checkpoint)))
        file_system.sync_directory(checkpoint.parent)


def unpin(file_system: FileSystem, checkpoint: Path) -> None:
    """Let a checkpoint be removed again; does nothing if it is not pinned.

    Raises:
        OfflineTrainerError: The disk refuses.
    """
    with reported(f"unpin {checkpoint}"):
        if is_pinned(checkpoint):
            file_system.remove_file(pin_file(checkpoint))
            file_system.sync_directory(checkpoint.parent)
