"""Positions and times as vectors."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from model_constructor.errors import ParameterError
from model_constructor.torch.blocks.layers import require_positive


class LearnedPositions(nn.Module):
    """Adds a learned vector for each position.

    Args:
        max_length: Number of positions.
        dim: Size of the last dimension.

    Shape:
        (B, T, dim) with T up to ``max_length`` → the same, floating point.

    Raises:
        ParameterError: A size is not one.

    >>> LearnedPositions(16, 32)(torch.zeros(2, 10, 32)).shape
    torch.Size([2, 10, 32])
    """

    def __init__(self, max_length: int, dim: int) -> None:
        super().__init__()
        require_positive(max_length, "max_length")
        require_positive(dim, "dim")
        self.weight = nn.Parameter(torch.empty(max_length, dim))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] > self.weight.shape[0]:
            raise ValueError(
                f"a sequence of {x.shape[1]} positions; max_length is {self.weight.shape[0]}"
            )
        return x + self.weight[: x.shape[1]]


class SinusoidalPositions(nn.Module):
    """Adds sines and cosines of each position; nothing is learned and no length is the longest.

    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.5.

    Args:
        dim: Size of the last dimension, even.
        max_period: Period of the slowest wave, in positions.

    Shape:
        (B, T, dim) → the same, floating point.

    Raises:
        ParameterError: ``dim`` is not positive and even.

    >>> SinusoidalPositions(32)(torch.zeros(2, 10, 32)).shape
    torch.Size([2, 10, 32])
    """

    def __init__(self, dim: int, *, max_period: float = 10_000.0) -> None:
        super().__init__()
        _require_even(dim)
        self.dim = dim
        self.max_period = max_period

    def forward(self, x: Tensor) -> Tensor:
        positions = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)
        return x + waves(positions, self.dim, self.max_period).to(x.dtype)


class TimeEmbedding(nn.Module):
    """Sines and cosines of a number per sample: the time of a diffusion step, an angle, a speed.

    Source: Ho et al., "Denoising Diffusion Probabilistic Models", 2020, appendix B.

    Args:
        dim: Size of the vector, even.
        max_period: Period of the slowest wave, in units of the input.

    Shape:
        (B,) or (B, 1), any number type → (B, dim), float32.

    Raises:
        ParameterError: ``dim`` is not positive and even.

    >>> TimeEmbedding(16)(torch.tensor([0.0, 5.0])).shape
    torch.Size([2, 16])
    """

    def __init__(self, dim: int, *, max_period: float = 10_000.0) -> None:
        super().__init__()
        _require_even(dim)
        self.dim = dim
        self.max_period = max_period

    def forward(self, t: Tensor) -> Tensor:
        return waves(t.reshape(t.shape[0]).float(), self.dim, self.max_period)


def waves(values: Tensor, dim: int, max_period: float) -> Tensor:
    """sin and cos of values at ``dim / 2`` frequencies; (N,) → (N, dim), float32."""
    half = dim // 2
    steps = torch.arange(half, device=values.device, dtype=torch.float32)
    frequencies = torch.exp(-math.log(max_period) * steps / half)  # (dim / 2,)
    angles = values[:, None] * frequencies  # (N, dim / 2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def _require_even(dim: int) -> None:
    require_positive(dim, "dim")
    if dim % 2:
        raise ParameterError(f"half are sines, half cosines: {dim} is odd", parameter="dim")
