"""The numbers of a run: means while training, the latest of each metric, who is told of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from offline_trainer.callbacks.hooks import LoopState
from offline_trainer.engine import Engine, Json, Stage, StepOutput
from offline_trainer.loggers.isolation import Loggers
from offline_trainer.non_finite import NonFiniteSteps, Place
from offline_trainer.progress import Progress
from offline_trainer.running_mean import RunningMean, saved_number


@dataclass(slots=True)
class Measurements:
    """What is logged. Nothing waits for the device until something is read."""

    engine: Engine
    loggers: Loggers
    progress: Progress
    state: LoopState
    non_finite: NonFiniteSteps
    _mean: RunningMean[Place] = field(init=False)
    _places: list[Place] = field(default_factory=list)  # the last that was read, and those since
    _measured_at: dict[str, int] = field(default_factory=dict)
    _skipped_logged: int = 0

    def __post_init__(self) -> None:
        self._mean = RunningMean(self.engine.read)

    def add(self, output: StepOutput, weight: float, place: Place) -> None:
        """Take in a step. What is known already not to be finite is read at once."""
        self._mean.add(output.loss, output.logs, weight, output.finite, place)
        self._places.append(place)
        if output.finite is False:
            self.read()

    def read(self) -> None:
        """Wait for the numbers of all steps so far.

        Raises:
            DivergedError: One was not finite, and the run cannot go on.
        """
        not_finite = self._mean.read()
        if not_finite:
            first = self._places.index(not_finite[0])
            self.non_finite.take(not_finite, self._places[first - 1] if first else None)
        del self._places[:-1]

    def train_row(self) -> dict[str, float]:
        """The means since the last time, and learning rates; empty where there is nothing."""
        self.read()
        values = self._mean.pop()
        skipped = self.non_finite.skipped
        if values or skipped > self._skipped_logged:
            self._skipped_logged = skipped
            if skipped:
                values["skipped_steps"] = float(skipped)
            values |= _named_rates(self.engine.learning_rates())
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
            "non_finite": self.non_finite.state_dict(),
            "skipped_logged": self._skipped_logged,
        }

    def load_state_dict(self, saved: Json) -> None:
        """Go on from a saved state."""
        self.state.metrics = {n: saved_number(value) for n, value in saved["latest"].items()}
        self._measured_at = {name: int(step) for name, step in saved["measured_at"].items()}
        self._mean.load_state_dict(saved["mean"])
        self._places.clear()
        if "non_finite" in saved:  # not in checkpoints of version 0.1
            self.non_finite.load_state_dict(saved["non_finite"])
        self._skipped_logged = int(saved.get("skipped_logged", 0))


def _named_rates(rates: Mapping[str, float]) -> dict[str, float]:
    """Learning rates as they are logged: ``lr``, ``lr/<optimizer>``, ``lr/<group>`` and so on.

    >>> _named_rates({"optimizer": 0.1, "optimizer/head": 0.2})
    {'lr': 0.1, 'lr/head': 0.2}
    >>> _named_rates({"actor": 0.1, "critic": 0.2})
    {'lr/actor': 0.1, 'lr/critic': 0.2}
    """
    optimizers = {name.partition("/")[0] for name in rates}
    if len(optimizers) > 1:
        return {f"lr/{name}": rate for name, rate in rates.items()}
    (single,) = optimizers or {""}
    return {f"lr{name.removeprefix(single)}": rate for name, rate in rates.items()}
