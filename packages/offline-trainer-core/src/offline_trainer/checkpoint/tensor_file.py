"""Tensors as a safetensors file: our own writer, which hashes, and the library as reader.

The layout: eight bytes with the length of the header (little-endian), the header as JSON (name →
dtype, shape, offsets), padded with spaces to a multiple of eight, then the tensors' bytes without
gaps. Larger element sizes first, then by name, so each tensor is aligned and equal tensors make
equal files. Imports no framework.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from offline_trainer.checkpoint.file_record import FileRecord, write_recorded
from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.engine import HostTensor
from offline_trainer.errors import DamagedCheckpointError

ITEM_BYTES: Mapping[str, int] = {
    "F64": 8,
    "I64": 8,
    "F32": 4,
    "I32": 4,
    "F16": 2,
    "BF16": 2,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
_RESERVED = "__metadata__"


def write(file_system: FileSystem, path: Path, tensors: Mapping[str, HostTensor]) -> FileRecord:
    """Write tensors to a new file.

    Args:
        file_system: Where faults are put in tests.
        path: The file, which must not exist.
        tensors: By name; any of the dtypes of `HostTensor`, any shape.

    Raises:
        ValueError: A tensor's bytes do not fit its dtype and shape, or its name is reserved.
    """
    ordered = sorted(
        ((name, tensor, _content(name, tensor)) for name, tensor in tensors.items()),
        key=lambda entry: (-ITEM_BYTES[entry[1].dtype], entry[0]),
    )
    header: dict[str, object] = {}
    end = 0
    for name, tensor, content in ordered:
        start, end = end, end + content.nbytes
        header[name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    return write_recorded(file_system, path, [head, *(content for _, _, content in ordered)])


def parse(data: bytes, path: Path) -> dict[str, HostTensor]:
    """Read the content of a file that `write` made; ``path`` is for messages.

    Raises:
        DamagedCheckpointError: It is no safetensors file, or holds a dtype we never write.
    """
    import safetensors  # the only use of the library; saving does not need it

    try:
        entries = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise DamagedCheckpointError(f"{path} is not a safetensors file: {error}") from error
    tensors = {}
    for name, entry in entries:
        if entry["dtype"] not in ITEM_BYTES:
            raise DamagedCheckpointError(
                f"{path}: tensor `{name}` has the unknown dtype {entry['dtype']!r}"
            )
        content = memoryview(entry["data"]).toreadonly()
        tensors[name] = HostTensor(entry["dtype"], tuple(entry["shape"]), content)
    return tensors


def _content(name: str, tensor: HostTensor) -> memoryview:
    """The bytes of a tensor as a flat view, checked against dtype and shape."""
    if name == _RESERVED:
        raise ValueError(f"a tensor cannot be named {_RESERVED}, the format uses that itself")
    if tensor.dtype not in ITEM_BYTES:
        raise ValueError(
            f"tensor `{name}` has dtype {tensor.dtype!r}, expected one of {', '.join(ITEM_BYTES)}"
        )
    expected = math.prod(tensor.shape) * ITEM_BYTES[tensor.dtype]
    view = memoryview(tensor.data)
    if view.nbytes != expected:
        raise ValueError(
            f"tensor `{name}` ({tensor.dtype}, shape {tensor.shape}) has {view.nbytes} bytes, "
            f"expected {expected}"
        )
    # A view with a zero in its shape cannot be cast.
    return view.cast("B") if expected else memoryview(b"")
