"""Layers, loss, optimizer and schedule for the numpy engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from model_constructor.registry import Registry
from offline_trainer.engine import Interval, Stage
from offline_trainer.protocols import LossOutput, SchedulerBundle
from offline_trainer.testing.autograd import Array, Variable


class Layer:
    """A callable with parameters; `training` and `generator` are set by the engine."""

    training = True
    generator: np.random.Generator

    def initialise(self, generator: np.random.Generator) -> None:
        """Draw initial parameters."""

    def parameters(self) -> dict[str, Variable]:
        """Parameters by name."""
        return {}

    def __call__(self, x: Variable) -> Variable:
        """The output for an input of shape (B, features)."""
        raise TypeError(f"{type(self).__name__} has no forward")


class Linear(Layer):
    """``x @ weight + bias``: (B, in_features) → (B, out_features)."""

    def __init__(self, in_features: int, out_features: int) -> None:
        self._shape = (in_features, out_features)

    def initialise(self, generator: np.random.Generator) -> None:
        bound = 1 / np.sqrt(self._shape[0])
        self.weight = Variable(generator.uniform(-bound, bound, self._shape))
        self.bias = Variable(np.zeros(self._shape[1]))

    def parameters(self) -> dict[str, Variable]:
        return {"weight": self.weight, "bias": self.bias}

    def __call__(self, x: Variable) -> Variable:
        return x @ self.weight + self.bias


class Tanh(Layer):
    """Elementwise tanh."""

    def __call__(self, x: Variable) -> Variable:
        return x.tanh()


class Dropout(Layer):
    """Zero each element with probability ``p`` while training, and scale the rest up."""

    def __init__(self, p: float = 0.5) -> None:
        self._keep = 1 - p

    def __call__(self, x: Variable) -> Variable:
        if not self.training:
            return x
        mask = self.generator.random(x.value.shape) < self._keep
        return x.scaled(mask / self._keep)


class SquaredError:
    """Mean squared error between an output and the only target."""

    def __call__(self, *, outputs: Variable, targets: Any, batch: Any, stage: Stage) -> LossOutput:
        (wanted,) = targets.values() if isinstance(targets, Mapping) else (targets,)
        loss = ((outputs - wanted) ** 2).mean()
        return LossOutput(loss, {"rmse": float(np.sqrt(loss.value))})


class MeanAbsoluteError:
    """Metric ``mae`` over all elements seen."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._total, self._count = 0.0, 0

    def update(self, *, outputs: Variable, targets: Any, batch: Any, stage: Stage) -> None:
        (wanted,) = targets.values()
        self._total += float(np.abs(outputs.value - wanted).sum())
        self._count += wanted.size

    def compute(self) -> dict[str, float]:
        return {"mae": self._total / self._count}


class Momentum:
    """Gradient descent with momentum over named parameters."""

    def __init__(self, parameters: Mapping[str, Variable], lr: float, momentum: float) -> None:
        self.parameters = dict(parameters)
        self.lr = lr
        self._momentum = momentum
        self.velocity: dict[str, Array] = {
            name: np.zeros_like(parameter.value) for name, parameter in self.parameters.items()
        }

    def gradients(self) -> list[Array]:
        """The gradients there are."""
        found = [parameter.gradient for parameter in self.parameters.values()]
        return [gradient for gradient in found if gradient is not None]

    def gradient_norm(self) -> float:
        """The norm of all gradients together."""
        return float(np.sqrt(sum(float((gradient**2).sum()) for gradient in self.gradients())))

    def step(self) -> None:
        for name, parameter in self.parameters.items():
            if parameter.gradient is not None:
                self.velocity[name] = self._momentum * self.velocity[name] + parameter.gradient
                parameter.value = parameter.value - self.lr * self.velocity[name]


class MomentumFactory:
    """Kind ``optim_factory``: builds a `Momentum`."""

    def __init__(self, lr: float = 0.1, momentum: float = 0.9) -> None:
        self._lr = lr
        self._momentum = momentum

    def build(self, model: Mapping[str, Variable], *, registry: Registry) -> Momentum:
        return Momentum(model, self._lr, self._momentum)


class ExponentialDecay:
    """Multiplies the learning rate by ``gamma`` at each step of the schedule."""

    def __init__(self, optimizer: Momentum, gamma: float) -> None:
        self._optimizer = optimizer
        self._gamma = gamma

    def step(self) -> None:
        self._optimizer.lr *= self._gamma


class DecayFactory:
    """Kind ``sched_factory``: builds an `ExponentialDecay`."""

    def __init__(
        self, gamma: float = 0.9, interval: str = "epoch", monitor: str | None = None
    ) -> None:
        self._gamma = gamma
        self._interval: Interval = interval  # type: ignore[assignment]
        self._monitor = monitor

    def build(self, optimizer: Momentum, *, registry: Registry) -> SchedulerBundle:
        decay = ExponentialDecay(optimizer, self._gamma)
        return SchedulerBundle(decay, self._interval, monitor=self._monitor)
