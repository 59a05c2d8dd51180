"""`param_groups`: chosen by name, with settings and a learning rate of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import config
from torch import nn

from model_constructor.errors import ConfigError, ParameterError
from model_constructor.registry import Registry
from offline_trainer.engine import OptimizerPlan
from offline_trainer.experiment import run_experiment
from offline_trainer_torch.optimizers import OptimizerFactory
from offline_trainer_torch.schedulers import SchedulerFactory


def model() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 3)).double()


def factory(*groups: dict[str, Any], name: str = "AdamW", **kwargs: Any) -> OptimizerFactory:
    return OptimizerFactory(f"optim_cls.{name}", kwargs={"lr": 1e-2, **kwargs}, param_groups=groups)


def test_the_first_group_that_names_a_parameter_has_it(registry: Registry) -> None:
    net = model()
    made = factory({"match": "2.*", "lr": 0.5}, {"match": ["*.bias", "1.*"], "weight_decay": 0.0})
    groups = made.build(net, registry=registry).param_groups
    expected = [[net[0].weight], [net[2].weight, net[2].bias], [net[0].bias, *net[1].parameters()]]
    for group, parameters in zip(groups, expected, strict=True):
        assert {id(item) for item in group["params"]} == {id(item) for item in parameters}
    assert [group["lr"] for group in groups] == [1e-2, 0.5, 1e-2]
    assert [group["weight_decay"] for group in groups] == [1e-2, 1e-2, 0.0]


def test_a_frozen_parameter_is_in_no_group(registry: Registry) -> None:
    net = model()
    net[2].requires_grad_(False)
    groups = factory({"match": "*.bias"}).build(net, registry=registry).param_groups
    assert [len(group["params"]) for group in groups] == [2, 2]
    with pytest.raises(ParameterError, match=r"no trained parameter is called `2\.\*`"):
        factory({"match": "2.*"}).build(net, registry=registry)


@pytest.mark.parametrize(
    ("groups", "place", "message", "suggestion"),
    [
        ([{"match": "0.wieght"}], (0, "match"), "no trained parameter", "0.weight"),
        ([{"match": ["*", "0.bias"]}], (0, "match", 1), None, None),
        ([{"match": "0.*"}, {"match": ["0.bias"]}], (1, "match", 0), "an earlier pattern", None),
    ],
)
def test_a_pattern_that_names_nothing_is_refused_with_the_nearest_names(
    registry: Registry,
    groups: list[dict[str, Any]],
    place: tuple[Any, ...],
    message: str | None,
    suggestion: str | None,
) -> None:
    if message is None:  # patterns of one group may overlap
        factory(*groups).build(model(), registry=registry)
        return
    with pytest.raises(ParameterError, match=message) as caught:
        factory(*groups).build(model(), registry=registry)
    assert caught.value.parameter == ("param_groups", *place)
    if suggestion is not None:
        assert caught.value.suggestions[0] == suggestion


@pytest.mark.parametrize(
    ("group", "place", "message"),
    [
        ({"lr": 0.1}, (0,), "needs `match`"),
        ({"match": 3}, (0, "match"), "needs `match`"),
        ({"match": []}, (0, "match"), "needs `match`"),
        ({"match": "*", "weigth_decay": 0.1}, (0, "weigth_decay"), "not a setting of"),
        ({"match": "*", "lr": -1.0}, (0, "lr"), "refused its arguments"),
    ],
)
def test_a_group_is_checked_before_there_is_a_model(
    registry: Registry, group: dict[str, Any], place: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        factory(group).check(registry)
    assert caught.value.parameter == ("param_groups", *place)


def test_two_groups_of_one_name_are_refused(registry: Registry) -> None:
    with pytest.raises(ParameterError, match="two groups"):
        factory({"match": "0.*", "name": "a"}, {"match": "1.*", "name": "a"}).check(registry)


def test_each_group_of_parameters_has_its_learning_rate_logged(
    start_engine: Any, make_batches: Any
) -> None:
    made = factory({"match": "2.*", "lr": 0.5, "name": "head"}, {"match": "*.bias"})
    plan = OptimizerPlan(
        "optimizer",
        ("model",),
        made,
        SchedulerFactory("sched_cls.ExponentialLR", kwargs={"gamma": 0.1}),
    )
    engine = start_engine(model(), plans=[plan])
    engine.train_step(make_batches(4, dtype=np.float64))
    engine.step_schedules("epoch", {})
    rates = {"optimizer": 1e-3, "optimizer/head": 0.05, "optimizer/2": 1e-3}
    assert engine.learning_rates() == pytest.approx(rates)


def test_names_begin_with_the_model_where_there_are_several(start_engine: Any) -> None:
    made = factory({"match": "first.*", "lr": 0.5})
    plan = OptimizerPlan("optimizer", ("first", "second"), made)
    engine = start_engine({"first": model(), "second": model()}, plans=[plan], objective=_Nothing())
    groups = engine.optimizers["optimizer"].optimizer.param_groups
    assert [(len(group["params"]), group["lr"]) for group in groups] == [(6, 1e-2), (6, 0.5)]


class _Nothing:
    """An objective without updates."""

    def updates(self, step: int, optimizers: Any) -> list[Any]:
        return []


def test_a_run_with_a_wrong_pattern_names_its_place(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = config("groups")
    experiment["optimizer"]["param_groups"] = [{"match": "layer_2.*"}, {"match": ["layer_9.*"]}]
    with pytest.raises(
        ConfigError, match=r"no trained parameter is called `layer_9\.\*`"
    ) as caught:
        run_experiment(experiment)
    assert caught.value.config_path == ("optimizer", "param_groups", 1, "match", 0)


def test_a_run_with_groups_resumes_exactly_and_logs_their_rates(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    groups = [{"match": "layer_2.*", "lr": 0.1, "name": "head"}, {"match": "*.bias"}]
    runs = [config("golden"), config("parts")]
    for experiment in runs:
        experiment["optimizer"]["param_groups"] = groups
    golden, parts = runs
    run_experiment(golden)
    run_experiment(parts, ["trainer.max_steps=7"])
    run_experiment(parts, resume="auto")
    files = [Path("runs", name, "metrics.jsonl").read_bytes() for name in ("golden", "parts")]
    assert files[0] == files[1]
    row = json.loads(files[0].splitlines()[0])
    assert (row["lr"], row["lr/head"], row["lr/2"]) == (0.01, 0.1, 0.01)
