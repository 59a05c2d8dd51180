"""`cb.lr_monitor` on an engine that tells its groups, and on one that does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_files import rows

from model_constructor.errors import ParameterError
from offline_trainer.callbacks.hooks import Control, LoopState
from offline_trainer.callbacks.lr_monitor import LrMonitor
from offline_trainer.experiment import run_experiment

MakeConfig = Callable[..., dict[str, Any]]


class Engine:
    """Tells of two optimizers, one with two groups."""

    def parameter_groups(self) -> dict[str, list[dict[str, float]]]:
        adam = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}
        return {"actor": [adam, {**adam, "lr": 0.2}], "critic": [{"lr": 0.3}]}


def test_every_group_of_every_optimizer_has_its_name() -> None:
    monitor, state = LrMonitor(log_momentum=True), LoopState(row={"loss": 1.0})
    monitor.attach(Engine())
    monitor.on_log(state, Control())
    assert state.row == {
        "loss": 1.0,
        "lr/actor/0": 0.1,
        "momentum/actor/0": 0.9,
        "lr/actor/1": 0.2,
        "momentum/actor/1": 0.9,
        "lr/critic": 0.3,
    }


def test_an_engine_that_does_not_tell_is_refused() -> None:
    with pytest.raises(ParameterError, match="object does not tell its parameter groups"):
        LrMonitor().attach(object())


def test_a_single_group_is_what_is_logged_anyway(small_config: MakeConfig) -> None:
    run_experiment(small_config(callbacks=[{"_type_": "cb.lr_monitor"}]))
    assert [row["lr"] for row in rows(Path("run"), "train")][:3] == [0.05, 0.05, 0.05 * 0.8]
