"""`trainer.default`: sets the engine up, goes back to a checkpoint if asked, and runs the loop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from model_constructor.errors import ConfigPath, ParameterError
from model_constructor.registry import Registry
from offline_trainer.callbacks.hooks import Hooks, LoopState
from offline_trainer.checkpoint.reading import Checkpoint
from offline_trainer.checkpoint.resumable import restoring
from offline_trainer.context import RunContext, RunInfo
from offline_trainer.duration import Duration, Unit, parse_duration
from offline_trainer.engine import Engine, OptimizerPlan, Task
from offline_trainer.evaluation import evaluation_batches, isolated_random_streams, rehearse
from offline_trainer.initial_weights import start_from
from offline_trainer.loggers.isolation import Loggers
from offline_trainer.loggers.jsonl import JsonlLogger
from offline_trainer.loop import Loop
from offline_trainer.loop_options import LoopOptions
from offline_trainer.monitor import tell_of_unmeasured
from offline_trainer.non_finite import OnNonfinite
from offline_trainer.notices import notice
from offline_trainer.progress import Progress, choose_progress
from offline_trainer.protocols import (
    DataModule,
    Io,
    Logger,
    Loss,
    Metric,
    OptimizerFactory,
    RunLength,
    SchedulerFactory,
)
from offline_trainer.run.line_file import FileEnd
from offline_trainer.run.signals import InterruptedRun


class DefaultTrainer:
    """The training loop as a component.

    Args:
        max_epochs: Length in epochs, or a length such as ``"3000st"``.
        max_steps: Length in optimizer steps.
        max_time: Length in seconds, or ``"2h"``; the first limit reached ends the run.
        log_every_n_steps: How often training metrics are read and logged; also at each epoch's end.
        val_every_n_epochs: How often to validate; null for never.
        val_every_n_steps: Validate by steps instead.
        accumulate_grad_batches: Batches of one optimizer step.
        clip_grad_norm: Upper bound of the total gradient norm.
        clip_grad_value: Bound of each gradient element.
        on_nonfinite: What a step means whose loss or gradient is not finite. Its update is left
            out. ``raise`` ends the run and names what was not finite first; ``skip`` counts it and
            goes on; ``rollback`` goes back to the last checkpoint and leaves out the batches of
            that step, at most three times. What an fp16 loss scaler skips is none of these.
        test_after_fit: Evaluate on the test set at the end, if the datamodule has one.
        progress: Show a progress display.

    Raises:
        ParameterError: No length is given, or a number is not positive.
    """

    def __init__(
        self,
        max_epochs: int | str | None = None,
        max_steps: int | str | None = None,
        max_time: float | str | None = None,
        log_every_n_steps: int = 50,
        val_every_n_epochs: int | None = 1,
        val_every_n_steps: int | None = None,
        accumulate_grad_batches: int = 1,
        clip_grad_norm: float | None = None,
        clip_grad_value: float | None = None,
        on_nonfinite: OnNonfinite = "raise",
        test_after_fit: bool = True,
        progress: bool = True,
    ) -> None:
        lengths: list[tuple[str, Any, Unit]] = [
            ("max_epochs", max_epochs, "epochs"),
            ("max_steps", max_steps, "steps"),
            ("max_time", max_time, "seconds"),
        ]
        given = [parse_duration(v, unit, name) for name, v, unit in lengths if v is not None]
        if not given:
            raise ParameterError(
                "the trainer needs a length", help="add max_epochs, max_steps or max_time"
            )
        for name, value in (
            ("log_every_n_steps", log_every_n_steps),
            ("val_every_n_epochs", val_every_n_epochs),
            ("val_every_n_steps", val_every_n_steps),
            ("accumulate_grad_batches", accumulate_grad_batches),
            ("clip_grad_norm", clip_grad_norm),
            ("clip_grad_value", clip_grad_value),
        ):
            if value is not None and value <= 0:
                raise ParameterError(f"{name} must be positive, got {value}", parameter=name)
        self._options = LoopOptions(
            max_epochs=_shortest(given, "epochs"),
            max_steps=_shortest(given, "steps"),
            max_seconds=_shortest(given, "seconds"),
            log_every_n_steps=log_every_n_steps,
            val_every_n_epochs=None if val_every_n_steps else val_every_n_epochs,
            val_every_n_steps=val_every_n_steps,
            accumulate_grad_batches=accumulate_grad_batches,
            on_nonfinite=on_nonfinite,
        )
        self._clip_grad_norm = clip_grad_norm
        self._clip_grad_value = clip_grad_value
        self._test_after_fit = test_after_fit
        self._progress = progress

    def fit(
        self,
        *,
        model: Any,
        datamodule: DataModule,
        io: Io | None,
        loss: Loss | None,
        optimizer_factory: OptimizerFactory | Mapping[str, OptimizerFactory],
        scheduler_factory: SchedulerFactory | Mapping[str, SchedulerFactory] | None,
        metrics: Sequence[Metric],
        callbacks: Sequence[Any],
        loggers: Sequence[Logger],
        registry: Registry,
        run: RunInfo,
        context: RunContext,
    ) -> None:
        """Train; what came of it is left in ``context``.

        Args:
            model: The model, or several by name.
            datamodule: Set up for ``fit``.
            io: What the objective is bound to, with ``loss``; None where it needs neither.
            optimizer_factory: One for all models, or one for each by name.
            scheduler_factory: Likewise; None for a constant learning rate.

        Raises:
            DivergedError: Loss or gradient is not finite.
            ComponentFailedError: A callback failed.
        """
        models = model if isinstance(model, Mapping) else {"model": model}
        if io is not None and loss is not None and hasattr(context.objective, "bind"):
            context.objective.bind(io, loss)
        scheduler_factory = for_length(
            scheduler_factory, self._options.length(context.epoch_length)
        )
        plans = plan_optimizers(models, optimizer_factory, scheduler_factory)
        task = Task(
            models,
            context.objective,
            plans,
            registry,
            self._clip_grad_norm,
            self._clip_grad_value,
            stays_at_nonfinite=self._options.on_nonfinite != "skip",
        )
        context.engine.setup(task, context.example_batch)
        if hasattr(datamodule, "keep_on_device"):
            _keep_on_device(datamodule, context.engine)
        if context.init_from is not None:
            start_from(context.engine, context.init_from)
        for index, callback in enumerate(callbacks):
            if hasattr(callback, "attach"):
                _attach(callback, context.engine, index)
        if context.resume is not None:
            with restoring(context.resume):
                context.engine.restore(context.resume.state)
        with isolated_random_streams(context.engine):
            batches = None
            if self._options.validates:
                batches = evaluation_batches(datamodule, "val", context.limits)
            if batches is None:
                context.engine.eval_step(context.example_batch, "val")
            else:
                first = islice(batches, 1)
                measured = rehearse(context.engine, context.objective, metrics, first)
                tell_of_unmeasured(_watched(callbacks, scheduler_factory, context), measured)
        context.begin()
        progress = self._choose_progress(context.epoch_length)
        loop = Loop(
            engine=context.engine,
            objective=context.objective,
            datamodule=datamodule,
            metrics=metrics,
            hooks=Hooks(callbacks, context.callback_names or _class_names(callbacks)),
            loggers=Loggers([JsonlLogger.writing(context.metrics_file), *loggers]),
            metrics_file=context.metrics_file,
            store=context.store,
            saving=context.saving,
            signals=context.signals,
            progress=progress,
            options=self._options,
            limits=context.limits,
            seed=run.seed,
            state=LoopState(models=models, out_dir=run.out_dir, progress=progress),
        )
        if context.resume is not None:
            _go_on(loop, context.resume, same_metrics_file=context.same_metrics_file)
        loop.loggers.begin(out_dir=run.out_dir, step=loop.state.global_step)
        loop.loggers.log_hparams(run.config)
        self._run(loop, context)

    def _run(self, loop: Loop, context: RunContext) -> None:
        hooks, state = loop.hooks, loop.state
        loop.progress.start(state.global_step, state.epoch)
        try:
            hooks.call("on_run_start", state)
            context.outcome = "done" if loop.run() else "interrupted"
            if context.outcome == "done" and self._test_after_fit:
                self._test(loop, context)
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt):
                _leave(loop)
            hooks.call("on_exception", state)
            hooks.call("on_run_end", state)
            hooks.report()
            raise
        else:
            hooks.call("on_run_end", state)
            hooks.check()
        finally:
            context.global_step, context.epoch = state.global_step, state.epoch
            loop.progress.close()
            loop.loggers.close()

    def _test(self, loop: Loop, context: RunContext) -> None:
        try:
            tested = loop.test()
        except InterruptedRun:
            loop.save_interrupted()
            context.outcome = "interrupted"
            return
        loop.hooks.check()
        if tested:
            context.test_metrics = {
                name.removeprefix("test_"): value
                for name, value in loop.state.metrics.items()
                if name.startswith("test_")
            }

    def _choose_progress(self, epoch_length: int | None) -> Progress:
        steps = self._options.length(epoch_length).steps
        return choose_progress(self._progress, steps, _whole(self._options.max_epochs))


def _shortest(lengths: Sequence[Duration], unit: Unit) -> float:
    return min((length.amount for length in lengths if length.unit == unit), default=math.inf)


def _whole(amount: float) -> int | None:
    return int(amount) if math.isfinite(amount) else None


def plan_optimizers(
    models: Mapping[str, Any],
    optimizer_factory: OptimizerFactory | Mapping[str, OptimizerFactory],
    scheduler_factory: SchedulerFactory | Mapping[str, SchedulerFactory] | None,
) -> list[OptimizerPlan]:
    """Which optimizer updates which models: one factory serves all, a mapping one model each."""
    schedules = scheduler_factory
    if not isinstance(optimizer_factory, Mapping):
        single = None if isinstance(schedules, Mapping) else schedules
        return [OptimizerPlan("optimizer", tuple(models), optimizer_factory, single)]
    return [
        OptimizerPlan(
            name,
            (name,),
            factory,
            schedules.get(name) if isinstance(schedules, Mapping) else schedules,
            ("optimizer", name),
            ("scheduler", name) if isinstance(schedules, Mapping) else ("scheduler",),
        )
        for name, factory in optimizer_factory.items()
    ]


def for_length(
    scheduler_factory: SchedulerFactory | Mapping[str, SchedulerFactory] | None, length: RunLength
) -> Any:
    """The schedules' factories with what depends on the run's length filled in.

    Raises:
        ParameterError: The length is not known, and a factory needs it.
    """
    if isinstance(scheduler_factory, Mapping):
        return {
            name: _for_length(factory, length, ("scheduler", name))
            for name, factory in scheduler_factory.items()
        }
    return _for_length(scheduler_factory, length, ("scheduler",))


def _for_length(factory: Any, length: RunLength, path: ConfigPath) -> Any:
    if not hasattr(factory, "for_length"):
        return factory
    try:
        return factory.for_length(length)
    except ParameterError as error:
        raise error.within(*path) from error


def _go_on(loop: Loop, checkpoint: Checkpoint, *, same_metrics_file: bool) -> None:
    with restoring(checkpoint):
        end = FileEnd(**checkpoint.loop_state["metrics_file"])
        if same_metrics_file:
            loop.metrics_file.go_back_to(end, keep_rest=loop.store.leaves_a_line())
        loop.load_state_dict(checkpoint.loop_state)
    if checkpoint.manifest.config_hash != loop.store.config_hash:
        loop.hooks.control.stop = False  # what ended the run then may be what was changed since
    notice(f"resumed from {checkpoint.path} (step {checkpoint.step}, epoch {checkpoint.epoch})")
    if loop.is_finished():
        notice("nothing is left to train; to go on, give the trainer a greater length")


def _watched(
    callbacks: Sequence[Any], scheduler_factory: Any, context: RunContext
) -> list[tuple[str, str]]:
    """Which metric each callback and schedule looks at, of those that say so by ``monitor``."""
    parts = [*zip(context.callback_names or _class_names(callbacks), callbacks, strict=True)]
    if isinstance(scheduler_factory, Mapping):
        parts += [(f"the schedule of {name}", each) for name, each in scheduler_factory.items()]
    else:
        parts.append(("the schedule", scheduler_factory))
    return [(who, part.monitor) for who, part in parts if getattr(part, "monitor", None)]


def _leave(loop: Loop) -> None:
    try:
        loop.leave()
    except Exception as error:  # noqa: BLE001 - what ended the run counts for more
        notice(f"a save that had begun came to no good end: {error}")


def _keep_on_device(datamodule: Any, engine: Engine) -> None:
    try:
        datamodule.keep_on_device(getattr(engine, "place", None))
    except ParameterError as error:
        raise error.within("data") from error


def _attach(callback: Any, engine: Engine, index: int) -> None:
    try:
        callback.attach(engine)
    except ParameterError as error:
        raise error.within("callbacks", index) from error


def _class_names(callbacks: Sequence[Any]) -> list[str]:
    return [type(callback).__name__ for callback in callbacks]
