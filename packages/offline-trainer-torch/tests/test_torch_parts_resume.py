"""Callbacks, metrics, losses and loggers all at once: an interruption changes no byte."""

from __future__ import annotations

import hashlib
import signal
from pathlib import Path
from typing import Any

import pytest
from small_runs import config

from offline_trainer.experiment import run_experiment
from offline_trainer_torch.engine import TorchEngine


def everything(name: str) -> dict[str, Any]:
    made = config(name, {"max_epochs": 5, "val_every_n_steps": 4, "log_every_n_steps": 3})
    made["loss"] = {
        "_type_": "loss.sum",
        "losses": {
            "huber": {"_type_": "loss.torch", "fn": {"_type_": "nn.HuberLoss"}},
            "absolute": {"_type_": "loss.torch", "fn": {"_type_": "nn.L1Loss"}},
        },
        "weights": {"absolute": 0.25},
    }
    made["metrics"] = [{"_type_": "metric.r2"}, {"_type_": "metric.mean_squared_error"}]
    made["callbacks"] = [
        {"_type_": "cb.early_stopping", "monitor": "val_r2", "mode": "max", "min_delta": 99.0},
        {"_type_": "cb.lr_monitor", "log_weight_decay": True},
        {"_type_": "cb.gradient_stats", "depth": 2},
        {"_type_": "cb.ema", "decay": 0.9, "warmup": True},
        {"_type_": "cb.model_checkpoint", "every_n_steps": 2, "monitor": "val_loss"},
    ]
    made["loggers"] = [{"_type_": "log.csv"}]
    return made


def bytes_of(out_dir: Path) -> dict[str, str]:
    newest = max((out_dir / "checkpoints").glob("step-*"))
    files = [path for path in newest.iterdir() if path.name != "MANIFEST.json"]
    files += [out_dir / "metrics.jsonl", out_dir / "metrics.csv"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The bytes of the uninterrupted run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    result = run_experiment(everything("golden"))
    assert result.epoch < 5, "it is to be stopped early"
    return bytes_of(result.out_dir)


def test_a_run_that_ends_at_any_step_goes_on_to_the_same_bytes(golden: dict[str, str]) -> None:
    for stop in (1, 3, 4, 7, 11, 12):
        run_experiment(everything(f"parts{stop}"), [f"trainer.max_steps={stop}"])
        result = run_experiment(everything(f"parts{stop}"), resume="auto")
        assert bytes_of(result.out_dir) == golden, stop


@pytest.mark.parametrize("call", [2, 3, 6])  # the first is a try before the run begins
def test_a_run_that_is_stopped_in_a_validation_goes_on_to_the_same_bytes(
    golden: dict[str, str], monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    calls, eval_step = 0, TorchEngine.eval_step

    def signalled(engine: TorchEngine, batch: Any, stage: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            signal.raise_signal(signal.SIGTERM)
        return eval_step(engine, batch, stage)

    monkeypatch.setattr(TorchEngine, "eval_step", signalled)
    assert run_experiment(everything("parts")).exit_code == 75
    result = run_experiment(everything("parts"), resume="auto")
    assert bytes_of(result.out_dir) == golden
