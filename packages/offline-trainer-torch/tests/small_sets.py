"""Datasets for the tests; a module of its own, so that spawned workers can import it."""

from __future__ import annotations

import os
import random
import time
from typing import Any

import numpy as np
import torch

from model_constructor.registry import Registry


class Numbered:
    """Sample ``i`` is ``i`` itself."""

    def __init__(self, length: int = 23) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        return index


class Noisy(Numbered):
    """``x`` (4,) and ``y`` (1,), disturbed by all three global random streams."""

    def __getitem__(self, index: int) -> Any:
        clean = index / self.length
        x = torch.full((4,), clean) + 0.1 * torch.randn(4) + random.random()
        y = np.full(1, clean, np.float32) + np.float32(np.random.normal(scale=0.1))
        return {"x": x, "y": y, "index": index}


class NoisyBatches(Noisy):
    """Gives a whole batch at once; its noise is one for the batch."""

    def __getitems__(self, indices: list[int]) -> list[Any]:
        noise = random.random()
        return [{"index": index, "noise": noise} for index in indices]


class InProcess(Numbered):
    """Sample ``i`` is the process that made it."""

    def __getitem__(self, index: int) -> int:
        return os.getpid()


class Failing(Numbered):
    """Sample 7 cannot be made."""

    def __init__(self, length: int = 23, error: BaseException | None = None) -> None:
        super().__init__(length)
        self.error = ValueError("a torn image") if error is None else error

    def __getitem__(self, index: int) -> int:
        if index == 7:
            raise self.error
        return index


class FailingLater(Noisy):
    """Sample 13 cannot be made."""

    def __getitem__(self, index: int) -> Any:
        if index == 13:
            raise ValueError("a torn image")
        return super().__getitem__(index)


class Dying(Numbered):
    """Sample 7 ends the process, as too little memory does."""

    def __getitem__(self, index: int) -> int:
        if index == 7:
            os.kill(os.getpid(), 9)
        return index


class Slow(Noisy):
    """Takes a while for each sample."""

    def __init__(self, length: int = 4000, delay_s: float = 0.005) -> None:
        super().__init__(length)
        self.delay_s = delay_s

    def __getitem__(self, index: int) -> Any:
        time.sleep(self.delay_s)
        return super().__getitem__(index)


class Large(Numbered):
    """Samples that fill the pipe between processes when they are not collated to tensors."""

    def __getitem__(self, index: int) -> Any:
        return np.zeros(300_000, np.uint8)


def mix(samples: list[Any]) -> Any:
    """A batch whose samples are weighed at random."""
    return [(sample["index"], random.random()) for sample in samples]


def uncollated(samples: list[Any]) -> list[Any]:
    """The samples as they are."""
    return samples


def register(registry: Registry) -> None:
    registry.register_module("dataset.noisy", Noisy)
    registry.register_module("dataset.slow", Slow)
    registry.register_module("dataset.failing", Failing)
    registry.register_module("dataset.failing_later", FailingLater)
