"""Learning rates of every scheduler class of torch, step by step, against torch's own."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import config
from torch import nn
from torch.optim import lr_scheduler

from model_constructor.binding import Binder
from model_constructor.errors import ConfigError, ParameterError
from offline_trainer.engine import Interval
from offline_trainer.experiment import run_experiment
from offline_trainer.protocols import RunLength
from offline_trainer_torch.engine import TorchEngine
from offline_trainer_torch.schedulers import SchedulerFactory
from offline_trainer_torch.tables import SCHEDULERS

STEPS = 24
STEPS_OF_EPOCH = 4
LR = 0.4


def tenth(step: int) -> float:
    return 1 / (1 + step / 10)


def slower(step: int) -> float:
    return 0.9


class Chained(lr_scheduler.ChainedScheduler):
    """Takes what YAML can say: torch's own takes schedules that are built already."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        parts = [
            lr_scheduler.ConstantLR(optimizer, factor=0.1, total_iters=3),
            lr_scheduler.ExponentialLR(optimizer, gamma=0.9),
        ]
        super().__init__(parts, optimizer=optimizer)


class Sequential(lr_scheduler.SequentialLR):
    """As `Chained`."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        parts = [
            lr_scheduler.LinearLR(optimizer, total_iters=4),
            lr_scheduler.StepLR(optimizer, step_size=2),
        ]
        super().__init__(optimizer, parts, [4])


ARGUMENTS: dict[str, dict[str, Any]] = {
    "ChainedScheduler": {},
    "ConstantLR": {"factor": 0.5, "total_iters": 3},
    "CosineAnnealingLR": {"T_max": 7, "eta_min": 0.01},
    "CosineAnnealingWarmRestarts": {"T_0": 3, "T_mult": 2},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.4, "step_size_up": 3, "mode": "exp_range"},
    "ExponentialLR": {"gamma": 0.9},
    "LambdaLR": {"lr_lambda": tenth},
    "LinearLR": {"start_factor": 0.2, "total_iters": 5},
    "MultiStepLR": {"milestones": [2, 5], "gamma": 0.3},
    "MultiplicativeLR": {"lr_lambda": slower},
    "OneCycleLR": {"max_lr": 1.0, "total_steps": STEPS},
    "PolynomialLR": {"total_iters": 6, "power": 2.0},
    "ReduceLROnPlateau": {"patience": 1, "factor": 0.3, "threshold": 0.5},
    "SequentialLR": {},
    "StepLR": {"step_size": 2, "gamma": 0.5},
}
OWN: dict[str, Any] = {"ChainedScheduler": Chained, "SequentialLR": Sequential}
INTERVALS: dict[str, tuple[Interval, ...]] = {
    name: ("metric",) if name == "ReduceLROnPlateau" else ("step", "epoch") for name in SCHEDULERS
}
CASES = [
    (name, interval, frequency)
    for name in SCHEDULERS
    for interval in INTERVALS[name]
    for frequency in (1, 2)
]


def model() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 3).double()


def metric(epoch: int) -> float:
    return [5.0, 4.0, 4.0, 4.0, 4.0, 1.0][epoch]


def expected(name: str, interval: Interval, frequency: int) -> list[tuple[float, float]]:
    """Learning rate and momentum after each step, from torch alone."""
    optimizer = torch.optim.SGD(model().parameters(), lr=LR, momentum=0.9)
    schedule = OWN.get(name, getattr(lr_scheduler, name))(optimizer, **ARGUMENTS[name])
    trace = []
    seen = 0
    for step in range(1, STEPS + 1):
        optimizer.step()
        if interval == "step" or step % STEPS_OF_EPOCH == 0:
            seen += 1
            if seen % frequency == 0:
                value = (metric(step // STEPS_OF_EPOCH - 1),) if interval == "metric" else ()
                schedule.step(*value)
        group = optimizer.param_groups[0]
        trace.append((float(group["lr"]), float(group["momentum"])))
    return trace


def advance(engine: TorchEngine, step: int, batches: Any) -> tuple[float, float]:
    engine.train_step([batches[step % len(batches)]])
    engine.step_schedules("step", {})
    if (step + 1) % STEPS_OF_EPOCH == 0:
        engine.step_schedules("epoch", {})
        value = metric((step + 1) // STEPS_OF_EPOCH - 1)
        engine.step_schedules("metric", {"val_loss": value})
    group = engine.optimizers["optimizer"].optimizer.param_groups[0]
    return float(group["lr"]), float(group["momentum"])


@pytest.fixture
def start(start_engine: Any, registry: Any) -> Callable[..., TorchEngine]:
    for name, own in OWN.items():
        registry.add(f"sched_cls.Own{name}", own)

    def make(name: str, interval: Interval, frequency: int) -> TorchEngine:
        factory = SchedulerFactory(
            f"sched_cls.{'Own' if name in OWN else ''}{name}",
            kwargs=ARGUMENTS[name],
            interval=interval,
            frequency=frequency,
            monitor="val_loss" if interval == "metric" else None,
        )
        kwargs = {"lr": LR, "momentum": 0.9}
        engine: TorchEngine = start_engine(model(), kwargs=kwargs, scheduler=factory)
        return engine

    return make


@pytest.mark.parametrize(("name", "interval", "frequency"), CASES)
def test_every_schedule_equals_torch_also_across_a_resume(
    start: Any, make_batches: Any, name: str, interval: Interval, frequency: int
) -> None:
    batches = make_batches(3, 3, dtype=np.float64)
    wanted = expected(name, interval, frequency)
    for stop in (1, 9):
        engine = start(name, interval, frequency)
        trace = [advance(engine, step, batches) for step in range(stop)]
        resumed = start(name, interval, frequency)
        resumed.restore(engine.snapshot())
        trace += [advance(resumed, step, batches) for step in range(stop, STEPS)]
        assert trace == wanted


def test_a_schedule_does_not_advance_in_steps_that_the_fp16_scaler_skips(
    start: Any, make_batches: Any
) -> None:
    (batch,) = make_batches(3, dtype=np.float64)
    skipped = (1, 2, 5)

    def scaled() -> TorchEngine:
        engine: TorchEngine = start("ExponentialLR", "step", 1)
        engine._scaler = engine._updates._scaler = torch.amp.GradScaler(
            "cpu", init_scale=8.0, growth_interval=2
        )
        return engine

    engine = scaled()
    optimizer = torch.optim.SGD(mine := model().parameters(), lr=LR, momentum=0.9)
    del mine
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    schedule = lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
    for step in range(9):
        overflow = step in skipped
        if step == 3:
            state = engine.snapshot()
            engine = scaled()
            engine.restore(state)
        output = engine_step(engine, batch, overflow)
        engine.step_schedules("step", {})
        before = scaler.get_scale()
        for parameter in optimizer.param_groups[0]["params"]:
            parameter.grad = torch.full_like(parameter, torch.inf if overflow else 1.0)
        scaler.scale(torch.ones(()))
        scaler.step(optimizer)
        scaler.update()
        if scaler.get_scale() >= before:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the scaler hides the optimizer's first step
                schedule.step()
        assert engine.learning_rates()["optimizer"] == optimizer.param_groups[0]["lr"]
        assert engine.read([output.stepped, output.finite]) == [float(not overflow), 1.0]
        assert engine._scaler is not None
        assert engine._scaler.get_scale() == scaler.get_scale()


def engine_step(engine: TorchEngine, batch: Any, overflow: bool) -> Any:
    """A step whose gradient overflows though its loss is finite, as fp16's does."""
    parameters = list(engine.models["model"].parameters())
    hooks = [p.register_hook(lambda gradient: gradient * torch.inf) for p in parameters[:overflow]]
    try:
        return engine.train_step([batch])
    finally:
        for hook in hooks:
            hook.remove()


