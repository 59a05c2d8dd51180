"""Norm, clipping and a check of a list of gradients. Only the check waits for the device."""

from __future__ import annotations

from cmath import isfinite  # gradients may be complex
from collections.abc import Sequence

import torch


def all_finite(tensors: Sequence[torch.Tensor]) -> bool:
    """Whether every element is finite. Waits for the device.

    Each tensor is summed up, which costs half of a norm; a sum that overflows counts as not finite.
    """
    return isfinite(sum([each.sum().item() for each in tensors]))


def each_norm(gradients: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
    """The 2-norm of each gradient: a scalar, not finite if any element is not."""
    return torch._foreach_norm(list(gradients)) if gradients else ()


def total_norm(norms: Sequence[torch.Tensor]) -> torch.Tensor:
    """The 2-norm of all gradients as one vector, from the norm of each."""
    if not norms:
        return torch.zeros(())
    norm: torch.Tensor = torch.linalg.vector_norm(torch.stack(list(norms)))
    return norm


def clip_by_norm(gradients: Sequence[torch.Tensor], norm: torch.Tensor, bound: float) -> None:
    """Scale all gradients so that their total norm, ``norm`` now, is at most ``bound``.

    The factor is ``bound / (norm + 1e-6)``, at most 1, as in `torch.nn.utils.clip_grad_norm_`.
    """
    if gradients:
        torch._foreach_mul_(list(gradients), torch.clamp(bound / (norm + 1e-6), max=1.0))


def clip_by_value(gradients: Sequence[torch.Tensor], bound: float) -> None:
    """Put every element between ``-bound`` and ``bound``."""
    if gradients:
        torch._foreach_clamp_min_(list(gradients), -bound)
        torch._foreach_clamp_max_(list(gradients), bound)
