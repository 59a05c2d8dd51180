"""The running statistics of normalisation layers, which a forward changes and no update does.

A batch that is not finite would leave its mark in them although its update is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase


class RunningStatistics:
    """Keeps them for the length of an update. Costs nothing where no layer has any.

    Args:
        models: By name, on their device.

    >>> layer = nn.BatchNorm1d(1)
    >>> statistics = RunningStatistics({"model": layer})
    >>> statistics.keep()
    >>> y = layer(torch.full((2, 1), torch.inf))
    >>> statistics.put_back_unless(False)
    >>> layer.running_mean
    tensor([0.])
    """

    def __init__(self, models: Mapping[str, nn.Module]) -> None:
        self._live = statistics_of(models)
        self._kept: list[torch.Tensor] = []

    def keep(self) -> None:
        """Remember them as they are."""
        if not self._live:
            return
        if not self._kept:
            self._kept = [buffer.clone() for buffer in self._live]
        else:
            with torch.no_grad():
                torch._foreach_copy_(self._kept, self._live)

    def put_back_unless(self, finite: Any) -> None:
        """Set them to what was kept if the update was left out.

        Args:
            finite: A bool, or a tensor on the device, which nothing waits for.
        """
        if not self._live or finite is True:
            return
        with torch.no_grad():
            if isinstance(finite, torch.Tensor):
                chosen = [
                    torch.where(finite, live, kept)
                    for live, kept in zip(self._live, self._kept, strict=True)
                ]
                torch._foreach_copy_(self._live, chosen)
            else:
                torch._foreach_copy_(self._live, self._kept)


def statistics_of(models: Mapping[str, nn.Module]) -> list[torch.Tensor]:
    """The running statistics of all normalisation layers."""
    return [
        buffer
        for model in models.values()
        for module in model.modules()
        if isinstance(module, _NormBase)
        for buffer in (module.running_mean, module.running_var, module.num_batches_tracked)
        if buffer is not None
    ]
