"""Optimizers that train on other weights than those to evaluate and to keep.

They say so by having ``train()`` and ``eval()``, which turn one into the other in place, as the
schedule-free optimizers do (Defazio et al., "The Road Less Scheduled", 2024). Turning there and
back is not exact in floating point, so that what was trained on is kept and put back: evaluating
or saving more often changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from offline_trainer_torch.planned import PlannedOptimizer


class WeightModes:
    """Puts the optimizers of a run into training mode, and for a while into evaluation mode.

    Args:
        optimizers: By name, newly made.
    """

    def __init__(self, optimizers: Mapping[str, PlannedOptimizer]) -> None:
        self._planned = [planned for planned in optimizers.values() if planned.has_modes]
        for planned in self._planned:
            _modes_of(planned).train()

    def __bool__(self) -> bool:
        """Whether there is any such optimizer."""
        return bool(self._planned)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """A context in which the models' weights are those to evaluate and to keep."""
        kept = [[weight.detach().clone() for weight in each.parameters] for each in self._planned]
        for planned in self._planned:
            _modes_of(planned).eval()
        try:
            yield
        finally:
            for planned, weights in zip(self._planned, kept, strict=True):
                _modes_of(planned).train()
                with torch.no_grad():
                    torch._foreach_copy_([*planned.parameters], weights)


def _modes_of(planned: PlannedOptimizer) -> Any:
    return planned.optimizer
