"""Snapshots: going on from one is byte for byte the same as never having stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from model_constructor.registry import Registry
from offline_trainer.checkpoint.json_text import from_json, to_json
from offline_trainer.engine import HostState, MicroBatch, OptimizerPlan
from offline_trainer.errors import OfflineTrainerError, StateMismatchError
from offline_trainer_torch.engine import TorchEngine
from offline_trainer_torch.optimizers import OptimizerFactory
from offline_trainer_torch.schedulers import SchedulerFactory
from offline_trainer_torch.tables import OPTIMIZERS

STEPS_BEFORE, STEPS_AFTER = 3, 4

OPTIMIZER_CASES: list[tuple[str, dict[str, Any]]] = [
    *[(name, {}) for name in OPTIMIZERS if name not in ("SparseAdam", "Muon")],
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "fused": False, "foreach": False}),
    ("Adam", {"amsgrad": True, "foreach": True}),
    ("AdamW", {"betas": [0.8, 0.95], "amsgrad": True}),
    ("AdamW", {"capturable": False, "fused": False}),
    ("RMSprop", {"centered": True, "momentum": 0.9}),
    ("ASGD", {"t0": 1.0}),
    ("LBFGS", {"max_iter": 4, "history_size": 3, "line_search_fn": "strong_wolfe"}),
]

SCHEDULE_CASES: list[tuple[str, dict[str, Any]]] = [
    ("ConstantLR", {"total_iters": 2}),
    ("CosineAnnealingLR", {"T_max": 5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 2}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 2}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("LinearLR", {"total_iters": 4}),
    ("MultiStepLR", {"milestones": [2, 4, 4]}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 20}),
    ("PolynomialLR", {"total_iters": 6, "power": 2.0}),
    ("ReduceLROnPlateau", {"patience": 0}),
    ("StepLR", {"step_size": 2}),
]


def dropout_model(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    torch.manual_seed(11)
    return nn.Sequential(
        nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 3)
    ).to(dtype)


def through_a_file(state: HostState) -> HostState:
    """The state as a checkpoint gives it back."""
    return HostState(state.tensors, from_json(to_json(state.values)))


def advance(engine: TorchEngine, batches: list[MicroBatch]) -> None:
    for batch in batches:
        loss = float(engine.train_step([batch]).loss)
        engine.step_schedules("step", {})
        engine.step_schedules("epoch", {})
        engine.step_schedules("metric", {"val_loss": loss})


def assert_resume_is_exact(make: Callable[[], TorchEngine], batches: list[MicroBatch]) -> None:
    uninterrupted = make()
    advance(uninterrupted, batches)

    stopped = make()
    advance(stopped, batches[:STEPS_BEFORE])
    state = through_a_file(stopped.snapshot())
    resumed = make()
    torch.rand(7)  # a new process stands elsewhere in the stream
    resumed.restore(state)
    assert resumed.snapshot() == stopped.snapshot()
    advance(resumed, batches[STEPS_BEFORE:])
    assert resumed.snapshot() == uninterrupted.snapshot()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "kwargs"), OPTIMIZER_CASES)
def test_every_optimizer_resumes_exactly(
    start_engine: Any,
    make_batches: Any,
    name: str,
    kwargs: dict[str, Any],
    dtype: torch.dtype,
) -> None:
    batches = make_batches(
        *[5] * (STEPS_BEFORE + STEPS_AFTER), dtype=np.float32 if dtype.itemsize == 4 else np.float64
    )
    assert_resume_is_exact(
        lambda: start_engine(dropout_model(dtype), optimizer=name, kwargs=kwargs), batches
    )


def test_muon_resumes_exactly(start_engine: Any, make_batches: Any) -> None:
    def make() -> TorchEngine:
        torch.manual_seed(1)
        model = nn.Sequential(
            nn.Linear(4, 6, bias=False), nn.Dropout(), nn.Linear(6, 3, bias=False)
        )
        engine: TorchEngine = start_engine(model, optimizer="Muon")
        return engine

    assert_resume_is_exact(make, make_batches(*[5] * 7))


def test_sparse_adam_resumes_exactly(start_engine: Any) -> None:
    def make() -> TorchEngine:
        torch.manual_seed(1)
        engine: TorchEngine = start_engine(nn.Embedding(9, 3, sparse=True), optimizer="SparseAdam")
        return engine

    random = np.random.Generator(np.random.PCG64(0))
    batches = [
        MicroBatch({"x": random.integers(0, 9, 5), "y": np.zeros((5, 3), np.float32)}, 5.0)
        for _ in range(7)
    ]
    assert_resume_is_exact(make, batches)


@pytest.mark.parametrize(("name", "kwargs"), SCHEDULE_CASES)
def test_every_schedule_resumes_exactly(
    start_engine: Any, make_batches: Any, name: str, kwargs: dict[str, Any]
) -> None:
    plateau = name == "ReduceLROnPlateau"
    schedule = SchedulerFactory(
        f"sched_cls.{name}",
        kwargs=kwargs,
        interval="metric" if plateau else "step",
        monitor="val_loss" if plateau else None,
    )
    assert_resume_is_exact(
        lambda: start_engine(
            dropout_model(), kwargs={"lr": 0.1, "momentum": 0.9}, scheduler=schedule
        ),
        make_batches(*[5] * 7),
    )


class NestedSchedule:
    """A schedule made of others, as a plugin's factory may build it."""

    def __init__(self, make: Callable[[torch.optim.Optimizer], Any]) -> None:
        self.make = make

    def build(self, optimizer: torch.optim.Optimizer, *, registry: Registry) -> Any:
        from offline_trainer.protocols import SchedulerBundle

        return SchedulerBundle(self.make(optimizer), "step", frequency=2)


