"""Models and parameters that are not trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from offline_trainer.engine import EvalOutput, OptimizerPlan
from offline_trainer.protocols import LossOutput, Update
from offline_trainer_torch.optimizers import OptimizerFactory


class Through:
    """Trains `online` through what `target` makes of its output."""

    def updates(self, step: int, optimizers: Any) -> list[Update]:
        return [Update(("online",), self.loss)]

    def loss(self, models: Any, batch: Any, stage: str) -> LossOutput:
        return LossOutput(models["target"](models["online"](batch["x"])).square().mean())

    def evaluate(self, models: Any, batch: Any, stage: Any) -> EvalOutput:
        return EvalOutput(self.loss(models, batch, stage).loss)


def models() -> dict[str, nn.Module]:
    target = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 1))
    return {"online": nn.Linear(4, 4), "target": target}


def plan(name: str) -> OptimizerPlan:
    return OptimizerPlan(name, (name,), OptimizerFactory("optim_cls.SGD", kwargs={"lr": 0.1}))


def test_a_model_that_no_optimizer_trains_evaluates_and_says_so(
    start_engine: Any, make_batches: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = start_engine(models(), objective=Through(), plans=[plan("online")])
    assert "no optimizer trains model `target`" in capsys.readouterr().err
    before = {name: value.clone() for name, value in engine.models["target"].state_dict().items()}
    online = engine.models["online"].weight.detach().clone()
    for batch in make_batches(5, 5):
        engine.train_step([batch])
        engine.eval_step(batch.data, "val")
    target = engine.models["target"]
    assert not any(part.training for part in target.modules())
    assert not any(parameter.requires_grad for parameter in target.parameters())
    for name, value in target.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not torch.equal(engine.models["online"].weight, online)
    assert engine.models["online"].training


def test_nothing_is_said_of_a_model_that_the_config_freezes(
    start_engine: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = models()
    parts["target"].requires_grad_(False)
    start_engine(parts, objective=Through(), plans=[plan("online")])
    assert capsys.readouterr().err == ""


def test_an_objective_may_still_write_to_it(start_engine: Any, make_batches: Any) -> None:
    class Polyak(Through):
        def after_step(self, models: Any, step: int) -> None:
            models["target"][2].weight.lerp_(torch.ones(1, 4), 0.5)

    engine = start_engine(models(), objective=Polyak(), plans=[plan("online")])
    (batch,) = make_batches(5)
    for _ in range(60):
        engine.train_step([batch])
    assert np.allclose(engine.models["target"][2].weight.detach().numpy(), 1.0)
