"""Data that fails in the middle of a run costs no step that was trained."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from run_files import fingerprint, steps

from model_constructor.errors import ConfigError, ParameterError
from offline_trainer.data.random_regression import RandomRegression
from offline_trainer.errors import ComponentFailedError, OfflineTrainerError
from offline_trainer.experiment import run_experiment

MakeConfig = Callable[..., dict[str, Any]]

# 30 samples to train on: 4 batches an epoch. The very first batch is asked for before the run, and
# the first of the validation, too; 2 batches of each validation.
FIRST_OF_AN_EPOCH, IN_AN_EPOCH, IN_A_VALIDATION = 14, 12, 7


def fail() -> None:
    raise OSError("the disk is gone")


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def leave() -> None:
    sys.exit(0)


def refuse() -> None:
    raise ParameterError("nothing is left", parameter="fails_at")


class FailingData(RandomRegression):
    """Fails in some way when a batch of a part is asked for too often."""

    fail: Callable[[], None]
    asked: Iterator[int]

    def __init__(self, part: str, fails_at: int = 0, empty: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._part = part
        self._fails_at = fails_at
        self._empty = empty

    def train_dataloader(self) -> Any:
        return self._counted("train", super().train_dataloader())

    def val_dataloader(self) -> Any:
        if self._part == "val_dataloader" and next(FailingData.asked) == self._fails_at:
            FailingData.fail()
        return self._counted("val", super().val_dataloader())

    def test_dataloader(self) -> Any:
        return self._counted("test", super().test_dataloader())

    def _counted(self, part: str, batches: Any) -> Iterator[Any]:
        for batch in batches:
            if part == self._part and next(FailingData.asked) >= self._fails_at > 0:
                if self._empty:
                    return
                FailingData.fail()
            yield batch


class Epochs:
    """Counts the epochs that begin."""

    def __init__(self) -> None:
        self._begun = 0

    def on_epoch_start(self, state: Any, control: Any) -> None:
        self._begun += 1

    def state_dict(self) -> Any:
        return {"begun": self._begun}

    def load_state_dict(self, state: Any) -> None:
        self._begun = state["begun"]


def register(registry: Any) -> None:
    registry.add("data.failing", FailingData)
    registry.add("cb.epochs", Epochs)


@pytest.fixture
def failing(small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> MakeConfig:
    """Make a config whose data fails."""
    module = ModuleType("failing_data")
    module.register = register  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "failing_data", module)

    def make(fail: Callable[[], None] = fail, **kwargs: Any) -> dict[str, Any]:
        monkeypatch.setattr(FailingData, "asked", count(1), raising=False)
        monkeypatch.setattr(FailingData, "fail", staticmethod(fail), raising=False)
        saves = {"_type_": "cb.model_checkpoint", "every_n_epochs": 4}
        config = small_config(
            imports=["offline_trainer.testing.numpy_engine", "failing_data"],
            settings={"allowed_import_prefixes": ["offline_trainer.", "failing_data."]},
            callbacks=[saves, {"_type_": "cb.epochs"}],
        )
        config["data"] = {**config["data"], "_type_": "data.failing", "part": "none", **kwargs}
        return config

    return make


@pytest.mark.parametrize(
    ("part", "fails_at", "when", "saved"),
    [
        ("train", IN_AN_EPOCH, "in epoch 2", 9),
        ("train", FIRST_OF_AN_EPOCH, "in epoch 3", 12),
        ("val", IN_A_VALIDATION, "in val", 12),
        ("val_dataloader", 5, "in val", 12),
        ("test", 1, "in test", 16),
    ],
)
def test_the_steps_before_are_saved_and_the_run_goes_on_to_the_same_bytes(
    failing: MakeConfig,
    capsys: pytest.CaptureFixture[str],
    part: str,
    fails_at: int,
    when: str,
    saved: int,
) -> None:
    golden = run_experiment(failing()).out_dir.rename("golden")
    told = rf"the data failed {when}: OSError: the disk is gone \(.*test_failing_data\.py:\d+\)"
    with pytest.raises(ComponentFailedError, match=told):
        run_experiment(failing(part=part, fails_at=fails_at))
    assert steps(Path("run")) == [saved]
    assert f"the last checkpoint is of step {saved}; go on with --resume auto" in (
        capsys.readouterr().err
    )
    assert run_experiment(failing(), resume="auto").outcome == "done"
    assert fingerprint(Path("run")) == fingerprint(golden)


@pytest.mark.parametrize("fail", [interrupt, leave])
@pytest.mark.parametrize("fails_at", [IN_AN_EPOCH, FIRST_OF_AN_EPOCH])
def test_a_signal_or_an_exit_while_a_batch_is_waited_for_costs_none_either(
    failing: MakeConfig, fail: Callable[[], None], fails_at: int
) -> None:
    golden = run_experiment(failing()).out_dir.rename("golden")
    config = failing(fail, part="train", fails_at=fails_at)
    if fail is leave:
        with pytest.raises(ComponentFailedError, match="SystemExit"):
            run_experiment(config)
    else:
        assert run_experiment(config).outcome == "interrupted"
    assert steps(Path("run")) == [9 if fails_at == IN_AN_EPOCH else 12]
    assert run_experiment(failing(), resume="auto").outcome == "done"
    assert fingerprint(Path("run")) == fingerprint(golden)


def test_a_test_that_fails_costs_no_training_that_was_not_saved(failing: MakeConfig) -> None:
    config = failing(part="test", fails_at=1)
    del config["callbacks"][0]
    with pytest.raises(ComponentFailedError, match="the data failed in test"):
        run_experiment(config)
    assert steps(Path("run")) == [16]


def test_an_epoch_without_a_batch_costs_none_and_is_named(failing: MakeConfig) -> None:
    with pytest.raises(OfflineTrainerError, match=r"yields no batch in epoch 3"):
        run_experiment(failing(part="train", fails_at=FIRST_OF_AN_EPOCH, empty=True))
    assert steps(Path("run")) == [12]


def test_what_the_data_says_of_a_parameter_points_at_it(failing: MakeConfig) -> None:
    with pytest.raises(ConfigError, match="nothing is left") as caught:
        run_experiment(failing(refuse, part="train", fails_at=IN_AN_EPOCH))
    assert caught.value.config_path == ("data", "fails_at")


def test_a_save_that_fails_then_does_not_hide_what_failed_first(
    failing: MakeConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unable(store: Any, save: Any) -> None:
        raise KeyError("nothing")

    monkeypatch.setattr("offline_trainer.checkpoint.store.CheckpointStore.save", unable)
    with pytest.raises(ComponentFailedError, match="the disk is gone"):
        run_experiment(failing(part="train", fails_at=IN_AN_EPOCH))
    assert "no checkpoint of step 9 was saved: KeyError: 'nothing' (" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["val", "val_dataloader"])
def test_a_validation_that_fails_before_the_run_is_told_in_a_line(
    failing: MakeConfig, part: str
) -> None:
    config = failing(part=part, fails_at=1)
    with pytest.raises((ComponentFailedError, ConfigError), match="OSError: the disk is gone"):
        run_experiment(config)
    assert not Path("run").exists()


def test_a_run_that_fails_before_its_first_step_saves_nothing(
    failing: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ComponentFailedError, match=r"the data failed in epoch 0: OSError"):
        run_experiment(failing(part="train", fails_at=2))
    assert not steps(Path("run"))
    assert "checkpoint" not in capsys.readouterr().err
