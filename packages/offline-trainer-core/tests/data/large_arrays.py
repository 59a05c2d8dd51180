"""Reads or trains on a large array with little memory; prints what it took.

python large_arrays.py batches|run FILE [WIDTH]
"""

from __future__ import annotations

import json
import resource
import sys
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from offline_trainer.data.arrays import Arrays
from offline_trainer.experiment import run_experiment

LIMIT = 400_000_000
SEEN: list[int] = []


def own_bytes() -> int:
    """Memory of this process alone: what is mapped from a file is the system's to drop."""
    status = Path("/proc/self/status").read_text()
    (line,) = [each for each in status.splitlines() if each.startswith("RssAnon:")]
    return int(line.split()[1]) * 1024


class Watch:
    def on_train_step_end(self, state: Any, control: Any) -> None:
        SEEN.append(own_bytes())


def batches(file: Path) -> dict[str, int]:
    data = Arrays(file, batch_size=64)
    data.setup("fit")
    counts = []
    for _ in range(2):
        loader = data.train_dataloader()
        drawn = []
        for batch in islice(loader, 400):
            assert batch["x"].shape == (64, 40)
            SEEN.append(own_bytes())
        for start in range(0, 400 * 64, 64):
            drawn.append(loader._order[start : start + 64])  # type: ignore[index]
        rows = np.concatenate(drawn)
        assert 0 <= rows.min() <= rows.max() < 1_000_000_000
        counts.append(len(np.unique(rows)))
    (count,) = set(counts)
    return {"rows": count}


def run(file: Path, width: int) -> dict[str, int]:
    watch = ModuleType("watch")
    vars(watch)["register"] = lambda registry: registry.add("cb.watch", Watch)
    sys.modules["watch"] = watch
    layer = {"_type_": "layer.linear", "in_features": width, "out_features": width}
    result = run_experiment(
        {
            "schema_version": 1,
            "settings": {"allowed_import_prefixes": ["offline_trainer.", "watch."]},
            "imports": ["offline_trainer.testing.numpy_engine", "watch"],
            "run": {"name": "large", "out_dir": "run", "device": "cpu"},
            "engine": {"_type_": "engine.numpy"},
            "model": {"sequential": {"inputs": ["x"], "layers": [layer]}},
            "data": {"_type_": "data.arrays", "path": str(file.absolute()), "batch_size": 64},
            "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["x"]}},
            "loss": {"_type_": "loss.squared_error"},
            "optimizer": {"_type_": "optim_factory.momentum", "lr": 0.001},
            "trainer": {"_type_": "trainer.default", "max_steps": 300, "progress": False},
            "callbacks": [{"_type_": "cb.watch"}],
        }
    )
    return {"steps": result.global_step}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    what, file, *width = sys.argv[1:]
    said = batches(Path(file)) if what == "batches" else run(Path(file), int(width[0]))
    settled = len(SEEN) // 4
    grown = max(SEEN[settled:]) - max(SEEN[:settled])
    print(json.dumps({**said, "grown_bytes": grown}))


if __name__ == "__main__":
    main()
