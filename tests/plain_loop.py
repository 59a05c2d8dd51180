"""A training loop written by hand in torch alone, and the components of runs compared with it."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import nn

from model_constructor.registry import Registrar
from offline_trainer.protocols import LossOutput

EPOCHS = 3
SIZES = (4, 4, 3, 4, 4, 4, 2)
Batch = dict[str, Any]


def register(registry: Registrar) -> None:
    registry.add("data.listed", Listed)
    registry.add("io.weighted", WeightedIo)
    registry.add("loss.weighted", WeightedLoss)
    registry.add("cb.watch", Watch)


def batches(epoch: int) -> list[Batch]:
    """The training batches of an epoch: ``x`` (B, 5), ``y`` (B, 2), ``w`` (B,)."""
    return [_batch(size, (1, epoch, index)) for index, size in enumerate(SIZES)]


def validation_batches() -> list[Batch]:
    """Of unequal size."""
    return [_batch(size, (2, 0, size)) for size in (5, 3)]


def _batch(size: int, seed: Sequence[int]) -> Batch:
    random = np.random.default_rng(seed)
    return {
        "x": random.standard_normal((size, 5)),
        "y": random.standard_normal((size, 2)),
        "w": random.integers(1, 4, size).astype(np.float64),
    }


class Listed:
    """Kind ``data``."""

    def setup(self, stage: str) -> None:
        self._start = (0, 0)

    def set_position(self, epoch: int, batch: int) -> None:
        self._start = (epoch, batch)

    def train_dataloader(self) -> list[Batch]:
        epoch, batch = self._start
        return batches(epoch)[batch:]

    def val_dataloader(self) -> list[Batch]:
        return validation_batches()


class WeightedIo:
    """Kind ``io``: a batch counts by its samples, or by the sum of their weights."""

    def __init__(self, by_weight: bool) -> None:
        self._by_weight = by_weight

    def split(self, batch: Batch, stage: str) -> Any:
        weights = batch["w"] if self._by_weight else 0 * batch["w"] + 1
        return ((), {"x": batch["x"]}), {"y": batch["y"], "w": weights}, None

    def weight(self, batch: Batch) -> float:
        return weight_of(batch, self._by_weight)


class WeightedLoss:
    """Kind ``loss``: the mean squared error, each sample by its weight."""

    def __call__(self, *, outputs: Any, targets: Any, batch: Any, stage: str) -> LossOutput:
        return LossOutput(weighted_error(outputs, targets["y"], targets["w"]))


def weight_of(batch: Batch, by_weight: bool) -> float:
    return float(batch["w"].sum()) if by_weight else float(len(batch["x"]))


def weighted_error(outputs: Any, wanted: Any, weights: Any) -> torch.Tensor:
    error: torch.Tensor = ((outputs - wanted) ** 2).mean(dim=1)
    mean: torch.Tensor = (error * weights).sum() / weights.sum()
    return mean


class Watch:
    """Keeps the model as it was at the start, and its weights after each step."""

    latest: Watch

    def __init__(self) -> None:
        type(self).latest = self
        self.weights: list[list[torch.Tensor]] = []

    def attach(self, engine: Any) -> None:
        self.engine = engine

    def on_fit_start(self, state: Any, control: Any) -> None:
        self.model = copy.deepcopy(state.models["model"])
        self.random = torch.get_rng_state()

    def on_train_step_end(self, state: Any, control: Any) -> None:
        parameters = state.models["model"].parameters()
        self.weights.append([parameter.detach().clone() for parameter in parameters])


class PlainLoop:
    """What the options of a combination mean, written out.

    Args:
        model: Trained in place.
        option: The combination.
    """

    def __init__(self, model: nn.Module, option: Mapping[str, Any]) -> None:
        self.model = model
        self.option = option
        self.optimizer = self._make_optimizer()
        self.steps_of_epoch = math.ceil(len(SIZES) / option["accumulate"])
        self.schedule = self._make_schedule()
        self.average = [p.detach().clone() for p in model.parameters()]
        self.weights: list[list[torch.Tensor]] = []
        self.losses: list[float] = []
        self.norms: list[float] = []
        self.rates: list[float] = []
        self.validated: list[float] = []

    def _make_optimizer(self) -> torch.optim.Optimizer:
        name, settings = self.option["optimizer"]
        named = dict(self.model.named_parameters())
        groups: list[dict[str, Any]] = [{"params": list(named.values())}]
        if self.option["groups"] == "no decay":
            weights = [item for key, item in named.items() if not key.endswith("bias")]
            biases = [item for key, item in named.items() if key.endswith("bias")]
            groups = [{"params": weights}, {"params": biases, "weight_decay": 0.0}]
        elif self.option["groups"] == "fast head":
            last = max(key.split(".")[0] for key in named)
            head = [item for key, item in named.items() if key.startswith(last)]
            body = [item for key, item in named.items() if not key.startswith(last)]
            groups = [{"params": body}, {"params": head, "lr": 0.05}]
        made: torch.optim.Optimizer = getattr(torch.optim, name)(groups, **settings)
        return made

    def _make_schedule(self) -> Any:
        schedules = torch.optim.lr_scheduler
        total = EPOCHS * self.steps_of_epoch
        kind = self.option["schedule"]
        if kind == "epoch":
            return schedules.StepLR(self.optimizer, step_size=1, gamma=0.5)
        if kind == "metric":
            return schedules.ReduceLROnPlateau(self.optimizer, patience=0, threshold=1.0)
        if kind == "step":
            highest = [3 * float(group["lr"]) for group in self.optimizer.param_groups]
            return schedules.OneCycleLR(self.optimizer, max_lr=highest[0], total_steps=total)
        if kind == "warm-up":
            rising = schedules.LinearLR(self.optimizer, start_factor=1 / 3, total_iters=3)
            falling = schedules.CosineAnnealingLR(self.optimizer, T_max=total - 3)
            return schedules.SequentialLR(self.optimizer, [rising, falling], [3])
        return None

    def run(self) -> None:
        size = self.option["accumulate"]
        for epoch in range(EPOCHS):
            listed = batches(epoch)
            for first in range(0, len(listed), size):
                self._step(listed[first : first + size])
                if self.option["validate"] == "steps" and len(self.weights) % 2 == 0:
                    self._validate()
            if self.option["validate"] == "epochs":
                self._validate()
            if self.option["schedule"] == "epoch":
                self.schedule.step()
            if self.option["schedule"] == "metric":
                self.schedule.step(self.validated[-1])

    def _step(self, window: Sequence[Batch]) -> None:
        by_weight = self.option["by_weight"]
        total = sum(weight_of(batch, by_weight) for batch in window)
        self.optimizer.zero_grad()
        self.model.train()
        loss_of_step = 0.0
        for batch in window:
            loss = self._loss(batch) * (weight_of(batch, by_weight) / total)
            loss.backward()  # type: ignore[no-untyped-call]
            loss_of_step += loss.item()
        norm, value = self.option["clip"]
        if norm is not None or value is not None:
            bound = norm if norm is not None else math.inf
            found = nn.utils.clip_grad_norm_(self.model.parameters(), bound)
            self.norms.append(found.item())
        if value is not None:
            nn.utils.clip_grad_value_(self.model.parameters(), value)
        self.optimizer.step()
        if self.option["schedule"] in ("step", "warm-up"):
            self.schedule.step()
        self.losses.append(loss_of_step)
        self.rates.append(float(self.optimizer.param_groups[0]["lr"]))
        self.weights.append([item.detach().clone() for item in self.model.parameters()])
        every = self.option["ema"]
        if every is not None and len(self.weights) % every == 0:
            for average, weight in zip(self.average, self.weights[-1], strict=True):
                average += 0.1 * (weight - average)

    def _loss(self, batch: Batch) -> torch.Tensor:
        x, y, w = (torch.from_numpy(batch[key]) for key in "xyw")
        weights = w if self.option["by_weight"] else torch.ones_like(w)
        bfloat16 = self.option["precision"] == "bf16-mixed"
        with torch.autocast("cpu", torch.bfloat16) if bfloat16 else nullcontext():
            return weighted_error(self.model(x), y, weights)

    def _validate(self) -> None:
        model, self.model = self.model, copy.deepcopy(self.model)
        self.model.eval()
        with torch.no_grad():
            if self.option["ema"] is not None:
                for parameter, average in zip(self.model.parameters(), self.average, strict=True):
                    parameter.copy_(average)
            total = sum(weight_of(b, self.option["by_weight"]) for b in validation_batches())
            self.validated.append(
                sum(
                    self._loss(batch).item() * weight_of(batch, self.option["by_weight"]) / total
                    for batch in validation_batches()
                )
            )
        self.model = model
