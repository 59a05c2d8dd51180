"""`cb.model_checkpoint`: when checkpoints are saved, where, and how many are kept."""

from __future__ import annotations

from pathlib import Path

from model_constructor.errors import ParameterError
from model_constructor.signatures import OutputPath
from offline_trainer.callbacks.hooks import Control, LoopState


class ModelCheckpoint:
    """Ask for checkpoints; the run's one store commits them, at most one for each step.

    Args:
        save_dir: Folder of the checkpoints; ``checkpoints`` in the run directory by default.
        save_last: Also save at the end of the run.
        every_n_steps: Save after every so many optimizer steps.
        every_n_epochs: Save after every so many epochs.
        keep_last: Keep only this many of the newest checkpoints; all by default.

    Raises:
        ParameterError: A number is not positive.
    """

    def __init__(
        self,
        save_dir: OutputPath | None = None,
        save_last: bool = True,
        every_n_steps: int | None = None,
        every_n_epochs: int | None = None,
        keep_last: int | None = None,
    ) -> None:
        for name, value in (
            ("every_n_steps", every_n_steps),
            ("every_n_epochs", every_n_epochs),
            ("keep_last", keep_last),
        ):
            if value is not None and value < 1:
                raise ParameterError(f"{name} must be at least 1, got {value}", parameter=name)
        self.save_dir = Path(save_dir) if save_dir is not None else None
        self.keep_last = keep_last
        self._save_last = save_last
        self._every_n_steps = every_n_steps
        self._every_n_epochs = every_n_epochs

    def on_train_step_end(self, state: LoopState, control: Control) -> None:
        """Ask for a save when the step is due."""
        if self._every_n_steps and state.global_step % self._every_n_steps == 0:
            control.save = True

    def on_epoch_end(self, state: LoopState, control: Control) -> None:
        """Ask for a save when the epoch is due."""
        if self._every_n_epochs and state.epoch % self._every_n_epochs == 0:
            control.save = True

    def on_fit_end(self, state: LoopState, control: Control) -> None:
        """Ask for a save at the end."""
        if self._save_last:
            control.save = True
