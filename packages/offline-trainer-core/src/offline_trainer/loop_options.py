"""What the loop is asked for: how long, and how often."""

from __future__ import annotations

import math
from dataclasses import dataclass

from offline_trainer.non_finite import OnNonfinite
from offline_trainer.protocols import RunLength


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """How long, and how often: the options of `trainer.default` that the loop acts on."""

    max_epochs: float = math.inf
    max_steps: float = math.inf
    max_seconds: float = math.inf
    log_every_n_steps: int = 50
    val_every_n_epochs: int | None = 1
    val_every_n_steps: int | None = None
    accumulate_grad_batches: int = 1
    on_nonfinite: OnNonfinite = "raise"

    @property
    def validates(self) -> bool:
        """Whether validations are due by themselves."""
        return self.val_every_n_epochs is not None or self.val_every_n_steps is not None

    def length(self, epoch_length: int | None) -> RunLength:
        """How long the run is, a length in time left aside.

        Args:
            epoch_length: Batches of an epoch, where that is known.

        >>> LoopOptions(max_epochs=3, accumulate_grad_batches=4).length(10)
        RunLength(steps=9, epochs=3)
        """
        steps, epochs = self.max_steps, self.max_epochs
        if epoch_length:
            steps_of_epoch = -(-epoch_length // self.accumulate_grad_batches)
            steps = min(steps, epochs * steps_of_epoch)
            epochs = min(epochs, math.ceil(steps / steps_of_epoch)) if steps < math.inf else epochs
        return RunLength(*(int(n) if math.isfinite(n) else None for n in (steps, epochs)))
