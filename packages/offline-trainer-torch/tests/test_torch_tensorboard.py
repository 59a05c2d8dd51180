"""`log.tensorboard`: what TensorBoard itself reads back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from small_runs import config

from model_constructor.errors import ConfigError, ParameterError
from offline_trainer.experiment import run_experiment
from offline_trainer.registry import build_registry

tensorboard = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

from offline_trainer_torch.tensorboard_logger import TensorboardLogger  # noqa: E402


def curves(run: Path) -> dict[str, list[tuple[int, float]]]:
    read = tensorboard.EventAccumulator(str(run / "tensorboard"))
    read.Reload()
    return {
        tag: [(point.step, point.value) for point in read.Scalars(tag)]
        for tag in read.Tags()["scalars"]
    }


def test_each_metric_is_a_curve_and_the_config_is_text(tmp_path: Path) -> None:
    logger = TensorboardLogger()
    logger.begin(out_dir=tmp_path, step=0)
    logger.log_hparams({"trainer": {"max_epochs": 3}})
    logger.log_metrics({"loss": 0.5}, step=1, stage="train")
    logger.log_metrics({"loss": math.nan}, step=2, stage="train")
    logger.log_metrics({"loss": 0.25}, step=2, stage="val")
    logger.close()
    assert curves(tmp_path) == {"train/loss": [(1, 0.5)], "val/loss": [(2, 0.25)]}
    read = tensorboard.EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    (text,) = read.Tensors("config/text_summary")
    assert b'"max_epochs": 3' in text.tensor_proto.string_val[0]


def test_a_resumed_run_hides_what_came_after_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))

    def make(name: str, **trainer: Any) -> dict[str, Any]:
        made = config(name, {"val_every_n_epochs": None, **trainer})
        return {**made, "loggers": [{"_type_": "log.tensorboard"}]}

    run_experiment(make("golden"))
    run_experiment(make("parts", max_epochs=2))
    run_experiment(make("parts"), resume="runs/parts/checkpoints/step-000000000007")
    assert curves(tmp_path / "runs/parts") == curves(tmp_path / "runs/golden")


def test_only_a_name_in_the_run_directory_is_taken() -> None:
    with pytest.raises(ParameterError, match="a name in the run directory"):
        TensorboardLogger("../elsewhere")


def test_without_tensorboard_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    entry = build_registry().get_module("log.tensorboard")
    with pytest.raises(ConfigError, match="needs tensorboard, which is not installed") as caught:
        _ = entry.target
    assert caught.value.help == "pip install tensorboard"
