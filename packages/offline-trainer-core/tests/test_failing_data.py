"""Data that fails in the middle of a run costs no step that was trained."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from run_files import fingerprint, steps

from offline_trainer.data.random_regression import RandomRegression
from offline_trainer.errors import ComponentFailedError
from offline_trainer.experiment import run_experiment

MakeConfig = Callable[..., dict[str, Any]]


class FailingData(RandomRegression):
    """Fails when a batch of a part is asked for too often."""

    asked = count(1)

    def __init__(self, part: str, fails_at: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._part = part
        self._fails_at = fails_at

    def train_dataloader(self) -> Any:
        return self._counted("train", super().train_dataloader())

    def val_dataloader(self) -> Any:
        return self._counted("val", super().val_dataloader())

    def _counted(self, part: str, batches: Any) -> Iterator[Any]:
        for batch in batches:
            if part == self._part and next(FailingData.asked) == self._fails_at:
                raise OSError("the disk is gone")
            yield batch


@pytest.fixture
def failing(
    small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Make a config whose data fails."""
    module = ModuleType("failing_data")
    module.register = lambda registry: registry.add("data.failing", FailingData)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "failing_data", module)
    monkeypatch.setattr(FailingData, "asked", count(1))

    def make(**kwargs: Any) -> dict[str, Any]:
        config = small_config(
            imports=["offline_trainer.testing.numpy_engine", "failing_data"],
            settings={"allowed_import_prefixes": ["offline_trainer.", "failing_data."]},
            callbacks=[{"_type_": "cb.model_checkpoint", "every_n_epochs": 4}],
        )
        config["data"] = {**config["data"], "_type_": "data.failing", **kwargs}
        return config

    return make


@pytest.mark.parametrize(
    ("part", "fails_at", "when", "saved"),
    [("train", 12, "in epoch 2", 9), ("val", 7, "in val", 12)],
)
def test_the_steps_before_are_saved_and_the_run_goes_on_to_the_same_bytes(
    failing: Callable[..., dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    part: str,
    fails_at: int,
    when: str,
    saved: int,
) -> None:
    golden = run_experiment(failing(part="none")).out_dir.rename("golden")
    with pytest.raises(ComponentFailedError, match=when + r": OSError: the disk is gone"):
        run_experiment(failing(part=part, fails_at=fails_at))
    assert steps(Path("run")) == [saved]
    assert f"the last checkpoint is of step {saved}; go on with --resume auto" in (
        capsys.readouterr().err
    )
    assert run_experiment(failing(part="none"), resume="auto").outcome == "done"
    assert fingerprint(Path("run")) == fingerprint(golden)


def test_a_run_that_fails_before_its_first_step_saves_nothing(
    failing: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    told = r"the data failed in epoch 0: OSError: the disk is gone \(.*test_failing_data\.py:\d+\)"
    with pytest.raises(ComponentFailedError, match=told):
        run_experiment(failing(part="train", fails_at=2))
    assert not steps(Path("run"))
    assert "checkpoint" not in capsys.readouterr().err
