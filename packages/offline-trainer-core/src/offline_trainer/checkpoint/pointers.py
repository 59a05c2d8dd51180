"""The files ``last`` and ``best``, each of which names a checkpoint that lies beside it.

They are for people and their scripts: a run finds its newest checkpoint by lineage.
"""

from __future__ import annotations

from pathlib import Path

from offline_trainer.checkpoint.file_record import read_regular
from offline_trainer.checkpoint.file_system import FileSystem, exists, replace_file
from offline_trainer.checkpoint.reading import step_name, step_of
from offline_trainer.errors import DamagedCheckpointError

LAST_NAME = "last"
BEST_NAME = "best"
POINTERS = (LAST_NAME, BEST_NAME)
_MOST_BYTES = 100


def point(file_system: FileSystem, directory: Path, pointer: str, step: int) -> None:
    """Let a pointer name the checkpoint of a step."""
    replace_file(file_system, directory / pointer, f"{step_name(step)}\n".encode())


def remove_pointer(file_system: FileSystem, directory: Path, pointer: str) -> None:
    """Let a pointer name nothing."""
    if exists(directory / pointer):
        file_system.remove_file(directory / pointer)
        file_system.sync_directory(directory)


def pointed_step(directory: Path, pointer: str) -> int | None:
    """The step that a pointer names, whether or not it is there; None if it names none."""
    try:
        content = read_regular(FileSystem(), directory / pointer, _MOST_BYTES)
    except DamagedCheckpointError:  # there is no such file, or it is something else
        return None
    return step_of(content.decode("ascii", "replace").strip())
