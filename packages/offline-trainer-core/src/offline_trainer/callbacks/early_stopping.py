"""`cb.early_stopping`: end the run when a metric has stopped getting better."""

from __future__ import annotations

from typing import Any

from model_constructor.errors import ParameterError
from offline_trainer.callbacks.hooks import Control, LoopState
from offline_trainer.loggers.stdout import format_number
from offline_trainer.monitor import Mode, Monitor
from offline_trainer.notices import notice


class EarlyStopping:
    """Look at a metric after each validation; stop when it has not improved for a while.

    A metric of training, ``train_loss`` for one, is looked at after each epoch. What counts is the
    best value so far: one that is not finite is no improvement.

    Args:
        monitor: A metric, such as ``val_loss``.
        mode: ``min`` if less of it is better, ``max`` if more is.
        patience: After how many validations in a row without improvement the run stops.
        min_delta: By how much a value must be better than the best to be an improvement.
        min_epochs: Do not stop before so many epochs are complete.

    Raises:
        ParameterError: A number is out of its range. While training: there is no such metric.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        mode: Mode = "min",
        patience: int = 3,
        min_delta: float = 0.0,
        min_epochs: int = 0,
    ) -> None:
        for name, value, least in (("patience", patience, 1), ("min_epochs", min_epochs, 0)):
            if value < least:
                raise ParameterError(
                    f"{name} must be at least {least}, got {value}", parameter=name
                )
        self.monitor = monitor
        self._metric = Monitor(monitor, mode, min_delta)
        self._patience = patience
        self._min_epochs = min_epochs
        self._best: float | None = None
        self._best_step = 0
        self._without_improvement = 0

    def on_validation_end(self, state: LoopState, control: Control) -> None:
        """Look at a metric of validation."""
        if state.stage == "val" and not self._of_training:
            self._look(state, control, "validations")

    def on_epoch_end(self, state: LoopState, control: Control) -> None:
        """Look at a metric of training."""
        if self._of_training:
            self._look(state, control, "epochs")

    def on_fit_end(self, state: LoopState, control: Control) -> None:
        """Tell if there was nothing to look at."""
        if self._best is None and not self._without_improvement:
            notice(
                f"cb.early_stopping never stops this run: `{self._metric.name}` was not measured; "
                "is there validation data, and is it looked at before the end?"
            )

    def state_dict(self) -> dict[str, Any]:
        """The best value so far, its step, and how often there was none better since."""
        return {
            "best": self._best,
            "best_step": self._best_step,
            "without_improvement": self._without_improvement,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._best = state["best"]
        self._best_step = state["best_step"]
        self._without_improvement = state["without_improvement"]

    @property
    def _of_training(self) -> bool:
        return self._metric.name.startswith("train_")

    def _look(self, state: LoopState, control: Control, times: str) -> None:
        value = self._metric.value(state.metrics)
        if self._metric.improves(value, self._best):
            self._best, self._best_step, self._without_improvement = value, state.global_step, 0
            return
        self._without_improvement += 1
        if self._without_improvement < self._patience or state.epoch < self._min_epochs:
            return
        control.stop = True
        best = "no value was finite"
        if self._best is not None:
            best = f"the best was {format_number(self._best)} at step {self._best_step}"
        notice(
            f"stopped early at step {state.global_step}: {self._metric.name} is "
            f"{format_number(value)} and has not improved for {self._without_improvement} {times}; "
            f"{best}"
        )
