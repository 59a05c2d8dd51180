"""A small experiment on the numpy engine."""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]

SMALL: Config = {
    "schema_version": 1,
    "settings": {"allowed_import_prefixes": ["model_constructor.", "offline_trainer."]},
    "imports": ["offline_trainer.testing.numpy_engine"],
    "run": {"name": "small", "out_dir": "run", "seed": 3},
    "engine": {"_type_": "engine.numpy"},
    "model": {
        "sequential": {
            "inputs": ["x"],
            "layers": [
                {"_type_": "layer.linear", "in_features": 4, "out_features": 8},
                {"_type_": "layer.tanh"},
                {"_type_": "layer.dropout", "p": 0.2},
                {"_type_": "layer.linear", "in_features": 8, "out_features": 2},
            ],
        }
    },
    "data": {
        "_type_": "data.random_regression",
        "num_samples": 50,
        "x_shape": [4],
        "y_shape": [2],
        "batch_size": 8,
        "val_fraction": 0.2,
        "test_fraction": 0.2,
    },
    "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
    "loss": {"_type_": "loss.squared_error"},
    "optimizer": {"_type_": "optim_factory.momentum", "lr": 0.05},
    "scheduler": {"_type_": "sched_factory.decay", "gamma": 0.8, "interval": "epoch"},
    "trainer": {
        "_type_": "trainer.default",
        "max_epochs": 4,
        "log_every_n_steps": 3,
        "progress": False,
    },
    "metrics": [{"_type_": "metric.mae"}],
    "callbacks": [{"_type_": "cb.model_checkpoint", "every_n_epochs": 1}],
}
