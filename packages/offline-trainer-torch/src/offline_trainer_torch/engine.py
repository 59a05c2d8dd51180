"""`engine.torch`: the engine protocol for torch modules on one device.

Reads top to bottom as the loop calls it: prepare, build, setup, steps, schedules, snapshots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from model_constructor.errors import ParameterError
from model_constructor.graph.ir import GraphIR
from model_constructor.registry import Registry
from model_constructor.torch.builder import build
from offline_trainer.engine import (
    EvalOutput,
    HostState,
    Interval,
    MicroBatch,
    RunSettings,
    Scalar,
    ShapeTrace,
    Stage,
    StepOutput,
    Task,
    Window,
)
from offline_trainer.errors import StateMismatchError
from offline_trainer.notices import notice
from offline_trainer.protocols import Objective
from offline_trainer_torch.averages import WeightAverages
from offline_trainer_torch.batches import PlacedWindow, place, place_block, to_numpy
from offline_trainer_torch.compilation import (
    Compile,
    check_compile,
    compile_models,
    compiled_updates,
    step_options,
)
from offline_trainer_torch.denormals import Flushing
from offline_trainer_torch.devices import describe_device, make_deterministic, resolve_device
from offline_trainer_torch.gradients import Clipping
from offline_trainer_torch.host_tensors import HostCopies
from offline_trainer_torch.lazy import initialise_models
from offline_trainer_torch.memory_layout import lay_out_convolutions
from offline_trainer_torch.model_state import (
    check_models,
    non_finite_buffers,
    restore_models,
    save_models,
)
from offline_trainer_torch.non_finite import first_in_state, first_in_step
from offline_trainer_torch.packing import pack, unpack
from offline_trainer_torch.planned import PlannedOptimizer, plan_optimizers
from offline_trainer_torch.precision import (
    MatmulPrecision,
    autocast,
    check_matmul_precision,
    check_precision,
    check_scaler,
    make_scaler,
)
from offline_trainer_torch.random_streams import (
    isolated_streams,
    restore_streams,
    save_streams,
)
from offline_trainer_torch.shapes import trace_shapes
from offline_trainer_torch.step_parts import Mark
from offline_trainer_torch.untrained import leave_untrained
from offline_trainer_torch.updates import UpdateRunner
from offline_trainer_torch.weight_modes import WeightModes


class TorchEngine:
    """Trains torch modules.

    The loop calls `prepare`, `build` and `setup` in this order; the attributes below say what they
    left behind.

    Args:
        channels_last: Keep the weights of convolutions with the channels innermost in memory, and
            so what they compute: faster where the kernels of the device are made for that. Dropout
            between convolutions draws another mask then.
        matmul_precision: How exactly float32 matrix products are computed: ``highest`` is float32;
            ``high`` and ``medium`` let the device use TF32 or bfloat16 inside, where it can.
        compile: ``model`` compiles the forward of each model, ``step`` forward, backward and
            optimizer (SGD, Adam, AdamW) as one. What cannot be compiled runs as it is, after one
            line that says why.
        cuda_graph: Capture the whole step and replay it.
        flush_denormal: On the CPU, train with zero for numbers below 1.2e-38, which slow steps.

    Attributes:
        device: Where models and batches are.
        models: By name.
        optimizers: By name, each with its schedule.
    """

    device: torch.device
    models: dict[str, nn.Module]
    optimizers: dict[str, PlannedOptimizer]

    def __init__(
        self,
        channels_last: bool = False,
        matmul_precision: MatmulPrecision = "highest",
        compile: Compile = "none",
        cuda_graph: bool = False,
        flush_denormal: bool = True,
    ) -> None:
        check_matmul_precision(matmul_precision)
        check_compile(compile)
        self._compile = compile
        self._cuda_graph = cuda_graph
        self._channels_last = channels_last
        self._matmul_precision = matmul_precision
        self._flush_denormal = flush_denormal
        self._at_close = ExitStack()
        self.device = torch.device("cpu")
        self.models = {}
        self.optimizers = {}
        self._run = RunSettings()
        self._autocast = autocast("fp32", self.device)
        self._scaler: torch.amp.GradScaler | None = None
        self._averages: WeightAverages | None = None
        self._not_finite: frozenset[str] = frozenset()
        self._step = 0

    def prepare(self, run: RunSettings) -> str:
        """Choose and check device and precision, seed torch; return the device's name.

        Raises:
            ParameterError: ``device`` or ``precision`` is not there.
        """
        self._run = run
        self.device = resolve_device(run.device)
        check_precision(run.precision, self.device)
        self._autocast = autocast(run.precision, self.device)
        torch.set_float32_matmul_precision(self._matmul_precision)
        if run.deterministic:
            make_deterministic()
        torch.manual_seed(run.seed)
        return describe_device(self.device)

    def threads(self) -> int:
        """How many threads of the host an operation is split over."""
        return torch.get_num_threads()

    def parameter_counts(self) -> dict[str, tuple[int, int]]:
        """All parameters and the trained ones of each model; shared ones count once."""
        counts = {}
        for name, model in self.models.items():
            sizes = [(item.numel(), item.requires_grad) for item in model.parameters()]
            counts[name] = (sum(n for n, _ in sizes), sum(n for n, trained in sizes if trained))
        return counts

    def build(self, graphs: Mapping[str, GraphIR], registry: Registry) -> dict[str, nn.Module]:
        """Build models from graph IR, initialised from the run's seed and their names."""
        return {name: build(graph, registry, seed=self._run.seed) for name, graph in graphs.items()}

    def trace_shapes(
        self,
        graphs: Mapping[str, GraphIR],
        registry: Registry,
        objective: Objective,
        optimizers: Sequence[str],
        batch: Any,
    ) -> ShapeTrace:
        """Build the models and send one batch through evaluation and the updates of the first step.

        See `offline_trainer.engine.ShapeTracer`.
        """
        return trace_shapes(lambda: self.build(graphs, registry), objective, optimizers, batch)

    def setup(self, task: Task, example_batch: Any) -> None:
        """Place models, give lazy layers their sizes, make optimizers and schedules.

        torch's random streams are afterwards where they were before.
        """
        if self._flush_denormal and self.device.type == "cpu" and task.optimizers:
            self._at_close.callback(Flushing().close)
        names = [plan.name for plan in task.optimizers]
        with self.isolate_rng():
            self.models = {name: model.to(self.device) for name, model in task.models.items()}
            with self._evaluating():
                batch = place(example_batch, self.device)
                initialise_models(self.models, task.objective, names, batch)
            if self._channels_last:
                lay_out_convolutions(self.models)
            if hasattr(task.objective, "start"):
                with torch.no_grad():
                    task.objective.start(self.models)
            self.optimizers = plan_optimizers(task.optimizers, self.models, task.registry)
            leave_untrained(self.models, task.optimizers)
            self._weight_modes = WeightModes(self.optimizers)
            if self._compile == "model":
                compile_models(self.models)
        self._averages = None
        self._not_finite = non_finite_buffers(self.models)
        self._objective = task.objective
        self._after_step = getattr(task.objective, "after_step", None)
        self._scaler = make_scaler(self._run.precision)
        clipping = Clipping(task.clip_grad_norm, task.clip_grad_value)
        self._updates = UpdateRunner(
            self.models,
            self.optimizers,
            self._autocast,
            self._scaler,
            clipping,
            task.stays_at_nonfinite,
            compiled_updates(
                step_options(self._compile, self._cuda_graph, self.device),
                self.models,
                self.optimizers,
                self._autocast,
                self._scaler,
                clipping,
                batch,
                self.device,
            ),
        )
        self._at_close.callback(self._updates.close)
        self._step = 0

    def close(self) -> None:
        """After training: leave the process as it was."""
        self._at_close.close()

    def train_step(self, window: Window) -> StepOutput:
        """One optimizer step over the window, for every update that the objective asks for.

        With several updates, the loss is their sum.
        """
        placed = self._placed(window)
        for planned in self.optimizers.values():
            planned.stepped = False
        updates = self._objective.updates(self._step, tuple(self.optimizers))
        outputs = [self._updates.run(update, placed) for update in updates]
        if self._after_step is not None:
            with torch.no_grad():
                self._after_step(self.models, self._step)
        self._step += 1
        if self._averages is not None:
            self._averages.update(self._step)
        return outputs[0] if len(outputs) == 1 else _combined(outputs)

    def place(self, batch: Any) -> Any:
        """A batch, or whole arrays, as tensors on the device.

        Raises:
            MemoryError: They do not fit.
        """
        try:
            return place(batch, self.device)
        except torch.OutOfMemoryError as error:
            raise MemoryError(str(error).partition(". ")[0]) from error

    def place_block(self, arrays: Mapping[str, Any], batch_size: int) -> Sequence[Any]:
        """The batches that lie one after the other in arrays, all of them on the device.

        Args:
            arrays: By field, each (N, ...).
            batch_size: Rows of a batch; the last may have fewer.
        """
        return place_block(arrays, batch_size, self.device)

    def eval_step(self, batch: Any, stage: Stage) -> EvalOutput:
        """Loss, outputs and targets of one batch, without gradient, in evaluation mode."""
        with self._evaluating():
            return self._objective.evaluate(self.models, place(batch, self.device), stage)

    def find_non_finite(self, window: Window | None) -> str | None:
        """Which tensor is not finite, in words, or None; nothing is changed.

        Args:
            window: The step over it is repeated if all of the state is finite.
        """
        found = first_in_state(self.models, self.optimizers, self._not_finite)
        if found is not None or window is None:
            return found
        updates = self._objective.updates(self._step, tuple(self.optimizers))
        with self.isolate_rng():
            placed = self._placed(window)
            found = first_in_step(self.models, updates, placed, self._autocast)
        self._updates.clear_gradients()
        return found

    def predict_step(self, batch: Any) -> Any:
        """The outputs for one batch as nested containers of numpy arrays."""
        with self._evaluating():
            return to_numpy(self._objective.predict(self.models, place(batch, self.device)))

    def step_schedules(self, interval: Interval, metrics: Mapping[str, float]) -> None:
        """Advance the schedules of this interval.

        After a step, only those whose optimizer moved in it.

        Raises:
            KeyError: A schedule monitors a name that ``metrics`` does not have.
        """
        for planned in self.optimizers.values():
            planned.step_schedule(interval, metrics)

    def learning_rates(self) -> dict[str, float]:
        """The current learning rate of each optimizer, by its name; of its further parameter
        groups, by ``<optimizer>/<group>``.
        """
        rates: dict[str, float] = {}
        for planned in self.optimizers.values():
            rates |= planned.learning_rates()
        return rates

    def parameter_groups(self) -> dict[str, list[dict[str, float]]]:
        """Of each optimizer the learning rate, momentum and weight decay of each of its groups."""
        return {name: planned.group_settings() for name, planned in self.optimizers.items()}

    def read(self, scalars: Sequence[Scalar]) -> list[float]:
        """Wait for lazy scalars and return them as floats; those on the device in one transfer."""
        waiting = [item for item in scalars if isinstance(item, torch.Tensor) and not item.is_cpu]
        if not waiting:
            return [float(item) for item in scalars]
        wide = torch.float32 if self.device.type == "mps" else torch.float64
        stacked = torch.stack([item.detach().to(wide).reshape(()) for item in waiting])
        arrived = iter(stacked.tolist())
        return [
            next(arrived) if isinstance(item, torch.Tensor) and not item.is_cpu else float(item)
            for item in scalars
        ]

    def isolate_rng(self, seed: int | None = None) -> AbstractContextManager[None]:
        """A context after which the streams of Python, NumPy and torch stand where they stood.

        Args:
            seed: Where torch's start inside; where they stand if None.
        """
        return isolated_streams(self.device, seed)

    def observe_gradients(self, observer: Callable[[Mapping[str, Scalar]], None]) -> None:
        """Call the observer before each update with the norm of each gradient, not yet clipped.

        Args:
            observer: Gets lazy scalars by the parameters' names; with several models, the name of
                a parameter's model comes first.
        """
        if self._compile == "step" or self._cuda_graph:
            notice("the step is not compiled: a callback looks at its gradients")
        several = len(self.models) > 1
        names = {
            parameter: f"{model_name}.{name}" if several else name
            for model_name, model in self.models.items()
            for name, parameter in model.named_parameters()
        }
        self._updates.observe = lambda parameters, norms: observer(
            dict(zip((names[each] for each in parameters), norms, strict=True))
        )

    def mark_parts(self, mark: Mark) -> None:
        """Let ``mark(name, function)`` stand for each function that does a part of a step."""
        vars(self)["_placed"] = mark("copy", self._placed)
        self._updates.mark_parts(mark)

    def average_weights(self, decay: float, every_n_steps: int = 1, warmup: bool = False) -> None:
        """Keep an exponential moving average of the weights from here on.

        Args:
            decay: Share of the average that stays at each update.
            every_n_steps: How often it is updated.
            warmup: Whether less of it stays at first.

        Raises:
            ParameterError: An optimizer averages the weights itself.
        """
        if self._weight_modes:
            raise ParameterError(
                "an optimizer of this run averages the weights itself, and evaluates and saves "
                "the averages",
                help="remove cb.ema, or choose an optimizer that is not schedule-free",
            )
        self._averages = WeightAverages(self.models, decay, every_n_steps, warmup)

    def averaged_weights(self) -> AbstractContextManager[None]:
        """A context in which evaluation sees averaged weights, if some are kept."""
        if self._weight_modes:
            return self._weight_modes.evaluating()
        return self._averages.in_place() if self._averages is not None else nullcontext()

    def snapshot(self, into: HostState | None = None) -> HostState:
        """A copy of models, averages, optimizers, schedules and torch's random streams.

        Args:
            into: An earlier one whose memory is used again.
        """
        earlier = into.tensors if into is not None else {}
        copies = {name: HostCopies(earlier.get(name)) for name in ("model", "optimizer", "rng")}
        if self._averages is not None:
            copies["ema"] = HostCopies(earlier.get("ema"))
            self._averages.save(copies["ema"])
        scaler = self._scaler.state_dict() if self._scaler is not None else None
        with self._weight_modes.evaluating() if self._weight_modes else nullcontext():
            model_values = save_models(self.models, copies["model"])
        values = {
            "model": model_values,
            "optimizer": {
                name: item.save(copies["optimizer"]) for name, item in self.optimizers.items()
            },
            "engine": {
                "step": self._step,
                "scaler": pack(scaler, "scaler", copies["optimizer"]),
                **({"gave_up_compiling": True} if self._updates.gave_up_compiling else {}),
            },
        }
        save_streams(self.device, copies["rng"])
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        tensors = {name: group.tensors for name, group in copies.items()}
        return HostState(tensors, values, self._not_finite)

    def restore(self, state: HostState) -> None:
        """Go back to a snapshot. Nothing is changed unless all of it fits.

        Raises:
            StateMismatchError: The state does not fit these models or optimizers.
        """
        tensors, values = state.tensors, state.values
        check_models(self.models, tensors["model"], values["model"])
        saved = values["optimizer"]
        if list(saved) != list(self.optimizers):
            raise StateMismatchError(
                f"the checkpoint has the optimizers {', '.join(saved)}; "
                f"this config has {', '.join(self.optimizers)}"
            )
        for name, planned in self.optimizers.items():
            planned.check(saved[name], tensors["optimizer"])
        if self._averages is not None:
            self._averages.check(tensors.get("ema"))
        scaler = unpack(values["engine"]["scaler"], _no_tensor)
        if self._scaler is not None and scaler:
            check_scaler(scaler, self._scaler)
        step = int(values["engine"]["step"])
        restore_streams(self.device, tensors["rng"])
        restore_models(self.models, tensors["model"], values["model"])
        if self._averages is not None:
            self._averages.restore(tensors.get("ema"))
        elif "ema" in tensors:
            notice("the checkpoint's averaged weights are left out: the config has no cb.ema")
        self._step = step
        for name, planned in self.optimizers.items():
            planned.restore(saved[name], tensors["optimizer"])
        if self._scaler is not None and scaler:
            self._scaler.load_state_dict(scaler)
        self._updates.forget(bool(values["engine"].get("gave_up_compiling")))

    def _placed(self, window: Window) -> PlacedWindow:
        if len(window) == 1:
            return [(self._place(window[0]), 1.0)]
        total = sum(item.weight for item in window) or 1.0
        return [(self._place(item), item.weight / total) for item in window]

    def _place(self, item: MicroBatch) -> Any:
        return item.data if item.is_placed else place(item.data, self.device)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Evaluation mode, no gradient, the run's precision; each module's mode comes back."""
        parts = [part for model in self.models.values() for part in model.modules()]
        modes = [(part, part.training) for part in parts]
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            stack.enter_context(self._autocast())
            for model in self.models.values():
                model.eval()
            try:
                yield
            finally:
                for part, training in modes:
                    part.training = training


def _combined(outputs: Sequence[StepOutput]) -> StepOutput:
    """What several updates of one step produced, as one; none at all is a step of loss zero."""
    combined = StepOutput(0.0, {}, stepped=bool(outputs), finite=True)
    logs: dict[str, Scalar] = {}
    for output in outputs:
        combined.loss = combined.loss + output.loss
        combined.stepped = combined.stepped & output.stepped
        combined.finite = combined.finite & output.finite
        logs.update(output.logs)
    combined.logs = logs
    return combined


def _no_tensor(name: str) -> torch.Tensor:
    raise StateMismatchError(f"the saved loss scaler refers to a tensor `{name}`")
