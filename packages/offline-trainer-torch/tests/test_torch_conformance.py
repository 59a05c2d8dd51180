"""The torch engine and plugin satisfy what every engine and plugin must."""

from __future__ import annotations

from typing import Any

from offline_trainer.testing import EngineConformance, PluginConformance


class TestTorchEngine(EngineConformance):
    engine = "engine.torch"

    def hidden_layers(self, in_features: int, out_features: int) -> list[dict[str, Any]]:
        return [self.output_layer(in_features, out_features), {"_type_": "nn.Tanh"}]

    def noise_layer(self) -> dict[str, Any]:
        return {"_type_": "nn.Dropout", "p": 0.2}

    def output_layer(self, in_features: int, out_features: int) -> dict[str, Any]:
        return {"_type_": "nn.Linear", "in_features": in_features, "out_features": out_features}

    def loss(self) -> dict[str, Any]:
        return {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}}

    def optimizer(self, learning_rate: float) -> dict[str, Any]:
        return {
            "_type_": "optim_factory.torch",
            "type": "optim_cls.SGD",
            "kwargs": {"lr": learning_rate, "momentum": 0.9},
        }

    def scheduler(self, interval: str) -> dict[str, Any]:
        if interval == "metric":
            return {
                "_type_": "sched_factory.torch",
                "type": "sched_cls.ReduceLROnPlateau",
                "kwargs": {"patience": 0},
                "interval": interval,
                "monitor": "val_loss",
            }
        return {
            "_type_": "sched_factory.torch",
            "type": "sched_cls.ExponentialLR",
            "kwargs": {"gamma": 0.9},
            "interval": interval,
        }


class TestTorchPlugin(PluginConformance):
    plugin = "torch"
