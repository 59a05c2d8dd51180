"""Averaged weights: as by hand, seen by evaluation, saved, and gone on with exactly."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from offline_trainer.engine import HostState
from offline_trainer_torch.engine import TorchEngine

DECAY = 0.75


def model(dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.2), nn.Linear(6, 3)).to(
        dtype
    )


def started(start_engine: Any, every_n_steps: int = 1) -> TorchEngine:
    engine: TorchEngine = start_engine(model(), optimizer="AdamW")
    engine.average_weights(DECAY, every_n_steps)
    return engine


def parameters(engine: TorchEngine) -> list[torch.Tensor]:
    return [item.detach().clone() for item in engine.models["model"].parameters()]


@pytest.mark.parametrize("every_n_steps", [1, 3])
def test_the_average_is_the_one_written_by_hand(
    start_engine: Any, make_batches: Any, every_n_steps: int
) -> None:
    engine = started(start_engine, every_n_steps)
    expected = parameters(engine)
    for step, batch in enumerate(make_batches(*[5] * 7, dtype="float64"), start=1):
        engine.train_step([batch])
        if step % every_n_steps == 0:
            now = parameters(engine)
            expected = [
                DECAY * mean + (1 - DECAY) * weight
                for mean, weight in zip(expected, now, strict=True)
            ]
    with engine.averaged_weights():
        for average, wanted in zip(parameters(engine), expected, strict=True):
            torch.testing.assert_close(average, wanted, rtol=1e-12, atol=1e-12)


def test_with_warmup_the_average_looks_back_less_at_first(
    start_engine: Any, make_batches: Any
) -> None:
    batches = make_batches(*[5] * 9, dtype="float64")
    engine = start_engine(model(), optimizer="AdamW")
    engine.average_weights(0.4, 2, warmup=True)
    expected = parameters(engine)
    for step, batch in enumerate(batches, start=1):
        engine.train_step([batch])
        if step % 2 == 0:
            update = step // 2
            decay = min(0.4, (1 + update) / (10 + update))
            now = parameters(engine)
            expected = [
                decay * mean + (1 - decay) * weight
                for mean, weight in zip(expected, now, strict=True)
            ]
    with engine.averaged_weights():
        for average, wanted in zip(parameters(engine), expected, strict=True):
            torch.testing.assert_close(average, wanted, rtol=1e-12, atol=1e-12)

    first, second = (start_engine(model(), optimizer="AdamW") for _ in range(2))
    for each in (first, second):
        each.average_weights(0.4, 2, warmup=True)
    for batch in batches[:5]:
        first.train_step([batch])
    second.restore(first.snapshot())
    for batch in batches[5:]:
        second.train_step([batch])
    assert second.snapshot() == engine.snapshot()


def test_evaluation_sees_the_average_and_training_does_not(
    start_engine: Any, make_batches: Any
) -> None:
    engine = started(start_engine)
    batches = make_batches(*[5] * 4, dtype="float64")
    for batch in batches:
        engine.train_step([batch])
    before = engine.snapshot()
    plain = float(engine.eval_step(batches[0].data, "val").loss)
    with engine.averaged_weights():
        averaged = float(engine.eval_step(batches[0].data, "val").loss)
    assert averaged != plain
    after = engine.snapshot()
    assert (after.tensors, after.values) == (before.tensors, before.values)


def test_averages_are_saved_and_gone_on_with_exactly(start_engine: Any, make_batches: Any) -> None:
    batches = make_batches(*[5] * 6, dtype="float64")
    golden = started(start_engine)
    for batch in batches:
        golden.train_step([batch])
    first = started(start_engine)
    for batch in batches[:3]:
        first.train_step([batch])
    state = first.snapshot()
    second = started(start_engine)
    second.restore(state)
    for batch in batches[3:]:
        second.train_step([batch])
    assert second.snapshot() == golden.snapshot()
    assert set(golden.snapshot().tensors["ema"]) == {
        name for name in golden.snapshot().tensors["model"] if name.endswith(("weight", "bias"))
    }


def test_averages_that_the_checkpoint_lacks_start_from_its_weights(
    start_engine: Any, make_batches: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = start_engine(model(), optimizer="AdamW")
    plain.train_step(make_batches(5, dtype="float64"))
    engine = started(start_engine)
    engine.restore(plain.snapshot())
    assert "averages start from its weights" in capsys.readouterr().err
    weights = parameters(engine)
    with engine.averaged_weights():
        assert all(map(torch.equal, parameters(engine), weights))
    plain.restore(engine.snapshot())
    assert "left out: the config has no cb.ema" in capsys.readouterr().err


def test_a_snapshot_uses_the_memory_of_an_earlier_one(start_engine: Any, make_batches: Any) -> None:
    engine = started(start_engine)
    (batch,) = make_batches(5, dtype="float64")
    engine.train_step([batch])
    first = engine.snapshot()
    places = {
        (group, name): id(tensor)
        for group, tensors in first.tensors.items()
        for name, tensor in tensors.items()
    }
    engine.train_step([batch])
    second = engine.snapshot(first)
    for group, tensors in second.tensors.items():
        for name, tensor in tensors.items():
            assert places[group, name] == id(tensor), (group, name)
    assert second == engine.snapshot()


def test_infinities_that_a_model_starts_with_are_no_divergence(start_engine: Any) -> None:
    masked = nn.Linear(4, 3)
    masked.register_buffer("mask", torch.full((3, 3), float("-inf")).triu(1))
    state: HostState = start_engine(masked).snapshot()
    assert state.not_checked == {"model.mask"}
