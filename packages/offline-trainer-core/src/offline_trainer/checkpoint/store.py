"""The one place that saves a run's checkpoints, and decides which are kept.

A save: temporary directory beside the target → every file written exclusively, hashed, fsynced →
manifest → fsync directory → rename to a name that does not exist → fsync parent. Now it is
committed, and only now follow the pointer ``last`` and whatever has to go. A crash in between
leaves the old checkpoints or the old and the new one, and a ``writing-…`` or ``deleting-…``
directory that the next save removes.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from pathlib import Path

from model_constructor.errors import ParameterError
from offline_trainer.checkpoint import reading, tensor_file
from offline_trainer.checkpoint.file_record import FileRecord, write_recorded
from offline_trainer.checkpoint.file_system import (
    FileSystem,
    make_directories,
    remove_tree,
    replace_file,
    reported,
    unused_name,
)
from offline_trainer.checkpoint.finite import refuse_non_finite
from offline_trainer.checkpoint.json_text import to_json
from offline_trainer.checkpoint.manifest import (
    MANIFEST_NAME,
    Manifest,
    is_file_name,
    make_manifest,
)
from offline_trainer.checkpoint.reading import Checkpoint, step_directories, step_name
from offline_trainer.engine import HostState, Json
from offline_trainer.errors import (
    CheckpointError,
    DamagedCheckpointError,
    OfflineTrainerError,
    RunDirectoryError,
)

LAST_NAME = "last"
TRASH_NAME = "trash"
ALWAYS_KEPT = 2
"""How many of the newest checkpoints no retention setting removes."""

_LEFTOVER = re.compile(r"(writing|deleting)-step-\d{12}")
_BEFORE_ANY_STEP = -1

_log = logging.getLogger(__name__)


class CheckpointStore:
    """The checkpoints of one run, in one directory.

    Args:
        directory: Where checkpoints are; made with the first save.
        run_id: Goes into each manifest.
        config_hash: Hash of the resolved config; goes into each manifest.
        quarantine: Where damaged checkpoints are moved.
        attempt: How often the run has been started, from 1.
        keep_last: How many checkpoints to keep, or None for all. The newest two and the one that
            the run went on from are kept in any case.
        file_system: Where faults are put in tests.
    """

    def __init__(
        self,
        directory: Path,
        *,
        run_id: str,
        config_hash: str,
        quarantine: Path,
        attempt: int = 1,
        keep_last: int | None = None,
        file_system: FileSystem | None = None,
    ) -> None:
        if keep_last is not None and keep_last < 1:
            raise ParameterError(
                f"keep_last must be at least 1, got {keep_last}", parameter="keep_last"
            )
        self.directory = directory.resolve()
        self.quarantine = quarantine.resolve()
        self.run_id = run_id
        self.config_hash = config_hash
        self.attempt = attempt
        self.keep_last = keep_last
        self._file_system = file_system or FileSystem()
        self._parent: str | None = None
        self._base = _BEFORE_ANY_STEP  # the step in this directory that the run goes on from
        self._saved: set[int] = set()  # steps of our line that are in this directory, from _base on

    def latest(self) -> Checkpoint | None:
        """The newest good checkpoint; None where there has never been one.

        Damaged ones are moved to quarantine with a reason, and the next older one is tried.

        Raises:
            CheckpointError: There are some, or were, and none of them is good.
        """
        checkpoint = reading.newest(self.directory, self._set_aside)
        if checkpoint is None and step_directories(self.quarantine):
            raise CheckpointError(
                f"no usable checkpoint: every one that was in {self.directory} is damaged",
                help=f"the damaged ones and the reasons are in {self.quarantine}; "
                "start again without resuming, or resume from another run",
            )
        return checkpoint

    def continue_from(self, checkpoint: Checkpoint) -> None:
        """Make the next save a child of ``checkpoint``, of this directory or of another run.

        Newer checkpoints in this directory are an abandoned line from now on; they are moved to
        the folder ``trash`` when the first new one is committed, and stay there.
        """
        self._parent = checkpoint.manifest.sha256
        if checkpoint.path.resolve().parent == self.directory:
            self._base = checkpoint.step
            self._saved = {checkpoint.step}
        # Attempts tell lines apart, so ours must be above every one that is here.
        for path in step_directories(self.directory).values():
            with suppress(DamagedCheckpointError):
                self.attempt = max(self.attempt, reading.read_manifest(path).attempt + 1)

    def save(self, state: HostState, loop_state: Json, *, step: int, epoch: int) -> Path:
        """Commit a checkpoint; a step that this run has saved already is left as it is.

        Args:
            state: What `Engine.snapshot` returned.
            loop_state: Plain data of the loop, stored beside it.
            step: Optimizer steps done.
            epoch: Epochs done.

        Returns:
            The checkpoint's directory.

        Raises:
            DivergedError: The state is not finite; nothing is written.
            OfflineTrainerError: The disk refuses, or the state cannot be written as JSON. What
                was committed before stays.
        """
        target = self.directory / step_name(step)
        if step in self._saved:
            return target
        refuse_non_finite(state, step)
        temporary = target.with_name(f"writing-{target.name}")
        with reported(f"save checkpoint {target}"):
            abandoned = self._abandoned()
            make_directories(self._file_system, self.directory)
            self._remove_leftovers()
            try:
                manifest = self._write(temporary, state, loop_state, step, epoch)
            except OSError:
                with suppress(OSError):  # gives a full disk its space back
                    remove_tree(self._file_system, temporary)
                raise
            if step in abandoned:
                self._move_to_trash(abandoned.pop(step))
            self._file_system.rename(temporary, target)
            self._saved.add(step)
            self._parent = manifest.sha256
            self._file_system.sync_directory(self.directory)
            replace_file(self._file_system, self.directory / LAST_NAME, f"{target.name}\n".encode())
            for path in abandoned.values():
                self._move_to_trash(path)
            self._remove_old()
        return target

    def _write(
        self, directory: Path, state: HostState, loop_state: Json, step: int, epoch: int
    ) -> Manifest:
        """Write a complete checkpoint, not yet under its name."""
        content = _state_text(state, loop_state)
        for group in state.tensors:
            if not is_file_name(group):
                raise ValueError(f"{group!r} cannot name a group of tensors: use a-z 0-9 _ . -")
        self._file_system.make_directory(directory)
        files: list[FileRecord] = []
        for group, tensors in state.tensors.items():
            name = f"{group}{reading.TENSORS_SUFFIX}"
            files.append(tensor_file.write(self._file_system, directory / name, tensors))
        files.append(write_recorded(self._file_system, directory / reading.STATE_NAME, [content]))
        manifest, data = make_manifest(
            run_id=self.run_id,
            attempt=self.attempt,
            step=step,
            epoch=epoch,
            parent=self._parent,
            config_hash=self.config_hash,
            files=files,
        )
        write_recorded(self._file_system, directory / MANIFEST_NAME, [data])
        self._file_system.sync_directory(directory)
        return manifest

    def _abandoned(self) -> dict[int, Path]:
        """Checkpoints here that are newer than where this run goes on from, and not its own."""
        found = {
            step: path
            for step, path in step_directories(self.directory).items()
            if step > self._base and step not in self._saved
        }
        if found and self._base == _BEFORE_ANY_STEP:
            raise RunDirectoryError(
                f"{self.directory} already holds checkpoints of another run",
                help="resume that run, or choose another directory",
            )
        return found

    def _remove_old(self) -> None:
        """Remove what is beyond ``keep_last``: renamed first, so that no half one has a name."""
        if self.keep_last is None:
            return
        steps = step_directories(self.directory)
        newest = sorted(steps)[-max(self.keep_last, ALWAYS_KEPT) :]
        victims = [path for step, path in steps.items() if step not in {*newest, self._base}]
        for path in victims:
            self._file_system.rename(path, path.with_name(f"deleting-{path.name}"))
        if victims:
            self._file_system.sync_directory(self.directory)
            self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        for path in sorted(self.directory.iterdir()):
            if _LEFTOVER.fullmatch(path.name):
                remove_tree(self._file_system, path)

    def _move_to_trash(self, path: Path) -> None:
        self._move(path, self.directory / TRASH_NAME)

    def _set_aside(self, path: Path, damage: DamagedCheckpointError) -> None:
        with reported(f"move the damaged checkpoint {path} to {self.quarantine}"):
            moved = self._move(path, self.quarantine)
            reason = moved.with_name(f"{moved.name}.reason.txt")
            replace_file(self._file_system, reason, f"{damage}\n".encode())
        _log.warning("damaged checkpoint moved to %s: %s", moved, damage)

    def _move(self, path: Path, folder: Path) -> Path:
        make_directories(self._file_system, folder)
        target = unused_name(folder / path.name)
        self._file_system.rename(path, target)
        self._file_system.sync_directory(folder)
        self._file_system.sync_directory(path.parent)
        return target


def _state_text(state: HostState, loop_state: Json) -> bytes:
    content = {"values": dict(state.values), "loop": loop_state}
    try:
        return to_json(content, indent=1).encode()
    except TypeError as error:
        raise OfflineTrainerError(
            f"a component's state cannot be saved: {error}",
            help="its state_dict() must return plain data",
        ) from error
