"""What the components of a config must look like to the loop, one protocol per kind.

Plugins implement these by having the methods; there is nothing to inherit from.
Imports no framework and no numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

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
    one that was hashed when it was read may be an `offline_trainer.run.input_files.InputFile`;
    ``split_state()``, JSON that tells which samples are in which part, saved with the run;
    ``part_dataloader(part)``, all batches of ``train``, ``val`` or ``test`` in the order of the
    data, or None, for ``ot evaluate``;
    ``load_transform_state(state)``, called before `setup`: use what a run has fitted, and fit
    nothing;
    ``keep_on_device(place)``, called once after `setup` with the engine's ``place``, or None: bring
    there what is to stay there;
    ``close()``, called when the run ends, however it does. What ``ot predict`` needs besides is
    `PredictsFromFile`.
    """

    def setup(self, stage: Stage | str) -> None:
        """Open files and fit transforms; raises ParameterError for a missing file or column."""

    def train_dataloader(self) -> Iterable[Any]:
        """The training batches of one epoch; called once per epoch."""


Values = Any
"""One value for each sample: a list, or an array of numpy or pyarrow."""


@dataclass(frozen=True, slots=True)
class NewSamples:
    """Some samples that a trained model is to be used on.

    Attributes:
        batch: As `DataModule` yields it, without targets.
        columns: What was read of these samples, by name, one value for each; it is written beside
            the predictions.
    """

    batch: Any
    columns: Mapping[str, Values]


@runtime_checkable
class PredictsFromFile(Protocol):
    """What a datamodule has besides, for ``ot predict``; `setup` is not called before."""

    def load_transform_state(self, state: Json) -> None:
        """Use what the run has fitted; raises ValueError if this is nothing that it can have."""

    def new_samples(self, path: Path) -> Iterable[NewSamples]:
        """The samples of a file in their order, not more in memory than some batches.

        Raises:
            ParameterError: The file, or a value in it, cannot be used.
        """

    def predictions(self, outputs: Any, probabilities: Any | None) -> Mapping[str, Values]:
        """The columns to write for one batch.

        Args:
            outputs: What the model gave: nested containers of numpy arrays (B, ...).
            probabilities: Of the classes, (B, C), where the loss knows them (see `Loss`).
        """


@runtime_checkable
class Transform(Protocol):
    """Kind ``transform``: a column of numbers or categories, turned into others.

    Values have shape (N, ...), N rows: float64, NaN where one is missing, for numbers; an object
    array of texts, None where one is missing, for categories. What is learned is a value of its
    own, the state: JSON, which is saved with the run. One transform serves any number of columns.

    Optional: ``columns``, the names of those it is for; ``takes``, some of ``("number",
    "category")``, ``("number",)`` if there is none; ``invert(values, state)``, back from what
    `apply` gave; ``output_names(name, state)``, for what has several columns, shape (N, k);
    ``fit_declared(categories)``, the state where all categories of a column are declared.
    """

    def fit(self, values: Any) -> Json:
        """What is to be known of the training rows.

        Raises:
            ParameterError: They cannot be used.
        """

    def apply(self, values: Any, state: Json) -> Any:
        """The values of any rows, transformed: (N, ...).

        Raises:
            BadValueError: One of them cannot be.
        """


@runtime_checkable
class ImageTransform(Protocol):
    """Kind ``transform``, for `data.images`: one image, turned into another."""

    def apply_image(self, image: Any, random: Any) -> Any:
        """A ``PIL.Image.Image`` of the same mode, which may be the one that was given.

        It is called in several threads at once, and is a function of its arguments alone.

        Args:
            image: A ``PIL.Image.Image`` of mode RGB or L.
            random: A ``numpy.random.Generator`` that belongs to this image in this epoch; None
                where the image is evaluated or predicted for, and nothing may be random.

        Raises:
            BadImageError: It cannot be applied to this image.
        """


@runtime_checkable
class PixelTransform(Protocol):
    """Kind ``transform``, for `data.images`: the numbers of images, after all `ImageTransform`s.

    Pixels are float32 (B, C, H, W), from 0 to 1 before the first of these. What is learned is a
    value of its own, the state: JSON, which is saved with the run.
    """

    def fit_pixels(self, batches: Iterable[Any]) -> Json:
        """What is to be known of the training images, as they are evaluated.

        Args:
            batches: All of them, some at a time, made when they are asked for.

        Raises:
            ParameterError: They cannot be used.
        """

    def apply_pixels(self, pixels: Any, state: Json) -> Any:
        """The pixels transformed, float32 (B, C, H, W); it may write to those that it gets.

        It is called in several threads at once, and is a function of its arguments alone.
        """


class BadImageError(ValueError):
    """What is wrong with one image; raised by a transform about what it is given.

    Args:
        message: Goes on from the name of the image: ``is 20 x 20 pixels, smaller than …``.
        help: The next step to take.
    """

    def __init__(self, message: str, *, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class BadValueError(ValueError):
    """Raised by a transform about one value.

    Args:
        row: Which of those that it got, from 0.
        message: What is wrong, with the value.
        suggestions: The nearest good values.
        help: The next step to take.
    """

    def __init__(
        self, row: int, message: str, *, suggestions: Sequence[str] = (), help: str = ""
    ) -> None:
        super().__init__(message)
        self.row = row
        self.message = message
        self.suggestions = tuple(suggestions)
        self.help = help


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
    """Kind ``loss``.

    Optional: ``probabilities(outputs)``, of the classes, (B, C), from the outputs as numpy arrays;
    None where they mean something else.
    """

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
    the step that the run begins at, which is not 0 when it is resumed, and called again when the
    run has gone back (``on_nonfinite: rollback``); what an earlier attempt
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
