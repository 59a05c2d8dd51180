"""What the loop costs: steps through `trainer.default` against a bare torch loop.

MLP 32-64-16, batch 32, AdamW, one thread, data in memory; loss logged every 50 steps, metrics.jsonl
and a checkpoint callback present. Both sides take turns of 200 steps; medians are compared.

    make bench
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import nn

from offline_trainer.experiment import run_experiment

STEPS = 200
ROUNDS = 20
BATCH = 32
ROWS = BATCH * STEPS

CONFIG = {
    "schema_version": 1,
    "run": {"name": "bench", "out_dir": "bench", "device": "cpu"},
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
    "data": {"_type_": "data.arrays", "path": "data.npz", "batch_size": BATCH},
    "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
    "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}},
    "optimizer": {
        "_type_": "optim_factory.torch",
        "type": "optim_cls.AdamW",
        "kwargs": {"lr": 1e-3},
    },
    "trainer": {
        "_type_": "trainer.default",
        "max_epochs": ROUNDS + 1,
        "log_every_n_steps": 50,
        "progress": False,
    },
    "callbacks": [
        {"_type_": "cb.model_checkpoint"},
        {"_type_": "cb.take_turns"},
    ],
    "imports": ["take_turns"],
    "settings": {"allowed_import_prefixes": ["take_turns."]},
}


class TakeTurns:
    """After each epoch of ours, run the references for as many steps, and take the times."""

    def __init__(self, references: dict[str, Callable[[], None]]) -> None:
        self._references = references
        self.seconds: dict[str, list[float]] = {"ours": [], **{name: [] for name in references}}

    def on_epoch_start(self, state: object, control: object) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, state: object, control: object) -> None:
        self.seconds["ours"].append(time.perf_counter() - self._started)
        for name, reference in self._references.items():
            started = time.perf_counter()
            reference()
            self.seconds[name].append(time.perf_counter() - started)


def bare_loop(x: np.ndarray, y: np.ndarray, *, fused: bool | None) -> Callable[[], None]:
    """The loop a user would write by hand: one epoch of ``STEPS`` steps."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 16))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=fused)
    loss_function = nn.MSELoss()
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = torch.randperm(len(inputs))
        for start in range(0, len(inputs), BATCH):
            rows = order[start : start + BATCH]
            yield inputs[rows], targets[rows]

    def epoch() -> None:
        for step, (batch_x, batch_y) in enumerate(batches()):
            loss = loss_function(model(batch_x), batch_y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if step % 50 == 0:
                loss.item()

    return epoch


def microseconds(seconds: Sequence[float]) -> float:
    """Median time of a step, the first round left out."""
    return 1e6 * statistics.median(seconds[1:]) / STEPS


def main() -> None:
    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    x = generator.standard_normal((ROWS, 32), dtype=np.float32)
    y = generator.standard_normal((ROWS, 16), dtype=np.float32)
    turns = TakeTurns(
        {
            "bare": bare_loop(x, y, fused=None),
            "bare again": bare_loop(x, y, fused=None),
            "bare, fused optimizer": bare_loop(x, y, fused=True),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "data.npz", x=x, y=y)
        train(folder, turns)
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, one thread")
    reference = microseconds(turns.seconds["bare"])
    for name, seconds in turns.seconds.items():
        measured = microseconds(seconds)
        print(f"{name:<24}{measured:8.1f} us/step   {measured / reference:5.2f} x bare")


def train(folder: str, turns: TakeTurns) -> None:
    """Run the experiment in a folder, with the callback that gives the references their turn."""
    module = ModuleType("take_turns")
    module.register = lambda registry: registry.add(  # type: ignore[attr-defined]
        "cb.take_turns", lambda: turns
    )
    sys.modules["take_turns"] = module
    here = Path.cwd()
    os.chdir(folder)
    try:
        run_experiment(CONFIG)
    finally:
        os.chdir(here)


if __name__ == "__main__":
    main()
