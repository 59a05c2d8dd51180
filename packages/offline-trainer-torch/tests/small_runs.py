"""A small experiment on `data.torch`, for the tests."""

from __future__ import annotations

from typing import Any


def config(name: str, trainer: dict[str, Any] | None = None, **data: Any) -> dict[str, Any]:
    """A model with dropout, which draws from the training's stream, on noisy samples."""
    return {
        "schema_version": 1,
        "settings": {"allowed_import_prefixes": ["small_sets"]},
        "imports": ["small_sets"],
        "run": {"name": name, "out_dir": f"runs/{name}", "seed": 3, "device": "cpu"},
        "data": {
            "_type_": "data.torch",
            "train": {"_type_": "dataset.noisy", "length": 22},
            "val": {"_type_": "dataset.noisy", "length": 7},
            "batch_size": 4,
            **data,
        },
        "model": {
            "sequential": {
                "inputs": ["x"],
                "layers": [
                    {"_type_": "mlp", "dims": [None, 8]},
                    {"_type_": "nn.Dropout"},
                    {"_type_": "nn.Linear", "in_features": 8, "out_features": 1},
                ],
            }
        },
        "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
        "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}},
        "optimizer": {
            "_type_": "optim_factory.torch",
            "type": "optim_cls.AdamW",
            "kwargs": {"lr": 1e-2},
        },
        "callbacks": [{"_type_": "cb.model_checkpoint", "every_n_steps": 1}],
        "trainer": {
            "_type_": "trainer.default",
            "max_epochs": 3,
            "log_every_n_steps": 1,
            "progress": False,
            **(trainer or {}),
        },
    }
