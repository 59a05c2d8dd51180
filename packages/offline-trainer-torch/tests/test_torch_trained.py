"""`ot evaluate` and `ot predict` on torch: averaged weights, batch norm, lazy sizes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offline_trainer.testing.command_line import run_cli

CONFIG: dict[str, Any] = {
    "schema_version": 1,
    "run": {"name": "r", "out_dir": "run", "device": "cpu"},
    "data": {
        "_type_": "data.table",
        "path": "t.csv",
        "target": "kind",
        "columns": {"kind": {"type": "category"}},
        "transforms": [{"_type_": "transform.quantile"}],
        "split": {"val": 0.2, "test": 0.2, "stratify": "kind"},
        "batch_size": 16,
    },
    "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
    "model": {
        "graph": {
            "inputs": ["x"],
            "modules": {
                "mlp": {"_type_": "mlp", "dims": [None, 16, 8], "norm": "BatchNorm1d"},
                "twice": {"_type_": "nn.Linear", "in_features": 8, "out_features": 8},
                "head": {"_type_": "nn.LazyLinear", "out_features": 3},
            },
            "nodes": [
                {"name": "a", "call": "module:mlp", "args": ["$x"]},
                {"name": "b", "call": "module:twice", "args": ["$a"]},
                {"name": "c", "call": "module:twice", "args": ["$b"]},
                {"name": "y", "call": "module:head", "args": ["$c"]},
            ],
            "outputs": ["y"],
            "return": "single",
        }
    },
    "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.CrossEntropyLoss"}},
    "optimizer": {
        "_type_": "optim_factory.torch",
        "type": "optim_cls.AdamW",
        "kwargs": {"lr": 0.01},
    },
    "trainer": {"_type_": "trainer.default", "max_epochs": 3, "progress": False},
    "callbacks": [{"_type_": "cb.ema", "decay": 0.7}, {"_type_": "cb.model_checkpoint"}],
    "metrics": [{"_type_": "metric.accuracy"}],
}


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = [f"{n % 13},{n % 7},{'abc'[(n % 13 + n % 7) % 3]}" for n in range(150)]
    Path("t.csv").write_text("p,q,kind\n" + "\n".join(rows) + "\n")
    Path("c.yaml").write_text(json.dumps(CONFIG))
    done = run_cli("run", "c.yaml")
    assert done.exit_code == 0, done.stderr
    return Path("run")


@pytest.mark.parametrize("part", ["val", "test"])
def test_evaluating_again_gives_what_was_logged(trained: Path, part: str) -> None:
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    logged = [line for line in lines if line["stage"] == part][-1]
    done = run_cli("evaluate", "run", "--split", part, "--json")
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert (found["loss"], found["accuracy"]) == (logged["loss"], logged["accuracy"])


def test_predictions_are_those_of_the_evaluation_and_need_no_target(trained: Path) -> None:
    lines = Path("t.csv").read_text().splitlines()
    Path("new.csv").write_text("\n".join(line.rpartition(",")[0] for line in lines) + "\n")
    done = run_cli("predict", "run", "--input", "new.csv", "--output", "out.csv")
    assert (done.exit_code, done.stderr) == (0, "")
    with Path("out.csv").open(newline="") as stream:
        predicted = list(csv.DictReader(stream))
    assert list(predicted[0])[2:] == ["predicted_kind", *(f"probability_{kind}" for kind in "abc")]
    kinds = [line.rpartition(",")[2] for line in lines[1:]]
    both = list(zip(predicted, kinds, strict=True))
    losses = [-np.log(float(row[f"probability_{kind}"])) for row, kind in both]
    right = [row["predicted_kind"] == kind for row, kind in both]
    split = json.loads((trained / "split.json").read_text())
    loss = correct = 0.0
    for part in ("train", "val", "test"):
        found = json.loads(run_cli("evaluate", "run", "--split", part, "--json").stdout)
        loss += found["loss"] * split[part]["rows"]
        correct += found["accuracy"] * split[part]["rows"]
    assert sum(losses) == pytest.approx(loss, rel=1e-5)
    assert sum(right) == pytest.approx(correct, abs=1e-3)


def test_a_checkpoint_of_another_model_is_said(trained: Path) -> None:
    done = run_cli("evaluate", "run", "model.graph.modules.head.out_features=4")
    assert done.exit_code == 2
    assert "head" in done.stderr
