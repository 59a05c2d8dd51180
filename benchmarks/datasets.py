"""What exact batches cost: `data.torch` against a plain DataLoader, made in the training process.

Samples of two small tensors, so that next to nothing is left but the cost of each sample. Both
sides take turns of 5 batches of 32; medians, one thread.

    make bench
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset

from offline_trainer_torch.data.module import TorchData

BATCH = 32
BATCHES = 5
ROUNDS = 1000

MakeLoader = Callable[[], Iterable[Any]]


def microseconds(loader: Iterable[Any]) -> float:
    """Time of a sample over an epoch, the first batch left out."""
    batches = iter(loader)
    next(batches)
    started = time.perf_counter()
    for _ in batches:
        pass
    return 1e6 * (time.perf_counter() - started) / (BATCH * (BATCHES - 1))


def main() -> None:
    torch.set_num_threads(1)
    samples = BATCH * BATCHES
    dataset = TensorDataset(torch.randn(samples, 32), torch.randint(0, 10, (samples,)))
    plain = DataLoader(dataset, batch_size=BATCH, shuffle=True)
    data = TorchData(dataset, batch_size=BATCH)
    data.setup("fit")
    sides: dict[str, MakeLoader] = {
        "plain": lambda: plain,
        "plain again": lambda: plain,
        "data.torch": data.train_dataloader,
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, make in sides.items():
            times[name].append(microseconds(make()))
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, one thread")
    reference = statistics.median(times["plain"])
    for name, found in times.items():
        more = statistics.median(found) - reference
        print(f"{name:<12}{reference + more:7.1f} us/sample   {more:+6.1f}   min {min(found):.1f}")


if __name__ == "__main__":
    main()
