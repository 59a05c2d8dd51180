"""What `EngineConformance` works with: a framework's specs, engines set up, weights compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from model_constructor.errors import raise_collected
from model_constructor.graph.compiler import compile_ir
from model_constructor.instantiate import instantiate_value
from model_constructor.registry import Registry
from model_constructor.source_map import SourceMap
from offline_trainer.engine import Engine, HostState, MicroBatch, OptimizerPlan, RunSettings, Task
from offline_trainer.objective import SupervisedObjective
from offline_trainer.registry import build_registry, register_imports
from offline_trainer.testing.two_models import EncoderAndHead

Spec = dict[str, Any]

IN_FEATURES, HIDDEN_FEATURES, OUT_FEATURES = 4, 8, 2
TWO_MODELS = "offline_trainer.testing.two_models"
IO: Spec = {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}}

_DTYPES = {"F64": "<f8", "F32": "<f4"}


class EngineParts:
    """The specs that a framework package gives, by overriding, and what is made of them."""

    engine: ClassVar[str]
    """Its registry key, such as ``engine.numpy``."""

    imports: ClassVar[Sequence[str]] = ()
    """Modules with ``register(registry)`` for keys that no installed plugin brings."""

    relative_tolerance: ClassVar[float] = 1e-6
    """How far results may differ that are equal on paper; 1e-12 for float64."""

    def hidden_layers(self, in_features: int, out_features: int) -> list[Spec]:
        """Specs of layers with parameters, without dropout or batch statistics."""
        raise NotImplementedError

    def noise_layer(self) -> Spec:
        """A layer that draws random numbers while training, such as dropout."""
        raise NotImplementedError

    def output_layer(self, in_features: int, out_features: int) -> Spec:
        """A linear layer."""
        raise NotImplementedError

    def loss(self) -> Spec:
        """The mean squared error between the output and the only target."""
        raise NotImplementedError

    def optimizer(self, learning_rate: float) -> Spec:
        """Gradient descent, with or without momentum: its first step is rate times gradient."""
        raise NotImplementedError

    def scheduler(self, interval: str) -> Spec:
        """A schedule that lowers the learning rate.

        Args:
            interval: ``step`` or ``epoch``: at each advance; ``metric``: at least when ``val_loss``
                got worse.
        """
        raise NotImplementedError

    def layers(self, *, noise: bool = False, hidden_features: int = HIDDEN_FEATURES) -> list[Spec]:
        """The layers of one whole model."""
        between = [self.noise_layer()] if noise else []
        return [
            *self.hidden_layers(IN_FEATURES, hidden_features),
            *between,
            self.output_layer(hidden_features, OUT_FEATURES),
        ]

    def registry(self) -> Registry:
        """Installed keys and those of `imports`."""
        registry = build_registry()
        raise_collected(register_imports(registry, [*self.imports, TWO_MODELS], SourceMap()))
        return registry

    def new_engine(self, registry: Registry) -> Engine:
        """An engine that has not been prepared."""
        engine: Engine = self._make({"_type_": self.engine}, registry)
        return engine

    def start(
        self,
        *,
        noise: bool = False,
        hidden_features: int = HIDDEN_FEATURES,
        learning_rate: float = 0.05,
        schedule: str | None = None,
        seed: int = 0,
        clip_grad_norm: float | None = None,
        clip_grad_value: float | None = None,
    ) -> Engine:
        """An engine with one supervised model, ready to step."""
        registry = self.registry()
        objective = SupervisedObjective()
        objective.bind(self._make(IO, registry), self._make(self.loss(), registry))
        plan = OptimizerPlan(
            "optimizer",
            ("model",),
            self._make(self.optimizer(learning_rate), registry),
            self._make(self.scheduler(schedule), registry) if schedule else None,
        )
        engine = self.new_engine(registry)
        engine.prepare(RunSettings(seed=seed, device="cpu"))
        layers = self.layers(noise=noise, hidden_features=hidden_features)
        section = {"sequential": {"inputs": ["x"], "layers": layers}}
        models = engine.build({"model": compile_ir(section, name="model")}, registry)
        task = Task(models, objective, [plan], registry, clip_grad_norm, clip_grad_value)
        engine.setup(task, micro_batch(4).data)
        return engine

    def start_two_models(
        self, objective: EncoderAndHead | None = None, clip_grad_norm: float | None = None
    ) -> Engine:
        """An engine with an encoder and a head, each with an optimizer."""
        registry = self.registry()
        objective = objective if objective is not None else EncoderAndHead()
        objective.bind(self._make(IO, registry), self._make(self.loss(), registry))
        factory = self._make(self.optimizer(0.05), registry)
        plans = [OptimizerPlan(name, (name,), factory) for name in ("encoder", "head")]
        engine = self.new_engine(registry)
        engine.prepare(RunSettings(device="cpu"))
        graphs = {
            name: compile_ir(section, name=name) for name, section in self.two_models().items()
        }
        models = engine.build(graphs, registry)
        task = Task(models, objective, plans, registry, clip_grad_norm)
        engine.setup(task, micro_batch(4).data)
        return engine

    def two_models(self, *, noise: bool = False) -> dict[str, Spec]:
        """The ``models:`` section of an encoder and a head."""
        *encoder, head = self.layers(noise=noise)
        return {
            "encoder": {"sequential": {"inputs": ["x"], "layers": encoder}},
            "head": {"sequential": {"inputs": ["h"], "layers": [head]}},
        }

    def config(self, out_dir: str = "run", **sections: Any) -> Spec:
        """A whole experiment of 4 epochs of 4 batches; sections are updated key by key."""
        whole: Spec = {
            "schema_version": 1,
            "settings": {
                "allowed_import_prefixes": [
                    "offline_trainer.",
                    *(f"{name.partition('.')[0]}." for name in self.imports),
                ]
            },
            "imports": [*self.imports, TWO_MODELS],
            "run": {"name": "conformance", "out_dir": out_dir, "seed": 3, "device": "cpu"},
            "engine": {"_type_": self.engine},
            "model": {"sequential": {"inputs": ["x"], "layers": self.layers(noise=True)}},
            "data": {
                "_type_": "data.random_regression",
                "num_samples": 50,
                "x_shape": [IN_FEATURES],
                "y_shape": [OUT_FEATURES],
                "batch_size": 8,
                "val_fraction": 0.2,
                "test_fraction": 0.2,
            },
            "io": IO,
            "loss": self.loss(),
            "optimizer": self.optimizer(0.05),
            "scheduler": self.scheduler("epoch"),
            "trainer": {
                "_type_": "trainer.default",
                "max_epochs": 4,
                "log_every_n_steps": 3,
                "progress": False,
            },
            "callbacks": [{"_type_": "cb.model_checkpoint", "every_n_epochs": 1}],
        }
        for name, value in sections.items():
            whole[name] = {**whole.get(name, {}), **value} if isinstance(value, dict) else value
        return {name: value for name, value in whole.items() if value is not None}

    def _make(self, spec: Mapping[str, Any], registry: Registry) -> Any:
        return instantiate_value(spec, registry=registry, path=())


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two sets of weights are apart."""

    largest: float
    norm: float
    scale: float
    """The largest absolute weight."""


