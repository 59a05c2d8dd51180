"""What makes a chosen step not finite, on either engine: for tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from model_constructor.registry import Registrar
from offline_trainer.engine import Stage
from offline_trainer.objective import SupervisedObjective
from offline_trainer.protocols import LossOutput, Models, Update
from offline_trainer.testing.autograd import Variable


def register(registry: Registrar) -> None:
    registry.add("objective.poisoned", PoisonedObjective)
    registry.add("cb.poison", Poison)
    registry.add("cb.record_windows", RecordWindows)


class PoisonedObjective(SupervisedObjective):
    """Makes the loss, or only its gradient, NaN.

    Args:
        what: ``loss`` or ``gradient``; nothing if None.
        at_step: In the step that begins when so many are done.
        times: How often; in each later step if more than once.
    """

    def __init__(self, what: str | None = None, at_step: int = 5, times: int = 1) -> None:
        super().__init__()
        self._what = what
        self._at_step = at_step
        self._left = times

    def updates(self, step: int, optimizers: Sequence[str]) -> Sequence[Update]:
        (update,) = super().updates(step, optimizers)
        if self._what is None or step < self._at_step or not self._left:
            return (update,)

        def poisoned(models: Models, batch: Any, stage: Stage) -> LossOutput:
            output = update.loss(models, batch, stage)
            return LossOutput(_poisoned(output.loss, str(self._what)), output.logs)

        self._left -= 1
        return (replace(update, loss=poisoned),)


def _poisoned(loss: Any, what: str) -> Any:
    if what == "loss":
        return loss * math.nan
    if isinstance(loss, Variable):
        return Variable(loss.value, [(loss, lambda gradient: gradient * math.nan)])
    loss.register_hook(lambda gradient: gradient * math.nan)
    return loss


class Poison:
    """Writes NaN over a parameter, or over an optimizer's state, once.

    Args:
        what: ``parameter`` or ``optimizer``; nothing if None.
        at_step: Before the step that begins when so many are done.
    """

    def __init__(self, what: str | None = None, at_step: int = 5) -> None:
        self._what = what
        self._at_step = at_step

    def attach(self, engine: Any) -> None:
        self._engine = engine

    def on_window_start(self, state: Any, control: Any) -> None:
        if state.global_step != self._at_step or self._what is None:
            return
        optimizers = getattr(self._engine, "optimizers", None)  # of torch
        if optimizers is None:
            optimizer = self._engine._optimizers["optimizer"]
            named = optimizer.velocity
            arrays = {name: item.value for name, item in optimizer.parameters.items()}
            array = next(iter((named if self._what == "optimizer" else arrays).values()))
            array[...] = math.nan
        else:
            planned = optimizers["optimizer"]
            parameter = planned.parameters[0]
            kept = planned.optimizer.state[parameter]
            tensor = kept["momentum_buffer"] if self._what == "optimizer" else parameter.data
            tensor.fill_(math.nan)
        self._what = None


class RecordWindows:
    """Keeps where the windows were that steps were made of."""

    seen: list[tuple[int, int]] = []  # noqa: RUF012 - tests look at it by the class

    def __init__(self) -> None:
        self.seen.clear()

    def on_window_start(self, state: Any, control: Any) -> None:
        self.seen.append((state.epoch, state.batch))
