"""A state that does not fit changes nothing, whichever part of it is the wrong one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from offline_trainer.engine import HostState, HostTensor
from offline_trainer.errors import StateMismatchError
from offline_trainer_torch.engine import TorchEngine
from offline_trainer_torch.schedulers import SchedulerFactory


def start(start_engine: Any, make_batches: Any, **kwargs: Any) -> TorchEngine:
    torch.manual_seed(1)
    engine: TorchEngine = start_engine(nn.Linear(4, 3), optimizer="AdamW", **kwargs)
    engine.average_weights(0.9)
    for batch in make_batches(4, 4, 4):
        engine.train_step([batch])
        engine.step_schedules("step", {})
    return engine


def decay(steps: int) -> SchedulerFactory:
    return SchedulerFactory(
        "sched_cls.OneCycleLR", kwargs={"max_lr": 0.1, "total_steps": steps}, interval="step"
    )


def assert_refused_unchanged(engine: TorchEngine, state: HostState) -> None:
    before, rates = engine.snapshot(), engine.learning_rates()
    with pytest.raises((StateMismatchError, KeyError)):
        engine.restore(state)
    assert engine.snapshot() == before
    assert engine.learning_rates() == rates


def other_step(make_batches: Any, engine: TorchEngine) -> HostState:
    state = engine.snapshot()
    engine.train_step(make_batches(4, seed=9))
    return state


def test_averages_of_another_model(start_engine: Any, make_batches: Any) -> None:
    engine = start(start_engine, make_batches)
    state = other_step(make_batches, engine)
    ema = {"model.weight": HostTensor("F32", (1,), b"\0" * 4)}
    assert_refused_unchanged(engine, replace(state, tensors={**state.tensors, "ema": ema}))


def test_a_new_schedule_that_is_too_short(start_engine: Any, make_batches: Any) -> None:
    state = start(start_engine, make_batches, scheduler=decay(20)).snapshot()
    torch.manual_seed(2)
    engine = start_engine(nn.Linear(4, 3), optimizer="AdamW", scheduler=decay(2))
    engine.average_weights(0.9)
    assert_refused_unchanged(engine, state)


def test_a_tensor_of_the_optimizer_that_is_missing(start_engine: Any, make_batches: Any) -> None:
    engine = start(start_engine, make_batches)
    state = other_step(make_batches, engine)
    tensors = dict(state.tensors["optimizer"])
    del tensors[max(tensors)]
    assert_refused_unchanged(
        engine, replace(state, tensors={**state.tensors, "optimizer": tensors})
    )


def test_a_loss_scaler_that_lacks_something(start_engine: Any, make_batches: Any) -> None:
    engine = start(start_engine, make_batches)
    engine._scaler = torch.amp.GradScaler("cpu")
    state = other_step(make_batches, engine)
    inner = {**state.values["engine"], "scaler": {"scale": 2.0}}
    assert_refused_unchanged(engine, replace(state, values={**state.values, "engine": inner}))


def test_parameters_grouped_otherwise(start_engine: Any, make_batches: Any) -> None:
    engine = start(start_engine, make_batches)
    state = other_step(make_batches, engine)
    saved = state.values["optimizer"]["optimizer"]
    groups = [{**group, "params": group["params"][:1]} for group in saved["state"]["param_groups"]]
    changed = {"optimizer": {**saved, "state": {**saved["state"], "param_groups": groups}}}
    assert_refused_unchanged(engine, replace(state, values={**state.values, "optimizer": changed}))
