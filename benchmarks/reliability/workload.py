"""What every framework trains, and what is compared afterwards.

A small MLP with dropout on fixed data in shuffled batches; AdamW with a step schedule; one thread.
An epoch is as long as the time between two checkpoints, because Keras resumes at epochs only: so no
framework is asked to go on in the middle of an epoch.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

SEED = 0
FEATURES, HIDDEN, TARGETS = 32, 128, 16
DROPOUT = 0.2
BATCH = 32
STEPS_PER_EPOCH = 5
SAVE_EVERY_STEPS = STEPS_PER_EPOCH
EPOCHS = 40
STEPS = EPOCHS * STEPS_PER_EPOCH
LR = 1e-3
LR_STEPS = 50
LR_FACTOR = 0.5

OnStep = Callable[[], None]
Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run says of itself at its end: all its optimizer steps, and a hash of its weights."""

    steps: int
    weights: str


class Job(Protocol):
    """What each module in ``jobs/`` has.

    Attributes:
        PACKAGES: Distributions whose versions belong to the results.
    """

    PACKAGES: tuple[str, ...]

    def train(self, out_dir: Path, resume: bool, on_step: OnStep) -> Ended:
        """Train to the end, as the framework's documentation recommends for runs that may stop.

        Args:
            out_dir: Where the framework writes; nothing else writes there.
            resume: Go on from the newest checkpoint in ``out_dir`` if there is one.
            on_step: To be called after each optimizer step, before a checkpoint of that step.
        """

    def checkpoints(self, out_dir: Path) -> Path:
        """The folder below which checkpoints are written."""

    def newest_checkpoint(self, out_dir: Path) -> list[Path]:
        """The files that resuming would read first."""


def job_named(framework: str) -> Job:
    """The module of a framework's job."""
    return cast(Job, importlib.import_module(f"benchmarks.reliability.jobs.{framework}"))


def samples() -> tuple[Floats, Floats]:
    """Inputs (N, FEATURES) and targets (N, TARGETS), float32, the same in each call."""
    generator = np.random.default_rng(SEED)
    rows = BATCH * STEPS_PER_EPOCH
    x = generator.standard_normal((rows, FEATURES), dtype=np.float32)
    weight = generator.standard_normal((FEATURES, TARGETS), dtype=np.float32)
    return x, np.tanh(x @ weight)


def tensors() -> tuple[torch.Tensor, torch.Tensor]:
    """`samples` for torch."""
    x, y = samples()
    return torch.from_numpy(x), torch.from_numpy(y)


def network() -> nn.Sequential:
    """The model, for the frameworks that train a torch module."""
    return nn.Sequential(
        nn.Linear(FEATURES, HIDDEN),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(HIDDEN, TARGETS),
    )


def optimizer_and_schedule(
    model: nn.Module,
) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.StepLR]:
    """AdamW, and the schedule that is stepped once for each step of it."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR)
    return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, LR_STEPS, LR_FACTOR)


def after_torch_steps(on_step: OnStep) -> None:
    """Have ``on_step`` called after each step of any torch optimizer in this process."""
    register_optimizer_step_post_hook(lambda *_: on_step())


def digest(arrays: Iterable[np.ndarray[Any, Any]]) -> str:
    """A hash of the bytes of arrays, in their order."""
    sha256 = hashlib.sha256()
    for array in arrays:
        sha256.update(np.ascontiguousarray(array).tobytes())
    return sha256.hexdigest()


def digest_of(model: nn.Module) -> str:
    """`digest` of a torch model's state."""
    return digest(value.numpy() for value in model.state_dict().values())