NESTED: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    "sequential": lambda o: torch.optim.lr_scheduler.SequentialLR(
        o,
        [
            torch.optim.lr_scheduler.LinearLR(o, total_iters=2),
            torch.optim.lr_scheduler.MultiStepLR(o, [1, 2]),
        ],
        [2],
    ),
    "chained": lambda o: torch.optim.lr_scheduler.ChainedScheduler(
        [
            torch.optim.lr_scheduler.ConstantLR(o, total_iters=2),
            torch.optim.lr_scheduler.ExponentialLR(o, 0.9),
        ]
    ),
    "lambda": lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda epoch: 0.9**epoch),
}


@pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning")  # SequentialLR uses it itself
@pytest.mark.parametrize("kind", NESTED)
def test_nested_schedules_with_a_frequency_resume_exactly(
    start_engine: Any, make_batches: Any, kind: str
) -> None:
    assert_resume_is_exact(
        lambda: start_engine(
            dropout_model(), kwargs={"lr": 0.1}, scheduler=NestedSchedule(NESTED[kind])
        ),
        make_batches(*[5] * 7),
    )


def test_a_snapshot_does_not_change_when_training_goes_on(
    start_engine: Any, make_batches: Any
) -> None:
    engine = start_engine(dropout_model(), optimizer="AdamW")
    advance(engine, make_batches(5, 5))
    state = engine.snapshot()
    copied = HostState(
        {group: dict(named) for group, named in state.tensors.items()},
        json.loads(json.dumps(state.values)),
    )
    advance(engine, make_batches(5, 5))
    assert state == copied
    assert engine.snapshot() != state


def test_one_snapshot_restores_two_engines_that_stay_apart(
    start_engine: Any, make_batches: Any
) -> None:
    source = start_engine(dropout_model(), optimizer="Adam")
    advance(source, make_batches(5))
    state = source.snapshot()
    one = start_engine(dropout_model(), optimizer="Adam")
    one.restore(state)
    other = start_engine(dropout_model(), optimizer="Adam")
    other.restore(state)
    advance(one, make_batches(5, 5))
    assert other.snapshot().tensors["optimizer"] == state.tensors["optimizer"]
    assert other.snapshot().tensors["model"] == state.tensors["model"]


