"""offline_trainer's `trainer.default`, on the batches that all others here get."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.peers.work import BATCH, LOG_EVERY, LR, Batches, made_up_rows

from offline_trainer.experiment import run_experiment

TITLE = "offline_trainer"
ON = "its default: fused AdamW, loss to metrics.jsonl, a save tried; no display"
PACKAGE = "offline-trainer-core"


class Data:
    """A datamodule over the batches. Its first loader is asked for one batch, for sizes alone."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._asked = 0

    def setup(self, stage: str) -> None: ...

    def train_dataloader(self) -> Any:
        self._asked += 1
        source = Batches(made_up_rows(), BATCH) if self._asked == 1 else self._batches
        return _Named(source)


class _Named:
    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return ({"x": x, "y": y} for x, y in self._batches)


def train(batches: Batches, folder: Path, save: bool) -> None:
    """So many steps."""
    module = ModuleType("its_data")
    vars(module)["register"] = lambda registry: registry.add("data.its", lambda: Data(batches))
    sys.modules["its_data"] = module
    os.chdir(folder)
    linear = {"_type_": "nn.Linear"}
    run_experiment(
        {
            "schema_version": 1,
            "settings": {"allowed_import_prefixes": ["its_data"]},
            "imports": ["its_data"],
            "run": {"name": "bench", "out_dir": "ours", "device": "cpu"},
            "model": {
                "sequential": {
                    "inputs": ["x"],
                    "layers": [
                        {**linear, "in_features": 32, "out_features": 64},
                        {"_type_": "nn.ReLU"},
                        {**linear, "in_features": 64, "out_features": 16},
                    ],
                }
            },
            "data": {"_type_": "data.its"},
            "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
            "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}},
            "optimizer": {
                "_type_": "optim_factory.torch",
                "type": "optim_cls.AdamW",
                "kwargs": {"lr": LR},
            },
            "trainer": {
                "_type_": "trainer.default",
                "max_steps": len(batches),
                "log_every_n_steps": LOG_EVERY,
                "progress": False,
            },
            "callbacks": [{"_type_": "cb.model_checkpoint"}],
        }
    )
