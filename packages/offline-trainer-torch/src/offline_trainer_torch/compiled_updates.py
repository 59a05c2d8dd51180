"""``compile: step`` of `engine.torch`: forward, backward and optimizer as compiled code.

One function computes an update and, at its end, sets each parameter and each tensor of an
optimizer's state to its new value; or to its old one, if loss or gradient is not finite.
`torch.compile` traces it whole, torch's own functional optimizers included. The state stays where
the optimizer has it, so snapshots and schedules need not know.

A step is left to torch's operations where the optimizer has no state yet, which the first step
makes, and where a batch has other shapes than the first training batch: what is compiled must not
depend on what a run has seen before, or a resumed run could come out otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
import torch._dynamo
from torch import nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from offline_trainer.engine import Scalar
from offline_trainer.notices import notice
from offline_trainer.protocols import Update
from offline_trainer_torch.bare_step import has_hooks, hooks_of, is_replaced
from offline_trainer_torch.batches import PlacedWindow
from offline_trainer_torch.compiler import (
    can_isolate,
    captures_a_graph,
    compiler,
    is_of_compiler,
    layout,
    reason,
)
from offline_trainer_torch.gradients import Clipping, each_norm, sum_of, total_norm
from offline_trainer_torch.planned import PlannedOptimizer
from offline_trainer_torch.running_statistics import statistics_of

Done = tuple[torch.Tensor, dict[str, Scalar], torch.Tensor]
"""Loss and logs of an update, and whether its optimizers moved."""


class _Form(NamedTuple):
    """The functional form of an optimizer.

    Attributes:
        function: Takes parameters, gradients, each kind of state, and settings.
        state: The names of the state, in this order.
        settings: Those that not every optimizer has.
    """

    function: Callable[..., None]
    state: tuple[str, ...]
    settings: tuple[str, ...]


_ADAM_STATE = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step")
_FORMS: dict[type, _Form] = {
    torch.optim.SGD: _Form(sgd, ("momentum_buffer",), ("momentum", "dampening", "nesterov")),
    torch.optim.Adam: _Form(adam, _ADAM_STATE, ("amsgrad", "eps", "decoupled_weight_decay")),
    torch.optim.AdamW: _Form(adamw, _ADAM_STATE, ("amsgrad", "eps")),
}

_KNOWN_SETTINGS = {"lr", "betas", "weight_decay", "maximize", "momentum", "dampening", "nesterov"}
_KNOWN_SETTINGS |= {"amsgrad", "eps", "decoupled_weight_decay"}
_KNOWN_SETTINGS |= {"foreach", "fused", "capturable", "differentiable"}  # how, not what


class _Group:
    """A parameter group as a functional optimizer takes it.

    Attributes:
        form: Which.
        live: The group as the optimizer has it.
        tensors: The parameters, then each kind of their state; None where one has no such state.
        rate: The learning rate as a tensor, so that another one needs no other code.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, group: dict[str, Any]) -> None:
        self.form = _FORMS[type(optimizer)]
        self.live = group
        parameters: list[torch.Tensor] = group["params"]
        states = [optimizer.state.get(each, {}) for each in parameters]
        kinds = [[state.get(name) for state in states] for name in self.form.state]
        self.tensors: list[list[Any]] = [parameters, *kinds]
        self.needs_state = _needs_state(optimizer, group)
        device = parameters[0].device
        wide = torch.float32 if device.type == "mps" else torch.float64
        self.rate = torch.zeros((), dtype=wide, device=device)

    def step(self, gradients: Sequence[Any], allowed: torch.Tensor) -> None:
        """Update the parameters that have a gradient, if it is allowed."""
        picked = [index for index, each in enumerate(gradients) if each is not None]
        live = [[kind[index] for index in picked] for kind in self.tensors]
        if self.needs_state and any(each is None for each in live[1]):
            raise RuntimeError("a parameter has a gradient that had none in the first step")
        new = [[each if each is None else each.clone() for each in kind] for kind in live]
        parameters, *state = new
        chosen = [gradients[index] for index in picked]
        self.form.function(parameters, chosen, *state, **self._settings())
        for old, updated in zip(live, new, strict=True):
            _set(old, updated, allowed)

    def _settings(self) -> dict[str, Any]:
        names = ("weight_decay", "maximize", *self.form.settings)
        found = {name: self.live[name] for name in names if name in self.live}
        if "betas" in self.live:
            found["beta1"], found["beta2"] = self.live["betas"]
        return {**found, "lr": self.rate, "foreach": False, "fused": False}


