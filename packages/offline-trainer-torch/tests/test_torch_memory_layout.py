"""`channels_last` of the engine: another order in memory, the same training, the same bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from offline_trainer.engine import MicroBatch
from offline_trainer_torch.engine import TorchEngine

OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("AdamW", {"fused": True}),
    ("AdamW", {"foreach": True, "amsgrad": True}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "fused": True}),
]
ROW_MAJOR, CHANNELS_LAST = (27, 9, 3, 1), (27, 1, 9, 3)


def pictures(count: int) -> list[MicroBatch]:
    random = np.random.Generator(np.random.PCG64(0))
    return [
        MicroBatch(
            {
                "x": random.standard_normal((4, 3, 6, 6)).astype(np.float32),
                "y": random.standard_normal((4, 2)).astype(np.float32),
            },
            4.0,
        )
        for _ in range(count)
    ]


def convolutions() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Dropout(0.2), nn.Linear(128, 2)
    )


def start(start_engine: Any, channels_last: bool, name: str, kwargs: dict[str, Any]) -> TorchEngine:
    engine: TorchEngine = start_engine(
        convolutions(),
        optimizer=name,
        kwargs=kwargs,
        engine=TorchEngine(channels_last=channels_last),
    )
    return engine


def weight(engine: TorchEngine) -> torch.Tensor:
    return engine.models["model"].get_parameter("0.weight")


def steps(engine: TorchEngine, batches: list[MicroBatch]) -> list[float]:
    return [float(engine.train_step([batch]).loss) for batch in batches]


@pytest.mark.parametrize(("name", "kwargs"), OPTIMIZERS)
def test_channels_last_trains_as_row_major_does(
    start_engine: Any, name: str, kwargs: dict[str, Any]
) -> None:
    losses, orders = [], []
    for channels_last in (False, True):
        torch.manual_seed(5)
        engine = start(start_engine, channels_last, name, kwargs)
        orders.append(weight(engine).stride())
        losses.append(steps(engine, pictures(6)))
    assert orders == [ROW_MAJOR, CHANNELS_LAST]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize(("name", "kwargs"), OPTIMIZERS)
def test_channels_last_resumes_exactly(
    start_engine: Any, name: str, kwargs: dict[str, Any]
) -> None:
    batches = pictures(6)
    uninterrupted = start(start_engine, True, name, kwargs)
    uninterrupted.average_weights(0.9)
    steps(uninterrupted, batches[:3])
    state = uninterrupted.snapshot()
    steps(uninterrupted, batches[3:])

    resumed = start(start_engine, True, name, kwargs)
    resumed.average_weights(0.9)
    resumed.restore(state)
    assert resumed.snapshot() == state
    steps(resumed, batches[3:])
    assert resumed.snapshot() == uninterrupted.snapshot()


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_checkpoint_goes_on_in_the_other_order(start_engine: Any, channels_last: bool) -> None:
    batches = pictures(6)
    name, kwargs = OPTIMIZERS[0]
    one = start(start_engine, channels_last, name, kwargs)
    steps(one, batches[:3])
    other = start(start_engine, not channels_last, name, kwargs)
    other.restore(one.snapshot())
    random = torch.get_rng_state()
    expected = steps(one, batches[3:])
    torch.set_rng_state(random)
    assert steps(other, batches[3:]) == pytest.approx(expected, rel=1e-4)


def test_a_model_that_is_channels_last_by_itself_resumes_exactly(start_engine: Any) -> None:
    batches = pictures(6)

    def own() -> TorchEngine:
        model = convolutions().to(memory_format=torch.channels_last)
        engine: TorchEngine = start_engine(model, optimizer="AdamW", kwargs={"fused": True})
        return engine

    uninterrupted = own()
    steps(uninterrupted, batches[:3])
    resumed = own()
    resumed.restore(uninterrupted.snapshot())
    random = torch.get_rng_state()
    steps(uninterrupted, batches[3:])
    torch.set_rng_state(random)
    steps(resumed, batches[3:])
    assert resumed.snapshot() == uninterrupted.snapshot()


def test_lazy_and_three_dimensional_convolutions_follow(start_engine: Any) -> None:
    example = {"x": np.zeros((2, 3, 4, 4, 4), np.float32), "y": np.zeros((2, 2), np.float32)}
    engine: TorchEngine = start_engine(
        nn.Sequential(nn.LazyConv3d(5, 2), nn.Flatten(), nn.Linear(135, 2)),
        example=example,
        engine=TorchEngine(channels_last=True),
    )
    assert weight(engine).is_contiguous(memory_format=torch.channels_last_3d)
    steps(engine, [MicroBatch(example, 2.0)])