def micro_batch(size: int, *, seed: int = 0) -> MicroBatch:
    """Random float32 ``x`` (size, 4) and ``y`` (size, 2)."""
    random = np.random.Generator(np.random.PCG64(seed))
    data = {
        "x": random.standard_normal((size, IN_FEATURES)).astype(np.float32),
        "y": random.standard_normal((size, OUT_FEATURES)).astype(np.float32),
    }
    return MicroBatch(data, float(size))


def weights(state: HostState) -> dict[str, NDArray[np.float64]]:
    """The floating-point tensors of a snapshot's models, by name."""
    return {
        name: np.frombuffer(tensor.data, _DTYPES[tensor.dtype])
        .reshape(tensor.shape)
        .astype(np.float64)
        for name, tensor in state.tensors["model"].items()
        if tensor.dtype in _DTYPES
    }


def difference(one: HostState, other: HostState) -> Difference:
    """Compare the weights of two snapshots of the same models."""
    left, right = weights(one), weights(other)
    assert set(left) == set(right), f"{sorted(left)} and {sorted(right)}"
    apart = np.concatenate([(left[name] - right[name]).ravel() for name in left])
    scale = max(float(np.abs(array).max()) for array in left.values())
    return Difference(float(np.abs(apart).max()), float(np.linalg.norm(apart)), scale)
