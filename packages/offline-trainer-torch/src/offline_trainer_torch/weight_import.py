"""Makes a checkpoint of weights that somebody else saved, for `run.init_from`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from offline_trainer.checkpoint.reading import QUARANTINE_NAME
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.checkpoint.writing import Save
from offline_trainer.engine import HostState
from offline_trainer.errors import OfflineTrainerError, RunDirectoryError
from offline_trainer.run.directory import MANIFEST_NAME
from offline_trainer_torch.host_tensors import HostCopies, dtype_name
from offline_trainer_torch.model_state import save_named
from offline_trainer_torch.weight_file import WeightFileError

GROUP = "model"
RUN_ID = "imported"
_MOST_TIMES = 4
_SMALL_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Imported:
    """A checkpoint that was made.

    Attributes:
        path: Its directory.
        tensors: How many it has, each under one of its names.
        aliases: How many further names they have.
        size_bytes: Of the tensors.
        infinite: Names of those that hold infinities.
    """

    path: Path
    tensors: int
    aliases: int
    size_bytes: int
    infinite: tuple[str, ...]


def write_checkpoint(values: Mapping[str, Any], output: Path, file: Path) -> Imported:
    """Write weights as the checkpoint of step 0.

    Args:
        values: Name → tensor or extra state, named as `model_state.save_models` names them.
        output: Folder of the checkpoint, made if it is not there.
        file: Where the weights are from, for messages and to compare sizes with.

    Raises:
        WeightFileError: A checkpoint cannot hold one of them.
        RunDirectoryError: There are checkpoints, or a run, in ``output``.
        OfflineTrainerError: The disk refuses.
    """
    if (output / MANIFEST_NAME).exists():
        raise RunDirectoryError(
            f"{output} is a run directory, whose checkpoints these are not",
            help="give another --output",
        )
    infinite = _check(values, file)
    copies = HostCopies()
    try:
        state = save_named(values.items(), copies)
    except (RuntimeError, MemoryError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise WeightFileError(f"the tensors of {file} cannot be read: {reason}") from error
    store = CheckpointStore(
        output, run_id=RUN_ID, config_hash="", quarantine=output / QUARANTINE_NAME
    )
    saved = HostState({GROUP: copies.tensors}, {GROUP: state}, frozenset(infinite))
    path = store.save(Save(saved, None, 0, 0))
    size = sum(len(tensor.data) for tensor in copies.tensors.values())
    return Imported(path, len(copies.tensors), len(state["aliases"]), size, tuple(infinite))


def _check(values: Mapping[str, Any], file: Path) -> list[str]:
    """Names of tensors that hold infinities, as masks do.

    Raises:
        WeightFileError: A checkpoint cannot hold a tensor, or should not.
    """
    total = 0
    infinite = []
    for name, tensor in values.items():
        if not isinstance(tensor, torch.Tensor):
            continue
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
            raise WeightFileError(f"`{name}` of {file} is no plain tensor: {tensor.layout}")
        try:
            dtype_name(tensor.dtype)
        except OfflineTrainerError as error:
            raise WeightFileError(f"`{name}` of {file}: {error.message}") from error
        total += tensor.numel() * tensor.itemsize
    # A few bytes can be told to be a tensor of any shape; looked at, they would fill the memory.
    size = file.stat().st_size
    if total > _MOST_TIMES * size + _SMALL_BYTES:
        raise WeightFileError(f"{file} has {size} bytes, but tensors of {total}")
    for name, tensor in values.items():
        if isinstance(tensor, torch.Tensor) and not bool(torch.isfinite(tensor).all()):
            if bool(torch.isnan(tensor).any()):
                raise WeightFileError(f"`{name}` of {file} holds a value that is no number (NaN)")
            infinite.append(name)
    return infinite
