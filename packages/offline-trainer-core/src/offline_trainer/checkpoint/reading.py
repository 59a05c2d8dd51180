"""Loading a checkpoint, and finding the newest good one; nothing here changes the disk.

What is read from a checkpoint is data: no name in it is ever imported or resolved.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from offline_trainer.checkpoint import tensor_file
from offline_trainer.checkpoint.file_record import (
    check_size,
    read_recorded,
    read_regular,
    reading_saved,
)
from offline_trainer.checkpoint.file_system import (
    FileSystem,
    is_directory,
    names,
    reported,
    status,
)
from offline_trainer.checkpoint.json_text import from_json
from offline_trainer.checkpoint.lineage import newest_line
from offline_trainer.checkpoint.manifest import MANIFEST_NAME, Manifest, parse_manifest
from offline_trainer.engine import HostState, HostTensor, Json
from offline_trainer.errors import DamagedCheckpointError

STATE_NAME = "state.json"
TENSORS_SUFFIX = ".safetensors"
QUARANTINE_NAME = "quarantine"
AUTO = "auto"
"""In place of a path: go on if there is something to go on from."""
REPLACED = "replaced-"
"""Before the name of a checkpoint whose place another one is about to take."""
_STEP_NAME = re.compile(r"step-([0-9]{12})")
MOST_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was read and verified completely.

    Attributes:
        path: Its directory.
        step: Optimizer steps done.
        epoch: Epochs done.
        state: What `Engine.restore` takes.
        loop_state: What the loop stored beside it.
        manifest: What the checkpoint says of itself.
    """

    path: Path
    step: int
    epoch: int
    state: HostState
    loop_state: Json
    manifest: Manifest


def step_name(step: int) -> str:
    """The directory name of a checkpoint.

    >>> step_name(1200)
    'step-000000001200'
    """
    return f"step-{step:012d}"


def step_of(name: str) -> int | None:
    """The step in the directory name of a checkpoint; None if it is no such name.

    >>> step_of("step-000000001200"), step_of("step-12")
    (1200, None)
    """
    match = _STEP_NAME.fullmatch(name)
    return int(match[1]) if match else None


def step_directories(directory: Path) -> dict[int, Path]:
    """What bears the name of a checkpoint, by step, lowest first.

    One that was about to be replaced by another of its step counts until that is there.
    """
    with reported(f"list {directory}"):
        there = names(directory) if is_directory(directory) else []
    # In alphabetical order, what has the name itself comes after what was to be replaced.
    steps = {step_of(name.removeprefix(REPLACED)): directory / name for name in there}
    return {step: steps[step] for step in sorted(step for step in steps if step is not None)}


def read_manifest(path: Path, file_system: FileSystem | None = None) -> Manifest:
    """Read only the manifest of the checkpoint directory ``path``."""
    file = path / MANIFEST_NAME
    with reading_saved(path):
        if not stat.S_ISDIR(status(path).st_mode):
            raise DamagedCheckpointError(f"{path} is not a directory")
    content = read_regular(file_system or FileSystem(), file, MOST_MANIFEST_BYTES)
    manifest = parse_manifest(content, file)
    if _STEP_NAME.fullmatch(path.name) and path.name != step_name(manifest.step):
        raise DamagedCheckpointError(f"{path} says that it is step {manifest.step}")
    return manifest


def check_complete(path: Path, file_system: FileSystem | None = None) -> Manifest:
    """Check that a checkpoint has exactly its files, each of its size; the quick half of `load`.

    Raises:
        DamagedCheckpointError: Something is missing, added, or of another size.
        CheckpointError: A newer version of this package wrote it.
    """
    manifest = read_manifest(path, file_system)
    with reading_saved(path):
        present = set(names(path))
    expected = {MANIFEST_NAME, *(record.path for record in manifest.files)}
    if present != expected:
        raise DamagedCheckpointError(
            f"{path}: missing files {sorted(expected - present)}, "
            f"unexpected files {sorted(present - expected)}"
        )
    for record in manifest.files:
        check_size(path, record)
    return manifest


def load(
    path: Path, file_system: FileSystem | None = None, *, keep_values: bool = True
) -> Checkpoint:
    """Read a checkpoint directory and verify all of it: sizes, then hashes, then structure.

    Args:
        path: The checkpoint.
        file_system: Where faults are put in tests.
        keep_values: Whether its tensors have their bytes. Without, they have dtype and shape alone,
            and no more than one file at a time is in memory.

    Raises:
        DamagedCheckpointError: Something is missing, added or changed.
        CheckpointError: A newer version of this package wrote it.
        OfflineTrainerError: The disk cannot be read.
    """
    file_system = file_system or FileSystem()
    manifest = check_complete(path, file_system)
    tensors = {}
    state: Json = None
    for record in manifest.files:
        content = read_recorded(file_system, path, record)
        if record.path == STATE_NAME:
            state = _parse_state(bytes(content), path / STATE_NAME)
        elif record.path.endswith(TENSORS_SUFFIX):
            group = record.path.removesuffix(TENSORS_SUFFIX)
            found = tensor_file.parse(content, path / record.path)
            tensors[group] = found if keep_values else _without_values(found)
    if state is None:
        raise DamagedCheckpointError(f"{path} has no {STATE_NAME}")
    return Checkpoint(
        path=path,
        step=manifest.step,
        epoch=manifest.epoch,
        state=HostState(tensors, state["values"]),
        loop_state=state["loop"],
        manifest=manifest,
    )


def newest(
    directory: Path,
    on_damage: Callable[[Path, DamagedCheckpointError], None],
    file_system: FileSystem | None = None,
) -> Checkpoint | None:
    """The newest good checkpoint in a directory; each damaged one met on the way is reported.

    Newest by lineage: an abandoned line does not count.
    """
    manifests: dict[Path, Manifest] = {}
    for path in step_directories(directory).values():
        try:
            manifests[path] = read_manifest(path, file_system)
        except DamagedCheckpointError as damage:
            on_damage(path, damage)
    for path in reversed(newest_line(manifests)):
        try:
            return load(path, file_system)
        except DamagedCheckpointError as damage:
            on_damage(path, damage)
    return None


def _without_values(tensors: Mapping[str, HostTensor]) -> dict[str, HostTensor]:
    return {name: replace(tensor, data=b"") for name, tensor in tensors.items()}


def _parse_state(content: bytes, path: Path) -> dict[str, Json]:
    try:
        state = from_json(content)
    except ValueError as error:
        raise DamagedCheckpointError(f"{path} is not JSON: {error}") from error
    if not (
        isinstance(state, dict)
        and state.keys() == {"values", "loop"}
        and isinstance(state["values"], dict)
    ):
        raise DamagedCheckpointError(f"{path} does not have the keys `values` and `loop`")
    return state
