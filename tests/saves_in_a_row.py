"""Trains 10,000 steps with a save every 20; prints memory and descriptors after each save.

python saves_in_a_row.py numpy|torch sync|async
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from offline_trainer.experiment import run_experiment

SEEN: list[tuple[int, int]] = []


class Watch:
    def on_checkpoint_commit(self, state: Any, control: Any) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        SEEN.append((pages * os.sysconf("SC_PAGE_SIZE"), len([*Path("/proc/self/fd").iterdir()])))


def linear(engine: str) -> dict[str, Any]:
    key = {"numpy": "layer.linear", "torch": "nn.Linear"}[engine]
    return {"_type_": key, "in_features": 4, "out_features": 2}


def config(engine: str, asynchronous: bool) -> dict[str, Any]:
    optimizer: dict[str, Any] = {"_type_": "optim_factory.momentum", "lr": 0.001}
    loss: dict[str, Any] = {"_type_": "loss.squared_error"}
    if engine == "torch":
        optimizer = {"_type_": "optim_factory.torch", "type": "optim_cls.AdamW"}
        loss = {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}}
    return {
        "schema_version": 1,
        "settings": {"allowed_import_prefixes": ["offline_trainer.", "watch."]},
        "imports": ["offline_trainer.testing.numpy_engine", "watch"],
        "run": {"name": "flat", "out_dir": "run", "device": "cpu"},
        "engine": {"_type_": f"engine.{engine}"},
        "model": {"sequential": {"inputs": ["x"], "layers": [linear(engine)]}},
        "data": {
            "_type_": "data.random_regression",
            "num_samples": 4000,
            "x_shape": [4],
            "y_shape": [2],
            "batch_size": 8,
        },
        "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
        "loss": loss,
        "optimizer": optimizer,
        "trainer": {
            "_type_": "trainer.default",
            "max_steps": 10_000,
            "val_every_n_epochs": None,
            "progress": False,
        },
        "callbacks": [
            {
                "_type_": "cb.model_checkpoint",
                "every_n_steps": 20,
                "keep_last": 2,
                "asynchronous": asynchronous,
            },
            {"_type_": "cb.ema"},
            {"_type_": "cb.watch"},
        ],
    }


def main() -> None:
    engine, mode = sys.argv[1:]
    os.fsync = lambda fd: None  # memory is looked at here, not the disk
    watch = ModuleType("watch")
    vars(watch)["register"] = lambda registry: registry.add("cb.watch", Watch)
    sys.modules["watch"] = watch
    run_experiment(config(engine, mode == "async"))
    print(json.dumps(SEEN))


if __name__ == "__main__":
    main()
