"""Going on with another learning rate or schedule: where the new one would have got to."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from offline_trainer.checkpoint.json_text import from_json, to_json
from offline_trainer.engine import HostState
from offline_trainer.errors import StateMismatchError
from offline_trainer_torch.engine import TorchEngine
from offline_trainer_torch.schedulers import SchedulerFactory

STEPS = 5


def schedule(name: str, interval: Any = "step", **kwargs: Any) -> SchedulerFactory:
    monitor = "val_loss" if interval == "metric" else None
    return SchedulerFactory(f"sched_cls.{name}", kwargs=kwargs, interval=interval, monitor=monitor)


def rates(engine: TorchEngine, batches: list[Any], losses: float = 1.0) -> list[float]:
    """The learning rate after each step; each is an epoch, too."""
    found = []
    for batch in batches:
        engine.train_step([batch])
        for interval in ("step", "epoch", "metric"):
            engine.step_schedules(interval, {"val_loss": losses})  # type: ignore[arg-type]
        found.append(engine.learning_rates()["optimizer"])
    return found


def saved(engine: TorchEngine) -> HostState:
    state = engine.snapshot()
    return HostState(state.tensors, from_json(to_json(state.values)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (schedule("StepLR", step_size=2, gamma=0.5), schedule("StepLR", step_size=2, gamma=0.1)),
        (schedule("CosineAnnealingLR", T_max=6), schedule("CosineAnnealingLR", T_max=12)),
        (schedule("ExponentialLR", gamma=0.9), schedule("LinearLR", total_iters=8)),
        (None, schedule("StepLR", step_size=2)),
        (schedule("StepLR", step_size=2), schedule("StepLR", "epoch", step_size=2)),
        (
            schedule("OneCycleLR", max_lr=0.1, total_steps=9),
            schedule("OneCycleLR", max_lr=0.1, total_steps=20),
        ),
    ],
)
def test_a_new_schedule_stands_where_it_would_have_got_to(
    start_engine: Any,
    make_batches: Any,
    before: SchedulerFactory | None,
    after: SchedulerFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    batches = make_batches(*[3] * (2 * STEPS))
    kwargs = {"lr": 0.1, "momentum": 0.9}
    always = start_engine(nn.Linear(4, 3), kwargs=kwargs, scheduler=after)
    expected = rates(always, batches)[STEPS:]
    first = start_engine(nn.Linear(4, 3), kwargs=kwargs, scheduler=before)
    rates(first, batches[:STEPS])
    second = start_engine(nn.Linear(4, 3), kwargs=kwargs, scheduler=after)
    second.restore(saved(first))
    assert rates(second, batches[STEPS:]) == pytest.approx(expected, rel=1e-12)
    assert "goes on with this config's settings (schedule: " in capsys.readouterr().err


def test_a_new_learning_rate_counts_from_the_next_step_on(
    start_engine: Any, make_batches: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    batches = make_batches(*[3] * 4)
    halving = schedule("ExponentialLR", gamma=0.5)
    first = start_engine(nn.Linear(4, 3), optimizer="AdamW", kwargs={"lr": 0.1}, scheduler=halving)
    rates(first, batches[:2])
    kwargs = {"lr": 0.8, "weight_decay": 0.5}
    second = start_engine(nn.Linear(4, 3), optimizer="AdamW", kwargs=kwargs, scheduler=halving)
    second.restore(saved(first))
    said = capsys.readouterr().err
    assert "(lr: 0.1 → 0.8; weight_decay: 0.01 → 0.5): its learning rate is 0.2 from here" in said
    assert second.learning_rates() == {"optimizer": 0.2}
    assert second.optimizers["optimizer"].optimizer.param_groups[0]["weight_decay"] == 0.5
    assert second.snapshot().tensors["optimizer"] == first.snapshot().tensors["optimizer"]


def test_what_a_metric_has_lowered_so_far_stays_lowered(
    start_engine: Any, make_batches: Any
) -> None:
    batches = make_batches(*[3] * 4)
    plateau = schedule("ReduceLROnPlateau", "metric", patience=0, factor=0.5)
    first = start_engine(nn.Linear(4, 3), kwargs={"lr": 0.1}, scheduler=plateau)
    assert rates(first, batches)[-1] == pytest.approx(0.0125)
    second = start_engine(nn.Linear(4, 3), kwargs={"lr": 0.4}, scheduler=plateau)
    second.restore(saved(first))
    assert second.learning_rates()["optimizer"] == pytest.approx(0.05)


def test_settings_that_did_not_change_are_said_nothing_of(
    start_engine: Any, make_batches: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def make() -> TorchEngine:
        engine: TorchEngine = start_engine(
            nn.Linear(4, 3),
            optimizer="Adam",
            kwargs={"lr": 0.1, "betas": (0.8, 0.9)},
            scheduler=schedule("CyclicLR", base_lr=0.01, max_lr=0.1, cycle_momentum=False),
        )
        return engine

    first = make()
    rates(first, make_batches(3, 3))
    make().restore(saved(first))
    assert capsys.readouterr().err == ""


def test_a_schedule_that_cannot_get_so_far_is_said(start_engine: Any, make_batches: Any) -> None:
    first = start_engine(nn.Linear(4, 3), kwargs={"lr": 0.1})
    rates(first, make_batches(*[3] * 6))
    short = schedule("OneCycleLR", max_lr=0.1, total_steps=4, cycle_momentum=False)
    second = start_engine(nn.Linear(4, 3), kwargs={"lr": 0.1}, scheduler=short)
    with pytest.raises(StateMismatchError, match="OneCycleLR cannot be advanced by 6"):
        second.restore(saved(first))


def test_a_checkpoint_of_another_kind_of_device_is_gone_on_with_and_said(
    start_engine: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    state = saved(start_engine(nn.Linear(4, 3)))
    streams = {**state.tensors["rng"], "torch.cuda": state.tensors["rng"]["torch.cpu"]}
    engine = start_engine(nn.Linear(4, 3))
    torch.rand(3)
    engine.restore(HostState({**state.tensors, "rng": streams}, state.values))
    assert "was written on cuda, this run is on cpu" in capsys.readouterr().err
    assert engine.snapshot().tensors["rng"] == state.tensors["rng"]
