"""The training loop, written once for every framework.

The order inside a step is fixed: train step → step schedules → counters → log → validation →
epoch and metric schedules → checkpoint last → stop. A checkpoint is therefore always taken at a
place where everything that belongs to its step has happened.

Numbers of the framework stay on its device until the loop logs, validates or saves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from model_constructor.foreign import text_and_line
from offline_trainer.batch_limits import BatchLimits
from offline_trainer.callbacks.hooks import Control, Hooks, LoopState
from offline_trainer.checkpoint.json_text import copied
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.engine import Engine, Interval, Json, Stage, Window
from offline_trainer.errors import DivergedError, OfflineTrainerError
from offline_trainer.evaluation import evaluate, evaluation_batches, isolated_random_streams
from offline_trainer.loggers.isolation import Loggers
from offline_trainer.loop_options import LoopOptions
from offline_trainer.measurements import Measurements
from offline_trainer.monitor import missing_metric
from offline_trainer.non_finite import NonFiniteSteps, Place
from offline_trainer.notices import notice
from offline_trainer.progress import Progress
from offline_trainer.protocols import DataModule, Metric, Objective
from offline_trainer.random_state import epoch_seed, host_random_state, restore_host_random_state
from offline_trainer.rollback import Rollback
from offline_trainer.run.line_file import LineFile
from offline_trainer.run.signals import InterruptedRun, SignalFlag
from offline_trainer.saving import Saver, SaveSettings
from offline_trainer.windows import TrainingData, TrainWindow


@dataclass(slots=True)
class Loop:
    """One training run over an engine that has been set up."""

    engine: Engine
    objective: Objective
    datamodule: DataModule
    metrics: Sequence[Metric]
    hooks: Hooks
    loggers: Loggers
    metrics_file: LineFile
    store: CheckpointStore
    saving: SaveSettings
    signals: SignalFlag
    progress: Progress
    options: LoopOptions
    limits: BatchLimits = field(default_factory=BatchLimits)
    seed: int = 0
    state: LoopState = field(default_factory=LoopState)
    _non_finite: NonFiniteSteps = field(init=False)
    _measurements: Measurements = field(init=False)
    _saver: Saver = field(init=False)
    _rollback: Rollback = field(init=False)
    _data: TrainingData = field(init=False)
    _started_seconds: float = field(default_factory=time.monotonic)
    _data_state: Json = None
    _before_validation: Json = None  # set while a validation runs whose step is not complete
    _validation_owed: bool = False
    _epoch_begun: bool = False
    _latest: tuple[Place, Window] | None = None
    _latest_saved: Place | None = None

    def __post_init__(self) -> None:
        self._non_finite = NonFiniteSteps(
            self.options.on_nonfinite, self.engine, self._window_again
        )
        self._measurements = Measurements(
            self.engine, self.loggers, self.progress, self.state, self._non_finite
        )
        self._saver = Saver(
            self.store, self.engine, self.saving, self._on_commit, self._on_failed_save
        )
        self._rollback = Rollback(
            self.engine, self.store, self.metrics_file, self.load_state_dict, self._non_finite
        )
        self._data = TrainingData(
            self.datamodule,
            self.limits,
            self.options.accumulate_grad_batches,
            self.objective.weight,
            self._own_streams,
            getattr(self.engine, "place_block", None),
        )

    def run(self) -> bool:
        """Train to the end; False when a signal ended it early, after a checkpoint."""
        self.hooks.call("on_fit_start", self.state)
        while True:
            try:
                self._train()
                return True
            except InterruptedRun:
                self.save_interrupted()
                return False
            except DivergedError as error:
                self._go_back(error)

    def _train(self) -> None:
        if self._validation_owed:
            self._end_step(epoch_ended=self.state.batch == 0)
        while not self.is_finished():
            self._check()
            self._epoch()
        self._check_callbacks()
        self._measurements.read()
        self.hooks.call("on_fit_end", self.state)
        if self.hooks.control.save:
            self._save(must_succeed=True)
        self._saver.collect(wait=True)
        self._log_train()
        self._check_callbacks()

    def _check(self) -> None:
        """Leave, between two steps, where a callback has failed or a signal asks for it."""
        self._check_callbacks()
        self.signals.check()

    def _check_callbacks(self) -> None:
        if self.hooks.failed:
            self._save_after_failure()
            self.hooks.check()

    @contextmanager
    def _last_step_saved(self) -> Iterator[None]:
        """A context between two steps: what fails in it costs no step that was trained."""
        try:
            yield
        except (Exception, SystemExit):
            if self.state.global_step:
                self._save_after_failure()
            raise

    def _save_after_failure(self) -> None:
        try:
            self._save(must_succeed=True)
        except Exception as error:  # noqa: BLE001 - what has failed before counts for more
            known = isinstance(error, (OSError, OfflineTrainerError))
            text = str(error) if known else text_and_line(error)
            notice(f"no checkpoint of step {self.state.global_step} was saved: {text}")

    def save_interrupted(self) -> None:
        """Commit a checkpoint of the last complete step, since the run was asked to stop."""
        self.hooks.call("on_interrupt", self.state)
        try:
            self._save(must_succeed=True)
        except DivergedError as error:
            self._go_back(error)  # where it stands now is on the disk
        self.hooks.check()

    def leave(self) -> None:
        """After a failure: what is being saved is saved to its end."""
        self._saver.collect(wait=True, must_not_fail=False)

    def _epoch(self) -> None:
        if self.state.batch == 0 and not self._epoch_begun:
            self.hooks.call("on_epoch_start", self.state)
        self._epoch_begun = True
        for window in self._windows():
            self._step(window)
            if self.is_finished() and not window.is_last:
                return
            self._check()

    def _step(self, window: TrainWindow) -> None:
        state = self.state
        place = Place(state.global_step + 1, state.epoch, state.batch)
        if self._non_finite.passes_over(place):
            self._count(window)
        else:
            self._train_step(window, place)
        if window.is_last or self.state.global_step % self.options.log_every_n_steps == 0:
            self._log_train()
        self._end_step(window.is_last)

    def _train_step(self, window: TrainWindow, place: Place) -> None:
        self.hooks.call("on_window_start", self.state)
        self._latest = place, window.batches
        output = self.engine.train_step(window.batches)
        self._step_schedules("step")
        weight = self._count(window)
        self._measurements.add(output, weight, place)
        self.hooks.call("on_train_step_end", self.state)

    def _end_step(self, epoch_ended: bool) -> None:
        """What follows an update; a signal in the validation leaves it all to the resumed run."""
        validated = self._validation_due(epoch_ended) and self._validate()
        if epoch_ended:
            self._step_schedules("epoch")
            self.hooks.call("on_epoch_end", self.state)
            self.progress.end_epoch()
        if validated:
            self._step_schedules("metric")
        if self.hooks.control.save:
            self._save()
        self._saver.rehearse(self.state_dict, step=self.state.global_step, epoch=self.state.epoch)
        self._saver.collect()

    def _step_schedules(self, interval: Interval) -> None:
        metrics = self.state.metrics
        try:
            self.engine.step_schedules(interval, metrics)
        except KeyError as error:
            raise missing_metric(error.args[0], metrics).within("scheduler") from error

    def _windows(self) -> Iterator[TrainWindow]:
        epoch, before = self.state.epoch, self.state.global_step
        rest = self._data.windows(epoch, self.state.batch)
        with self._last_step_saved():
            yield from self.progress.timed(self.signals.interruptible(rest))
            if self.state.global_step == before:
                raise OfflineTrainerError(f"the training data yields no batch in epoch {epoch}")

    def _window_again(self, place: Place) -> Window | None:
        if self._latest is not None and self._latest[0] == place:
            return self._latest[1]
        return self._data.again(place.epoch, place.batch)

    def _own_streams(self, epoch: int) -> AbstractContextManager[None]:
        streams = isolated_random_streams(self.engine, epoch_seed(self.seed, epoch))
        return self.signals.uninterrupted(streams)

    def _go_back(self, error: DivergedError) -> None:
        """Go back to the last checkpoint, if the run is asked to; raise the error otherwise."""
        place = error.place or self._latest_saved or (self._latest and self._latest[0])
        if place is None:
            raise error
        with suppress(DivergedError):  # of a save that comes after what is blamed
            self._saver.collect(wait=True, must_not_fail=False)
        self._rollback.go_back(error, place)
        if self.state.out_dir is not None:
            self.loggers.begin(out_dir=self.state.out_dir, step=self.state.global_step)

    def _count(self, window: TrainWindow) -> float:
        state = self.state
        state.global_step += 1
        state.batch += len(window.batches)
        self._data_state = window.data_state
        if window.is_last:
            state.epoch += 1
            state.batch = 0
            self._epoch_begun = False
        weight = sum(batch.weight for batch in window.batches)
        self.progress.advance(state.global_step, state.epoch, weight)
        return weight

    def _log_train(self) -> None:
        row = self._measurements.train_row()
        if row:
            self.state.row = row
            self.hooks.call("on_log", self.state)
            self._measurements.log(row, "train")

    def _validation_due(self, epoch_ended: bool) -> bool:
        options, state = self.options, self.state
        if self.hooks.control.validate or self._validation_owed:
            return True
        if options.val_every_n_steps:
            return state.global_step % options.val_every_n_steps == 0
        every = options.val_every_n_epochs
        return every is not None and epoch_ended and state.epoch % every == 0

    def _validate(self) -> bool:
        self.hooks.control.validate = False
        self._measurements.read()
        self._before_validation = {**self.state_dict(), "validation_owed": True}
        with self._last_step_saved():
            validated = self.evaluate("val")
        self._before_validation, self._validation_owed = None, False
        return validated

    def test(self) -> bool:
        """Evaluate on the test set; False when there is none."""
        with self._last_step_saved():
            return self.evaluate("test")

    def evaluate(self, stage: Stage) -> bool:
        """Evaluate on a part of the data and log the result; False when there is none."""
        batches = evaluation_batches(self.datamodule, stage, self.limits)
        if batches is None:
            return False
        self._measurements.read()
        self.state.stage = stage
        try:
            self.hooks.call("on_validation_start", self.state)
            values = evaluate(
                self.engine,
                self.objective,
                self.metrics,
                self.signals.interruptible(batches),
                stage,
                lambda: self.hooks.call("on_validation_batch_end", self.state),
            )
            self._measurements.log(values, stage)
            if not math.isfinite(values.get("loss", 0.0)):
                notice(f"the {stage} loss at step {self.state.global_step} is {values['loss']}")
            self.hooks.call("on_validation_end", self.state)
        finally:
            self.state.stage = "train"
        return True

    def is_finished(self) -> bool:
        """Whether it has trained as long as it should."""
        options, state = self.options, self.state
        return (
            self.hooks.control.stop
            or state.epoch >= options.max_epochs
            or state.global_step >= options.max_steps
            or (options.max_seconds < math.inf and self._seconds() >= options.max_seconds)
        )

    def _seconds(self) -> float:
        """How long this run has trained, all attempts together."""
        return time.monotonic() - self._started_seconds

    def _save(self, *, must_succeed: bool = False) -> None:
        self._saver.collect(wait=True, must_not_fail=not must_succeed)
        self.hooks.control.save = False
        self._measurements.read()
        self.hooks.call("on_state_snapshot", self.state)
        state = self.state
        self._latest_saved = self._latest[0] if self._latest is not None else None
        self._saver.save(
            self._before_validation or self.state_dict(),
            self._measurements.of_this_step(),
            step=state.global_step,
            epoch=state.epoch,
            must_succeed=must_succeed,
        )

    def _on_commit(self, path: Path) -> None:
        self.state.checkpoint = path
        self.hooks.call("on_checkpoint_commit", self.state)

    def _on_failed_save(self) -> None:
        self.hooks.call("on_checkpoint_rejected", self.state)

    def state_dict(self) -> Json:
        """All but the engine's state that the rest of the run depends on, as it is now."""
        return copied(self._live_state(self.state))

    def _live_state(self, state: LoopState) -> Json:
        objective_state = getattr(self.objective, "state_dict", None)
        return {
            "global_step": state.global_step,
            "epoch": state.epoch,
            "batch": state.batch,
            "measurements": self._measurements.state_dict(),
            "callbacks": self.hooks.state_dict(),
            "asked": asdict(self.hooks.control),
            "validation_owed": False,
            "epoch_begun": self._epoch_begun,
            "data": self._data_state,
            "objective": objective_state() if objective_state is not None else None,
            "random": host_random_state(),
            "metrics_file": asdict(self.metrics_file.end()),
            # The one time in a checkpoint, and only where a length in time needs it.
            "seconds": self._seconds() if math.isfinite(self.options.max_seconds) else None,
        }

    def load_state_dict(self, saved: Json) -> None:
        """Stand where the checkpoint was taken; the engine restores its own part."""
        state = self.state
        state.global_step, state.epoch = saved["global_step"], saved["epoch"]
        state.batch = saved["batch"]
        self._validation_owed = saved["validation_owed"]
        # Absent from what earlier versions saved, which was never between the two.
        self._epoch_begun = saved.get("epoch_begun", state.batch > 0) is True
        self._before_validation = self._latest = self._latest_saved = None
        self._measurements.load_state_dict(saved["measurements"])
        self.hooks.load_state_dict(saved["callbacks"])
        self.hooks.control = Control(**saved["asked"])
        for part, name in ((self.datamodule, "data"), (self.objective, "objective")):
            load = getattr(part, "load_state_dict", None)
            if load is not None and saved[name] is not None:
                load(saved[name])
        self._data_state = saved["data"]
        self._started_seconds = time.monotonic() - (saved.get("seconds") or 0.0)
        restore_host_random_state(saved["random"])
        self.hooks.call("on_state_restored", state)
