"""`sched_factory.torch`: a class of lr_scheduler and its arguments, bound to an optimizer later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from model_constructor.errors import ParameterError, close_matches
from model_constructor.registry import Registry
from model_constructor.signatures import CallOf
from offline_trainer.engine import Interval
from offline_trainer.protocols import SchedulerBundle
from offline_trainer_torch.arguments import find_class, refused

INTERVALS = ("step", "epoch", "metric")
_REFUSALS = (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError)


class SchedulerFactory:
    """Builds a learning-rate schedule over an optimizer.

    Args:
        type: A registry key, such as ``sched_cls.CosineAnnealingLR``.
        args: Positional arguments of the class, after the optimizer.
        kwargs: Its keyword arguments.
        interval: Advance after optimizer steps, after epochs, or after validation (``metric``).
        frequency: Advance every how many of these.
        monitor: Name of the metric that the schedule watches, such as ``val_loss``.

    Raises:
        ParameterError: The interval or frequency is none, or ``interval: metric`` lacks a monitor.
    """

    def __init__(
        self,
        type: Annotated[str, CallOf("sched_cls")],
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        interval: Interval = "epoch",
        frequency: int = 1,
        monitor: str | None = None,
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

    def check(self, registry: Registry) -> None:
        """Let the class look at its arguments before there is an optimizer.

        Raises:
            ParameterError: It refuses them, or watches a metric that nothing names.
        """
        parameter = nn.Parameter(torch.zeros(1))
        self.build(torch.optim.SGD([parameter], lr=0.1, momentum=0.9), registry=registry)

    def build(self, optimizer: torch.optim.Optimizer, *, registry: Registry) -> SchedulerBundle:
        """The schedule, bound to the optimizer.

        Raises:
            ParameterError: The arguments are wrong, or a schedule that watches a metric has none.
        """
        make = partial(find_class(registry, self.type), optimizer, *self.args)
        try:
            scheduler = make(**self.kwargs)
        except _REFUSALS as error:
            raise refused(self.type, error, make, self.kwargs) from error
        if isinstance(scheduler, ReduceLROnPlateau) and self.interval != "metric":
            raise ParameterError(
                f"{self.type} watches a metric, so its interval is `metric`, got {self.interval!r}",
                parameter="interval" if self.monitor else "monitor",
                help="add `interval: metric` and `monitor: val_loss`",
            )
        return SchedulerBundle(scheduler, self.interval, self.frequency, self.monitor)
