"""The numbers of a run: means while training, the latest of each metric, who is told of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from offline_trainer.callbacks.hooks import LoopState
from offline_trainer.engine import Engine, Json, Stage, StepOutput
from offline_trainer.errors import DivergedError
from offline_trainer.loggers.isolation import Loggers
from offline_trainer.progress import Progress
from offline_trainer.running_mean import RunningMean, saved_number


@dataclass(slots=True)
class Measurements:
    """What is logged. Nothing waits for the device until something is read."""

    engine: Engine
    loggers: Loggers
    progress: Progress
    state: LoopState
    _mean: RunningMean = field(init=False)
    _measured_at: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._mean = RunningMean(self.engine.read)

    def add(self, output: StepOutput, weight: float) -> None:
        """Take in a step."""
        step = self.state.global_step
        self._mean.add(output.loss, output.logs, weight, output.finite, step)

    def read(self) -> None:
        """Wait for the numbers of all steps so far.

        Raises:
            DivergedError: One was not finite.
        """
        bad_step = self._mean.read()
        if bad_step is not None:
            raise DivergedError(
                f"loss or gradient of step {bad_step} is not finite; its update was not applied",
                help="lower the learning rate, or bound gradients with trainer.clip_grad_norm",
            )

    def train_row(self) -> dict[str, float]:
        """The means since the last time, and learning rates; empty where there is nothing."""
        self.read()
        values = self._mean.pop()
        if values:
            rates = self.engine.learning_rates()
            single = len(rates) == 1
            values |= {"lr" if single else f"lr/{name}": rate for name, rate in rates.items()}
            self._note(values, "train")
        return values

    def log(self, values: Mapping[str, float], stage: Stage) -> None:
        """Hand a row to the loggers and the display."""
        state = self.state
        values = {name: float(value) for name, value in values.items()}
        self._note(values, stage)
        self.progress.show(values, stage)
        epoch = state.epoch + (1 if state.batch else 0)
        row = {"epoch": float(epoch), **values}
        self.loggers.log_metrics(row, step=state.global_step, stage=stage)

    def _note(self, values: Mapping[str, float], stage: Stage) -> None:
        named = {f"{stage}_{name}": value for name, value in values.items()}
        self.state.metrics.update(named)
        self._measured_at.update(dict.fromkeys(named, self.state.global_step))

    def of_this_step(self) -> dict[str, float]:
        """The metrics that were measured at this very step and are finite."""
        return {
            name: value
            for name, value in self.state.metrics.items()
            if self._measured_at.get(name) == self.state.global_step and math.isfinite(value)
        }

    def state_dict(self) -> Json:
        """What goes on in a resumed run; call `read` first."""
        return {
            "latest": dict(self.state.metrics),
            "measured_at": dict(self._measured_at),
            "mean": self._mean.state_dict(),
        }

    def load_state_dict(self, saved: Json) -> None:
        """Go on from a saved state."""
        self.state.metrics = {n: saved_number(value) for n, value in saved["latest"].items()}
        self._measured_at = {name: int(step) for name, step in saved["measured_at"].items()}
        self._mean.load_state_dict(saved["mean"])
