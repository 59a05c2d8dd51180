"""`log.csv`: one table, whatever appears when, and the same after an interruption."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_constructor.errors import ParameterError
from offline_trainer.experiment import run_experiment
from offline_trainer.loggers.csv_table import CsvLogger

MakeConfig = Callable[..., dict[str, Any]]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_column_that_appears_later_is_there_for_every_row(tmp_path: Path) -> None:
    logger = CsvLogger()
    logger.begin(out_dir=tmp_path, step=0)
    logger.log_metrics({"epoch": 1.0, "loss": 0.25}, step=1, stage="train")
    logger.log_metrics({"epoch": 1.0, "loss": math.nan, "a,b": 2.0}, step=2, stage="train")
    logger.log_metrics({"epoch": 2.0, "loss": 0.125}, step=3, stage="val")
    logger.close()
    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        'step,epoch,stage,loss,"a,b"',
        "1,1,train,0.25,",
        "2,1,train,,2.0",
        "3,2,val,0.125,",
    ]


def test_only_a_name_in_the_run_directory_is_taken() -> None:
    with pytest.raises(ParameterError, match="a name in the run directory"):
        CsvLogger("../metrics.csv")


def test_a_resumed_run_has_the_table_of_an_uninterrupted_one(small_config: MakeConfig) -> None:
    loggers = [{"_type_": "log.csv"}]
    callbacks = [{"_type_": "cb.model_checkpoint", "every_n_steps": 4}]

    def config(out_dir: str, **trainer: Any) -> dict[str, Any]:
        run = {"out_dir": out_dir}
        return small_config(run=run, loggers=loggers, callbacks=callbacks, trainer=trainer)

    run_experiment(config("golden"))
    run_experiment(config("parts", max_epochs=2))
    run_experiment(config("parts"), resume="auto")
    golden = Path("golden/metrics.csv").read_text()
    assert Path("parts/metrics.csv").read_text() == golden
    rows = table(Path("golden/metrics.csv"))
    assert [row["stage"] for row in rows].count("test") == 1
    assert rows[0].keys() >= {"step", "epoch", "stage", "loss", "lr", "mae"}
