"""`optim_factory.torch`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from model_constructor.binding import Binder
from model_constructor.errors import ParameterError
from model_constructor.registry import Registry
from offline_trainer_torch.optimizers import OptimizerFactory
from offline_trainer_torch.tables import OPTIMIZERS


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_class_can_be_checked_and_built(registry: Registry, name: str) -> None:
    factory = OptimizerFactory(f"optim_cls.{name}", kwargs={"lr": 0.01})
    factory.check(registry)
    is_sparse = name == "SparseAdam"
    model = nn.Embedding(3, 2, sparse=True) if is_sparse else nn.Linear(3, 2, bias=False)
    optimizer = factory.build(model, registry=registry)
    assert type(optimizer) is getattr(torch.optim, name)
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_only_trainable_parameters_are_given(registry: Registry) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    optimizer = OptimizerFactory("optim_cls.SGD").build(model, registry=registry)
    assert [p.shape for p in optimizer.param_groups[0]["params"]] == [(1, 2), (1,)]


def test_a_model_without_trainable_parameters_is_refused(registry: Registry) -> None:
    model = nn.Linear(3, 2).requires_grad_(False)
    with pytest.raises(ParameterError, match="no trainable parameters"):
        OptimizerFactory("optim_cls.SGD").build(model, registry=registry)


@pytest.mark.parametrize(
    ("name", "kwargs", "fused"),
    [
        ("AdamW", {}, True),
        ("SGD", {}, True),
        ("Adagrad", {}, True),
        ("AdamW", {"fused": False}, False),
        ("AdamW", {"foreach": True}, None),
        ("RMSprop", {}, None),
    ],
)
def test_fused_is_the_default_that_the_yaml_can_overrule(
    registry: Registry, name: str, kwargs: dict[str, Any], fused: bool | None
) -> None:
    factory = OptimizerFactory(f"optim_cls.{name}", kwargs=kwargs)
    optimizer = factory.build(nn.Linear(3, 2), registry=registry)
    assert optimizer.param_groups[0].get("fused") is fused


def test_sparse_embeddings_are_not_given_a_fused_optimizer(registry: Registry) -> None:
    model = nn.Embedding(5, 2, sparse=True)
    optimizer = OptimizerFactory("optim_cls.SGD").build(model, registry=registry)
    model(torch.tensor([1])).sum().backward()
    optimizer.step()


@pytest.mark.parametrize(
    ("given", "place", "message", "suggestion"),
    [
        (
            {"type": "optim_cls.AdamW", "kwargs": {"weigth_decay": 0.1}},
            ("kwargs", "weigth_decay"),
            "unknown key `weigth_decay` for optim_cls.AdamW",
            "weight_decay",
        ),
        (
            {"type": "optim_cls.AdamWW"},
            ("type",),
            "unknown component `optim_cls.AdamWW`",
            "optim_cls.AdamW",
        ),
        (
            {"type": "AdamW"},
            ("type",),
            "optimizer.type takes a component of kind `optim_cls`",
            "optim_cls.AdamW",
        ),
        (
            {"type": "optim_cls.SGD", "args": [0.1], "kwargs": {"lr": 0.1}},
            ("kwargs", "lr"),
            "given twice",
            None,
        ),
        (
            {"type": "optim_cls.SparseAdam", "args": [0.1, [0.9, 0.99], 1e-8, False, 5]},
            ("args",),
            "at most 4",
            None,
        ),
        (
            {"type": "optim_cls.SGD", "kwargs": {"lr": "big"}},
            ("kwargs", "lr"),
            "expected a number, got 'big'",
            None,
        ),
        (
            {"type": "optim_cls.SGD", "kwargs": {"learning_rate": 0.1}},
            ("kwargs", "learning_rate"),
            "unknown key",
            "lr",
        ),
        (
            {"type": "optim_cls.Adam", "kwargs": {"betas": [0.9]}},
            ("kwargs", "betas"),
            "expected a list of 2",
            None,
        ),
        (
            {"type": "optim_cls.SGD", "kwargs": {"params": []}},
            ("kwargs", "params"),
            "unknown key",
            None,
        ),
        ({"type": "optim_cls.Needy"}, (), "optim_cls.Needy needs `needed`", None),
    ],
)
def test_wrong_arguments_are_found_before_anything_is_built(
    registry: Registry,
    given: dict[str, Any],
    place: tuple[str, ...],
    message: str,
    suggestion: str | None,
) -> None:
    class Needy(torch.optim.SGD):
        def __init__(self, params: Any, needed: float) -> None:
            super().__init__(params, lr=needed)

    registry.add("optim_cls.Needy", Needy)
    binder = Binder(registry)
    binder.bind({"_type_": "optim_factory.torch", **given}, ("optimizer",))
    (error,) = binder.errors
    assert error.config_path == ("optimizer", *place)
    assert message in error.message
    if suggestion is not None:
        assert error.suggestions[0] == suggestion


@pytest.mark.parametrize(
    ("factory", "message", "place"),
    [
        (OptimizerFactory("optim_cls.SGD", kwargs={"lr": -1.0}), "refused.*-1.0", ["lr"]),
        (OptimizerFactory("optim_cls.Adam", kwargs={"betas": [0.9]}), "refused", ["betas"]),
        (OptimizerFactory("optim_cls.AdamW", kwargs={"betas": [2, 0], "lr": -1}), "rate", ["lr"]),
        (
            OptimizerFactory("optim_cls.SGD", kwargs={"lr": 1, "nesterov": True}),
            "Nesterov",
            ["nesterov"],
        ),
        (OptimizerFactory("optim_cls.SGD", args=[-1], kwargs={"momentum": 0}), "rate", []),
        (
            OptimizerFactory("optim_cls.Adam", kwargs={"differentiable": True}),
            "cannot differentiate",
            ["differentiable"],
        ),
    ],
)
def test_what_the_class_refuses_is_found_before_there_is_a_model(
    registry: Registry, factory: OptimizerFactory, message: str, place: list[str]
) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        factory.check(registry)
    assert caught.value.parameter == ("kwargs", *place)


def test_a_model_that_the_class_cannot_train_is_refused(registry: Registry) -> None:
    with pytest.raises(ParameterError, match=r"optim_cls\.Muon refused"):
        OptimizerFactory("optim_cls.Muon").build(nn.Linear(3, 2), registry=registry)


@pytest.mark.parametrize(
    ("name", "kwargs", "blamed"),
    [
        ("LBFGS", {"lr": 0.1, "line_search_fn": "wolfe"}, ["line_search_fn"]),
        ("NAdam", {"capturable": True, "lr": 0.1}, ["capturable"]),
        ("SparseAdam", {}, []),
    ],
)
def test_what_only_a_step_shows_is_found_before_the_first(
    registry: Registry, name: str, kwargs: dict[str, Any], blamed: list[str]
) -> None:
    factory = OptimizerFactory(f"optim_cls.{name}", kwargs=kwargs)
    with pytest.raises(ParameterError, match=f"optim_cls.{name} refused") as caught:
        factory.build(nn.Linear(3, 2), registry=registry)
    assert caught.value.parameter == ("kwargs", *blamed)
