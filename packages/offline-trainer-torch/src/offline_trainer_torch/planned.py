"""One optimizer of a run with its schedule: stepping both, and their part of a snapshot."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from model_constructor.errors import ConfigPath, ParameterError
from offline_trainer.engine import HostTensor, Interval, Json, OptimizerPlan, Scalar
from offline_trainer.errors import StateMismatchError
from offline_trainer.notices import notice
from offline_trainer.protocols import SchedulerBundle
from offline_trainer_torch.bare_step import bare_step
from offline_trainer_torch.host_tensors import HostCopies, from_host
from offline_trainer_torch.memory_layout import lay_out_state
from offline_trainer_torch.packing import pack, unpack
from offline_trainer_torch.uncompiled import load_state, state_of

# How an optimizer computes, not what: these stay as the live run has them.
_IMPLEMENTATION = ("fused", "foreach", "capturable", "differentiable")
_NO_SETTING = ("params", "param_names", "initial_lr", *_IMPLEMENTATION)


@dataclass(slots=True)
class PlannedOptimizer:
    """An optimizer and its schedule.

    Attributes:
        given: The optimizer's settings as the config gives them, for each group.
        labels: What each group is called in logs.
        parameters: What it updates, in the order of its groups.
        needs_closure: It evaluates the loss itself, several times a step (L-BFGS).
        has_modes: It trains on other weights than those to evaluate; see `WeightModes`.
        skips_on_device: It can leave out an update on the device's word, so nothing waits for it.
        stepped: Whether it moved in the latest train step, for schedules that go by steps.
    """

    name: str
    optimizer: torch.optim.Optimizer
    bundle: SchedulerBundle | None
    given: list[dict[str, Json]]
    labels: list[str] = field(default_factory=lambda: [""])
    parameters: list[nn.Parameter] = field(init=False)
    needs_closure: bool = field(init=False)
    has_modes: bool = field(init=False)
    skips_on_device: bool = field(init=False)
    stepped: Scalar = False
    _step: Callable[[], None] = field(init=False)
    _seen: dict[Interval, int] = field(default_factory=lambda: {"step": 0, "epoch": 0, "metric": 0})
    _schedule_at_start: Json = field(init=False)

    def __post_init__(self) -> None:
        self._step = bare_step(self.optimizer)
        self._schedule_at_start = self._schedule_settings()
        groups = self.optimizer.param_groups
        self.parameters = [item for group in groups for item in group["params"]]
        closure = inspect.signature(self.optimizer.step).parameters.get("closure")
        self.needs_closure = closure is not None and closure.default is inspect.Parameter.empty
        modes = (getattr(self.optimizer, name, None) for name in ("train", "eval"))
        self.has_modes = all(map(callable, modes))
        # Fused optimizers read `found_inf`; torch's own loss scaler relies on the same.
        supported = getattr(self.optimizer, "_step_supports_amp_scaling", False)
        self.skips_on_device = bool(supported) and all(item.is_cuda for item in self.parameters)

    def gradients(self) -> list[torch.Tensor]:
        """The gradients there are; of sparse ones, the values."""
        found = []
        for parameter in self.parameters:
            gradient = parameter.grad
            if gradient is None:
                continue
            if gradient.is_sparse:
                gradient = parameter.grad = gradient.coalesce()
                gradient = gradient.values()
            found.append(gradient)
        return found

    def step(self, allowed: bool | torch.Tensor) -> None:
        """Update the parameters, unless ``allowed`` is false; a tensor stays on the device."""
        if isinstance(allowed, torch.Tensor):
            skipping: Any = self.optimizer
            skipping.found_inf = (~allowed).float()
            try:
                self._step()
            finally:
                del skipping.found_inf
        elif allowed:
            self._step()

    def has_moved(self, stepped: Scalar) -> None:
        """Take in whether it moved in this train step."""
        self.stepped = stepped
        vars(self.optimizer)["_opt_called"] = True  # or schedules warn that they came first

    @property
    def learning_rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def group_settings(self) -> list[dict[str, float]]:
        """Learning rate, momentum and weight decay of each group, as far as it has them."""
        return [
            {
                name: float(value)
                for name, value in (
                    ("lr", group["lr"]),
                    ("momentum", group.get("momentum", group.get("betas", (None,))[0])),
                    ("weight_decay", group.get("weight_decay")),
                )
                if value is not None
            }
            for group in self.optimizer.param_groups
        ]

    def learning_rates(self) -> dict[str, float]:
        """The first group's learning rate by the optimizer's name, the others' with their own."""
        groups = zip(self.labels, self.optimizer.param_groups, strict=True)
        return {
            f"{self.name}/{label}" if label and index else self.name: float(group["lr"])
            for index, (label, group) in enumerate(groups)
        }

    def step_schedule(self, interval: Interval, metrics: Mapping[str, float]) -> None:
        """Advance the schedule if it goes by this interval.

        Raises:
            KeyError: It watches a metric that ``metrics`` does not have.
        """
        if interval == "step" and not self.stepped:
            return
        self._seen[interval] += 1
        bundle = self.bundle
        if bundle is None or bundle.interval != interval:
            return
        if self._seen[interval] % bundle.frequency:
            return
        if isinstance(bundle.scheduler, ReduceLROnPlateau):
            bundle.scheduler.step(metrics[str(bundle.monitor)])
        else:
            bundle.scheduler.step()

    def save(self, copies: HostCopies) -> Json:
        """The state of both; tensors are copied under this optimizer's name."""
        schedule: Json = None
        if self.bundle is not None:
            state = self.bundle.scheduler.state_dict()
            schedule = pack(state, f"{self.name}.schedule", copies)
        trained: Json = None
        if self.has_modes and any(self.optimizer.state.values()):
            weights = [item.detach() for item in self.parameters]
            trained = pack(weights, f"{self.name}.trained", copies)
        return {
            "class": type(self.optimizer).__name__,
            "shapes": [list(item.shape) for item in self.parameters],
            "given": self.given,
            "state": pack(state_of(self.optimizer), self.name, copies),
            **({"trained": trained} if trained is not None else {}),
            "schedule_at_start": self._schedule_at_start,
            "schedule": schedule,
            "seen": dict(self._seen),
        }

    def check(self, saved: Json, tensors: Mapping[str, HostTensor]) -> None:
        """Compare a saved state with what is live, changing nothing.

        Raises:
            StateMismatchError: It is another optimizer, or of other parameters; or the config's new
                schedule is too short.
        """
        shapes = [list(item.shape) for item in self.parameters]
        groups = [len(group["params"]) for group in self.optimizer.param_groups]
        saved_groups = [len(group["params"]) for group in saved["state"]["param_groups"]]
        for what, here, there in (
            ("class", type(self.optimizer).__name__, saved["class"]),
            ("parameter shapes", shapes, saved["shapes"]),
            ("number of parameters in each group", groups, saved_groups),
        ):
            if here != there:
                raise StateMismatchError(
                    f"the checkpoint does not fit optimizer `{self.name}`: its {what} is {here} "
                    f"in this config and {there} in the checkpoint",
                    help="go back to the config that the checkpoint was written with",
                )

        def take(name: str) -> Any:
            return tensors[name]

        unpack([saved["state"], saved.get("trained")], take)
        if self.bundle is None:
            return
        if not self._changes(saved):
            unpack(saved["schedule"], take)
            return
        with self._unchanged_afterwards(self.bundle.scheduler):
            self._advance_schedule(saved)

    @contextmanager
    def _unchanged_afterwards(self, scheduler: Any) -> Iterator[None]:
        """A context after which the settings and the schedule are what they were."""
        groups = [
            {key: value for key, value in group.items() if key != "params"}
            for group in self.optimizer.param_groups
        ]
        schedule = copy.deepcopy(scheduler.state_dict())
        try:
            yield
        finally:
            for live, kept in zip(self.optimizer.param_groups, groups, strict=True):
                live.update(kept)
            scheduler.load_state_dict(schedule)

    def restore(self, saved: Json, tensors: Mapping[str, HostTensor]) -> None:
        """Set both to a saved state that `check` has accepted.

        Where the config gives other settings or another schedule than it did then, they count from
        here on: the schedule is the new one, advanced to where the run stands.
        """

        def take(name: str) -> torch.Tensor:
            return from_host(tensors[name])

        self._seen = dict(saved["seen"])
        if self._seen["step"]:
            # It has stepped, in an earlier process; a schedule warns of one that has not.
            vars(self.optimizer)["_opt_called"] = True
        changes = self._changes(saved)
        if changes:
            self._advance_schedule(saved)
        state = unpack(saved["state"], take)
        for group, live in zip(state["param_groups"], self.optimizer.param_groups, strict=True):
            ours = self._settings_in(live) if changes else live.keys() & {*_IMPLEMENTATION}
            group.update({key: live[key] for key in ours})
        load_state(self.optimizer, state)
        self._keep_saved_dtypes(state["state"])
        lay_out_state(self.optimizer)
        if self.has_modes and saved.get("trained") is not None:
            with torch.no_grad():
                for parameter, weight in zip(
                    self.parameters, unpack(saved["trained"], take), strict=True
                ):
                    parameter.copy_(weight)
        if self.bundle is not None and not changes:
            self.bundle.scheduler.load_state_dict(unpack(saved["schedule"], take))
        self.stepped = False
        if changes:
            notice(
                f"optimizer `{self.name}` goes on with this config's settings "
                f"({'; '.join(changes)}): its learning rate is {self.learning_rate:g} from here on"
            )

    def _changes(self, saved: Json) -> list[str]:
        """What the config gives otherwise than it did when the state was saved."""
        changed = [
            f"{key}: {there.get(key)} → {here.get(key)}"
            for here, there in zip(self.given, saved["given"], strict=True)
            for key in {**there, **here}
            if here.get(key) != there.get(key)
        ]
        if not changed and self._schedule_at_start != saved["schedule_at_start"]:
            names = [
                found["class"] if found is not None else "none"
                for found in (saved["schedule_at_start"], self._schedule_at_start)
            ]
            before, now = names
            changed = [
                f"schedule: {before} → {now}" if before != now else f"schedule: another {now}"
            ]
        return list(dict.fromkeys(changed))

    def _settings_in(self, group: Mapping[str, Any]) -> set[str]:
        """The keys of a group that are settings, not what the optimizer counts there itself."""
        arguments = inspect.signature(type(self.optimizer)).parameters
        counted = self.optimizer.defaults.keys() - arguments.keys()
        return group.keys() - {"params", *counted}

    def _schedule_settings(self) -> Json:
        """What a schedule that has not been advanced is."""
        if self.bundle is None:
            return None
        return {
            "class": type(self.bundle.scheduler).__name__,
            "interval": self.bundle.interval,
            "frequency": self.bundle.frequency,
            "state": pack(self.bundle.scheduler.state_dict(), "schedule", HostCopies()),
        }

    def _advance_schedule(self, saved: Json) -> None:
        """Advance a fresh schedule to where the run stands.

        A schedule that watches a metric cannot be: what it has lowered so far is kept.
        """
        if self.bundle is None:
            return
        if self.bundle.interval == "metric":
            for group, given, there in zip(
                self.optimizer.param_groups,
                saved["given"],
                saved["state"]["param_groups"],
                strict=True,
            ):
                if given["lr"]:
                    group["lr"] = group["lr"] * there["lr"] / given["lr"]
            return
        times = saved["seen"][self.bundle.interval] // self.bundle.frequency
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch expects a step of the optimizer before
            try:
                for _ in range(times):
                    self.bundle.scheduler.step()
            except ValueError as error:
                name = type(self.bundle.scheduler).__name__
                raise StateMismatchError(
                    f"the new schedule {name} cannot be advanced by {times}: {error}",
                    help="make it at least as long as the run is by now",
                ) from error

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
    with _errors_at(plan.path):
        optimizer = plan.factory.build(over, registry=registry)
    given = [_settings(group) for group in optimizer.param_groups]
    factory = plan.scheduler_factory
    with _errors_at(plan.scheduler_path):
        bundle = factory.build(optimizer, registry=registry) if factory is not None else None
    name_groups = getattr(plan.factory, "group_labels", _numbers)
    labels = name_groups(len(optimizer.param_groups))
    return PlannedOptimizer(plan.name, optimizer, bundle, given, labels)


@contextmanager
def _errors_at(path: ConfigPath) -> Iterator[None]:
    """A context in which what a component says of its own parameters is said of the config's."""
    try:
        yield
    except ParameterError as error:
        raise error.within(*path) from error


def _numbers(groups: int) -> list[str]:
    return [str(index) for index in range(groups)]


def _settings(group: Mapping[str, Any]) -> dict[str, Json]:
    """The settings of a parameter group as plain data."""
    return {key: _plain(value) for key, value in group.items() if key not in _NO_SETTING}


def _plain(value: Any) -> Json:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        return float(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)
