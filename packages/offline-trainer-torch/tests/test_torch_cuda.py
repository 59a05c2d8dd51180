"""What only a GPU can show: nothing waits for it, fp16 scales its loss, resume is exact."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from model_constructor.errors import ParameterError
from offline_trainer.data.arrays import Arrays
from offline_trainer.engine import RunSettings
from offline_trainer.windows import placed_batches
from offline_trainer_torch.devices import resolve_device
from offline_trainer_torch.engine import TorchEngine
from offline_trainer_torch.schedulers import SchedulerFactory

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]


def model() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Tanh(), nn.Linear(8, 3))


@pytest.fixture
def waiting_is_an_error() -> Iterator[Any]:
    yield lambda: torch.cuda.set_sync_debug_mode("error")
    torch.cuda.set_sync_debug_mode("default")


def test_a_fused_step_never_waits_for_the_device(
    start_engine: Any, make_batches: Any, waiting_is_an_error: Any
) -> None:
    schedule = SchedulerFactory("sched_cls.ExponentialLR", kwargs={"gamma": 0.9}, interval="step")
    engine = start_engine(
        model(), optimizer="AdamW", scheduler=schedule, clip_grad_norm=1.0, device="cuda"
    )
    batches = make_batches(8, 8, 8)
    engine.train_step(batches[:1])
    waiting_is_an_error()
    outputs = [engine.train_step([batch]) for batch in batches]
    engine.step_schedules("step", {})
    torch.cuda.set_sync_debug_mode("default")
    assert engine.read([output.finite for output in outputs]) == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("optimizer", ["AdamW", "SGD", "RMSprop"])
def test_a_step_that_is_not_finite_changes_nothing(
    start_engine: Any, make_batches: Any, optimizer: str
) -> None:
    engine = start_engine(model(), optimizer=optimizer, device="cuda")
    good, poisoned = make_batches(3, 3)
    engine.train_step([good])
    before = engine.snapshot()
    poisoned.data["x"][0, 0] = math.nan
    output = engine.train_step([poisoned])
    assert engine.read([output.finite]) == [0.0]
    after = engine.snapshot()
    assert after.tensors["model"] == before.tensors["model"]
    assert after.tensors["optimizer"] == before.tensors["optimizer"]


def test_fp16_skips_overflowing_steps_and_lowers_its_scale(
    start_engine: Any, make_batches: Any
) -> None:
    engine = start_engine(
        model(),
        device="cuda",
        precision="fp16-mixed",
        loss=lambda p, t: (p - t).square().sum() * 1e3,
    )
    before = engine.snapshot()
    output = engine.train_step(make_batches(64))
    assert engine.read([output.finite, output.stepped]) == [1.0, 0.0]
    after = engine.snapshot()
    assert after.tensors["model"] == before.tensors["model"]
    scales = [state.values["engine"]["scaler"]["scale"] for state in (before, after)]
    assert scales[1] == scales[0] / 2


@pytest.mark.parametrize("precision", ["fp32", "bf16-mixed", "fp16-mixed"])
@pytest.mark.parametrize("optimizer", ["AdamW", "RMSprop"])
def test_resume_is_exact(
    start_engine: Any, make_batches: Any, precision: str, optimizer: str
) -> None:
    def make() -> Any:
        return start_engine(model(), optimizer=optimizer, device="cuda", precision=precision)

    batches = make_batches(*[8] * 6)
    whole, stopped, resumed = make(), make(), None
    torch.cuda.manual_seed(1)
    for batch in batches:
        whole.train_step([batch])
    torch.cuda.manual_seed(1)
    for batch in batches[:3]:
        stopped.train_step([batch])
    state = stopped.snapshot()
    resumed = make()
    resumed.restore(state)
    for batch in batches[3:]:
        resumed.train_step([batch])
    assert resumed.snapshot() == whole.snapshot()


def test_predictions_come_back_to_the_host(start_engine: Any) -> None:
    engine = start_engine(model(), device="cuda")
    predicted = engine.predict_step({"x": np.ones((2, 4), np.float32)})
    assert isinstance(predicted, np.ndarray)


def test_a_gpu_that_is_not_there_is_refused() -> None:
    count = torch.cuda.device_count()
    with pytest.raises(ParameterError, match=f"'cuda:{count}' is not there"):
        resolve_device(f"cuda:{count}")
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda:0")


def compiled(start_engine: Any, example: Any, **choice: Any) -> Any:
    return start_engine(
        model(),
        optimizer="AdamW",
        kwargs={"lr": 1e-2},
        clip_grad_norm=1.0,
        device="cuda",
        example=example,
        engine=TorchEngine(**choice),
    )


CHOICES = [
    {"compile": "step"},
    {"compile": "step", "cuda_graph": True},
    {"cuda_graph": True},
    {"compile": "model"},
]


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, in its compiler
def test_compiled_and_captured_steps_do_what_torch_does(
    start_engine: Any, make_batches: Any, choice: dict[str, Any]
) -> None:
    batches = make_batches(*[8] * 8)
    losses = []
    for each in ({}, choice):
        engine = compiled(start_engine, batches[0].data, **each)
        torch.cuda.manual_seed(1)
        losses.append(engine.read([engine.train_step([batch]).loss for batch in batches]))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)


@pytest.mark.parametrize("choice", CHOICES[:3])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_and_captured_steps_never_wait_and_resume_exactly(
    start_engine: Any, make_batches: Any, waiting_is_an_error: Any, choice: dict[str, Any]
) -> None:
    batches = make_batches(*[8] * 8)
    whole = compiled(start_engine, batches[0].data, **choice)
    for batch in batches[:4]:
        whole.train_step([batch])
    state = whole.snapshot()
    waiting_is_an_error()
    for batch in batches[4:]:
        whole.train_step([batch])
    torch.cuda.set_sync_debug_mode("default")
    resumed = compiled(start_engine, batches[0].data, **choice)
    resumed.restore(state)
    for batch in batches[4:]:
        resumed.train_step([batch])
    assert resumed.snapshot() == whole.snapshot()


@pytest.mark.parametrize("on_device", [False, True])
def test_placing_batches_never_waits_for_the_device(
    tmp_path: Any, waiting_is_an_error: Any, on_device: bool
) -> None:
    np.savez(tmp_path / "data.npz", x=np.arange(100_000, dtype=np.float32).reshape(-1, 4))
    data = Arrays(tmp_path / "data.npz", 32, on_device=on_device)
    data.setup("fit")
    engine = TorchEngine()
    engine.prepare(RunSettings(device="cuda"))
    data.keep_on_device(engine.place)
    waiting_is_an_error()
    loader = data.train_dataloader()
    placed = list(placed_batches(loader.blocks(), 32, lambda batch: 32.0, engine.place_block))
    torch.cuda.set_sync_debug_mode("default")
    found = torch.cat([each.data["x"] for each in placed]).cpu()
    assert sorted(found[:, 0].tolist()) == list(range(0, 100_000, 4))
