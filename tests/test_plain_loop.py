"""Whole runs against a loop written by hand in torch, step by step, over pairs of options."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from offline_trainer.experiment import run_experiment
from plain_loop import EPOCHS, PlainLoop, Watch
from reliability.pairwise import Combination, pairwise

TOLERANCE = 1e-12
OPTIONS: dict[str, list[Any]] = {
    "accumulate": [1, 2, 3],
    "clip": [(None, None), (0.5, None), (None, 0.1), (0.5, 0.1)],
    "optimizer": [
        ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
        ("AdamW", {"lr": 0.02}),
        ("Adam", {"lr": 0.02, "amsgrad": True, "foreach": True}),
        ("AdamW", {"lr": 0.02, "fused": False, "foreach": False}),
        ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.5, "weight_decay": 0.01}),
    ],
    "groups": [None, "no decay", "fast head"],
    "schedule": [None, "epoch", "metric", "step", "warm-up"],
    "ema": [None, 1, 2],
    "by_weight": [False, True],
    "precision": ["fp32", "bf16-mixed"],
    "validate": ["epochs", "steps"],
    "dropout": [0.0, 0.3],
    "norm": [None, "LayerNorm"],
}
COMBINATIONS: list[Combination] = [
    made
    for seed in (0, 1, 2)
    for made in pairwise(OPTIONS, seed)
    if not (made["schedule"] == "metric" and made["validate"] == "steps")
]
GROUPS: dict[str | None, list[dict[str, Any]]] = {
    None: [],
    "no decay": [{"match": "*bias", "weight_decay": 0.0}],
    "fast head": [{"match": "layer_1.*", "lr": 0.05}],
}
SCHEDULES: dict[str, dict[str, Any]] = {
    "epoch": {"type": "sched_cls.StepLR", "kwargs": {"step_size": 1, "gamma": 0.5}},
    "metric": {
        "type": "sched_cls.ReduceLROnPlateau",
        "kwargs": {"patience": 0, "threshold": 1.0},
        "interval": "metric",
        "monitor": "val_loss",
    },
    "step": {
        "type": "sched_cls.OneCycleLR",
        "kwargs": {"total_steps": "auto"},
        "interval": "step",
    },
    "warm-up": {
        "type": "sched_cls.CosineAnnealingLR",
        "kwargs": {"T_max": "auto"},
        "interval": "step",
        "warmup": 3,
    },
}


@pytest.fixture(autouse=True)
def _float64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def config(option: Combination) -> dict[str, Any]:
    name, settings = option["optimizer"]
    norm, value = option["clip"]
    steps = option["validate"] == "steps"
    whole: dict[str, Any] = {
        "schema_version": 1,
        "settings": {"allowed_import_prefixes": ["plain_loop"]},
        "imports": ["plain_loop"],
        "run": {"name": "pairs", "out_dir": "run", "seed": 5, "device": "cpu"},
        "model": {
            "sequential": {
                "inputs": ["x"],
                "layers": [
                    {
                        "_type_": "mlp",
                        "dims": [5, 8, 8],
                        "dropout": option["dropout"],
                        "norm": option["norm"],
                    },
                    {"_type_": "nn.Linear", "in_features": 8, "out_features": 2},
                ],
            }
        },
        "data": {"_type_": "data.listed"},
        "io": {"_type_": "io.weighted", "by_weight": option["by_weight"]},
        "loss": {"_type_": "loss.weighted"},
        "optimizer": {
            "_type_": "optim_factory.torch",
            "type": f"optim_cls.{name}",
            "kwargs": settings,
            "param_groups": GROUPS[option["groups"]],
        },
        "trainer": {
            "_type_": "trainer.default",
            "max_epochs": EPOCHS,
            "log_every_n_steps": 1,
            "accumulate_grad_batches": option["accumulate"],
            "clip_grad_norm": norm,
            "clip_grad_value": value,
            "val_every_n_steps": 2 if steps else None,
            "progress": False,
        },
        "callbacks": [{"_type_": "cb.watch"}],
    }
    whole["run"]["precision"] = option["precision"]
    if option["schedule"] is not None:
        schedule = {**SCHEDULES[option["schedule"]], "_type_": "sched_factory.torch"}
        if option["schedule"] == "step":
            schedule["kwargs"] = {**schedule["kwargs"], "max_lr": 3 * settings["lr"]}
        whole["scheduler"] = schedule
    if option["ema"] is not None:
        whole["callbacks"].insert(
            0, {"_type_": "cb.ema", "decay": 0.9, "every_n_steps": option["ema"]}
        )
    return whole


def test_there_are_enough_combinations() -> None:
    assert len(COMBINATIONS) >= 60


@pytest.mark.parametrize("option", COMBINATIONS, ids=map(str, range(len(COMBINATIONS))))
def test_a_run_equals_a_loop_written_by_hand(option: Combination) -> None:
    run_experiment(config(option))
    watch = Watch.latest
    plain = PlainLoop(watch.model, option)
    torch.set_rng_state(watch.random)
    plain.run()

    assert len(watch.weights) == len(plain.weights)
    for ours, theirs in zip(watch.weights, plain.weights, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE)
    lines = Path("run/metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    trained = [row for row in rows if row["stage"] == "train"]
    validated = [row["loss"] for row in rows if row["stage"] == "val"]
    assert [row["loss"] for row in trained] == pytest.approx(plain.losses, rel=TOLERANCE)
    assert [row["lr"] for row in trained] == pytest.approx(plain.rates, rel=TOLERANCE)
    assert validated == pytest.approx(plain.validated, rel=TOLERANCE)
    norms = [row["grad_norm"] for row in trained if "grad_norm" in row]
    assert norms == pytest.approx(plain.norms, rel=TOLERANCE)
    if option["ema"] is not None:
        saved = watch.engine.snapshot().tensors["ema"]
        for tensor, average in zip(saved.values(), plain.average, strict=True):
            found = torch.frombuffer(bytearray(tensor.data), dtype=torch.float64)
            torch.testing.assert_close(found, average.flatten(), rtol=TOLERANCE, atol=TOLERANCE)
