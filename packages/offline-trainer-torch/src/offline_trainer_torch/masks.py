"""Means over the elements of a batch that are real, and not padding."""

from __future__ import annotations

from typing import Any

import torch

from model_constructor.errors import ParameterError
from offline_trainer_torch.paths import describe


def masked_mean(losses: Any, mask: Any) -> torch.Tensor:
    """The mean of losses weighted by a mask; 0 where the mask is 0 everywhere. Waits for no device.

    A loss that does not count may be anything, infinite too, and has no gradient.

    Args:
        losses: A loss for each element, (B, ...).
        mask: Weights of the elements, mostly 0 or 1, of that shape or of its leading dimensions.

    Raises:
        ParameterError: The shapes do not go together.

    >>> losses = torch.tensor([[1.0, 3.0], [5.0, 7.0]])
    >>> masked_mean(losses, torch.tensor([[1, 1], [1, 0]]))
    tensor(3.)
    >>> masked_mean(losses, torch.tensor([0, 1]))
    tensor(6.)
    """
    shape = tuple(getattr(mask, "shape", ()))
    if not isinstance(losses, torch.Tensor) or shape != losses.shape[: len(shape)] or not shape:
        raise ParameterError(
            f"the mask is {describe(mask)}, and fn returned {describe(losses)}; the mask must have "
            "its leading dimensions",
            parameter="mask_path",
        )
    weights = torch.as_tensor(mask, device=losses.device).to(losses.dtype)
    weights = weights.reshape(shape + (1,) * (losses.ndim - len(shape))).expand_as(losses)
    total = weights.sum()
    chosen = torch.where(weights != 0, losses, 0.0)
    return (chosen * weights).sum() / torch.where(total == 0, 1.0, total)
