"""The experiments that the campaigns run: small, with everything in them that a resume can lose.

Each has dropout, a schedule, averaged weights, accumulation with a remainder, validation, a test
set, a callback with state and draws of its own, and checkpoints every few steps. A run lives in the
folder ``run`` of the current folder, and the `Plan` beside it says what interrupts it.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Literal

Config = dict[str, Any]
EngineName = Literal["numpy", "torch"]

OUT_DIR = "run"
PARTS = ("train", "val", "test")
DIGITS = Path(__file__).parents[2] / "configs" / "data" / "digits.csv.gz"

_BOTH: Config = {
    "schema_version": 1,
    "settings": {"allowed_import_prefixes": ["offline_trainer.", "reliability."]},
    "run": {"name": "campaign", "out_dir": OUT_DIR, "seed": 3, "device": "cpu"},
    "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
    "trainer": {
        "_type_": "trainer.default",
        "max_epochs": 4,
        "accumulate_grad_batches": 3,
        "clip_grad_norm": 0.5,
        "log_every_n_steps": 3,
        "progress": False,
    },
    "callbacks": [
        {"_type_": "cb.drawing"},
        {"_type_": "cb.ema", "decay": 0.9},
        {"_type_": "cb.model_checkpoint", "every_n_steps": 3, "keep_last": 2},
        {"_type_": "cb.interrupting"},
    ],
}

# 42 rows to train on: 11 batches, the last of 2; 4 windows, the last of 2 batches; 16 steps.
_NUMPY: Config = {
    "imports": ["offline_trainer.testing.numpy_engine", "reliability.components"],
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
        "_type_": "data.reluctant",
        "of": {
            "_type_": "data.random_regression",
            "num_samples": 60,
            "x_shape": [4],
            "y_shape": [2],
            "batch_size": 4,
            "val_fraction": 0.15,
            "test_fraction": 0.15,
        },
    },
    "loss": {"_type_": "loss.squared_error"},
    "optimizer": {"_type_": "optim_factory.momentum", "lr": 0.05},
    "scheduler": {"_type_": "sched_factory.decay", "gamma": 0.8, "interval": "epoch"},
    "metrics": [{"_type_": "metric.mae"}],
}

# 1,258 rows to train on: 10 batches, the last of 106; 4 windows, the last of 1 batch; 16 steps.
_TORCH: Config = {
    "imports": ["reliability.components"],
    "engine": {"_type_": "engine.torch"},
    "model": {
        "sequential": {
            "inputs": ["x"],
            "layers": [
                {"_type_": "mlp", "dims": [64, 32, 10], "norm": "BatchNorm1d", "dropout": 0.3}
            ],
        }
    },
    "data": {
        "_type_": "data.reluctant",
        "of": {
            "_type_": "data.table",
            "path": str(DIGITS),
            "target": "label",
            "target_dtype": "int64",
            "batch_size": 128,
            "val_fraction": 0.1,
            "test_fraction": 0.2,
            "standardise": True,
        },
    },
    "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.CrossEntropyLoss"}},
    "optimizer": {
        "_type_": "optim_factory.torch",
        "type": "optim_cls.AdamW",
        "kwargs": {"lr": 2e-3, "weight_decay": 1e-2},
    },
    "scheduler": {
        "_type_": "sched_factory.torch",
        "type": "sched_cls.StepLR",
        "kwargs": {"step_size": 2, "gamma": 0.3},
    },
    "metrics": [{"_type_": "metric.accuracy"}],
}


# The same digits, from a dataset with noise of its own and two workers.
TWO_WORKERS: Config = {
    "_type_": "data.reluctant",
    "of": {
        "_type_": "data.torch",
        **{part: {"_type_": "dataset.digits", "part": part} for part in PARTS},
        "batch_size": 128,
        "num_workers": 2,
        "persistent_workers": True,
    },
}


def make_config(engine: EngineName) -> Config:
    """A config that the caller may change."""
    own = _NUMPY if engine == "numpy" else _TORCH
    return copy.deepcopy({**_BOTH, **own})


def checkpointing(config: Config) -> Config:
    """The part of a config that says when checkpoints are saved."""
    part: Config = next(c for c in config["callbacks"] if c["_type_"] == "cb.model_checkpoint")
    return part
