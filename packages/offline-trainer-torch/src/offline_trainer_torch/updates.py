"""One update of a step: loss and gradient over the window, clipping, optimizers.

An update whose loss or gradient is not finite is left out:

- on the CPU, and for optimizers without a fused kernel, the host looks before the optimizer moves
  (on CUDA that waits for the device once per step, as torch's own loss scaler does);
- fused optimizers on CUDA are told on the device and nothing waits; what happened is known when
  somebody reads `StepOutput.finite`.

Where the gradient's norm is measured, it serves for this check too; elsewhere on the host each
gradient is summed up, which costs half of it. What overflows its dtype there counts as not finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from offline_trainer.engine import Scalar, StepOutput
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.protocols import LossOutput, Update
from offline_trainer_torch.batches import PlacedWindow
from offline_trainer_torch.gradients import Clipping, all_finite, each_norm, total_norm
from offline_trainer_torch.planned import PlannedOptimizer
from offline_trainer_torch.running_statistics import RunningStatistics
from offline_trainer_torch.step_parts import Mark

if TYPE_CHECKING:
    from offline_trainer_torch.compiled_updates import CompiledUpdates


class UpdateRunner:
    """Carries out the updates that an objective asks for.

    Args:
        models: By name; what the objective's losses are called with.
        optimizers: By name.
        autocast: Makes the context that losses are computed under.
        scaler: For fp16, else None.
        clipping: Bounds of the gradients.
        stays_at_nonfinite: After an update that is left out on the device's word, leave out all
            that follow, until `forget`.
        compiled: What carries updates out where it can, or None.

    Attributes:
        observe: Called before each update with the parameters that have a gradient, and its norms.
    """

    observe: Callable[[Sequence[nn.Parameter], Sequence[torch.Tensor]], None] | None = None

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Mapping[str, PlannedOptimizer],
        autocast: Callable[[], AbstractContextManager[object]],
        scaler: torch.amp.GradScaler | None,
        clipping: Clipping,
        stays_at_nonfinite: bool = False,
        compiled: CompiledUpdates | None = None,
    ) -> None:
        self._models = models
        self._optimizers = optimizers
        self._autocast = autocast
        self._scaler = scaler
        self._clipping = clipping
        self._measures_norms = bool(clipping)
        self._stays_at_nonfinite = stays_at_nonfinite
        self._compiled = compiled
        self._all_finite: torch.Tensor | None = None
        self._parameters = [item for model in models.values() for item in model.parameters()]
        self._statistics = RunningStatistics(models)
        self._chosen: dict[tuple[str, ...], list[PlannedOptimizer]] = {}
        self._need_closure = any(each.needs_closure for each in optimizers.values())
        self._some_wait = not all(each.skips_on_device for each in optimizers.values())

    def run(self, update: Update, window: PlacedWindow) -> StepOutput:
        """Differentiate the update's loss over the window and move its optimizers.

        Gradients that arise in other models on the way are dropped.

        Raises:
            OfflineTrainerError: The objective names an optimizer that the run does not have.
        """
        chosen = self._chosen.get(update.optimizers)
        if chosen is None:
            chosen = [self._optimizer(name) for name in update.optimizers]
            self._chosen[update.optimizers] = chosen
        if self._compiled is not None:
            done = self._run_compiled(update, chosen, window)
            if done is not None:
                return done
        self._statistics.keep()
        if self._need_closure and any(planned.needs_closure for planned in chosen):
            output = self._run_with_closure(update, chosen, window)
        else:
            loss, logs = self._differentiate(update, window)
            output = self._apply(chosen, loss, logs)
        self._statistics.put_back_unless(output.finite)
        self.clear_gradients()
        return output

    @property
    def gave_up_compiling(self) -> bool:
        """Whether updates were to be compiled, and are left to torch for the rest of the run."""
        return self._compiled is not None and self._compiled.gave_up

    def close(self) -> None:
        """There are no more updates."""
        if self._compiled is not None:
            self._compiled.close()

    def forget(self, gave_up_compiling: bool = False) -> None:
        """What was left out so far no longer counts: the state is another one now."""
        self._all_finite = None
        self.clear_gradients()
        if self._compiled is not None:
            self._compiled.forget()
            self._compiled.gave_up = gave_up_compiling

    def mark_parts(self, mark: Mark) -> None:
        """Let ``mark(name, function)`` stand for each function that does a part of an update."""
        for name, part in (
            ("_run_compiled", "compiled"),
            ("_forward", "forward"),
            ("_backward", "backward"),
            ("_apply", "optimizer"),
            ("_run_with_closure", "optimizer"),
            ("clear_gradients", "optimizer"),
        ):
            vars(self)[name] = mark(part, getattr(self, name))

    def clear_gradients(self) -> None:
        """Drop every gradient of every model."""
        for parameter in self._parameters:
            parameter.grad = None

    def _optimizer(self, name: str) -> PlannedOptimizer:
        if name not in self._optimizers:
            raise OfflineTrainerError(
                f"the objective asks to step optimizer `{name}`; this run has "
                f"{', '.join(f'`{known}`' for known in self._optimizers)}"
            )
        return self._optimizers[name]

    def _run_compiled(
        self, update: Update, chosen: Sequence[PlannedOptimizer], window: PlacedWindow
    ) -> StepOutput | None:
        """The update as compiled code; None where it cannot be, and nothing has changed."""
        if self._compiled is None or self.observe is not None:
            return None
        done = self._compiled.run(update, chosen, window, self._all_finite)
        if done is None:
            return None
        loss: Scalar
        moved: Scalar
        loss, logs, moved = done
        if moved.is_cpu:
            loss, moved = loss.item(), moved.item()
        elif self._stays_at_nonfinite:
            self._all_finite = moved
        for planned in chosen:
            planned.has_moved(True if isinstance(moved, torch.Tensor) else moved)
        return StepOutput(loss, logs, moved, moved)

    def _differentiate(
        self, update: Update, window: PlacedWindow
    ) -> tuple[torch.Tensor, dict[str, Scalar]]:
        """Backward over the window; the mean loss and the mean of each of its logs.

        The loss of a window of one still knows its graph, which backward has emptied.
        """
        if len(window) == 1:
            output = self._forward(update, window[0][0])
            self._backward(output.loss)
            return output.loss, _detached(output.logs) if output.logs else {}
        total: Any = 0.0
        logs: dict[str, Scalar] = {}
        for batch, share in window:
            output = self._forward(update, batch)
            self._backward(output.loss * share)
            total = total + output.loss.detach() * share
            for name, value in _detached(output.logs).items():
                logs[name] = logs.get(name, 0.0) + value * share
        return total, logs

    def _forward(self, update: Update, batch: Any) -> LossOutput:
        with self._autocast():
            return update.loss(self._models, batch, "train")

    def _backward(self, loss: Any) -> None:
        if self._scaler is not None:
            loss = self._scaler.scale(loss)
        loss.backward()

    def _apply(
        self, chosen: Sequence[PlannedOptimizer], loss: Scalar, logs: dict[str, Scalar]
    ) -> StepOutput:
        if self._scaler is not None:
            for planned in chosen:
                self._scaler.unscale_(planned.optimizer)
        gradients: list[torch.Tensor] = []
        norms: list[torch.Tensor] = []
        for planned in chosen:
            of_planned = planned.gradients()
            gradients += of_planned
            if self._measures_norms or self.observe is not None:
                norms.append(self._clipped_norm(planned, of_planned, logs))
        finite: Any
        if not self._some_wait or all(planned.skips_on_device for planned in chosen):
            loss = loss.detach()
            norms = norms or [total_norm(each_norm(gradients))]
            finite = torch.isfinite(loss)
            moves = reduce(and_, map(torch.isfinite, norms), finite)
            if self._stays_at_nonfinite:
                finite = finite if self._scaler is not None else moves
                self._all_finite = finite if self._all_finite is None else finite & self._all_finite
                finite, moves = self._all_finite, moves & self._all_finite
        else:
            loss = loss.item()
            finite = math.isfinite(loss)
            moves = finite and all_finite(norms or gradients)
        # Steps that fp16 skips are the scaler's business, and its schedules have to know. Without
        # a scaler a step left out is an exception, not worth a wait at every step.
        stepped = True if self._scaler is None and isinstance(moves, torch.Tensor) else moves
        for planned in chosen:
            planned.step(moves)
            planned.has_moved(stepped)
        if self._scaler is None:
            finite = moves
        else:
            self._scaler.update()
        return StepOutput(loss, logs, moves, finite)

    def _clipped_norm(
        self,
        planned: PlannedOptimizer,
        gradients: Sequence[torch.Tensor],
        logs: dict[str, Scalar],
    ) -> torch.Tensor:
        """Clip, if asked to; the norm of what there was before."""
        norms = each_norm(gradients)
        if self.observe is not None:
            self.observe([item for item in planned.parameters if item.grad is not None], norms)
        norm = total_norm(norms)
        if self._clipping:
            single = len(self._optimizers) == 1
            logs["grad_norm" if single else f"grad_norm/{planned.name}"] = norm
            self._clipping.apply(gradients, norm)
        return norm

    def _run_with_closure(
        self, update: Update, chosen: Sequence[PlannedOptimizer], window: PlacedWindow
    ) -> StepOutput:
        """A step of an optimizer that evaluates the loss itself, as often as it likes."""
        if len(chosen) > 1 or self._scaler is not None:
            raise OfflineTrainerError(
                f"{type(chosen[0].optimizer).__name__} evaluates the loss several times a step",
                help="give it a loss of its own, and run.precision fp32 or bf16-mixed",
            )
        (planned,) = chosen
        before = [parameter.detach().clone() for parameter in planned.parameters]
        first: list[tuple[torch.Tensor, dict[str, Scalar]]] = []

        def evaluate() -> float:
            self.clear_gradients()
            loss, logs = self._differentiate(update, window)
            gradients = planned.gradients()
            norm = self._clipped_norm(planned, gradients, logs)
            first.append((loss.detach(), logs))
            del first[1:]
            value = loss.item()
            if not (math.isfinite(value) and all_finite([norm])):
                raise _NotFiniteError
            return value

        optimizer: Any = planned.optimizer
        planned.stepped = True
        try:
            optimizer.step(evaluate)
        except _NotFiniteError:
            planned.stepped = False
            with torch.no_grad():
                for parameter, old in zip(planned.parameters, before, strict=True):
                    parameter.copy_(old)
        loss, logs = first[0]
        return StepOutput(loss, logs, planned.stepped, planned.stepped)


class _NotFiniteError(Exception):
    """Leaves an optimizer's inner loop; never leaves this module."""


def _detached(logs: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return {
        name: value.detach() if isinstance(value, torch.Tensor) else value
        for name, value in logs.items()
    }
