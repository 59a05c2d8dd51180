"""What a step costs after 1,000 steps and after 100,000, and what memory the run has by then.

The run is that of `loop.py`: an MLP on arrays, AdamW, one thread, the loss logged every 50 steps,
and a checkpoint every 10,000. After each 1,000 steps a bare torch loop takes 500: what the machine
does meanwhile slows both, so what must not grow is the ratio of the two. The control is the bare
loop's own time.

    make bench
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from benchmarks.peers import work

from offline_trainer.experiment import run_experiment

CHUNK = 1000
STEPS = 100_000
ROWS = 32_000
BARE_CHUNKS = CHUNK // work.CHUNK // 2  # half as many steps: the benchmark has three minutes
COMPARED = 15  # chunks at either end


@dataclass(slots=True)
class Watch:
    """A callback that takes the times and, in between, lets the bare loop run."""

    bare: Callable[[], None]
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    _started: float = 0.0

    def on_fit_start(self, state: Any, control: Any) -> None:
        self._started = time.perf_counter()

    def on_train_step_end(self, state: Any, control: Any) -> None:
        if state.global_step % CHUNK:
            return
        now = time.perf_counter()
        self.ours.append((now - self._started) / CHUNK)
        for _ in range(BARE_CHUNKS):
            self.bare()
        self.theirs.append((time.perf_counter() - now) / (BARE_CHUNKS * work.CHUNK))
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.resident.append(pages * os.sysconf("SC_PAGE_SIZE"))
        self._started = time.perf_counter()


def config() -> dict[str, Any]:
    """The experiment."""
    return {
        "schema_version": 1,
        "settings": {"allowed_import_prefixes": ["watch"]},
        "imports": ["watch"],
        "run": {"name": "growth", "out_dir": "growth", "device": "cpu"},
        "model": {
            "sequential": {
                "inputs": ["x"],
                "layers": [
                    {"_type_": "nn.Linear", "in_features": 32, "out_features": 64},
                    {"_type_": "nn.ReLU"},
                    {"_type_": "nn.Linear", "in_features": 64, "out_features": 16},
                ],
            }
        },
        "data": {"_type_": "data.arrays", "path": "data.npz", "batch_size": work.BATCH},
        "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
        "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}},
        "optimizer": {
            "_type_": "optim_factory.torch",
            "type": "optim_cls.AdamW",
            "kwargs": {"lr": work.LR},
        },
        "trainer": {
            "_type_": "trainer.default",
            "max_steps": STEPS,
            "log_every_n_steps": work.LOG_EVERY,
            "progress": False,
        },
        "callbacks": [
            {"_type_": "cb.model_checkpoint", "every_n_steps": 10_000},
            {"_type_": "cb.watch"},
        ],
    }


def main() -> None:
    torch.set_num_threads(1)
    x, y = (part[:ROWS] for part in work.made_up_rows())
    watch = Watch(work.bare_loop((x, y), fused=None))
    module = ModuleType("watch")
    vars(module)["register"] = lambda registry: registry.add("cb.watch", lambda: watch)
    sys.modules["watch"] = module
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        np.savez("data.npz", x=x.numpy(), y=y.numpy())
        run_experiment(config())
        os.chdir(here)
    report(watch)


def report(watch: Watch) -> None:
    """Print both ends, and how the one compares with the other."""
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, one thread")
    ratios = [ours / bare for ours, bare in zip(watch.ours, watch.theirs, strict=True)]
    # The first chunk has the start in it, and the save that is tried.
    ends: dict[str, slice] = {
        "from step 1,000": slice(1, 1 + COMPARED),
        "to step 100,000": slice(-COMPARED, None),
    }
    medians: dict[str, tuple[float, float, float]] = {}
    for name, part in ends.items():
        values: Sequence[list[float]] = (watch.ours[part], watch.theirs[part], ratios[part])
        ours, bare, ratio = (statistics.median(each) for each in values)
        medians[name] = ours, bare, ratio
        resident = statistics.median(watch.resident[part]) / 1e6
        print(
            f"{name:<18}{1e6 * ours:8.1f} us/step{1e6 * bare:8.1f} bare{ratio:8.3f} x bare"
            f"{resident:9.1f} MB"
        )
    first, last = medians.values()
    print(f"ratio at the end / at the start   {last[2] / first[2]:.3f}   target 0.97 to 1.03")
    print(f"bare loop, the same (control)     {last[1] / first[1]:.3f}")
    grown = (max(watch.resident[-COMPARED:]) - max(watch.resident[1 : 1 + COMPARED])) / 1e6
    print(f"memory grown between              {grown:.1f} MB   target below 1")


if __name__ == "__main__":
    main()
