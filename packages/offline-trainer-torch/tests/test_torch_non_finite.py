"""A step that is not finite, on torch."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from non_finite_cases import NonFiniteCases
from small_experiment import SMALL
from torch import nn


class TestTorchNonFinite(NonFiniteCases):
    def config(self, out_dir: str = "run") -> dict[str, Any]:
        config = copy.deepcopy(SMALL)
        config["run"].update(out_dir=out_dir, device="cpu")
        config["engine"] = {"_type_": "engine.torch"}
        config["imports"] = []
        config["model"]["sequential"]["layers"] = [
            {"_type_": "nn.Linear", "in_features": 4, "out_features": 8},
            {"_type_": "nn.BatchNorm1d", "num_features": 8},
            {"_type_": "nn.Dropout", "p": 0.2},
            {"_type_": "nn.Linear", "in_features": 8, "out_features": 2},
        ]
        config["loss"] = {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}}
        config["optimizer"] = {
            "_type_": "optim_factory.torch",
            "type": "optim_cls.SGD",
            "kwargs": {"lr": 0.05, "momentum": 0.9},
        }
        config["scheduler"] = {
            "_type_": "sched_factory.torch",
            "type": "sched_cls.ExponentialLR",
            "kwargs": {"gamma": 0.9},
            "interval": "step",
        }
        config["metrics"] = []
        return config


def test_on_a_card_all_updates_after_such_a_step_are_left_out_until_the_run_has_gone_back(
    start_engine: Any, make_batches: Any
) -> None:
    engine = start_engine(nn.Linear(4, 3), optimizer="AdamW", kwargs={"lr": 0.1})
    engine.optimizers["optimizer"].skips_on_device = True  # as on CUDA; its fused kernel can
    engine._updates._stays_at_nonfinite = True
    good, bad, after = make_batches(4, 4, 4)
    bad.data["y"][0, 0] = np.nan
    engine.train_step([good])
    before = engine.snapshot()
    outputs = [engine.train_step([batch]) for batch in (bad, after)]
    assert engine.read([output.finite for output in outputs]) == [0.0, 0.0]
    assert engine.snapshot().tensors["model"] == before.tensors["model"]
    assert engine.snapshot().tensors["optimizer"] == before.tensors["optimizer"]
    assert engine.find_non_finite([bad]) == "`y` of the batch"
    assert engine.find_non_finite([after]) is None
    engine.restore(before)
    assert engine.read([engine.train_step([after]).finite]) == [1.0]
    assert engine.snapshot().tensors["model"] != before.tensors["model"]


def test_repeating_a_step_changes_nothing_and_names_the_innermost_module(
    start_engine: Any, make_batches: Any
) -> None:
    class Divides(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x / 0

    inner = nn.Sequential(nn.Dropout(), Divides())
    engine = start_engine(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), inner))
    (batch,) = make_batches(4)
    before = engine.snapshot()
    assert engine.find_non_finite([batch]) == "the output of `model.2.1`"
    assert engine.snapshot() == before
    assert all(parameter.grad is None for parameter in engine.models["model"].parameters())
