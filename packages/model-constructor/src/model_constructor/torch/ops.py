"""The operations of a graph: ``op:<name>`` calls the function of that name.

Arguments are called as torch calls them. ``*`` in a shape stands for any number of dimensions;
``dim`` counts from the end where it is negative, and the batch is dimension 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

Value = TypeVar("Value")
Dims = int | Sequence[int] | None


def add(a: Tensor, b: Tensor | float) -> Tensor:
    """a + b; shapes (*) and (*), broadcast → (*)."""
    return a + b


def sub(a: Tensor, b: Tensor | float) -> Tensor:
    """a - b; shapes (*) and (*), broadcast → (*)."""
    return a - b


def mul(a: Tensor, b: Tensor | float) -> Tensor:
    """a * b, element by element; shapes (*) and (*), broadcast → (*)."""
    return a * b


def div(a: Tensor, b: Tensor | float) -> Tensor:
    """a / b, element by element; shapes (*) and (*), broadcast → (*)."""
    return a / b


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product; shapes (*, N, K) and (*, K, M) → (*, N, M)."""
    return torch.matmul(a, b)


def einsum(equation: str, *tensors: Tensor) -> Tensor:
    """Sum of products as the equation says, such as ``"bi,oi->bo"``."""
    return torch.einsum(equation, *tensors)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join along a dimension; a list of (*, N_i, *) → (*, sum of N_i, *)."""
    return torch.cat(list(tensors), dim)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join along a new dimension; a list of K times (*) → (*, K, *)."""
    return torch.stack(list(tensors), dim)


def split(x: Tensor, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Cut into parts of a size, or of the sizes listed; (*, N, *) → a tuple of (*, N_i, *)."""
    return torch.split(x, split_size if isinstance(split_size, int) else list(split_size), dim)


def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut into at most so many equal parts; (*, N, *) → a tuple of (*, N / chunks, *)."""
    return torch.chunk(x, chunks, dim)


def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    """The same elements in another shape; one size may be -1; (*) → shape."""
    return torch.reshape(x, list(shape))


def flatten(x: Tensor, start_dim: int = 1, end_dim: int = -1) -> Tensor:
    """Join dimensions, by default all but the batch; (B, *) → (B, product of *)."""
    return torch.flatten(x, start_dim, end_dim)


def permute(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Put the dimensions in another order; (N_0, N_1, ...) → (N_dims[0], N_dims[1], ...)."""
    return torch.permute(x, list(dims))


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """Swap two dimensions; (*, N, *, M, *) → (*, M, *, N, *)."""
    return torch.transpose(x, dim0, dim1)


def squeeze(x: Tensor, dim: int) -> Tensor:
    """Drop a dimension of size 1; (*, 1, *) → (*)."""
    return torch.squeeze(x, dim)


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """Add a dimension of size 1; (*) → (*, 1, *)."""
    return torch.unsqueeze(x, dim)


def mean(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Mean over dimensions, by default all; (*, N, *) → (*), or (*, 1, *) with keepdim."""
    return torch.mean(x, _dims(dim), keepdim)


def sum(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Sum over dimensions, by default all; (*, N, *) → (*), or (*, 1, *) with keepdim."""
    return torch.sum(x, _dims(dim), keepdim)


def max(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Largest over dimensions, by default all; (*, N, *) → (*), or (*, 1, *) with keepdim."""
    return torch.amax(x, _dims(dim) or (), keepdim)


def softmax(x: Tensor, dim: int = -1) -> Tensor:
    """exp(x) / sum of exp(x) over a dimension; (*) → (*)."""
    return torch.softmax(x, dim)


def relu(x: Tensor) -> Tensor:
    """max(x, 0); (*) → (*)."""
    return torch.relu(x)


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)); (*) → (*)."""
    return torch.sigmoid(x)


def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent; (*) → (*)."""
    return torch.tanh(x)


def exp(x: Tensor) -> Tensor:
    """e to the power of x; (*) → (*)."""
    return torch.exp(x)


def sample_normal(mean: Tensor, log_std: Tensor) -> Tensor:
    """mean + exp(log_std) · noise, with a gradient to both; (*) and (*) → (*).

    Source: Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, section 2.4.
    """
    return mean + torch.exp(log_std) * torch.randn_like(mean)


def getitem(value: Any, key: Any) -> Any:
    """value[key]: a part of a tuple or a dict; for a tensor, (N, *) → (*)."""
    return value[key]


def merge(*mappings: Mapping[str, Any]) -> dict[str, Any]:
    """One dict of several; a key that two of them have is an error."""
    merged: dict[str, Any] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            if key in merged:
                raise ValueError(f"op:merge: two of the dicts have the key {key!r}")
            merged[key] = value
    return merged


def identity(value: Value) -> Value:
    """The value itself, under another name."""
    return value


def _dims(dim: Dims) -> list[int] | None:
    """Dimensions as torch takes them; None stays None, and means all."""
    if dim is None:
        return None
    return [dim] if isinstance(dim, int) else list(dim)
