"""What the components of a config must look like to the loop, one protocol per kind.

Plugins implement these by having the methods; there is nothing to inherit from.
Imports no framework and no numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from model_constructor.registry import Registry
    from offline_trainer.engine import EvalOutput, Interval, Json, Scalar, Stage


@dataclass(slots=True)
class LossOutput:
    """`loss` is optimised; `logs` are only logged."""

    loss: Scalar
    logs: Mapping[str, Scalar] = field(default_factory=dict)


@runtime_checkable
class DataModule(Protocol):
    """Kind ``data``: loads, splits and batches.

    A batch is a nested dict, list or tuple of numpy arrays, or whatever the engine can place.

    Optional: ``val_dataloader()``, ``test_dataloader()`` (may return None), called for each
    evaluation, and at most once before training; ``set_seed(seed)``,
    called with ``run.seed`` before `setup`; ``set_position(epoch, batch)``, called before
    `train_dataloader`, after which it yields the rest of that epoch from that batch on;
    ``state_dict()`` / ``load_state_dict()`` for a stream that knows its own position;
    ``transform_state()``, fitted values (JSON) that are saved with the run;
    ``input_files() -> Sequence[Path]``, called after `setup`: the files that the batches come
    from, whose hashes become ``data`` of run.json (an empty sequence says that there are none);
    ``close()``, called when the run ends, however it does.
    """

    def setup(self, stage: Stage | str) -> None:
        """Open files and fit transforms; raises ParameterError for a missing file or column."""

    def train_dataloader(self) -> Iterable[Any]:
        """The training batches of one epoch; called once per epoch."""


@runtime_checkable
class Io(Protocol):
    """Kind ``io``: which part of a batch the model gets, and which the loss.

    Optional: ``weight(batch) -> float``, the batch's weight in means and in accumulation.
    """

    def split(
        self, batch: Any, stage: Stage
    ) -> tuple[tuple[tuple[Any, ...], dict[str, Any]], Any, Any]:
        """``((args, kwargs) of the model, targets, meta)``."""


@runtime_checkable
class Loss(Protocol):
    """Kind ``loss``."""

    def __call__(self, *, outputs: Any, targets: Any, batch: Any, stage: Stage) -> LossOutput:
        """The mean loss over the batch."""


@runtime_checkable
class OptimizerFactory(Protocol):
    """Kind ``optim_factory``."""

    def build(self, model: Any, *, registry: Registry) -> Any:
        """The framework's optimizer over the model's trainable parameters."""


@dataclass(frozen=True, slots=True)
class SchedulerBundle:
    """A schedule, and when it is advanced.

    Attributes:
        scheduler: The framework's schedule, already bound to its optimizer.
        interval: After optimizer steps, after epochs, or after validation with a metric.
        frequency: Every how many of these.
        monitor: The metric handed to it, for ``interval: metric``.
    """

    scheduler: Any
    interval: Interval
    frequency: int = 1
    monitor: str | None = None


@dataclass(frozen=True, slots=True)
class RunLength:
    """How long a run is, as far as its options and its data tell.

    Attributes:
        steps: Optimizer steps.
        epochs: Epochs, the last of which may end early.
    """

    steps: int | None
    epochs: int | None


@runtime_checkable
class SchedulerFactory(Protocol):
    """Kind ``sched_factory``.

    Optional: ``for_length(length: RunLength) -> SchedulerFactory``, called before `build`: the
    factory with what depends on the run's length filled in; raises ParameterError where that is not
    known.
    """

    def build(self, optimizer: Any, *, registry: Registry) -> SchedulerBundle:
        """The schedule over an optimizer."""


@runtime_checkable
class Metric(Protocol):
    """Kind ``metric``. Optional: ``state_dict()`` / ``load_state_dict()``, ``merge(other)``."""

    def update(self, *, outputs: Any, targets: Any, batch: Any, stage: Stage) -> None:
        """Take in one batch."""

    def compute(self) -> Mapping[str, float]:
        """The values over all batches since `reset`, by name."""

    def reset(self) -> None:
        """Forget everything."""


@runtime_checkable
class Logger(Protocol):
    """Kind ``log``: told of the numbers of a run. It cannot change training.

    Each logger is called in a thread of its own, one call after the other, in the order of the run.
    A call that raises is made once more; then the logger is disabled with one notice, as is one
    that hangs. What draws from a global random stream would disturb training: use a generator.

    Optional: ``begin(*, out_dir, step)``, called first: the run directory, where files belong, and
    the step that the run begins at, which is not 0 when it is resumed; what an earlier attempt
    wrote of later steps counts no more. ``immediate = True``: it is called in the loop's own
    thread, which then waits for it.
    """

    def log_hparams(self, params: Mapping[str, Any]) -> None:
        """The resolved config, once at the start."""

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: Stage) -> None:
        """One row of numbers."""

    def close(self) -> None:
        """Flush and release."""


Models = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Update:
    """One optimizer update inside a step: which loss is differentiated, which optimizers move.

    Attributes:
        optimizers: Names of the `OptimizerPlan`s that step on this loss.
        loss: ``loss(models, batch, stage)``, where each model is callable.
    """

    optimizers: tuple[str, ...]
    loss: Callable[[Models, Any, Stage], LossOutput]


@runtime_checkable
class Objective(Protocol):
    """Kind ``objective``: what one step computes over the named models.

    Optional: ``bind(io, loss)``, called with what the top-level sections configure;
    ``start(models)``, run without gradient when every size is known, before a checkpoint is
    restored (copies of a model, such as target networks, begin as it);
    ``after_step(models, step)``, run without gradient after the last update (target networks);
    ``state_dict()`` / ``load_state_dict()`` (JSON).
    """

    def updates(self, step: int, optimizers: Sequence[str]) -> Sequence[Update]:
        """The updates of this step, in order; ``optimizers`` are the names that the run has."""

    def evaluate(self, models: Models, batch: Any, stage: Stage) -> EvalOutput:
        """Loss, outputs and targets of a batch; called without gradient."""

    def predict(self, models: Models, batch: Any) -> Any:
        """The outputs for a batch."""

    def weight(self, batch: Any) -> float:
        """How much this batch counts in a mean, from host data: samples, or a mask's sum."""


State = dict[str, "Json"]
