"""`cb.early_stopping`: when it stops, what it says, and that an interruption changes neither."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_files import fingerprint, rows

from model_constructor.errors import ConfigError, ParameterError
from offline_trainer.callbacks.early_stopping import EarlyStopping
from offline_trainer.callbacks.hooks import Control, LoopState
from offline_trainer.experiment import run_experiment

MakeConfig = Callable[..., dict[str, Any]]


def stops_at(callback: EarlyStopping, values: list[float], name: str = "val_loss") -> int | None:
    """After which value, counted from 1, the callback asks for the end; an epoch for each."""
    for epoch, value in enumerate(values, start=1):
        control = Control()
        state = LoopState(global_step=10 * epoch, epoch=epoch, stage="val", metrics={name: value})
        callback.on_validation_end(state, control)
        state.stage = "train"
        callback.on_epoch_end(state, control)
        if control.stop:
            return epoch
    return None


def test_it_says_when_there_was_nothing_to_look_at(
    small_config: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    for every, told in ((1000, True), (1, False)):
        callbacks = [{"_type_": "cb.early_stopping"}]
        run_experiment(small_config(callbacks=callbacks, trainer={"val_every_n_steps": every}))
        assert ("never stops this run: `val_loss`" in capsys.readouterr().err) is told


@pytest.mark.parametrize(
    ("arguments", "values", "expected"),
    [
        ({}, [3, 2, 1, 0], None),
        ({}, [3, 2, 2, 2, 2, 2], 5),
        ({"patience": 1}, [3, 2, 2, 1], 3),
        ({"patience": 2}, [3, 4, 2, 3, 3], 5),
        ({"patience": 2, "mode": "max"}, [1, 2, 3, 2, 2], 5),
        ({"patience": 2, "min_delta": 0.5}, [3, 2.6, 2.4, 2.2, 2.0], 5),
        ({"patience": 1, "min_epochs": 4}, [1, 1, 1, 1], 4),
        ({"patience": 2}, [math.nan, math.inf, 1], 2),
        ({"patience": 1, "monitor": "train_loss"}, [3, 2, 2], 3),
    ],
)
def test_it_stops_after_so_many_values_without_improvement(
    arguments: dict[str, Any], values: list[float], expected: int | None
) -> None:
    name = arguments.get("monitor", "val_loss")
    assert stops_at(EarlyStopping(**arguments), values, name) == expected


def test_it_says_why_it_stops(capsys: pytest.CaptureFixture[str]) -> None:
    stops_at(EarlyStopping(patience=2), [0.5, 0.25, 0.75, 0.5])
    assert capsys.readouterr().err == (
        "ot: stopped early at step 40: val_loss is 0.5 and has not improved for 2 validations; "
        "the best was 0.25 at step 20\n"
    )


def test_the_test_set_is_not_looked_at() -> None:
    callback, control = EarlyStopping(patience=1), Control()
    for _ in range(3):
        callback.on_validation_end(LoopState(stage="test", metrics={"val_loss": 1.0}), control)
    assert not control.stop


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ({"patience": 0}, "patience"),
        ({"min_epochs": -1}, "min_epochs"),
        ({"min_delta": -0.1}, "min_delta"),
        ({"min_delta": math.nan}, "min_delta"),
        ({"mode": "mni"}, "mode"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, Any], parameter: str) -> None:
    with pytest.raises(ParameterError) as caught:
        EarlyStopping(**arguments)
    assert caught.value.parameter == (parameter,)


STOPPING = {"_type_": "cb.early_stopping", "monitor": "val_mae", "patience": 2, "min_delta": 0.05}


def test_a_resumed_run_stops_where_an_uninterrupted_one_does(small_config: MakeConfig) -> None:
    callbacks = [STOPPING, {"_type_": "cb.model_checkpoint", "every_n_epochs": 1}]

    def config(out_dir: str, **trainer: Any) -> dict[str, Any]:
        trainer = {"max_epochs": 30, **trainer}
        return small_config(run={"out_dir": out_dir}, callbacks=callbacks, trainer=trainer)

    golden = run_experiment(config("golden"))
    assert 3 < golden.epoch < 30
    for stop in range(1, golden.epoch):
        run_experiment(config(f"parts{stop}", max_epochs=stop, test_after_fit=False))
        result = run_experiment(config(f"parts{stop}"), resume="auto")
        assert fingerprint(result.out_dir) == fingerprint(golden.out_dir)


def test_a_misspelt_metric_is_told_with_the_nearest_at_its_place(small_config: MakeConfig) -> None:
    stopping = {"_type_": "cb.early_stopping", "monitor": "val_los"}
    config = small_config(callbacks=[stopping, {"_type_": "cb.model_checkpoint"}])
    with pytest.raises(ConfigError, match="no metric `val_los` to monitor") as caught:
        run_experiment(config)
    assert caught.value.config_path == ("callbacks", 0, "monitor")
    assert caught.value.suggestions[0] == "val_loss"
    assert rows(Path("run"), "val")  # after the first validation, not at the end
    assert len(rows(Path("run"), "val")) == 1
