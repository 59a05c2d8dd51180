"""`log.jsonl`: rows in a file of one's choice, none twice when a run goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from offline_trainer.experiment import run_experiment
from offline_trainer.loggers.jsonl import JsonlLogger

MakeConfig = Callable[..., dict[str, Any]]


def test_a_run_that_goes_on_drops_the_rows_after_its_checkpoint(small_config: MakeConfig) -> None:
    def config(out_dir: str, path: str, **trainer: Any) -> dict[str, Any]:
        return small_config(
            run={"out_dir": out_dir},
            loggers=[{"_type_": "log.jsonl", "path": path}],
            trainer={"test_after_fit": False, **trainer},
        )

    run_experiment(config("golden", "golden.jsonl"))
    Path("parts.jsonl").write_text('{"step": 99, "other": "run"}\nno row\n')
    run_experiment(config("parts", "parts.jsonl", max_epochs=3))
    run_experiment(config("parts", "parts.jsonl"), resume="parts/checkpoints/step-000000000004")
    golden = Path("golden.jsonl").read_text()
    assert golden == Path("golden/metrics.jsonl").read_text()
    assert Path("parts.jsonl").read_text().splitlines()[2:] == golden.splitlines()


def test_a_new_run_appends(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"step": 5}\n')
    logger = JsonlLogger(file)
    logger.begin(out_dir=tmp_path, step=0)
    logger.log_metrics({"epoch": 1.0, "loss": 0.5}, step=1, stage="train")
    logger.close()
    assert file.read_text().splitlines() == [
        '{"step": 5}',
        '{"step": 1, "epoch": 1, "stage": "train", "loss": 0.5}',
    ]
