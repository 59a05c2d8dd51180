"""Tensors as a safetensors file: a writer that hashes, and a reader that copies nothing.

The layout: eight bytes with the length of the header (little-endian), the header as JSON (name →
dtype, shape, offsets), padded with spaces to a multiple of eight, then the tensors' bytes without
gaps. Larger element sizes first, then by name, so each tensor is aligned and equal tensors make
equal files. The safetensors library reads these files and writes files that are read here; it is
not used, because it copies every tensor once more. Imports no framework.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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

NUMPY_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
"""What numpy calls them; it has no BF16."""
_RESERVED = "__metadata__"


def write(
    file_system: FileSystem,
    path: Path,
    tensors: Mapping[str, HostTensor],
    *,
    hash_beside: bool = True,
) -> FileRecord:
    """Write tensors to a new file.

    Args:
        file_system: Where faults are put in tests.
        path: The file, which must not exist.
        tensors: By name; any of the dtypes of `HostTensor`, any shape.
        hash_beside: Hash on another thread while this one writes.

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
    chunks: list[bytes | memoryview] = [head, *(content for _, _, content in ordered)]
    return write_recorded(file_system, path, chunks, hash_beside=hash_beside)


def parse(data: bytes | memoryview, path: Path) -> dict[str, HostTensor]:
    """The tensors of a file's content, as views of it; ``path`` is for messages.

    Raises:
        DamagedCheckpointError: It is no safetensors file, or holds a dtype we never write.
    """
    view = memoryview(data).toreadonly()
    length = int.from_bytes(view[:8], "little")
    start = 8 + length
    if len(view) < start:
        raise _damaged(path, "its header is longer than the file")
    try:
        header = json.loads(bytes(view[8:start]).decode())
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"its header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a mapping")
    header.pop(_RESERVED, None)
    tensors, spans = {}, []
    for name, entry in header.items():
        dtype, shape, (begin, end) = _entry(entry, f"tensor `{name}`", path)
        tensors[name] = HostTensor(dtype, shape, view[start + begin : start + end])
        spans.append((begin, end))
    position = 0
    for begin, end in sorted(spans):
        if begin != position:
            raise _damaged(path, "its tensors overlap or leave a gap")
        position = end
    if start + position != len(view):
        raise _damaged(path, "its tensors do not fill the file")
    return tensors


def _entry(entry: Any, what: str, path: Path) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    """Data type, shape and span of one tensor, from what a header says of it."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise _damaged(path, f"{what} is not described")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise _damaged(path, f"{what} has the unknown dtype {dtype!r}")
    if not (_are_counts(shape) and _are_counts(offsets) and len(offsets) == 2):
        raise _damaged(path, f"{what} has the shape {shape!r} and the place {offsets!r}")
    begin, end = offsets
    if end - begin != math.prod(shape) * ITEM_BYTES[dtype]:
        raise _damaged(path, f"{what} has {end - begin} bytes, {dtype} {tuple(shape)} has others")
    return dtype, tuple(shape), (begin, end)


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _damaged(path: Path, why: str) -> DamagedCheckpointError:
    return DamagedCheckpointError(f"{path} is no safetensors file that can be read: {why}")


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
