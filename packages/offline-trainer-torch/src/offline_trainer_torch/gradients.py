"""Norm and clipping of a list of gradients. Nothing here waits for the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch


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
