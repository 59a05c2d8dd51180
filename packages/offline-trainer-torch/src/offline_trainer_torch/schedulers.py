"""`sched_factory.torch`: a class of lr_scheduler and its arguments, bound to an optimizer later."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LinearLR, ReduceLROnPlateau, SequentialLR

from model_constructor.errors import ParameterError, close_matches
from model_constructor.registry import Registry
from model_constructor.signatures import CallOf
from offline_trainer.engine import Interval
from offline_trainer.protocols import RunLength, SchedulerBundle
from offline_trainer_torch.arguments import find_class, refused
from offline_trainer_torch.uncompiled import made

AUTO = "auto"
_SOME_LENGTH = 10_000
INTERVALS = ("step", "epoch", "metric")
_REFUSALS = (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError)


class SchedulerFactory:
    """Builds a learning-rate schedule over an optimizer.

    Args:
        type: A registry key, such as ``sched_cls.CosineAnnealingLR``.
        args: Positional arguments of the class, after the optimizer.
        kwargs: Its keyword arguments. One that is ``auto``, such as ``total_steps`` or ``T_max``,
            becomes how often the run will advance the schedule, less the warm-up.
        interval: Advance after optimizer steps, after epochs, or after validation (``metric``).
        frequency: Advance every how many of these.
        monitor: Name of the metric that the schedule watches, such as ``val_loss``.
        warmup: Over how many advances the learning rate first rises to its full height, in a line
            from that part of it which one advance is; below 1, as a fraction of the run.

    Raises:
        ParameterError: The interval, frequency or warm-up is none, or ``interval: metric`` lacks a
            monitor or has a warm-up.
    """

    def __init__(
        self,
        type: Annotated[str, CallOf("sched_cls", later="auto")],
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        interval: Interval = "epoch",
        frequency: int = 1,
        monitor: str | None = None,
        warmup: float = 0,
    ) -> None:
        if interval not in INTERVALS:
            raise ParameterError(
                f"interval must be one of {', '.join(INTERVALS)}, got {interval!r}",
                parameter="interval",
                suggestions=close_matches(interval, INTERVALS),
            )
        if isinstance(frequency, bool) or not isinstance(frequency, int) or frequency < 1:
            raise ParameterError(
                f"frequency must be a whole number of at least 1, got {frequency!r}",
                parameter="frequency",
            )
        if interval == "metric" and not monitor:
            raise ParameterError(
                "`interval: metric` needs `monitor`, the metric to watch",
                parameter="monitor",
                help="add `monitor: val_loss`",
            )
        self.type = type
        self.args = tuple(args or ())
        self.kwargs = dict(kwargs or {})
        self.interval: Interval = interval
        self.frequency = frequency
        self.monitor = monitor
        self.warmup = checked_warmup(warmup, interval)

    def check(self, registry: Registry) -> None:
        """Let the class look at its arguments before there is an optimizer.

        Raises:
            ParameterError: It refuses them, or watches a metric that nothing names.
        """
        stand_in = [nn.Parameter(torch.zeros(1))]
        optimizer = made(partial(torch.optim.SGD, stand_in), lr=0.1, momentum=0.9)
        some = RunLength(_SOME_LENGTH * self.frequency, _SOME_LENGTH * self.frequency)
        self.for_length(some).build(optimizer, registry=registry)

    def for_length(self, length: RunLength) -> SchedulerFactory:
        """The factory with ``auto`` and a fraction as warm-up made numbers.

        Raises:
            ParameterError: The run's length in the unit of ``interval`` is not known, or too short.
        """
        if AUTO not in (*self.args, *self.kwargs.values()) and not 0 < self.warmup < 1:
            return self
        advances = self._advances(length)
        warmup = round(advances * self.warmup) if self.warmup < 1 else int(self.warmup)
        rest = advances - warmup
        if rest < 1:
            raise ParameterError(
                f"the run advances this schedule {advances} times, which leaves nothing after a "
                f"warm-up of {warmup}",
                parameter="warmup" if warmup else "frequency",
                help="train for longer, or choose a smaller one",
            )
        fitted = copy.copy(self)
        fitted.args = tuple(rest if item == AUTO else item for item in self.args)
        fitted.kwargs = {name: rest if item == AUTO else item for name, item in self.kwargs.items()}
        fitted.warmup = warmup
        return fitted

    def _advances(self, length: RunLength) -> int:
        """How often a run of that length advances the schedule."""
        units = length.steps if self.interval == "step" else length.epochs
        if self.interval == "metric" or units is None:
            unit = "steps" if self.interval == "step" else "epochs"
            if self.interval == "metric":
                unit = "validations"
            autos = [name for name, item in self.kwargs.items() if item == AUTO]
            parameter = ("kwargs", autos[0]) if autos else ("warmup",) if self.warmup else ("args",)
            raise ParameterError(
                f"the run's length in {unit} is not known before it has run",
                parameter=parameter,
                help=f"write a number, or end the run by trainer.max_{unit}"
                if unit != "validations"
                else "write a number",
            )
        return units // self.frequency

    def build(self, optimizer: torch.optim.Optimizer, *, registry: Registry) -> SchedulerBundle:
        """The schedule, bound to the optimizer.

        Raises:
            ParameterError: The arguments are wrong, or a schedule that watches a metric has none.
        """
        make = partial(find_class(registry, self.type), optimizer, *self.args)
        rising = self._rising(optimizer)
        try:
            scheduler = make(**self.kwargs)
            if rising is not None:
                scheduler = SequentialLR(optimizer, [rising, scheduler], [int(self.warmup)])
        except _REFUSALS as error:
            raise refused(self.type, error, make, self.kwargs) from error
        if isinstance(scheduler, ReduceLROnPlateau) and self.interval != "metric":
            raise ParameterError(
                f"{self.type} watches a metric, so its interval is `metric`, got {self.interval!r}",
                parameter="interval" if self.monitor else "monitor",
                help="add `interval: metric` and `monitor: val_loss`",
            )
        return SchedulerBundle(scheduler, self.interval, self.frequency, self.monitor)

    def _rising(self, optimizer: torch.optim.Optimizer) -> LinearLR | None:
        """The warm-up; made before the schedule, which may change what it starts from."""
        if not self.warmup:
            return None
        return LinearLR(optimizer, start_factor=1 / self.warmup, total_iters=int(self.warmup))


def checked_warmup(warmup: float, interval: Interval) -> float:
    """A warm-up that can be.

    Raises:
        ParameterError: It is negative, a number of advances that is not whole, or one by metric.
    """
    if warmup < 0 or (warmup > 1 and warmup != int(warmup)):
        raise ParameterError(
            f"warmup must be a whole number of advances, or a fraction below 1, got {warmup}",
            parameter="warmup",
        )
    if warmup and interval == "metric":
        raise ParameterError(
            "a schedule that goes by a metric has no warm-up",
            parameter="warmup",
            help="choose `interval: step` and another schedule, or remove warmup",
        )
    return warmup
