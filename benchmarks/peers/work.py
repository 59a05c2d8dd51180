"""The work of every loop here: an MLP 32-64-16, batch 32, AdamW, data in memory, one thread.

Batches come from one generator, for the bare loops and every framework alike. It is also where the
bare loops get their turn: before each chunk of steps they run as many, and the times are taken. So
nothing is added to what a framework does in a step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

BATCH = 32
CHUNK = 100
ROWS = 96_000
LOG_EVERY = 50
LR = 1e-3

Pair = tuple[torch.Tensor, torch.Tensor]


def network() -> nn.Sequential:
    """Always the same weights."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 16))


def optimizer_of(model: nn.Module, fused: bool | None = None) -> torch.optim.AdamW:
    """torch chooses the implementation unless told: on the CPU, a loop over parameters."""
    return torch.optim.AdamW(model.parameters(), lr=LR, fused=fused)


def made_up_rows() -> Pair:
    """Inputs (96000, 32) and targets (96000, 16), float32."""
    random = np.random.default_rng(0)
    x, y = (random.standard_normal((ROWS, width), dtype=np.float32) for width in (32, 16))
    return torch.from_numpy(x), torch.from_numpy(y)


def shuffled(rows: Pair) -> Iterator[Pair]:
    """Batches without end, in a new order each time through."""
    inputs, targets = rows
    while True:
        order = torch.randperm(len(inputs))
        for start in range(0, len(inputs), BATCH):
            chosen = order[start : start + BATCH]
            yield inputs[chosen], targets[chosen]


class Batches:
    """So many batches; before each chunk of them, ``turn`` is called, and after the last."""

    def __init__(self, rows: Pair, steps: int, turn: Callable[[], None] | None = None) -> None:
        self._rows = rows
        self._steps = steps
        self._turn = turn

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Pair]:
        for step, batch in enumerate(islice(shuffled(self._rows), self._steps)):
            if self._turn is not None and step % CHUNK == 0:
                self._turn()
            yield batch
        if self._turn is not None:
            self._turn()

    def loader(self) -> DataLoader[Pair]:
        """For frameworks that take nothing but torch's DataLoader."""
        return DataLoader(_Stream(self), batch_size=None)


class _Stream(IterableDataset[Pair]):
    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._batches)


def bare_loop(rows: Pair, *, fused: bool | None) -> Callable[[], None]:
    """A chunk of steps as one writes them by hand."""
    model = network()
    optimizer = optimizer_of(model, fused)
    loss_function = nn.MSELoss()
    batches = shuffled(rows)

    def chunk() -> None:
        for step, (x, y) in enumerate(islice(batches, CHUNK)):
            loss = loss_function(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if step % LOG_EVERY == 0:
                loss.item()

    return chunk


class Turns:
    """Times a framework's chunks, and after each of them a chunk of every bare loop."""

    def __init__(self, bare: dict[str, Callable[[], None]]) -> None:
        self._bare = bare
        self._started: float | None = None
        self.seconds: dict[str, list[float]] = {"framework": [], **{name: [] for name in bare}}

    def __call__(self) -> None:
        now = time.perf_counter()
        if self._started is not None:
            self.seconds["framework"].append(now - self._started)
        for name, chunk in self._bare.items():
            started = time.perf_counter()
            chunk()
            self.seconds[name].append(time.perf_counter() - started)
        self._started = time.perf_counter()
