"""`cb.model_checkpoint` tells of a metric that is never measured, once, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from offline_trainer.experiment import run_experiment

MakeConfig = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("monitor", "trainer", "told"),
    [
        ("val_mae", {}, ""),
        ("train_loss", {}, ""),
        ("train_loss", {"val_every_n_epochs": None}, ""),
        ("val_mea", {}, "no metric `val_mea` to monitor; there are train_loss,"),
        ("train_los", {}, "did you mean `train_loss`?"),
        ("val_loss", {"val_every_n_epochs": None}, "no metric `val_loss` to monitor"),
    ],
)
def test_a_metric_that_is_never_measured_is_told_once(
    small_config: MakeConfig,
    capsys: pytest.CaptureFixture[str],
    monitor: str,
    trainer: dict[str, Any],
    told: str,
) -> None:
    checkpoint = {"_type_": "cb.model_checkpoint", "monitor": monitor, "every_n_epochs": 1}
    result = run_experiment(small_config(callbacks=[checkpoint], trainer=trainer))
    assert result.exit_code == 0
    said = capsys.readouterr().err
    assert said.count("names no checkpoint the best") == (1 if told else 0)
    assert told in said
