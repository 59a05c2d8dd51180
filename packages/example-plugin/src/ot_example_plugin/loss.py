"""`loss.pseudo_huber`: a loss for any framework."""

from __future__ import annotations

from typing import Any

from offline_trainer.deps.model_constructor import ParameterError
from offline_trainer.protocols import LossOutput


class PseudoHuber:
    """Squared error for small differences, absolute error for large ones, smooth between them.

    Args:
        delta: The difference at which one turns into the other, above 0.

    Raises:
        ParameterError: ``delta`` is not above 0.
    """

    def __init__(self, delta: float = 1.0) -> None:
        # Name the parameter, and the user sees the error at its line of the YAML.
        if delta <= 0:
            raise ParameterError(f"must be above 0, got {delta}", parameter="delta")
        self._delta = delta

    def __call__(self, *, outputs: Any, targets: Any, batch: Any, stage: str) -> LossOutput:
        """The mean over all elements; the targets are those that `io` names, here one."""
        (wanted,) = targets.values()
        # Operators only: the tensors of every engine have them, so no framework is imported.
        error = (outputs - wanted) / self._delta
        return LossOutput(((error**2 + 1) ** 0.5 - 1).mean() * self._delta**2)
