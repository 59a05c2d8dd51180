"""Tensors as bytes in host memory, and back."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch

from offline_trainer.engine import HostTensor
from offline_trainer.errors import OfflineTrainerError, StateMismatchError

DTYPES: dict[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def dtype_name(dtype: torch.dtype) -> str:
    """The name of a dtype in a checkpoint.

    Raises:
        OfflineTrainerError: A checkpoint cannot hold it.
    """
    if dtype not in _NAMES:
        raise OfflineTrainerError(
            f"a checkpoint cannot hold {dtype}; it holds {', '.join(map(str, _NAMES))}"
        )
    return _NAMES[dtype]


def to_host(tensor: torch.Tensor, into: HostTensor | None = None) -> HostTensor:
    """A copy of a tensor's bytes, row-major.

    From a CUDA device the copy may still be on its way; who wants to read it waits for the device.

    Args:
        tensor: On any device, of any strides.
        into: An earlier copy whose memory is used again, if it has the same dtype and shape.
    """
    form = dtype_name(tensor.dtype), tuple(tensor.shape)
    if into is None or (into.dtype, into.shape) != form:
        size = tensor.numel() * tensor.dtype.itemsize
        fresh = torch.empty(size, dtype=torch.uint8, pin_memory=tensor.is_cuda)
        into = HostTensor(*form, fresh.numpy().data)
    if into.data:
        view = torch.frombuffer(into.data, dtype=tensor.dtype).view(tensor.shape)
        view.copy_(tensor.detach(), non_blocking=tensor.is_cuda)
    return into


class HostCopies:
    """Collects copies of tensors by name, into the memory of earlier ones of the same form.

    Args:
        earlier: What was collected before, and nobody reads any more.
    """

    def __init__(self, earlier: Mapping[str, HostTensor] | None = None) -> None:
        self.tensors: dict[str, HostTensor] = {}
        self._earlier = earlier or {}

    def free_name(self, name: str) -> str:
        """The name, or with as many ``'`` at its end as it takes to be the only one."""
        while name in self.tensors:
            name += "'"
        return name

    def add(self, name: str, tensor: torch.Tensor) -> None:
        """Copy one tensor."""
        self.tensors[name] = to_host(tensor, self._earlier.get(name))


def from_host(saved: HostTensor) -> torch.Tensor:
    """A new tensor on the CPU with the saved bytes.

    Raises:
        StateMismatchError: The dtype is unknown, or the bytes are not as many as the shape says.

    >>> from_host(to_host(torch.tensor([1.5, 2.5], dtype=torch.bfloat16)))
    tensor([1.5000, 2.5000], dtype=torch.bfloat16)
    """
    dtype = DTYPES.get(saved.dtype)
    if dtype is None:
        raise StateMismatchError(f"a saved tensor has the unknown dtype {saved.dtype!r}")
    expected_bytes = prod(saved.shape) * dtype.itemsize
    if len(saved.data) != expected_bytes:
        raise StateMismatchError(
            f"a saved tensor of shape {saved.shape} and dtype {saved.dtype} has "
            f"{len(saved.data)} bytes instead of {expected_bytes}"
        )
    if not expected_bytes:
        return torch.empty(saved.shape, dtype=dtype)
    # Copied, for the saved bytes stay as they are, and so that they are aligned.
    return torch.frombuffer(bytearray(saved.data), dtype=dtype).view(saved.shape)
