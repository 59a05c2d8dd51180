"""What the loop costs: steps through `trainer.default` against a bare torch loop.

AdamW, batches of 32, one thread, 100,000 rows in memory; loss logged every 50 steps, stdout and
jsonl loggers on, a checkpoint callback present. All sides take turns of 100 steps in one process.

After some 600 steps units have died, and what AdamW remembers of their gradients has become
denormal, numbers below 1.2e-38 with which a CPU is slow. Ours flushes them to zero unless told not
to, and so does a row of the bare loop with `torch.set_flush_denormal`; hence two tables.

    make bench
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

import contextlib
import io
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from benchmarks.turns import EndTurn, ratio, take_turns
from torch import nn

from offline_trainer.experiment import run_experiment

BATCH = 32
ROWS = 100_000
TURN = 100
LOG_EVERY = 50
EARLY, LATE = slice(0, 5), slice(10, None)  # turns

Side = Callable[[EndTurn], None]


class GiveTurns:
    """Ends a turn with every second row that is logged."""

    def __init__(self, end_turn: EndTurn) -> None:
        self._end_turn = end_turn

    def on_log(self, state: Any, control: object) -> None:
        if state.global_step % TURN == 0:
            self._end_turn()


class CountSteps:
    """A callback with a step hook that does next to nothing."""

    def __init__(self) -> None:
        self.steps = 0

    def on_train_step_end(self, state: object, control: object) -> None:
        self.steps += 1


def ours(
    sizes: Sequence[int], data: Path, rounds: int, *, everything: bool = False, **engine: Any
) -> Side:
    """Our loop; with ``everything``, also progress, and three callbacks with a step hook."""
    layers: list[dict[str, Any]] = []
    for inputs, outputs in pairwise(sizes):
        layers += [{"_type_": "nn.Linear", "in_features": inputs, "out_features": outputs}]
        layers += [{"_type_": "nn.ReLU"}]
    steps = (rounds + 1) * TURN
    more = [{"_type_": "cb.count_steps"}] * 3 if everything else []

    def train(end_turn: EndTurn) -> None:
        module = f"bench_{id(end_turn)}"
        components = ModuleType(module)
        components.register = lambda registry: (  # type: ignore[attr-defined]
            registry.add("cb.give_turns", lambda: GiveTurns(end_turn)),
            registry.add("cb.count_steps", CountSteps),
        )
        sys.modules[module] = components
        run_experiment(
            {
                "schema_version": 1,
                "run": {"name": module, "out_dir": str(data.parent / module), "device": "cpu"},
                "model": {"sequential": {"inputs": ["x"], "layers": layers[:-1]}},
                "data": {"_type_": "data.arrays", "path": str(data), "batch_size": BATCH},
                "io": {
                    "_type_": "io.mapping",
                    "model_kwargs": {"x": ["x"]},
                    "targets": {"y": ["y"]},
                },
                "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}},
                "optimizer": {
                    "_type_": "optim_factory.torch",
                    "type": "optim_cls.AdamW",
                    "kwargs": {"lr": 1e-3},
                },
                **({"engine": {"_type_": "engine.torch", **engine}} if engine else {}),
                "trainer": {
                    "_type_": "trainer.default",
                    "max_steps": steps,
                    "log_every_n_steps": LOG_EVERY,
                    "progress": everything,
                },
                "callbacks": [
                    {"_type_": "cb.model_checkpoint"},
                    {"_type_": "cb.give_turns"},
                    *more,
                ],
                "loggers": [{"_type_": "log.stdout"}],
                "imports": [module],
                "settings": {"allowed_import_prefixes": [f"{module}."]},
            }
        )

    return train


def bare_loop(
    sizes: Sequence[int], data: Path, rounds: int, *, fused: bool | None, flush: bool = False
) -> Side:
    """The loop a user would write by hand."""

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        with np.load(data) as arrays:
            inputs, targets = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"])
        while True:
            order = torch.randperm(len(inputs))
            for start in range(0, len(inputs), BATCH):
                rows = order[start : start + BATCH]
                yield inputs[rows], targets[rows]

    def train(end_turn: EndTurn) -> None:
        torch.set_flush_denormal(flush)  # of this thread
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for size_in, size_out in pairwise(sizes):
            layers += [nn.Linear(size_in, size_out), nn.ReLU()]
        model = nn.Sequential(*layers[:-1])
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=fused)
        loss_function = nn.MSELoss()
        for step, (x, y) in enumerate(batches(), 1):
            loss = loss_function(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if step % LOG_EVERY == 0:
                loss.item()
            if step % TURN == 0:
                end_turn()
            if step == (rounds + 1) * TURN:
                return

    return train


def write_data(path: Path, sizes: Sequence[int]) -> None:
    """Rows whose targets can be learnt, so that there is something to do in every step."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((ROWS, sizes[0]), dtype=np.float32)
    mixed = generator.standard_normal((sizes[0], sizes[-1]), dtype=np.float32) / sizes[0] ** 0.5
    np.savez(path, x=x, y=np.tanh(x @ mixed))


def measure(sizes: Sequence[int], rounds: int) -> None:
    name = "-".join(map(str, sizes))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        data = Path(folder) / "data.npz"
        write_data(data, sizes)
        sides = {
            "bare": bare_loop(sizes, data, rounds, fused=None),
            "bare again": bare_loop(sizes, data, rounds, fused=None),
            "bare, fused": bare_loop(sizes, data, rounds, fused=True),
            "bare, fused again": bare_loop(sizes, data, rounds, fused=True),
            "fused, flushing": bare_loop(sizes, data, rounds, fused=True, flush=True),
            "ours": ours(sizes, data, rounds),
            "ours, everything on": ours(sizes, data, rounds, everything=True),
            "ours, compile: step": ours(sizes, data, rounds, compile="step"),
        }
        seconds = take_turns(sides, rounds)
    for turns in (EARLY, LATE):
        first, last, _ = turns.indices(rounds)
        print(f"\nMLP {name}, steps {(first + 1) * TURN} to {(last + 1) * TURN}")
        table({side: taken[turns] for side, taken in seconds.items()})


def table(seconds: Mapping[str, Sequence[float]]) -> None:
    print(f"{'':<20}    us/step   x bare  x fused   x ours")
    for side, taken in seconds.items():
        ratios = [ratio(taken, seconds[of]) for of in ("bare", "bare, fused", "ours")]
        shown = "".join(f"{each:9.3f}" for each in ratios)
        print(f"{side:<20}{1e6 * statistics.median(taken) / TURN:11.1f}{shown}")


def main() -> None:
    torch.set_num_threads(1)
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, one thread")
    measure((32, 64, 16), 60)
    measure((32, 704, 704, 16), 30)


if __name__ == "__main__":
    main()
