"""Writing one complete checkpoint to a directory that is not yet under its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from offline_trainer.checkpoint import reading, tensor_file
from offline_trainer.checkpoint.file_record import FileRecord, write_recorded
from offline_trainer.checkpoint.file_system import FileSystem, remove_tree
from offline_trainer.checkpoint.json_text import to_json
from offline_trainer.checkpoint.manifest import (
    MANIFEST_NAME,
    Manifest,
    is_file_name,
    make_manifest,
)
from offline_trainer.engine import HostState, Json
from offline_trainer.errors import OfflineTrainerError


@dataclass(frozen=True, slots=True)
class Save:
    """What one checkpoint is made of.

    Attributes:
        state: What `Engine.snapshot` returned.
        loop_state: Plain data of the loop, stored beside it.
        step: Optimizer steps done.
        epoch: Epochs done.
        metrics: What was measured at this step.
    """

    state: HostState
    loop_state: Json
    step: int
    epoch: int
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """Whose checkpoint it is: what its manifest says besides what is in it.

    Attributes:
        run_id: The run.
        attempt: How often that has been started.
        parent: Hash of the manifest before, or None.
        config_hash: Hash of the resolved config.
    """

    run_id: str
    attempt: int
    parent: str | None
    config_hash: str


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes checkpoints.

    Attributes:
        file_system: Where faults are put in tests.
        hash_beside: Hash on a thread of its own while writing.
        before_end: Called when all files are written: what the checkpoint refers to elsewhere has
            to be on the disk first.
    """

    file_system: FileSystem
    hash_beside: bool = True
    before_end: Callable[[], None] | None = None

    def write(self, directory: Path, save: Save, line: Line) -> Manifest:
        """Write every file, then the manifest, and wait for the disk; what fails leaves nothing.

        Raises:
            OSError: The disk refuses.
            OfflineTrainerError: The state cannot be written as JSON, or read again.
        """
        content = _state_text(save.state, save.loop_state)
        for group in save.state.tensors:
            if not is_file_name(group):
                raise ValueError(f"{group!r} cannot name a group of tensors: use a-z 0-9 _ . -")
        try:
            return self._write(directory, save, line, content)
        except (OSError, OfflineTrainerError):
            with suppress(OSError):  # gives a full disk its space back
                remove_tree(self.file_system, directory)
            raise

    def _write(self, directory: Path, save: Save, line: Line, content: bytes) -> Manifest:
        system, beside = self.file_system, self.hash_beside
        system.make_directory(directory)
        files: list[FileRecord] = []
        for group, tensors in save.state.tensors.items():
            path = directory / f"{group}{reading.TENSORS_SUFFIX}"
            files.append(tensor_file.write(system, path, tensors, hash_beside=beside))
        files.append(write_recorded(system, directory / reading.STATE_NAME, [content]))
        manifest, data = make_manifest(
            run_id=line.run_id,
            attempt=line.attempt,
            step=save.step,
            epoch=save.epoch,
            parent=line.parent,
            config_hash=line.config_hash,
            metrics=save.metrics,
            files=files,
        )
        if len(data) > reading.MOST_MANIFEST_BYTES:
            raise OfflineTrainerError(
                f"cannot save step {save.step}: {len(save.metrics)} metrics make a manifest of "
                f"{len(data)} bytes, and no more than {reading.MOST_MANIFEST_BYTES} are read again"
            )
        write_recorded(system, directory / MANIFEST_NAME, [data])
        if self.before_end is not None:
            self.before_end()
        system.sync_directory(directory)
        return manifest


def _state_text(state: HostState, loop_state: Json) -> bytes:
    content = {"values": dict(state.values), "loop": loop_state}
    try:
        return to_json(content, indent=1).encode()
    except TypeError as error:
        raise OfflineTrainerError(
            f"a component's state cannot be saved: {error}",
            help="its state_dict() must return plain data",
        ) from error