class Tied(nn.Module):
    """Two layers that are one tensor; the bytes are to be stored once."""

    def __init__(self, tied: bool = True) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4, bias=False)
        self.outer = nn.Linear(4, 4, bias=False)
        if tied:
            self.outer.weight = self.inner.weight
        self.register_buffer("coarse", torch.ones(2, dtype=torch.bfloat16))
        self.register_buffer("empty", torch.empty(0, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.outer(self.inner(x))
        return y[:, :3]


def test_shared_tensors_are_stored_once(start_engine: Any, make_batches: Any) -> None:
    engine = start_engine(Tied())
    state = through_a_file(engine.snapshot())
    assert set(state.tensors["model"]) == {"model.inner.weight", "model.coarse", "model.empty"}
    assert state.tensors["model"]["model.coarse"].dtype == "BF16"
    assert state.values["model"]["aliases"] == {"model.outer.weight": "model.inner.weight"}
    advance(engine, make_batches(3))
    engine.restore(state)
    assert engine.snapshot() == state
    assert engine.models["model"].outer.weight is engine.models["model"].inner.weight


class Remembers(nn.Module):
    """Keeps something that is no tensor."""

    def __init__(self, memory: Any) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.memory = memory

    def forward(self, x: torch.Tensor) -> Any:
        return self.linear(x)

    def get_extra_state(self) -> Any:
        return self.memory

    def set_extra_state(self, state: Any) -> None:
        self.memory = state


def test_extra_state_of_a_module_comes_back(start_engine: Any) -> None:
    engine = start_engine(Remembers({"seen": 3, "sums": [torch.ones(2)], 4: (1, {2})}))
    state = through_a_file(engine.snapshot())
    engine.models["model"].memory = None
    engine.restore(state)
    memory = engine.models["model"].memory
    assert torch.equal(memory.pop("sums")[0], torch.ones(2))
    assert memory == {"seen": 3, 4: (1, {2})}


def test_extra_state_that_no_file_can_hold_is_named(start_engine: Any) -> None:
    engine = start_engine(Remembers({"function": print}))
    with pytest.raises(OfflineTrainerError, match=r"model\._extra_state\.function.*builtin"):
        engine.snapshot()


def test_another_model_is_refused_with_a_readable_difference(start_engine: Any) -> None:
    state = start_engine(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))).snapshot()
    other = start_engine(nn.Sequential(nn.Linear(4, 9), nn.Linear(9, 3), nn.LayerNorm(3)))
    before = other.snapshot()
    with pytest.raises(StateMismatchError) as caught:
        other.restore(state)
    text = str(caught.value)
    assert "model.0.weight F32 (9, 4) is F32 (8, 4) in the checkpoint" in text
    assert "missing in the checkpoint: model.2.weight F32 (3,); model.2.bias F32 (3,)" in text
    assert other.snapshot() == before
    with pytest.raises(StateMismatchError, match=r"only in the checkpoint: model\.2\.weight"):
        start_engine(nn.Sequential(nn.Linear(4, 9), nn.Linear(9, 3))).restore(before)


def test_another_dtype_is_refused(start_engine: Any) -> None:
    state = start_engine(nn.Linear(4, 3)).snapshot()
    with pytest.raises(StateMismatchError, match=r"F64 \(3, 4\) is F32 \(3, 4\)"):
        start_engine(nn.Linear(4, 3).double()).restore(state)


def test_another_optimizer_is_refused(start_engine: Any) -> None:
    state = start_engine(nn.Linear(4, 3), optimizer="Adam").snapshot()
    engine = start_engine(nn.Linear(4, 3), optimizer="SGD")
    with pytest.raises(StateMismatchError, match="SGD in this config and Adam in the checkpoint"):
        engine.restore(state)


def test_other_trainable_parameters_are_refused(start_engine: Any) -> None:
    def frozen(index: int) -> nn.Module:
        model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
        model[index].requires_grad_(False)
        return model

    state = start_engine(frozen(0)).snapshot()
    with pytest.raises(StateMismatchError, match="parameter shapes"):
        start_engine(frozen(1)).restore(state)


def test_other_optimizer_names_are_refused(start_engine: Any) -> None:
    state = start_engine(nn.Linear(4, 3)).snapshot()
    plan = OptimizerPlan("actor", ("model",), OptimizerFactory("optim_cls.SGD"))
    with pytest.raises(StateMismatchError, match=r"optimizers optimizer; .* has actor"):
        start_engine(nn.Linear(4, 3), plans=[plan]).restore(state)
