"""The engine protocol: all that the loop knows of a framework, and what travels across it.

An engine is a component of kind ``engine``. A framework package brings one; the loop in
`offline_trainer.loop` is written once against this file. Imports no framework and no numpy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from model_constructor.errors import ConfigPath, ParameterError, close_matches

if TYPE_CHECKING:
    from model_constructor.graph.ir import GraphIR
    from model_constructor.registry import Registry
    from offline_trainer.protocols import Objective, OptimizerFactory, SchedulerFactory

Stage = Literal["train", "val", "test", "predict"]
Interval = Literal["step", "epoch", "metric"]
Precision = Literal["fp32", "fp16-mixed", "bf16-mixed"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16-mixed", "bf16-mixed")
DEVICES = ("auto", "cpu", "cuda", "mps")
"""Kinds of devices; ``cuda:N`` is the card of that number."""

Scalar = Any
"""A number that may still be on its way: a float, or a framework's 0-d array. Reading one may wait
for the device, so the loop reads them only through `Engine.read`, and only when it logs."""

Json = Any
"""None, bool, int, float, str, or lists and dicts (with str keys) of these."""


class MicroBatch(NamedTuple):
    """One batch as the datamodule yielded it, with its weight known on the host.

    Attributes:
        data: The batch.
        weight: Its weight in means.
        is_placed: Whether it came out of the engine's `place_block`.
    """

    data: Any
    weight: float
    is_placed: bool = False


Window = Sequence[MicroBatch]
"""The micro-batches of one optimizer step."""


@dataclass(slots=True)
class StepOutput:
    """What one optimizer step produced.

    Attributes:
        loss: Mean loss of the window, weighted by micro-batch weights.
        logs: Further scalars of the objective, and ``grad_norm`` when clipping is on.
        stepped: Whether the optimizer really stepped (an fp16 scaler may skip).
        finite: Whether loss and gradients were finite; if not, the update was suppressed.
    """

    loss: Scalar
    logs: Mapping[str, Scalar] = field(default_factory=dict)
    stepped: Scalar = True
    finite: Scalar = True


@dataclass(slots=True)
class EvalOutput:
    """What evaluating one batch produced; `outputs` and `targets` are what metrics see."""

    loss: Scalar | None
    logs: Mapping[str, Scalar] = field(default_factory=dict)
    outputs: Any = None
    targets: Any = None


@dataclass(frozen=True, slots=True)
class HostTensor:
    """A tensor's bytes in host memory: little-endian, row-major.

    Attributes:
        dtype: Name as in the safetensors format: ``F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL``.
        shape: Sizes; ``()`` for a scalar.
        data: ``prod(shape) * itemsize`` bytes, not shared with anything that changes.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class HostState:
    """An immutable host copy of everything an engine must restore to go on exactly.

    Attributes:
        tensors: Group (``model``, ``optimizer``, ``rng``, later also ``ema``) → name → tensor.
            Each group becomes one file of a checkpoint.
        values: What is not a tensor (optimizer settings, schedules, scaler), by group, as JSON.
        not_checked: Names of tensors that hold infinities on purpose, such as masks; all others
            must be finite to be saved.
    """

    tensors: Mapping[str, Mapping[str, HostTensor]]
    values: Mapping[str, Json]
    not_checked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The part of the ``run`` section that an engine acts on."""

    seed: int = 0
    device: str = "auto"
    precision: Precision = "fp32"
    deterministic: bool = False


def check_device_name(name: str) -> None:
    """Refuse what ``run.device`` cannot say on any machine.

    Raises:
        ParameterError: It is no name of a device.
    """
    if name not in DEVICES and re.fullmatch(r"cuda:[0-9]+", name) is None:
        raise ParameterError(
            f"{name!r} is not a device; expected auto, cpu, cuda, cuda:N or mps",
            parameter="device",
            suggestions=close_matches(name, DEVICES),
        )


@dataclass(frozen=True, slots=True)
class OptimizerPlan:
    """One optimizer to build: which models it updates, by which factory, on which schedule.

    `name` is the model's name when the config has an optimizer per model, else ``"optimizer"``.

    Attributes:
        path: Where the config has the optimizer, for errors.
        scheduler_path: Where it has the schedule.
    """

    name: str
    models: tuple[str, ...]
    factory: OptimizerFactory
    scheduler_factory: SchedulerFactory | None = None
    path: ConfigPath = ("optimizer",)
    scheduler_path: ConfigPath = ("scheduler",)


@dataclass(frozen=True, slots=True)
class Task:
    """What an engine is asked to train.

    Attributes:
        models: The models that `Engine.build` returned, by name (``model`` for a single one).
        objective: What one step computes.
        optimizers: In the order in which the config has them.
        clip_grad_norm: Upper bound of each optimizer's total gradient norm, or None.
        clip_grad_value: Bound of each gradient element, or None.
        stays_at_nonfinite: After a step that is not finite the run ends or goes back, so that an
            engine that leaves out updates on the device leaves out all that follow, too: the state
            is then still that of the step in question when the loop learns of it.
    """

    models: Mapping[str, Any]
    objective: Objective
    optimizers: Sequence[OptimizerPlan]
    registry: Registry
    clip_grad_norm: float | None = None
    clip_grad_value: float | None = None
    stays_at_nonfinite: bool = False


@dataclass(frozen=True, slots=True)
class NodeShape:
    """What one node of a model gave for one batch.

    Attributes:
        name: The node's name in the model's graph.
        value: Its value, or nested containers of values: things with ``shape`` and ``dtype``.
        parameters: Of the module it calls; 0 for an operation, and where an earlier node of the
            model calls the same module.
    """

    name: str
    value: Any
    parameters: int


@dataclass(frozen=True, slots=True)
class ShapeTrace:
    """What one batch did in every model.

    Attributes:
        models: By name; the nodes in the order in which they run, none for a model that the
            objective did not call with this batch.
        inputs: What each model that was called got, by the names of its inputs.
        evaluation: Of the batch.
    """

    models: Mapping[str, Sequence[NodeShape]]
    inputs: Mapping[str, Mapping[str, Any]]
    evaluation: EvalOutput


@runtime_checkable
class ShapeTracer(Protocol):
    """What an engine may have besides, for ``ot check --shapes``."""

    def trace_shapes(
        self,
        graphs: Mapping[str, GraphIR],
        registry: Registry,
        objective: Objective,
        optimizers: Sequence[str],
        batch: Any,
    ) -> ShapeTrace:
        """Build the models and send one batch through evaluation and the updates of the first step.

        Called after `prepare`, instead of `build`. Nothing is trained; where the models are large,
        without memory for their parameters. Whatever a model or the objective raises passes.

        Args:
            graphs: As for `build`.
            registry: As for `build`.
            objective: Bound to its io and loss.
            optimizers: Names of the run's optimizers.
            batch: As the datamodule yielded it.
        """


@runtime_checkable
class Engine(Protocol):
    """What a framework package supplies. Constructor arguments come from the YAML's ``engine``.

    Order of calls: `prepare`, `build`, `setup`, then steps; `restore` any time after `setup`.

    Optional: ``threads() -> int``, called after `prepare`: how many threads of the host compute,
    for run.json. Sums that are split over another number of threads may differ in their last bits.
    ``parameter_groups()``, for ``cb.lr_monitor``: by optimizer, of each of its groups the settings
    of now, ``lr`` and, where it has them, ``momentum`` and ``weight_decay``.
    ``observe_gradients(observer)``, for ``cb.gradient_stats``: call the observer before each update
    with the norm, a lazy scalar, of each gradient by its parameter's name, not yet clipped.
    ``find_non_finite(window) -> str | None``: which tensor is not finite, in words: of the models
    and optimizers as they are, then, unless the window is None, of the step over it, which is
    repeated without changing anything.
    ``mark_parts(mark)``, for ``cb.profiler``: replace each function that does a part of a train
    step by ``mark(name, function)``, which does the same; parts may lie within each other.
    ``place(batch)``, called after `setup`: a batch, or whole arrays of the data, on the device, for
    ``on_device`` of a datamodule; indexed by an array that was placed, they are gathered there.
    Raises MemoryError if they do not fit.
    ``place_block(arrays, batch_size)``: the batches that lie one after the other in arrays of host
    memory, by field, all placed; `train_step` gets them as they are, ``is_placed``.
    ``parameter_counts() -> Mapping[str, tuple[int, int]]``, called after `setup`: for each model,
    how many parameters it has, and how many of them are trained.
    ``close()``, called when the run has ended, however it did: what else was set in the process.
    """

    def prepare(self, run: RunSettings) -> str:
        """Choose and check device and precision, seed the framework; return the device's name.

        Raises:
            ParameterError: With ``parameter`` ``device`` or ``precision``, when it is not there.
        """

    def build(self, graphs: Mapping[str, GraphIR], registry: Registry) -> dict[str, Any]:
        """Build models from graph IR, by name, initialised from the run's seed."""

    def setup(self, task: Task, example_batch: Any) -> None:
        """Place models, initialise lazy layers, make optimizers and schedules.

        Leaves the training RNG as it was after `build`.
        """

    def train_step(self, window: Window) -> StepOutput:
        """One optimizer step over the window, for every update that the objective asks for."""

    def eval_step(self, batch: Any, stage: Stage) -> EvalOutput:
        """Loss, outputs and targets of one batch, without gradient, in evaluation mode."""

    def predict_step(self, batch: Any) -> Any:
        """The outputs for one batch as nested containers of numpy arrays."""

    def step_schedules(self, interval: Interval, metrics: Mapping[str, float]) -> None:
        """Advance the schedules of this interval; ``metrics`` serve those that monitor one.

        Raises:
            KeyError: A schedule monitors a name that ``metrics`` does not have.
        """

    def learning_rates(self) -> dict[str, float]:
        """The current learning rate of each optimizer, by its name.

        That of its first parameter group; those of others by ``<optimizer>/<group>``.
        """

    def read(self, scalars: Sequence[Scalar]) -> list[float]:
        """Wait for lazy scalars and return them as floats, in one transfer."""

    def isolate_rng(self, seed: int | None = None) -> AbstractContextManager[None]:
        """A context after which every random stream stands where it stood before.

        Args:
            seed: Where the streams start inside; where they stand if None.
        """

    def averaged_weights(self) -> AbstractContextManager[None]:
        """A context in which evaluation sees averaged weights, if some are kept."""

    def snapshot(self, into: HostState | None = None) -> HostState:
        """A copy of models, optimizers, schedules and random streams.

        It stays as it is until its memory is used again: ``into`` is an earlier one that nobody
        reads any more.
        """

    def restore(self, state: HostState) -> None:
        """Go back to a snapshot.

        Raises:
            StateMismatchError: The state does not fit these models or optimizers.
        """
