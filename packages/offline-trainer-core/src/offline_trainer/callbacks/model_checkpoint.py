"""`cb.model_checkpoint`: when checkpoints are saved, where, and how many are kept."""

from __future__ import annotations

from pathlib import Path

from model_constructor.errors import ParameterError, close_matches
from model_constructor.signatures import OutputPath
from offline_trainer.callbacks.hooks import Control, LoopState
from offline_trainer.checkpoint.retention import Retention
from offline_trainer.monitor import Mode, missing_metric
from offline_trainer.notices import notice
from offline_trainer.saving import OnSaveError, SaveSettings


class ModelCheckpoint:
    """Ask for checkpoints; the run's one store commits them, at most one for each step.

    Which are removed is decided after each save. The newest two, the one that the run went on from,
    and those pinned with ``ot ckpt pin`` always stay.

    Args:
        save_dir: Folder of the checkpoints; ``checkpoints`` in the run directory by default.
        save_last: Also save at the end of the run.
        every_n_steps: Save after every so many optimizer steps.
        every_n_epochs: Save after every so many epochs.
        keep_last: Keep only this many of the newest checkpoints; all by default.
        monitor: A metric, such as ``val_loss``: the best checkpoint by it is named in the file
            ``best``. Without a cadence, a checkpoint is saved after each validation.
        mode: ``min`` if less of it is better, ``max`` if more is.
        save_top_k: Keep this many of the best.
        asynchronous: Write in the background while training goes on.
        on_save_error: ``warn``: a save that fails is a notice, and the third in a row ends the run;
            ``raise``: the first one ends it.

    Raises:
        ParameterError: A number is not positive, or ``save_top_k`` has no ``monitor``.
    """

    def __init__(
        self,
        save_dir: OutputPath | None = None,
        save_last: bool = True,
        every_n_steps: int | None = None,
        every_n_epochs: int | None = None,
        keep_last: int | None = None,
        monitor: str | None = None,
        mode: Mode = "min",
        save_top_k: int | None = None,
        asynchronous: bool = False,
        on_save_error: OnSaveError = "warn",
    ) -> None:
        for name, value in (("every_n_steps", every_n_steps), ("every_n_epochs", every_n_epochs)):
            if value is not None and value < 1:
                raise ParameterError(f"{name} must be at least 1, got {value}", parameter=name)
        if on_save_error not in ("warn", "raise"):
            raise ParameterError(
                f"on_save_error must be warn or raise, got {on_save_error!r}",
                parameter="on_save_error",
                suggestions=close_matches(on_save_error, ("warn", "raise")),
            )
        self.save_settings = SaveSettings(
            Path(save_dir) if save_dir is not None else None,
            Retention(keep_last, save_top_k, monitor, mode),
            asynchronous,
            on_save_error,
            rehearse=True,
        )
        self._save_last = save_last
        self._every_n_steps = every_n_steps
        self._every_n_epochs = every_n_epochs
        self._after_validation = monitor is not None and not (every_n_steps or every_n_epochs)
        self.monitor = monitor
        self._told_of_missing = False

    def on_train_step_end(self, state: LoopState, control: Control) -> None:
        """Ask for a save when the step is due."""
        if self._every_n_steps and state.global_step % self._every_n_steps == 0:
            control.save = True

    def on_validation_end(self, state: LoopState, control: Control) -> None:
        """Ask for a save when a metric decides and nothing else says when."""
        if state.stage != "val":
            return
        if self._after_validation:
            control.save = True
        if (self.monitor or "").startswith("val_"):
            self._look_for_monitor(state)

    def on_epoch_end(self, state: LoopState, control: Control) -> None:
        """Ask for a save when the epoch is due."""
        if self._every_n_epochs and state.epoch % self._every_n_epochs == 0:
            control.save = True

    def on_fit_end(self, state: LoopState, control: Control) -> None:
        """Ask for a save at the end."""
        if self._save_last:
            control.save = True
        self._look_for_monitor(state)

    def _look_for_monitor(self, state: LoopState) -> None:
        """Say once that the metric is not there, where it should have been measured by now."""
        if self.monitor is None or self.monitor in state.metrics or self._told_of_missing:
            return
        self._told_of_missing = True
        missing = missing_metric(self.monitor, state.metrics)
        near = f"; did you mean `{missing.suggestions[0]}`?" if missing.suggestions else ""
        notice(f"cb.model_checkpoint names no checkpoint the best: {missing.message}{near}")
