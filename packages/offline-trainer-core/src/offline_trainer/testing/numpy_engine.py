"""A complete engine on numpy: core's proof that it needs no framework.

A config uses it with ``imports: [offline_trainer.testing.numpy_engine]`` and
``engine: {_type_: engine.numpy}``. It is exact (float64) and small, not fast.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from model_constructor.errors import ParameterError
from model_constructor.graph.ir import GraphIR, Ref
from model_constructor.instantiate import instantiate_value
from model_constructor.registry import Registrar, Registry
from offline_trainer.averages import decay_at
from offline_trainer.engine import (
    EvalOutput,
    HostState,
    HostTensor,
    Interval,
    RunSettings,
    Scalar,
    Stage,
    StepOutput,
    Task,
    Window,
)
from offline_trainer.errors import StateMismatchError
from offline_trainer.protocols import SchedulerBundle, Update
from offline_trainer.running_mean import saved_number
from offline_trainer.testing.autograd import Array, Variable
from offline_trainer.testing.numpy_components import Layer, Momentum

_HERE = "offline_trainer.testing.numpy_components"


def register(registry: Registrar) -> None:
    """Add the engine and its components."""
    registry.add_lazy("engine.numpy", f"{__name__}:NumpyEngine", help="Engine for tests.")
    for key, name in (
        ("layer.linear", "Linear"),
        ("layer.tanh", "Tanh"),
        ("layer.dropout", "Dropout"),
        ("loss.squared_error", "SquaredError"),
        ("metric.mae", "MeanAbsoluteError"),
        ("optim_factory.momentum", "MomentumFactory"),
        ("sched_factory.decay", "DecayFactory"),
    ):
        registry.add_lazy(key, f"{_HERE}:{name}", help=f"{name} for the numpy engine.")


class NumpyModel:
    """Runs a graph IR of modules; there are no ops."""

    def __init__(self, graph: GraphIR, layers: Mapping[str, Layer]) -> None:
        self._graph = graph
        self.layers = layers

    def parameters(self) -> dict[str, Variable]:
        return {
            f"{name}.{parameter}": variable
            for name, layer in self.layers.items()
            for parameter, variable in layer.parameters().items()
        }

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = {**dict(zip(self._graph.inputs, args, strict=False)), **kwargs}
        for name, value in values.items():
            if not isinstance(value, Variable):
                values[name] = Variable(np.asarray(value, dtype=np.float64))
        for node in self._graph.nodes:
            arguments = [values[a.name] if isinstance(a, Ref) else a for a in node.args]
            values[node.name] = self.layers[node.call.removeprefix("module:")](*arguments)
        return values[self._graph.outputs[0][1].name]


class NumpyEngine:
    """See `offline_trainer.engine.Engine`."""

    def prepare(self, run: RunSettings) -> str:
        if run.device not in ("auto", "cpu"):
            raise ParameterError(
                f"engine.numpy runs on the cpu, not on {run.device!r}", parameter="device"
            )
        if run.precision != "fp32":
            raise ParameterError(
                f"engine.numpy has no precision {run.precision!r}", parameter="precision"
            )
        self._generator = np.random.Generator(np.random.Philox(run.seed))
        return "cpu"

    def threads(self) -> int:
        """What numpy's BLAS is told to use; without a word, every core."""
        said = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or ""
        return int(said) if said.isdigit() else os.cpu_count() or 1

    def parameter_counts(self) -> dict[str, tuple[int, int]]:
        counts = {}
        for name, model in self._task.models.items():
            count = sum(variable.value.size for variable in model.parameters().values())
            counts[name] = (count, count)
        return counts

    def build(self, graphs: Mapping[str, GraphIR], registry: Registry) -> dict[str, Any]:
        models = {}
        for name, graph in graphs.items():
            layers: dict[str, Layer] = {}
            for module in graph.modules.values():
                layer = instantiate_value(module.spec, registry=registry, path=module.config_path)
                layer.generator = self._generator
                layer.initialise(self._generator)
                layers[module.name] = layer
            models[name] = NumpyModel(graph, layers)
        return models

    def setup(self, task: Task, example_batch: Any) -> None:
        self._task = task
        self._steps = 0
        self._stepped: set[str] = set()
        self._optimizers: dict[str, Momentum] = {}
        self._given_rates: dict[str, float] = {}
        self._schedules: dict[str, SchedulerBundle] = {}
        self._averages: dict[str, Array] | None = None
        self._decay_at: Callable[[int], float] = lambda update: 1.0
        self._observe_gradients: Callable[[Mapping[str, Scalar]], None] | None = None
        for plan in task.optimizers:
            parameters = {
                f"{name}.{parameter}": variable
                for name in plan.models
                for parameter, variable in task.models[name].parameters().items()
            }
            optimizer = plan.factory.build(parameters, registry=task.registry)
            self._optimizers[plan.name] = optimizer
            self._given_rates[plan.name] = optimizer.lr
            if plan.scheduler_factory is not None:
                bundle = plan.scheduler_factory.build(optimizer, registry=task.registry)
                self._schedules[plan.name] = bundle
        start = getattr(task.objective, "start", None)
        if start is not None:
            start(task.models)

    @np.errstate(over="ignore", invalid="ignore")  # reported as `finite`, not as a warning
    def train_step(self, window: Window) -> StepOutput:
        self._set_training(True)
        self._stepped = set()
        loss, finite = 0.0, True
        logs: dict[str, float] = {}
        for update in self._task.objective.updates(self._steps, tuple(self._optimizers)):
            self._clear_gradients()
            update_loss, update_logs = self._differentiate(update, window)
            moved = [self._optimizers[name] for name in update.optimizers]
            if np.isfinite(
                [update_loss, *(optimizer.gradient_norm() for optimizer in moved)]
            ).all():
                if self._observe_gradients is not None:
                    self._observe_gradients(self._gradient_norms(update))
                for name in update.optimizers:
                    self._clip(name, update_logs)
                    self._optimizers[name].step()
                self._stepped.update(update.optimizers)
            else:
                finite = False
            loss += update_loss
            logs.update(update_logs)
        after_step = getattr(self._task.objective, "after_step", None)
        if after_step is not None:
            after_step(self._task.models, self._steps)
        self._clear_gradients()
        self._steps += 1
        if self._averages is not None and self._steps % self._average_every_n_steps == 0:
            share = 1 - self._decay_at(self._steps // self._average_every_n_steps)
            for name, variable in self._parameters().items():
                average = self._averages[name]
                self._averages[name] = average + share * (variable.value - average)
        return StepOutput(loss, logs, stepped=finite, finite=finite)

    def _differentiate(self, update: Update, window: Window) -> tuple[float, dict[str, float]]:
        """Backward over the window; the mean loss and the mean of each of its logs."""
        total = sum(micro_batch.weight for micro_batch in window)
        loss = 0.0
        logs: dict[str, float] = {}
        for micro_batch in window:
            share = micro_batch.weight / total
            result = update.loss(self._task.models, micro_batch.data, "train")
            result.loss.backward(share)
            loss += share * float(result.loss.value)
            for name, value in result.logs.items():
                logs[name] = logs.get(name, 0.0) + share * float(value)
        return loss, logs

    @np.errstate(over="ignore", invalid="ignore")
    def find_non_finite(self, window: Window | None) -> str | None:
        named = {f"parameter `{name}`": v.value for name, v in self._parameters().items()}
        for name, optimizer in self._optimizers.items():
            for parameter, velocity in optimizer.velocity.items():
                named[f"the velocity of `{parameter}` in optimizer `{name}`"] = velocity
        found = _first_not_finite(named)
        if found is not None or window is None:
            return found
        with self.isolate_rng():
            self._set_training(True)
            for update in self._task.objective.updates(self._steps, tuple(self._optimizers)):
                self._clear_gradients()
                loss, _ = self._differentiate(update, window)
                named = {"the loss": np.asarray(loss)}
                for name, variable in self._parameters().items():
                    if variable.gradient is not None:
                        named[f"the gradient of `{name}`"] = variable.gradient
                found = found or _first_not_finite(named)
            self._clear_gradients()
        return found

    def eval_step(self, batch: Any, stage: Stage) -> EvalOutput:
        self._set_training(False)
        output = self._task.objective.evaluate(self._task.models, batch, stage)
        if output.loss is not None:
            output.loss = float(output.loss.value)
        return output

    def predict_step(self, batch: Any) -> Array:
        self._set_training(False)
        predicted: Variable = self._task.objective.predict(self._task.models, batch)
        return predicted.value

    def step_schedules(self, interval: Interval, metrics: Mapping[str, float]) -> None:
        for name, bundle in self._schedules.items():
            if bundle.interval != interval or (interval == "step" and name not in self._stepped):
                continue
            if bundle.monitor is not None:
                metrics[bundle.monitor]
            bundle.scheduler.step()

    def learning_rates(self) -> dict[str, float]:
        return {name: optimizer.lr for name, optimizer in self._optimizers.items()}

    def parameter_groups(self) -> dict[str, list[dict[str, float]]]:
        return {name: [{"lr": optimizer.lr}] for name, optimizer in self._optimizers.items()}

    def observe_gradients(self, observer: Callable[[Mapping[str, Scalar]], None]) -> None:
        self._observe_gradients = observer

    def _gradient_norms(self, update: Update) -> dict[str, float]:
        prefix = f"{next(iter(self._task.models))}." if len(self._task.models) == 1 else ""
        return {
            name.removeprefix(prefix): float(np.sqrt((parameter.gradient**2).sum()))
            for optimizer in update.optimizers
            for name, parameter in self._optimizers[optimizer].parameters.items()
            if parameter.gradient is not None
        }

    def read(self, scalars: Sequence[Scalar]) -> list[float]:
        return [float(scalar) for scalar in scalars]

    @contextmanager
    def isolate_rng(self, seed: int | None = None) -> Iterator[None]:
        state = self._generator.bit_generator.state
        try:
            if seed is not None:
                self._generator.bit_generator.state = np.random.Philox(seed).state
            yield
        finally:
            self._generator.bit_generator.state = state

    def average_weights(self, decay: float, every_n_steps: int = 1, warmup: bool = False) -> None:
        self._average_every_n_steps = every_n_steps
        self._decay_at = partial(decay_at, decay) if warmup else lambda update: decay
        self._averages = {name: v.value for name, v in self._parameters().items()}

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        parameters = self._parameters() if self._averages is not None else {}
        kept = {name: variable.value for name, variable in parameters.items()}
        try:
            for name, variable in parameters.items():
                variable.value = (self._averages or {})[name]
            yield
        finally:
            for name, variable in parameters.items():
                variable.value = kept[name]

    def snapshot(self, into: HostState | None = None) -> HostState:
        state: Any = self._generator.bit_generator.state
        averages = {name: _to_host(value) for name, value in (self._averages or {}).items()}
        return HostState(
            tensors={
                **({"ema": averages} if averages else {}),
                "model": {name: _to_host(v.value) for name, v in self._parameters().items()},
                "optimizer": {
                    f"{name}.{parameter}": _to_host(velocity)
                    for name, optimizer in self._optimizers.items()
                    for parameter, velocity in optimizer.velocity.items()
                },
                "rng": {name: _to_host(value) for name, value in _philox_arrays(state).items()},
            },
            values={
                "optimizer": {
                    name: [self._given_rates[name], optimizer.lr]
                    for name, optimizer in self._optimizers.items()
                },
                "rng": [state["buffer_pos"], state["has_uint32"], state["uinteger"]],
                "steps": self._steps,
            },
        )

    def restore(self, state: HostState) -> None:
        try:
            self._restore(state)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise StateMismatchError(f"this is no state of engine.numpy: {error!r}") from error

    def _restore(self, state: HostState) -> None:
        parameters, saved = self._parameters(), state.tensors["model"]
        _check_shapes({name: v.value.shape for name, v in parameters.items()}, saved)
        rates = state.values["optimizer"]
        if list(rates) != list(self._optimizers):
            raise StateMismatchError(
                f"the checkpoint has the optimizers {list(rates)}; "
                f"this config has {list(self._optimizers)}"
            )
        for name, variable in parameters.items():
            variable.value = _from_host(saved[name])
        for name, optimizer in self._optimizers.items():
            given, rate = map(saved_number, rates[name])
            now = self._given_rates[name]
            optimizer.lr = rate if now == given else rate * now / given
            for parameter in optimizer.velocity:
                tensor = state.tensors["optimizer"][f"{name}.{parameter}"]
                optimizer.velocity[parameter] = _from_host(tensor)
        if self._averages is not None and "ema" in state.tensors:
            saved = state.tensors["ema"]
            self._averages = {name: _from_host(saved[name]) for name in self._averages}
        self._restore_generator(state)
        self._steps = int(state.values["steps"])

    def _restore_generator(self, saved: HostState) -> None:
        state: Any = self._generator.bit_generator.state
        for name, array in _philox_arrays(state).items():
            array[...] = np.frombuffer(saved.tensors["rng"][name].data, dtype=np.uint8).view(
                array.dtype
            )
        position, has_half, half = map(int, saved.values["rng"])
        if not 0 <= position <= len(state["buffer"]):  # which NumPy does not check
            raise ValueError(f"the random stream stands at {position}")
        state["buffer_pos"], state["has_uint32"], state["uinteger"] = position, has_half, half
        self._generator.bit_generator.state = state

    def _parameters(self) -> dict[str, Variable]:
        return {
            f"{name}.{parameter}": variable
            for name, model in self._task.models.items()
            for parameter, variable in model.parameters().items()
        }

    def _clear_gradients(self) -> None:
        for variable in self._parameters().values():
            variable.gradient = None

    def _set_training(self, training: bool) -> None:
        for model in self._task.models.values():
            for layer in model.layers.values():
                layer.training = training

    def _clip(self, name: str, logs: dict[str, float]) -> None:
        norm_bound, value_bound = self._task.clip_grad_norm, self._task.clip_grad_value
        if norm_bound is None and value_bound is None:
            return
        optimizer = self._optimizers[name]
        norm = optimizer.gradient_norm()
        logs["grad_norm" if len(self._optimizers) == 1 else f"grad_norm/{name}"] = norm
        for gradient in optimizer.gradients():
            if norm_bound is not None and norm > norm_bound:
                gradient *= norm_bound / norm
            if value_bound is not None:
                np.clip(gradient, -value_bound, value_bound, out=gradient)


def _first_not_finite(named: Mapping[str, Array]) -> str | None:
    return next((name for name, array in named.items() if not np.isfinite(array).all()), None)


def _check_shapes(live: Mapping[str, tuple[int, ...]], saved: Mapping[str, HostTensor]) -> None:
    if set(live) != set(saved):
        differing = ", ".join(sorted(set(live) ^ set(saved)))
        raise StateMismatchError(f"parameters differ from the checkpoint's: {differing}")
    for name, shape in live.items():
        if saved[name].shape != shape:
            raise StateMismatchError(
                f"{name} has shape {shape}, the checkpoint {saved[name].shape}"
            )


def _philox_arrays(state: Any) -> dict[str, Any]:
    return {
        "counter": state["state"]["counter"],
        "key": state["state"]["key"],
        "buffer": state["buffer"],
    }


def _to_host(array: Any) -> HostTensor:
    if array.dtype == np.float64:
        return HostTensor("F64", array.shape, array.astype("<f8").tobytes())
    raw = np.ascontiguousarray(array).view(np.uint8)
    return HostTensor("U8", raw.shape, raw.tobytes())


def _from_host(tensor: HostTensor) -> Array:
    if tensor.dtype != "F64":
        raise ValueError(f"a tensor of {tensor.dtype}, expected F64")
    array: Array = np.frombuffer(tensor.data, dtype="<f8").reshape(tensor.shape).copy()
    return array
