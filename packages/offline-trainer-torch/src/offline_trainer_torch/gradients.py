"""Norm, clipping and a check of a list of gradients. Only the check waits for the device."""

from __future__ import annotations

from cmath import isfinite  # gradients may be complex
from collections.abc import Sequence
from dataclasses import dataclass

import torch

_HALVES = (torch.float16, torch.bfloat16)


def all_finite(tensors: Sequence[torch.Tensor]) -> bool:
    """Whether every element is finite. Waits for the device, once.

    On the host each tensor is summed up, which costs half of a norm; a sum or norm that overflows
    counts as not finite.
    """
    if tensors and not tensors[0].is_cpu:
        return isfinite(total_norm(each_norm(tensors)).item())
    return isfinite(sum([sum_of(each).item() for each in tensors]))


def sum_of(tensor: torch.Tensor) -> torch.Tensor:
    """The sum of a tensor, which is not finite if an element is not; of 16 bits, in float32."""
    return tensor.sum(dtype=torch.float32) if tensor.dtype in _HALVES else tensor.sum()


def each_norm(gradients: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
    """The 2-norm of each gradient: a scalar, not finite if any element is not."""
    return torch._foreach_norm(list(gradients)) if gradients else ()


def total_norm(norms: Sequence[torch.Tensor]) -> torch.Tensor:
    """The 2-norm of all gradients as one vector, from the norm of each."""
    if not norms:
        return torch.zeros(())
    norm: torch.Tensor = torch.linalg.vector_norm(torch.stack(list(norms)))
    return norm


@dataclass(frozen=True, slots=True)
class Clipping:
    """How gradients are bounded before an optimizer sees them.

    Attributes:
        norm: Upper bound of the norm of all gradients of an optimizer, or None.
        value: Bound of each element, or None.
    """

    norm: float | None = None
    value: float | None = None

    def __bool__(self) -> bool:
        return self.norm is not None or self.value is not None

    def apply(self, gradients: Sequence[torch.Tensor], norm: torch.Tensor) -> None:
        """Clip in place.

        All gradients are scaled by ``bound / (norm + 1e-6)``, at most 1, as in
        `torch.nn.utils.clip_grad_norm_`.

        Args:
            gradients: Of one optimizer.
            norm: What their total norm is now.
        """
        if not gradients:
            return
        if self.norm is not None:
            torch._foreach_mul_(list(gradients), torch.clamp(self.norm / (norm + 1e-6), max=1.0))
        if self.value is not None:
            torch._foreach_clamp_min_(list(gradients), -self.value)
            torch._foreach_clamp_max_(list(gradients), self.value)