# Lengths that come from the run


@pytest.mark.parametrize(
    ("name", "length", "kwargs"),
    [
        ("OneCycleLR", "total_steps", {"max_lr": 1.0}),
        ("CosineAnnealingLR", "T_max", {}),
        ("LinearLR", "total_iters", {}),
        ("PolynomialLR", "total_iters", {}),
    ],
)
def test_auto_is_the_number_of_advances_of_the_run(
    name: str, length: str, kwargs: dict[str, Any]
) -> None:
    make = partial(SchedulerFactory, f"sched_cls.{name}", kwargs={**kwargs, length: "auto"})
    run = RunLength(steps=103, epochs=9)
    for factory, advances in (
        (make(interval="step"), 103),
        (make(interval="step", frequency=2), 51),
        (make(interval="epoch"), 9),
        (make(interval="step", warmup=3), 100),
        (make(interval="step", warmup=0.1), 93),
    ):
        assert factory.for_length(run).kwargs[length] == advances
        assert factory.kwargs[length] == "auto"


@pytest.mark.parametrize("warmup", [4, 0.25])
def test_a_warm_up_rises_to_the_schedule_that_follows(registry: Any, warmup: float) -> None:
    factory = SchedulerFactory(
        "sched_cls.CosineAnnealingLR", kwargs={"T_max": "auto"}, interval="step", warmup=warmup
    )
    factory.check(registry)
    optimizer = torch.optim.SGD(model().parameters(), lr=LR)
    schedule = factory.for_length(RunLength(16, 2)).build(optimizer, registry=registry).scheduler
    alone = torch.optim.SGD(model().parameters(), lr=LR)
    cosine = lr_scheduler.CosineAnnealingLR(alone, T_max=12)
    rates, following = [], []
    for _ in range(16):
        optimizer.step()
        rates.append(optimizer.param_groups[0]["lr"])
        schedule.step()
    for _ in range(12):
        alone.step()
        following.append(alone.param_groups[0]["lr"])
        cosine.step()
    assert rates[:4] == pytest.approx([LR * (0.25 + 0.75 * step / 4) for step in range(4)])
    assert rates[4:] == pytest.approx(following)


