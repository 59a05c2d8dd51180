"""What batches of data in memory cost: ours, torch's DataLoader, and a loop written by hand.

100,000 rows of 32 numbers and a label, shuffled, batches of 32, one thread; nothing but iterated
over. All sides take turns of one epoch in one process.

    make bench
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

import platform
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from benchmarks.turns import EndTurn, ratio, take_turns
from torch.utils.data import DataLoader, TensorDataset

from offline_trainer.data.batches import ArrayLoader
from offline_trainer.data.order import EpochOrder
from offline_trainer.windows import placed_batches
from offline_trainer_torch.engine import TorchEngine

ROWS = 100_000
BATCH = 32
BATCHES = -(-ROWS // BATCH)
ROUNDS = 9
BATCHES_AT_ONCE = 320

Epochs = Callable[[int], Iterator[Any]]


def ours(x: torch.Tensor, y: torch.Tensor) -> Epochs:
    """As the training loop gets them."""
    engine = TorchEngine()
    arrays = {"x": x.numpy(), "y": y.numpy()}

    def epoch(number: int) -> Iterator[Any]:
        order = EpochOrder(ROWS, 0, number)
        loader = ArrayLoader(arrays, batch_size=BATCH, rows=np.arange(ROWS), order=order)
        return placed_batches(
            loader.blocks(), BATCH, lambda batch: float(len(batch["y"])), engine.place_block
        )

    return epoch


def by_hand(x: torch.Tensor, y: torch.Tensor) -> Epochs:
    """Several batches per index operation, cut into views."""

    def epoch(number: int) -> Iterator[Any]:
        for rows in torch.split(torch.randperm(ROWS), BATCH * BATCHES_AT_ONCE):
            yield from zip(torch.split(x[rows], BATCH), torch.split(y[rows], BATCH), strict=True)

    return epoch


def data_loader(x: torch.Tensor, y: torch.Tensor) -> Epochs:
    loader = DataLoader(TensorDataset(x, y), batch_size=BATCH, shuffle=True, num_workers=0)
    return lambda number: iter(loader)


def by_turns(epochs: Epochs) -> Callable[[EndTurn], None]:
    def run(end_turn: EndTurn) -> None:
        for number in range(ROUNDS + 1):
            for _ in epochs(number):
                pass
            end_turn()

    return run


def main() -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, 32, generator=generator)
    y = torch.randint(10, (ROWS,), generator=generator)
    sides = {
        "DataLoader(TensorDataset)": data_loader(x, y),
        "by hand": by_hand(x, y),
        "by hand, again": by_hand(x, y),
        "ours": ours(x, y),
    }
    seconds = take_turns({name: by_turns(epochs) for name, epochs in sides.items()}, ROUNDS)
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, one thread")
    print(f"{'':<28}us/batch   x by hand   times as fast as DataLoader")
    for name, turns in seconds.items():
        batch = 1e6 * statistics.median(turns) / BATCHES
        hand = ratio(turns, seconds["by hand"])
        faster = ratio(seconds["DataLoader(TensorDataset)"], turns)
        print(f"{name:<28}{batch:8.2f}{hand:12.2f}{faster:12.1f}")


if __name__ == "__main__":
    main()
