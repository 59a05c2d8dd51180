"""`sched_factory.torch`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from model_constructor.binding import Binder
from model_constructor.errors import ParameterError
from model_constructor.registry import Registry
from offline_trainer_torch.schedulers import SchedulerFactory


def sgd() -> torch.optim.SGD:
    return torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)


def test_a_schedule_is_bound_to_the_optimizer(registry: Registry) -> None:
    optimizer = sgd()
    bundle = SchedulerFactory(
        "sched_cls.StepLR", args=[2], kwargs={"gamma": 0.5}, interval="step", frequency=3
    ).build(optimizer, registry=registry)
    assert isinstance(bundle.scheduler, torch.optim.lr_scheduler.StepLR)
    assert bundle.scheduler.optimizer is optimizer
    assert (bundle.scheduler.step_size, bundle.scheduler.gamma) == (2, 0.5)
    assert (bundle.interval, bundle.frequency, bundle.monitor) == ("step", 3, None)


@pytest.mark.parametrize(
    ("arguments", "parameter", "message"),
    [
        ({"interval": "metric"}, "monitor", "needs `monitor`"),
        ({"interval": "epochs"}, "interval", "step, epoch, metric, got 'epochs'"),
        ({"frequency": 0}, "frequency", "at least 1, got 0"),
        ({"frequency": 1.5}, "frequency", "at least 1, got 1.5"),
    ],
)
def test_when_to_advance_is_checked_at_once(
    arguments: dict[str, Any], parameter: str, message: str
) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        SchedulerFactory("sched_cls.StepLR", kwargs={"step_size": 1}, **arguments)
    assert caught.value.parameter == (parameter,)


@pytest.mark.parametrize(
    ("factory", "parameter", "message"),
    [
        (SchedulerFactory("sched_cls.StepRL"), ("type",), "unknown component"),
        (
            SchedulerFactory("sched_cls.LambdaLR", kwargs={"lr_lambda": 0.5}),
            ("kwargs",),
            "refused its arguments",
        ),
        (SchedulerFactory("sched_cls.OneCycleLR", kwargs={"max_lr": 1.0}), ("kwargs",), "refused"),
        (SchedulerFactory("sched_cls.ReduceLROnPlateau"), ("monitor",), "watches a metric"),
    ],
)
def test_what_the_class_refuses_is_found_before_there_is_an_optimizer(
    registry: Registry, factory: SchedulerFactory, parameter: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        factory.check(registry)
    assert caught.value.parameter == parameter


def test_a_good_schedule_passes_the_check(registry: Registry) -> None:
    SchedulerFactory("sched_cls.CyclicLR", kwargs={"base_lr": 0.1, "max_lr": 1.0}).check(registry)


@pytest.mark.parametrize(
    ("given", "place", "message"),
    [
        ({"type": "sched_cls.StepLR"}, (), "needs `step_size`"),
        (
            {"type": "sched_cls.StepLR", "kwargs": {"step_size": 1, "gama": 0.1}},
            ("kwargs", "gama"),
            "unknown key `gama`",
        ),
        ({"type": "optim_cls.SGD"}, ("type",), "kind `sched_cls`"),
    ],
)
def test_wrong_arguments_are_found_before_anything_is_built(
    registry: Registry, given: dict[str, Any], place: tuple[str, ...], message: str
) -> None:
    binder = Binder(registry)
    binder.bind({"_type_": "sched_factory.torch", **given}, ("scheduler",))
    (error,) = binder.errors
    assert error.config_path == ("scheduler", *place)
    assert message in error.message