@pytest.mark.parametrize(
    ("arguments", "length", "parameter", "message"),
    [
        ({"interval": "step"}, RunLength(None, 3), ("kwargs", "T_max"), "length in steps"),
        ({"interval": "epoch"}, RunLength(3, None), ("kwargs", "T_max"), "length in epochs"),
        ({"interval": "step", "warmup": 5}, RunLength(5, 1), ("warmup",), "leaves nothing"),
        ({"interval": "epoch", "frequency": 9}, RunLength(5, 1), ("frequency",), "0 times"),
    ],
)
def test_a_length_that_is_not_there_is_said(
    arguments: Any, length: RunLength, parameter: tuple[str, ...], message: str
) -> None:
    factory = SchedulerFactory("sched_cls.CosineAnnealingLR", kwargs={"T_max": "auto"}, **arguments)
    with pytest.raises(ParameterError, match=message) as caught:
        factory.for_length(length)
    assert caught.value.parameter == parameter


@pytest.mark.parametrize(
    ("warmup", "interval", "message"),
    [(-1, "step", "got -1"), (1.5, "step", "got 1.5"), (2, "metric", "has no warm-up")],
)
def test_a_warm_up_that_cannot_be_is_refused(warmup: float, interval: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        SchedulerFactory("sched_cls.X", interval=interval, monitor="val_loss", warmup=warmup)
    assert caught.value.parameter == ("warmup",)


def test_auto_passes_the_check_of_types_and_nothing_else_does(registry: Any) -> None:
    for word, wrong in (("auto", 0), ("atuo", 1)):
        binder = Binder(registry)
        spec = {"type": "sched_cls.CosineAnnealingLR", "kwargs": {"T_max": word}}
        binder.bind({"_type_": "sched_factory.torch", **spec}, ("scheduler",))
        assert len(binder.errors) == wrong


def scheduled(name: str, **trainer: Any) -> dict[str, Any]:
    experiment = config(name, trainer)
    experiment["scheduler"] = {
        "_type_": "sched_factory.torch",
        "type": "sched_cls.CosineAnnealingLR",
        "kwargs": {"T_max": "auto"},
        "interval": "step",
        "warmup": 0.2,
    }
    return experiment


@pytest.mark.parametrize("stop", [1, 3, 5, 9])
def test_a_run_with_warm_up_resumes_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    monkeypatch.chdir(tmp_path)
    run_experiment(scheduled("golden", accumulate_grad_batches=2))
    parts = scheduled("parts", accumulate_grad_batches=2)
    parts["callbacks"].append({"_type_": "cb.stop_at", "step": stop})
    parts["settings"]["allowed_import_prefixes"].append("stopping_callback")
    parts["imports"].append("stopping_callback")
    run_experiment(parts)
    parts["callbacks"].pop()
    run_experiment(parts, resume="auto")
    lines = [Path("runs", run, "metrics.jsonl").read_text() for run in ("golden", "parts")]
    assert lines[0] == lines[1]


def test_a_run_without_a_length_names_the_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = scheduled("endless", max_epochs=None, max_time="1s")
    with pytest.raises(ConfigError, match="length in steps is not known") as caught:
        run_experiment(experiment)
    assert caught.value.config_path == ("scheduler", "kwargs", "T_max")
