"""A step that is not finite, on torch."""

from __future__ import annotations

import copy
from typing import Any

from non_finite_cases import NonFiniteCases
from small_experiment import SMALL


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
