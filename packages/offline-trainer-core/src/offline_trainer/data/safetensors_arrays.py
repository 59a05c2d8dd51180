"""Arrays of a safetensors file, memory-mapped."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.checkpoint.tensor_file import NUMPY_DTYPES, parse
from offline_trainer.data.batches import Array
from offline_trainer.data.files import mapped_for_rows, unreadable
from offline_trainer.data.npy_files import check_equal_lengths, checked_array
from offline_trainer.engine import HostTensor
from offline_trainer.errors import DamagedCheckpointError


def map_safetensors(path: Path) -> dict[str, Array]:
    """All arrays of a ``.safetensors`` file, by name; read when they are used.

    Raises:
        ParameterError: It is damaged, holds no arrays, arrays of different lengths, or one of a
            type that numpy does not have.
    """
    try:
        is_empty = not path.stat().st_size
        content = b"" if is_empty else mapped_for_rows(np.memmap(path, np.uint8, "r")).data
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        tensors = parse(content, path)
    except DamagedCheckpointError as error:
        raise ParameterError(str(error), parameter="path") from error
    arrays = {name: _array(each, f"{path}, array `{name}`") for name, each in tensors.items()}
    check_equal_lengths(path, arrays)
    return arrays


def _array(tensor: HostTensor, place: str) -> Array:
    if tensor.dtype not in NUMPY_DTYPES:
        raise ParameterError(
            f"{place} is {tensor.dtype}, which numpy does not have",
            parameter="path",
            help="store it as F32 or F16",
        )
    flat = np.frombuffer(tensor.data, NUMPY_DTYPES[tensor.dtype])
    return checked_array(flat.reshape(tensor.shape), place)
