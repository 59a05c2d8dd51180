"""Where damaged checkpoints are moved to, each with the reason."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

from offline_trainer.checkpoint.file_system import (
    FileSystem,
    is_directory,
    make_directories,
    move,
    names,
    replace_file,
    reported,
    unused_name,
)
from offline_trainer.checkpoint.reading import QUARANTINE_NAME, REPLACED
from offline_trainer.checkpoint.set_aside import reason_file
from offline_trainer.errors import DamagedCheckpointError


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The folder of damaged checkpoints.

    Attributes:
        file_system: Where faults are put in tests.
        folder: Where it is.
        checkpoints: The folder of checkpoints; if that is on another disk, the damaged ones go to
            a folder in it.
    """

    file_system: FileSystem
    folder: Path
    checkpoints: Path

    def take(self, path: Path, damage: DamagedCheckpointError) -> Path:
        """Move a damaged checkpoint here; return where it is now."""
        try:
            return self._take(self.folder, path, damage)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return self._take(self._nearer, path, damage)

    def has_any(self) -> bool:
        """Whether a checkpoint was ever moved here."""
        for folder in (self.folder, self._nearer):
            with reported(f"list {folder}"):
                there = names(folder) if is_directory(folder) else []
            if any(name.startswith("step-") for name in there):
                return True
        return False

    @property
    def _nearer(self) -> Path:
        return self.checkpoints / QUARANTINE_NAME

    def _take(self, folder: Path, path: Path, damage: DamagedCheckpointError) -> Path:
        """The reason goes first.

        A crash never leaves a checkpoint there without one, and even where it loses both names of
        what is moved, the reason says that there was something.
        """
        make_directories(self.file_system, folder)
        target = unused_name(folder / path.name.removeprefix(REPLACED))
        text = f"{damage}\n".encode(errors="backslashreplace")
        replace_file(self.file_system, reason_file(target), text)
        move(self.file_system, path, target)
        return target
