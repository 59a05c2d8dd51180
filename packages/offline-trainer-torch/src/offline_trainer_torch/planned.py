"""One optimizer of a run with its schedule: stepping both, and their part of a snapshot."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from offline_trainer.engine import HostTensor, Interval, Json, OptimizerPlan, Scalar
from offline_trainer.errors import StateMismatchError
from offline_trainer.protocols import SchedulerBundle
from offline_trainer_torch.host_tensors import from_host
from offline_trainer_torch.packing import pack, unpack

# How an optimizer computes, not what: these stay as the live run has them.
_IMPLEMENTATION = ("fused", "foreach", "capturable", "differentiable")


@dataclass(slots=True)
class PlannedOptimizer:
    """An optimizer and its schedule.

    Attributes:
        parameters: What it updates, in the order of its groups.
        needs_closure: It evaluates the loss itself, several times a step (L-BFGS).
        skips_on_device: It can leave out an update on the device's word, so nothing waits for it.
        stepped: Whether it moved in the latest train step, for schedules that go by steps.
    """

    name: str
    optimizer: torch.optim.Optimizer
    bundle: SchedulerBundle | None
    parameters: list[nn.Parameter] = field(init=False)
    needs_closure: bool = field(init=False)
    skips_on_device: bool = field(init=False)
    stepped: Scalar = False
    _intervals_seen: int = 0

    def __post_init__(self) -> None:
        groups = self.optimizer.param_groups
        self.parameters = [item for group in groups for item in group["params"]]
        closure = inspect.signature(self.optimizer.step).parameters.get("closure")
        self.needs_closure = closure is not None and closure.default is inspect.Parameter.empty
        # Fused optimizers read `found_inf`; torch's own loss scaler relies on the same.
        supported = getattr(self.optimizer, "_step_supports_amp_scaling", False)
        self.skips_on_device = bool(supported) and all(item.is_cuda for item in self.parameters)

    def gradients(self) -> list[torch.Tensor]:
        """The gradients there are; of sparse ones, the values."""
        found = []
        for parameter in self.parameters:
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = parameter.grad.coalesce()
                found.append(parameter.grad.values())
            elif parameter.grad is not None:
                found.append(parameter.grad)
        return found

    def step(self, allowed: bool | torch.Tensor) -> None:
        """Update the parameters, unless ``allowed`` is false; a tensor stays on the device."""
        if isinstance(allowed, torch.Tensor):
            skipping: Any = self.optimizer
            skipping.found_inf = (~allowed).float()
            try:
                self.optimizer.step()
            finally:
                del skipping.found_inf
        elif allowed:
            self.optimizer.step()

    @property
    def learning_rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def step_schedule(self, interval: Interval, metrics: Mapping[str, float]) -> None:
        """Advance the schedule if it goes by this interval.

        Raises:
            KeyError: It watches a metric that ``metrics`` does not have.
        """
        bundle = self.bundle
        if bundle is None or bundle.interval != interval:
            return
        if interval == "step" and not self.stepped:
            return
        self._intervals_seen += 1
        if self._intervals_seen % bundle.frequency:
            return
        if isinstance(bundle.scheduler, ReduceLROnPlateau):
            bundle.scheduler.step(metrics[str(bundle.monitor)])
        else:
            bundle.scheduler.step()

    def save(self, tensors: dict[str, HostTensor]) -> Json:
        """The state of both; tensors go into ``tensors`` under this optimizer's name."""
        schedule: Json = None
        if self.bundle is not None:
            state = pack(self.bundle.scheduler.state_dict(), f"{self.name}.schedule", tensors)
            schedule = {
                "class": type(self.bundle.scheduler).__name__,
                "intervals_seen": self._intervals_seen,
                "state": state,
            }
        return {
            "class": type(self.optimizer).__name__,
            "shapes": [list(item.shape) for item in self.parameters],
            "state": pack(self.optimizer.state_dict(), self.name, tensors),
            "schedule": schedule,
        }

    def check(self, saved: Json) -> None:
        """Compare a saved state with what is live, changing nothing.

        Raises:
            StateMismatchError: It is another optimizer, other parameters or another schedule.
        """
        schedule = type(self.bundle.scheduler).__name__ if self.bundle is not None else "none"
        saved_schedule = saved["schedule"]["class"] if saved["schedule"] is not None else "none"
        shapes = [list(item.shape) for item in self.parameters]
        groups = len(self.optimizer.param_groups)
        for what, here, there in (
            ("class", type(self.optimizer).__name__, saved["class"]),
            ("parameter shapes", shapes, saved["shapes"]),
            ("number of parameter groups", groups, len(saved["state"]["param_groups"])),
            ("schedule", schedule, saved_schedule),
        ):
            if here != there:
                raise StateMismatchError(
                    f"the checkpoint does not fit optimizer `{self.name}`: its {what} is {here} "
                    f"in this config and {there} in the checkpoint",
                    help="go back to the config that the checkpoint was written with",
                )

    def restore(self, saved: Json, tensors: Mapping[str, HostTensor]) -> None:
        """Set both to a saved state that `check` has accepted."""

        def take(name: str) -> torch.Tensor:
            return from_host(tensors[name])

        state = unpack(saved["state"], take)
        live_groups = self.optimizer.param_groups
        for group, live in zip(state["param_groups"], live_groups, strict=True):
            group.update({key: live[key] for key in _IMPLEMENTATION if key in live})
        self.optimizer.load_state_dict(state)
        self._keep_saved_dtypes(state["state"])
        if self.bundle is not None and saved["schedule"] is not None:
            self.bundle.scheduler.load_state_dict(unpack(saved["schedule"]["state"], take))
            self._intervals_seen = saved["schedule"]["intervals_seen"]
        self.stepped = False

    def _keep_saved_dtypes(self, saved: Mapping[int, Mapping[str, Any]]) -> None:
        """Undo the cast of state to the parameter's dtype that loading makes."""
        for index, parameter in enumerate(self.parameters):
            live = self.optimizer.state.get(parameter, {})
            for key, value in saved.get(index, {}).items():
                if isinstance(value, torch.Tensor) and live[key].dtype != value.dtype:
                    live[key] = value.to(live[key].device)


def plan_optimizers(
    plans: Sequence[OptimizerPlan], models: Mapping[str, nn.Module], registry: Any
) -> dict[str, PlannedOptimizer]:
    """Build every optimizer and schedule of a task, by name, in its order."""
    return {plan.name: _planned(plan, models, registry) for plan in plans}


def _planned(
    plan: OptimizerPlan, models: Mapping[str, nn.Module], registry: Any
) -> PlannedOptimizer:
    chosen = {name: models[name] for name in plan.models}
    over = next(iter(chosen.values())) if len(chosen) == 1 else nn.ModuleDict(chosen)
    optimizer = plan.factory.build(over, registry=registry)
    factory = plan.scheduler_factory
    bundle = factory.build(optimizer, registry=registry) if factory is not None else None
    return PlannedOptimizer(plan.name, optimizer, bundle)
