"""The order of tensors in memory: channels last for convolutions, and state as its parameter."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d, nn.Conv3d, nn.ConvTranspose3d)
_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def lay_out_convolutions(models: Mapping[str, nn.Module]) -> None:
    """Put the weights of convolutions, (out, in, ...), into channels-last order, in place.

    Inputs need no change: a convolution follows its weight, and what it gives has that order for
    the layers that come after it.

    >>> model = nn.Conv2d(3, 8, 2)
    >>> lay_out_convolutions({"model": model})
    >>> model.weight.stride(), model(torch.zeros(1, 3, 5, 5)).stride()
    ((12, 1, 6, 3), (128, 1, 32, 8))
    """
    for model in models.values():
        for module in model.modules():
            if isinstance(module, _CONVOLUTIONS):
                weight = module.weight
                weight.data = weight.data.contiguous(memory_format=_CHANNELS_LAST[weight.dim()])


def lay_out_state(optimizer: torch.optim.Optimizer) -> None:
    """Put loaded state of an optimizer into the order of its parameters.

    torch loads it row-major. Its fused kernels on the CPU take it for granted that state and
    parameter lie alike, and mix up elements where they do not.
    """
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if (
                isinstance(value, torch.Tensor)
                and value.shape == parameter.shape
                and value.stride() != parameter.stride()
            ):
                state[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
