"""The numpy engine satisfies what every engine must."""

from __future__ import annotations

from typing import Any

from offline_trainer.testing import EngineConformance


class TestNumpyEngine(EngineConformance):
    engine = "engine.numpy"
    imports = ("offline_trainer.testing.numpy_engine",)
    relative_tolerance = 1e-12

    def hidden_layers(self, in_features: int, out_features: int) -> list[dict[str, Any]]:
        return [self.output_layer(in_features, out_features), {"_type_": "layer.tanh"}]

    def noise_layer(self) -> dict[str, Any]:
        return {"_type_": "layer.dropout", "p": 0.2}

    def output_layer(self, in_features: int, out_features: int) -> dict[str, Any]:
        return {
            "_type_": "layer.linear",
            "in_features": in_features,
            "out_features": out_features,
        }

    def loss(self) -> dict[str, Any]:
        return {"_type_": "loss.squared_error"}

    def optimizer(self, learning_rate: float) -> dict[str, Any]:
        return {"_type_": "optim_factory.momentum", "lr": learning_rate}

    def scheduler(self, interval: str) -> dict[str, Any]:
        monitor = "val_loss" if interval == "metric" else None
        return {"_type_": "sched_factory.decay", "interval": interval, "monitor": monitor}
