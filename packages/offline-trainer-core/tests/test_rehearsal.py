"""A validation is tried on one batch before a run begins."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from run_files import fingerprint, rows

from model_constructor.errors import ConfigError
from offline_trainer.experiment import run_experiment

MakeConfig = Callable[..., dict[str, Any]]


class Strict:
    """Counts samples; wants targets of a width, and some samples before it has a value."""

    def __init__(self, width: int = 2, least: int = 1) -> None:
        self._width = width
        self._least = least
        self._seen = 0

    def update(self, *, outputs: Any, targets: Any, batch: Any, stage: str) -> None:
        samples, width = targets["y"].shape
        if width != self._width:
            raise ValueError(f"{width} is not {self._width}")
        self._seen += samples

    def compute(self) -> dict[str, float]:
        warnings.warn("few samples", stacklevel=1)
        if self._seen < self._least:
            raise ValueError(f"{self._seen} samples are not enough")
        return {"seen": float(self._seen)}

    def reset(self) -> None:
        self._seen = 0


@pytest.fixture
def strict(small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> MakeConfig:
    """Make a config with this metric."""
    components = ModuleType("rehearsed")
    components.register = lambda registry: registry.add("metric.strict", Strict)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rehearsed", components)

    def make(metric: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
        return small_config(
            metrics=[{"_type_": "metric.strict", **(metric or {})}],
            imports=["offline_trainer.testing.numpy_engine", "rehearsed"],
            settings={"allowed_import_prefixes": ["offline_trainer.", "rehearsed."]},
            **sections,
        )

    return make


def test_a_metric_that_does_not_fit_is_told_before_anything_is_written(strict: MakeConfig) -> None:
    config = strict({"width": 3})
    with pytest.raises(
        ConfigError, match=r"the metric failed on outputs.*2 is not 3 \(.*test_rehearsal\.py:\d+\)"
    ):
        run_experiment(config)
    assert not Path(config["run"]["out_dir"]).exists()


@pytest.mark.filterwarnings("ignore:few samples")  # in the validations themselves
def test_a_metric_that_wants_more_samples_than_a_batch_has_is_left_alone(
    strict: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    stops = [{"_type_": "cb.early_stopping", "monitor": "val_seen", "mode": "max"}]
    result = run_experiment(strict({"least": 9}, callbacks=stops))
    assert rows(result.out_dir, "val")[0]["seen"] > 9
    assert "does not measure" not in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:few samples")
def test_what_nobody_measures_is_told_before_the_first_epoch(
    strict: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    config = strict(
        callbacks=[
            {"_type_": "cb.early_stopping", "monitor": "val_sen"},
            {"_type_": "cb.model_checkpoint", "monitor": "val_loss"},
        ]
    )
    with pytest.raises(ConfigError):
        run_experiment(config)
    first, *_ = capsys.readouterr().err.splitlines()
    assert first == (
        "ot: cb.early_stopping looks at `val_sen`, which the validation does not measure; did you "
        "mean `val_seen`?"
    )


@pytest.mark.filterwarnings("ignore:few samples")
def test_a_run_that_never_validates_tries_none(strict: MakeConfig) -> None:
    config = strict({"width": 3}, trainer={"val_every_n_epochs": None, "test_after_fit": False})
    assert run_experiment(config).outcome == "done"


def test_the_rehearsal_changes_no_byte(
    small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsed = run_experiment(small_config(run={"out_dir": "rehearsed"}))
    monkeypatch.setattr("offline_trainer.trainer.rehearse", lambda *_: [])
    other = run_experiment(small_config(run={"out_dir": "other"}))
    assert fingerprint(rehearsed.out_dir) == fingerprint(other.out_dir)
