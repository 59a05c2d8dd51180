"""What a run writes down at its start is what is needed to tell whether it can be repeated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_constructor.config.resolve import resolve_config
from offline_trainer.errors import ComponentFailedError
from offline_trainer.experiment import run_experiment
from offline_trainer.run.config_hash import config_hash

MakeConfig = Callable[..., dict[str, Any]]

TABLE = "a,b,c,d,e,f\n" + "".join(f"{n},{n % 3},{n % 5},{n % 7},{n % 2},{n}\n" for n in range(24))


def table_config(small_config: MakeConfig, **sections: Any) -> dict[str, Any]:
    """A small config that reads ``table.csv`` of the current folder."""
    Path("table.csv").write_text(TABLE)
    data = {"_type_": "data.table", "path": "table.csv", "target": ["e", "f"], "standardise": True}
    return small_config(data=data, **sections)


def run_json(out_dir: Path) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads((out_dir / "run.json").read_text())
    return fields


def test_the_files_that_were_read_and_the_threads_are_in_the_manifest(
    small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    result = run_experiment(table_config(small_config))
    manifest = run_json(result.out_dir)
    digest = hashlib.sha256(TABLE.encode()).hexdigest()
    path = str(Path("table.csv").resolve())
    assert manifest["data"] == [{"path": path, "bytes": len(TABLE), "sha256": digest}]
    assert manifest["hardware"]["threads"] == 3
    assert manifest["versions"].keys() >= {"python", "numpy", "offline-trainer-core"}
    assert manifest["origin"] is None


def test_the_hash_is_that_of_the_stored_config(
    small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "hunter2-hunter2")
    config = table_config(
        small_config, params={"token": "${env:MY_TOKEN}", "steps": "${env:N,1e5}"}
    )
    result = run_experiment(config, ["optimizer.lr=1", "data.delimiter=','", "data.batch_size=8"])
    stored = resolve_config(result.out_dir / "config.resolved.yaml", untrusted=True)
    assert run_json(result.out_dir)["config_hash"] == config_hash(stored.data)


def test_the_checkpoint_that_a_run_started_from_stays_in_its_manifest(
    small_config: MakeConfig,
) -> None:
    first = run_experiment(small_config(trainer={"max_epochs": 2}))
    newest = first.out_dir / "checkpoints" / "step-000000000008"
    sha256 = json.loads((newest / "MANIFEST.json").read_text())["sha256"]
    for how, arguments in (
        ("resumed", {"resume": str(first.out_dir)}),
        ("weights", {"overrides": [f"run.init_from={first.out_dir}"]}),
    ):
        config = small_config(run={"out_dir": how}, trainer={"max_epochs": 3})
        result = run_experiment(config, **arguments)  # type: ignore[arg-type]
        origin = {"how": how, "path": str(newest), "sha256": sha256}
        assert run_json(result.out_dir)["origin"] == origin
        run_experiment({**config, "trainer": small_config()["trainer"]}, resume="auto")
        assert run_json(result.out_dir)["origin"] == origin


def test_what_changed_since_the_earlier_attempt_is_said_once(
    small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    config = table_config(small_config)
    run_experiment(config, ["trainer.max_epochs=1"])
    run_experiment(config, ["trainer.max_epochs=2"], resume="auto")
    assert "earlier attempt" not in capsys.readouterr().err
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    Path("table.csv").write_text(TABLE.replace("23,2,3", "24,2,3"))
    result = run_experiment(config, resume="auto")
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "earlier attempt" in line]
    assert said.startswith("ot: changed since the run's earlier attempt: threads: 1 → 2; data file")
    assert said.endswith("the result may differ from an uninterrupted run's")
    assert run_json(result.out_dir)["hardware"]["threads"] == 2


def test_of_many_changes_the_first_are_said(
    small_config: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run_experiment(small_config(trainer={"max_epochs": 1}))
    fields = run_json(result.out_dir)
    versions = {**fields["versions"], **{f"package-{n}": "1" for n in range(9)}}
    (result.out_dir / "run.json").write_text(json.dumps({**fields, "versions": versions}))
    run_experiment(small_config(), resume="auto")
    said = capsys.readouterr().err
    assert "package-5: 1 → none and 3 more; the result may differ" in said


def test_a_new_run_says_nothing_of_an_earlier_one(
    small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        run_experiment(small_config())
    assert "earlier attempt" not in capsys.readouterr().err


def test_a_file_that_the_datamodule_names_and_cannot_be_read_ends_the_run(
    small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from offline_trainer.data.random_regression import RandomRegression

    monkeypatch.setattr(RandomRegression, "input_files", lambda self: [Path("gone.csv")])
    with pytest.raises(ComponentFailedError, match=r"gone\.csv"):
        run_experiment(small_config())


def test_the_parts_are_recorded_and_a_change_of_them_is_said(
    small_config: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    config = table_config(small_config)
    config["data"]["split"] = {"test": 0.25}
    first = run_experiment(config, ["trainer.max_epochs=1"])
    split = json.loads((first.out_dir / "split.json").read_text())
    assert {name: part["rows"] for name, part in split.items() if name != "seed"} == {
        "train": 18,
        "val": 0,
        "test": 6,
    }
    assert split["seed"] == config["run"]["seed"]
    run_experiment(config, ["trainer.max_epochs=2"], resume="auto")
    assert "other samples" not in capsys.readouterr().err
    run_experiment(config, ["trainer.max_epochs=3", "data.seed=9"], resume="auto")
    assert "other samples are in the parts than in the run's earlier" in capsys.readouterr().err
