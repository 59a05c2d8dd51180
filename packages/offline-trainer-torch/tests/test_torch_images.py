"""Whole runs on `data.images`: stopped and gone on with, evaluated, predicted with."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_files import fingerprint
from small_images import CLASSES, pixels, write_folder, write_image

from offline_trainer.experiment import run_experiment
from offline_trainer.reproduction.recompose import Caller
from offline_trainer.testing.command_line import run_cli
from offline_trainer.trained.trained_run import open_trained

pytest.importorskip("PIL")

COUNT = 40


def config(name: str, max_steps: int | None = None, **data: Any) -> dict[str, Any]:
    """A model with dropout, which draws from the training's stream, on augmented images."""
    return {
        "schema_version": 1,
        "run": {"name": name, "out_dir": f"runs/{name}", "seed": 3, "device": "cpu"},
        "data": {
            "_type_": "data.images",
            "path": "pets",
            "batch_size": 4,
            "transforms": [
                {"_type_": "transform.crop", "size": 6, "padding": 1},
                {"_type_": "transform.flip"},
                {"_type_": "transform.colour_jitter", "brightness": 0.3, "contrast": 0.3},
                {"_type_": "transform.normalise"},
            ],
            "split": {"val": 0.2, "test": 0.2, "stratify": "label"},
            **data,
        },
        "model": {
            "sequential": {
                "inputs": ["x"],
                "layers": [
                    {"_type_": "nn.Flatten"},
                    {"_type_": "nn.Dropout", "p": 0.1},
                    {"_type_": "nn.Linear", "in_features": 108, "out_features": 3},
                ],
            }
        },
        "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
        "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.CrossEntropyLoss"}},
        "optimizer": {
            "_type_": "optim_factory.torch",
            "type": "optim_cls.AdamW",
            "kwargs": {"lr": 1e-2},
        },
        "metrics": [{"_type_": "metric.accuracy"}],
        "callbacks": [{"_type_": "cb.model_checkpoint", "every_n_steps": 1}],
        "trainer": {
            "_type_": "trainer.default",
            "max_epochs": 3,
            "max_steps": max_steps,
            "log_every_n_steps": 1,
            "progress": False,
        },
    }


@pytest.fixture(autouse=True)
def _images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_folder(Path("pets"), COUNT)


@pytest.mark.parametrize(("first", "second"), [(0, 3), (3, 1), (1, 0)])
def test_a_run_stopped_in_an_epoch_goes_on_with_other_workers_to_the_same_bytes(
    first: int, second: int
) -> None:
    run_experiment(config("golden"))
    stopped = run_experiment(config("parts", max_steps=9, workers=first))
    assert stopped.epoch == 1
    run_experiment(config("parts", workers=second), resume="auto")
    assert fingerprint(Path("runs/parts")) == fingerprint(Path("runs/golden"))


def ot(*arguments: str, code: int = 0) -> Any:
    done = run_cli(*arguments)
    assert done.exit_code == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def read(file: str) -> dict[str, list[str]]:
    with Path(file).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {name: [row[name] for row in rows] for name in rows[0]}


def logged(run: str, stage: str) -> dict[str, float]:
    lines = [json.loads(line) for line in Path(run, "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["stage"] == stage][-1]


def evaluated(run: str, part: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The probabilities of a part as an evaluation sees them, and which images are in it."""
    opened = open_trained(run, (), Caller(), "ot predict")
    opened.builder.set_up(opened.datamodule)
    data: Any = opened.datamodule
    batches = list(data.part_dataloader(part))
    opened.start(batches[0])
    outputs = [opened.engine.predict_step(batch) for batch in batches]
    found = np.concatenate([opened.loss.probabilities(each) for each in outputs])
    return found, getattr(data._loaded()[1], part)


def test_predicting_equals_the_evaluation_of_the_run_row_for_row() -> None:
    run_experiment(config("pets"))
    ot("predict", "runs/pets", "--input", "pets", "--output", "out.csv")
    rows = read("out.csv")
    assert list(rows) == ["path", "predicted_label", *(f"probability_{name}" for name in CLASSES)]
    assert rows["path"] == [p.relative_to("pets").as_posix() for p in sorted(files("pets"))]
    written = np.array([rows[f"probability_{name}"] for name in CLASSES], dtype=float).T
    seen = 0
    for part in ("train", "val", "test"):
        expected, where = evaluated("runs/pets", part)
        assert written[where] == pytest.approx(expected, rel=1e-6)
        seen += len(where)
    assert seen == COUNT
    actual = [name.partition("/")[0] for name in rows["path"]]
    right = np.array([a == b for a, b in zip(actual, rows["predicted_label"], strict=True)])
    for part in ("val", "test"):
        _, where = evaluated("runs/pets", part)
        accuracy = logged("runs/pets", part)["accuracy"]
        assert right[where].mean() == pytest.approx(accuracy)
        again = json.loads(ot("evaluate", "runs/pets", "--split", part, "--json").stdout)
        assert again["accuracy"] == accuracy
        assert again["loss"] == logged("runs/pets", part)["loss"]


def files(folder: str) -> list[Path]:
    return list(Path(folder).rglob("*.png"))


def test_all_columns_of_a_table_are_carried_through() -> None:
    run_experiment(config("pets"))
    names = [f"{CLASSES[n % 3]}/{n:03}.png" for n in range(5)]
    Path("pets/new.csv").write_text("\n".join(["id,path", *(f"{n},{n}" for n in names)]))
    ot("predict", "runs/pets", "--input", "pets/new.csv", "--output", "out.csv")
    rows = read("out.csv")
    assert rows["id"] == names
    ot("predict", "runs/pets", "--input", "pets", "--output", "all.csv")
    whole = read("all.csv")
    for row, name in enumerate(names):
        of_all = whole["path"].index(name)
        assert rows["predicted_label"][row] == whole["predicted_label"][of_all]


def test_what_cannot_be_predicted_for_is_said() -> None:
    run_experiment(config("pets"))
    write_image(Path("large/a.png"), pixels(1, side=5))
    said = ot("predict", "runs/pets", "--input", "large", "--output", "o.csv", code=2).stderr
    assert "large/a.png is 5 x 5 pixels, smaller than the crop of 6 x 6" in said
    Path("large/a.png").write_bytes(b"")
    said = ot("predict", "runs/pets", "--input", "large", "--output", "o.csv", code=2).stderr
    assert "large/a.png is empty" in said
    assert not Path("o.csv").exists()


def test_a_class_that_the_run_does_not_know_is_said_when_it_is_evaluated() -> None:
    run_experiment(config("pets"))
    shutil.copytree("pets/cat", "pets/emu")
    said = ot("evaluate", "runs/pets", "--split", "test", code=2).stderr
    assert "pets/emu/000.png, column `label`: 'emu' is none of its categories cat, dog, owl" in said


def test_a_changed_image_is_named_when_the_run_is_reproduced() -> None:
    run_experiment(config("pets"))
    recorded = json.loads(Path("runs/pets/run.json").read_text())["data"]
    assert [Path(file["path"]).name for file in recorded] == [p.name for p in sorted(files("pets"))]
    write_image(Path("pets/dog/001.png"), pixels(77))
    said = run_cli("reproduce", "runs/pets")
    assert said.exit_code != 0
    assert "pets/dog/001.png" in said.stdout + said.stderr
    assert "pets/dog/004.png" not in said.stdout + said.stderr