class CompiledUpdates:
    """Compiles an update when it is first asked for, and says so.

    Args:
        models: By name; what the objective's losses are called with.
        optimizers: By name, all of the run.
        autocast: Makes the context that losses are computed under.
        clipping: Bounds of the gradients.
        example: The first training batch, on the device.
        device: Where they are.
        options: Further arguments of `torch.compile`.

    Attributes:
        gave_up: Whether the rest of the run is left to torch's operations; saved with it.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Mapping[str, PlannedOptimizer],
        autocast: Callable[[], AbstractContextManager[object]],
        clipping: Clipping,
        example: Any,
        device: torch.device,
        options: Mapping[str, Any],
    ) -> None:
        self._models = models
        self._autocast = autocast
        self._clipping = clipping
        self._is_single = len(optimizers) == 1
        self._hooks = [hooks for each in optimizers.values() for hooks in hooks_of(each.optimizer)]
        self._layout = layout(example)
        self._statistics = statistics_of(models)
        self._compiled = compiler()(self._update, fullgraph=True, **options)
        self._is_replayed = captures_a_graph(options)
        self._groups: dict[tuple[str, ...], list[list[_Group]]] = {}
        self._known: set[tuple[tuple[str, ...], int]] = set()
        self.gave_up = False
        self._saw_other = self._saw_watched = False
        self._always = torch.ones((), dtype=torch.bool, device=device)
        self._traced_before = torch._dynamo.config.trace_autograd_ops
        torch._dynamo.config.trace_autograd_ops = True

    def close(self) -> None:
        """Leave the compiler's settings as they were."""
        torch._dynamo.config.trace_autograd_ops = self._traced_before

    def forget(self) -> None:
        """The optimizers have other state tensors than before."""
        self._groups.clear()

    def run(
        self,
        update: Update,
        chosen: Sequence[PlannedOptimizer],
        window: PlacedWindow,
        allowed: torch.Tensor | None,
    ) -> Done | None:
        """Carry out an update; None, and nothing has changed, where torch's operations must.

        Args:
            update: What is asked for.
            chosen: The optimizers that it moves.
            window: What over.
            allowed: Whether they may move, bool; None where they may.
        """
        if self.gave_up or self._is_other(window) or self._is_watched(chosen):
            return None
        groups = self._groups.get(update.optimizers)
        if groups is None:
            if any(_waits_for_state(each.optimizer) for each in chosen):
                return None
            groups = self._groups[update.optimizers] = [
                [_Group(each.optimizer, group) for group in each.optimizer.param_groups]
                for each in chosen
            ]
            if self._is_replayed:
                _stay_in_place(groups)
        known = (update.optimizers, len(window)) in self._known
        started = time.perf_counter()
        try:
            done = self._run(update, groups, window, allowed)
        except Exception as error:
            if known and not is_of_compiler(error):
                raise
            self._give_up(_stateless(groups) or reason(error))
            return None
        if not known:
            self._known.add((update.optimizers, len(window)))
            notice(f"compiled the step in {time.perf_counter() - started:.1f} s")
        return done

    def _give_up(self, why: str) -> None:
        self.gave_up = True
        self._groups.clear()
        late = "; a run resumed from before here may differ in its last bits" if self._known else ""
        notice(f"the step is not compiled: {why}{late}")

    def _is_other(self, window: PlacedWindow) -> bool:
        if all(layout(batch) == self._layout for batch, _ in window):
            return False
        if not self._saw_other:
            self._saw_other = True
            notice(
                "batches of other shapes than the first training batch are left to torch's own "
                "operations; drop_last leaves out a smaller last one"
            )
        return True

    def _is_watched(self, chosen: Sequence[PlannedOptimizer]) -> bool:
        """Whether somebody is to be called in this step, or takes a part of it."""
        if not (
            any(self._hooks)
            or any(is_replaced(each.optimizer) for each in chosen)
            or any(
                item._backward_hooks or item._post_accumulate_grad_hooks
                for each in chosen
                for item in each.parameters
            )
        ):
            return False
        if not self._saw_watched:
            self._saw_watched = True
            notice(
                "steps in which an optimizer or a gradient has hooks are left to torch's own "
                "operations"
            )
        return True

    def _run(
        self,
        update: Update,
        groups: Sequence[Sequence[_Group]],
        window: PlacedWindow,
        allowed: torch.Tensor | None,
    ) -> Done:
        for of_optimizer in groups:
            for group in of_optimizer:
                group.rate.fill_(group.live["lr"])
        batches = [batch for batch, _ in window]
        shares = (
            [torch.tensor(share, dtype=torch.float64) for _, share in window]
            if len(window) > 1
            else []
        )
        allowed = self._always if allowed is None else allowed
        loss, logs, moved = self._compiled(update, groups, batches, shares, allowed)
        if self._is_replayed:  # what a captured graph returns is overwritten by the next step
            logs = {name: torch.as_tensor(value).clone() for name, value in logs.items()}
            return loss.clone(), logs, moved.clone()
        return loss, logs, moved

    def _update(
        self,
        update: Update,
        groups: Sequence[Sequence[_Group]],
        batches: Sequence[Any],
        shares: Sequence[torch.Tensor],
        allowed: torch.Tensor,
    ) -> Done:
        """What is compiled."""
        statistics = [each.clone() for each in self._statistics]
        parameters = [each for of in groups for group in of for each in group.tensors[0]]
        loss, logs, found = self._differentiate(update, batches, shares, parameters)
        finite = torch.isfinite(loss)
        for each in found:
            finite = finite if each is None else finite & torch.isfinite(sum_of(each))
        moved = finite & allowed
        gradients = iter(found)
        with torch.no_grad():
            for name, of_optimizer in zip(update.optimizers, groups, strict=True):
                mine = [[next(gradients) for _ in group.tensors[0]] for group in of_optimizer]
                if self._clipping:
                    there = [each for of_group in mine for each in of_group if each is not None]
                    norm = total_norm(each_norm(there))
                    logs["grad_norm" if self._is_single else f"grad_norm/{name}"] = norm
                    self._clipping.apply(there, norm)
                for group, of_group in zip(of_optimizer, mine, strict=True):
                    group.step(of_group, moved)
            _set(statistics, self._statistics, finite)
            _set(self._statistics, statistics, None)
        return loss, logs, moved

    def _differentiate(
        self,
        update: Update,
        batches: Sequence[Any],
        shares: Sequence[torch.Tensor],
        parameters: Sequence[torch.Tensor],
    ) -> tuple[torch.Tensor, dict[str, Scalar], list[Any]]:
        """The mean loss over the batches, the mean of each of its logs, and its gradients."""
        total: Any = 0.0
        logs: dict[str, Scalar] = {}
        gradients: list[Any] = []
        for index, batch in enumerate(batches):
            with self._autocast():
                output = update.loss(self._models, batch, "train")
            share: Any = shares[index] if shares else 1.0
            loss = output.loss * share
            found = torch.autograd.grad(loss, parameters, allow_unused=True)
            added = [b if a is None else a + b for a, b in zip(gradients, found, strict=False)]
            gradients = added or list(found)
            total = total + loss.detach()
            for name, value in output.logs.items():
                value = value.detach() if isinstance(value, torch.Tensor) else value
                logs[name] = logs.get(name, 0.0) + value * share
        return total, logs, gradients


