"""Numbers below float32's normal range: zero while a run trains on the CPU, and only then."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from offline_trainer.engine import MicroBatch
from offline_trainer_torch.denormals import Flushing, flushes
from offline_trainer_torch.engine import TorchEngine

STEPS = 800  # 0.9 to the power of 800 is 2e-37


def momentum_after(steps: int, engine: TorchEngine) -> torch.Tensor:
    """What is left of a step's momentum when no further one has a gradient."""
    (planned,) = engine.optimizers.values()
    pushes = {"x": np.ones((1, 4), np.float32), "y": np.ones((1, 3), np.float32)}
    rests = {"x": np.zeros((1, 4), np.float32), "y": np.zeros((1, 3), np.float32)}
    for batch in [pushes, *[rests] * steps]:
        engine.train_step([MicroBatch(batch, 1.0)])
    (state,) = planned.optimizer.state.values()
    buffer: torch.Tensor = state["momentum_buffer"]
    return buffer


@pytest.mark.parametrize("flushed", [True, False])
def test_an_average_that_fades_away_becomes_zero(
    start_engine: Callable[..., TorchEngine], flushed: bool
) -> None:
    model = nn.Linear(4, 3, bias=False)
    engine = start_engine(
        model, kwargs={"lr": 1e-3, "momentum": 0.9}, engine=TorchEngine(flush_denormal=flushed)
    )
    with closing(engine):
        left = momentum_after(STEPS + 200, engine).abs()
    smallest = torch.finfo(torch.float32).tiny
    assert bool((left == 0).all()) if flushed else bool(((left > 0) & (left < smallest)).all())


def test_the_process_gets_its_denormals_back(start_engine: Callable[..., TorchEngine]) -> None:
    engine = start_engine(nn.Linear(4, 3))
    assert flushes()
    engine.close()
    assert not flushes()
    engine.close()


def test_a_process_that_flushes_goes_on_to(start_engine: Callable[..., TorchEngine]) -> None:
    with closing(Flushing()):
        start_engine(nn.Linear(4, 3)).close()
        assert flushes()
    assert not flushes()


def test_an_engine_without_optimizers_changes_nothing(
    start_engine: Callable[..., TorchEngine], make_batches: Any
) -> None:
    start_engine(nn.Linear(4, 3), plans=[], example=make_batches(2)[0].data)
    assert not flushes()


def test_all_threads_of_torch_flush_while_it_trains_and_only_then() -> None:
    code = """
import torch
from offline_trainer_torch.denormals import Flushing

def kept():
    small = torch.full((1_000_000,), 2e-38).mul_(0.1)
    return small.view(torch.int32).count_nonzero().item() / len(small)

print(kept())
for _ in range(2):
    flushing = Flushing()
    print(kept())
    flushing.close()
    print(kept())
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1.0", "0.0", "1.0", "0.0", "1.0"]
