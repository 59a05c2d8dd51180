"""Whole runs on `data.torch`: stopped in the middle of an epoch, they go on to the same bytes."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from run_files import fingerprint, rows
from small_runs import config

from model_constructor.errors import ConfigError
from offline_trainer.errors import ComponentFailedError
from offline_trainer.experiment import run_experiment

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # Python 3.12

NO_WORKERS: dict[str, Any] = {"num_workers": 0}
ONE: dict[str, Any] = {"num_workers": 1, "prefetch_factor": 3}
TWO_THAT_STAY: dict[str, Any] = {"num_workers": 2, "persistent_workers": True}


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (NO_WORKERS, TWO_THAT_STAY),
        (TWO_THAT_STAY, ONE),
        (ONE, NO_WORKERS),
    ],
    ids=["0 to 2", "2 to 1", "1 to 0"],
)
def test_a_run_stopped_in_an_epoch_goes_on_with_other_workers_to_the_same_bytes(
    first: dict[str, Any], second: dict[str, Any], accumulate: int
) -> None:
    steps = {"accumulate_grad_batches": accumulate}
    run_experiment(config("golden", steps))
    stop = 8 if accumulate == 1 else 3  # in the middle of the second epoch, of 6 batches
    stopped = run_experiment(config("parts", {**steps, "max_steps": stop}, **first))
    assert stopped.epoch == 1
    run_experiment(config("parts", steps, **second), resume="auto")
    assert not multiprocessing.active_children()
    assert fingerprint(Path("runs/parts")) == fingerprint(Path("runs/golden"))


def test_validating_more_often_changes_no_weight() -> None:
    seldom, often = config("seldom", {"val_every_n_epochs": None}), config("often", **ONE)
    often["trainer"]["val_every_n_steps"] = 1
    for each in (seldom, often):
        run_experiment(each)
    weights = [fingerprint(Path(f"runs/{n}"))["model.safetensors"] for n in ("seldom", "often")]
    assert weights[0] == weights[1]


def test_the_loss_is_weighed_by_samples() -> None:
    result = run_experiment(config("weighed", {"max_epochs": 1}))
    whole = run_experiment(config("whole", {"max_epochs": 1}, batch_size=22))
    small, large = (rows(r.out_dir, "train") for r in (result, whole))
    assert [row["step"] for row in small] == [1, 2, 3, 4, 5, 6]
    assert len(large) == 1
    validated = config("validated", {"max_epochs": 1, "max_steps": 1}, batch_size=22)
    validated["optimizer"]["kwargs"]["lr"] = 0.0
    by_four = config("by_four", {"max_epochs": 1, "max_steps": 1, "val_every_n_steps": 1})
    by_four["optimizer"]["kwargs"]["lr"] = 0.0
    losses = [rows(run_experiment(c).out_dir, "val")[0]["loss"] for c in (validated, by_four)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_a_mistake_is_told_at_its_place() -> None:
    wrong = config("wrong")
    wrong["data"]["val"] = {"_type_": "nn.ReLU"}
    with pytest.raises(ConfigError, match="ReLU has no __len__") as caught:
        run_experiment(wrong)
    assert caught.value.config_path == ("data", "val")
    assert not Path("runs").exists()


@pytest.mark.parametrize("workers", [NO_WORKERS, ONE], ids=["0", "1"])
def test_a_sample_that_fails_in_a_run_ends_it_with_a_name(workers: dict[str, Any]) -> None:
    failing = config("failing", shuffle=False, **workers)
    failing["data"]["train"] = {"_type_": "dataset.failing_later", "length": 22}
    with pytest.raises(ComponentFailedError, match=r"sample 13 of data\.train could not be made"):
        run_experiment(failing)
    status = json.loads(Path("runs/failing/status.json").read_text())
    assert (status["state"], status["exit_code"]) == ("failed", 1)
    assert "a torn image" in status["message"]


def test_the_first_sample_that_fails_is_told_before_anything_is_written() -> None:
    failing = config("failing", shuffle=False)
    failing["data"]["train"] = {"_type_": "dataset.failing", "length": 22}
    failing["data"]["batch_size"] = 8
    with pytest.raises(ConfigError, match=r"sample 7 of data\.train could not be made") as caught:
        run_experiment(failing)
    assert caught.value.config_path == ("data",)
    assert not Path("runs").exists()