def why_not(
    optimizers: Mapping[str, PlannedOptimizer], scaler: torch.amp.GradScaler | None
) -> str | None:
    """Why the updates of a run cannot be compiled; None if nothing speaks against it."""
    for name, planned in optimizers.items():
        kind = type(planned.optimizer)
        if kind not in _FORMS:
            known = ", ".join(each.__name__ for each in _FORMS)
            return f"optimizer `{name}` is a {kind.__name__}, and only {known} can be traced"
        if has_hooks(planned.optimizer):
            return f"optimizer `{name}` has hooks"
        unknown = planned.optimizer.defaults.keys() - _KNOWN_SETTINGS
        if unknown:
            return f"optimizer `{name}` has a setting that is not traced, {min(unknown)}"
    if scaler is not None:
        return "fp16-mixed scales the loss between forward and optimizer; bf16-mixed does not"
    if not (can_isolate() and hasattr(torch._dynamo.config, "trace_autograd_ops")):
        return f"torch {torch.__version__} cannot trace gradients; 2.13 can"
    return None


def _needs_state(optimizer: torch.optim.Optimizer, group: Mapping[str, Any]) -> bool:
    """Whether a step reads what an earlier step has left of the parameters of a group."""
    return not isinstance(optimizer, torch.optim.SGD) or bool(group["momentum"])


def _waits_for_state(optimizer: torch.optim.Optimizer) -> bool:
    """Whether the first step, which makes the state, is still to come."""
    needs = [_needs_state(optimizer, group) for group in optimizer.param_groups]
    return any(needs) and not optimizer.state


def _stateless(groups: Sequence[Sequence[_Group]]) -> str | None:
    """What is wrong, most likely, where a parameter was not trained by the first step."""
    for of_optimizer in groups:
        for group in of_optimizer:
            if group.needs_state and any(each is None for each in group.tensors[1]):
                return "a parameter that the first step did not train may have a gradient now"
    return None


def _stay_in_place(groups: Sequence[Sequence[_Group]]) -> None:
    """Promise that these tensors stay where they are, so that a captured graph may write there."""
    for of_optimizer in groups:
        for group in of_optimizer:
            for tensor in [group.rate, *(each for kind in group.tensors for each in kind)]:
                if tensor is not None:
                    torch._dynamo.mark_static_address(tensor)


def _set(live: Sequence[Any], new: Sequence[Any], allowed: torch.Tensor | None) -> None:
    for old, value in zip(live, new, strict=True):
        if old is not None:
            old.copy_(value if allowed is None else torch.where(allowed, value, old))
