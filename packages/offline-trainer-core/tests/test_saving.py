"""Saving from the loop: in the background, after failures, the best ones; leaving in between."""

from __future__ import annotations

import errno
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from run_files import fingerprint, rows, steps

from model_constructor.errors import ConfigError
from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.checkpoint.reading import load, read_manifest
from offline_trainer.data.random_regression import RandomRegression
from offline_trainer.errors import OfflineTrainerError, StateMismatchError
from offline_trainer.experiment import run_experiment
from offline_trainer.testing.numpy_engine import NumpyEngine

MakeConfig = Callable[..., dict[str, Any]]


def checkpoints(**settings: Any) -> list[dict[str, Any]]:
    return [{"_type_": "cb.model_checkpoint", **settings}]


@pytest.mark.parametrize("settings", [{"every_n_steps": 1}, {"every_n_steps": 3, "keep_last": 2}])
def test_saving_in_the_background_changes_no_byte(
    small_config: MakeConfig, settings: dict[str, Any]
) -> None:
    threads = threading.active_count()
    at_once = run_experiment(small_config(run={"out_dir": "at_once"}, callbacks=checkpoints()))
    result = run_experiment(
        small_config(callbacks=checkpoints(asynchronous=True, **settings)),
    )
    ours, theirs = fingerprint(result.out_dir), fingerprint(at_once.out_dir)
    assert ours == theirs
    assert threading.active_count() == threads


def test_the_best_by_a_metric_are_kept_and_named(small_config: MakeConfig) -> None:
    settings = {"every_n_epochs": 1, "monitor": "val_mae", "save_top_k": 2}
    config = small_config(trainer={"max_epochs": 12}, callbacks=checkpoints(**settings))
    config["optimizer"]["lr"] = 0.3  # too high: the last ones are not the best
    out_dir = run_experiment(config).out_dir
    measured = {row["step"]: row["mae"] for row in rows(out_dir, "val")}
    best = sorted(measured, key=lambda step: (measured[step], step))[:2]
    newest = sorted(measured)[-2:]
    assert steps(out_dir) == sorted({*best, *newest})
    assert (out_dir / "checkpoints/best").read_text() == f"step-{best[0]:012d}\n"
    manifest = read_manifest(out_dir / f"checkpoints/step-{best[0]:012d}")
    assert manifest.metrics["val_mae"] == measured[best[0]]


def test_with_a_metric_and_no_cadence_each_validation_is_saved(small_config: MakeConfig) -> None:
    config = small_config(callbacks=checkpoints(monitor="val_loss", save_last=False))
    assert steps(run_experiment(config).out_dir) == [4, 8, 12, 16]


def test_a_checkpoint_has_only_what_was_measured_at_its_step(small_config: MakeConfig) -> None:
    config = small_config(callbacks=checkpoints(every_n_steps=2, monitor="val_loss"))
    out_dir = run_experiment(config).out_dir
    names = [set(read_manifest(path).metrics) for path in sorted(out_dir.glob("checkpoints/step*"))]
    assert ["val_loss" in each for each in names] == [False, True] * 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"save_top_k": 1}, "save_top_k needs `monitor`"),
        ({"monitor": "val_loss", "save_top_k": 0}, "save_top_k must be at least 1"),
        ({"keep_last": 0}, "keep_last must be at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    small_config: MakeConfig, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run_experiment(small_config(callbacks=checkpoints(**settings)))


def test_two_callbacks_that_differ_are_refused(small_config: MakeConfig) -> None:
    both = [*checkpoints(every_n_steps=2), *checkpoints(every_n_epochs=1, asynchronous=True)]
    with pytest.raises(ConfigError, match="differ in asynchronous"):
        run_experiment(small_config(callbacks=both))


class Disk:
    """Refuses to create files while it is full."""

    full = False

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        create = FileSystem.create

        def refuse(system: FileSystem, path: Path) -> int:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return create(system, path)

        monkeypatch.setattr(FileSystem, "create", refuse)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def during(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], None]:
    """Let a function be called with each step that ends, before its save."""

    def install(action: Callable[[int], None]) -> None:
        from offline_trainer.callbacks.model_checkpoint import ModelCheckpoint

        original = ModelCheckpoint.on_train_step_end

        def hook(callback: ModelCheckpoint, state: Any, control: Any) -> None:
            original(callback, state, control)
            action(state.global_step)

        monkeypatch.setattr(ModelCheckpoint, "on_train_step_end", hook)

    return install


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_disk_that_is_full_for_a_while_costs_some_checkpoints(
    small_config: MakeConfig,
    disk: Disk,
    during: Any,
    asynchronous: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    golden = run_experiment(small_config(run={"out_dir": "golden"}, callbacks=checkpoints()))
    # In the background, the save of the step before may still be writing and fail, too.
    full = {5} if asynchronous else {5, 6}
    during(lambda step: setattr(disk, "full", step in full))
    settings = {"every_n_steps": 1, "asynchronous": asynchronous}
    result = run_experiment(small_config(callbacks=checkpoints(**settings)))
    said = capsys.readouterr().err
    assert fingerprint(result.out_dir) == fingerprint(golden.out_dir)
    if not asynchronous:
        assert steps(result.out_dir) == [1, 2, 3, 4, *range(7, 17)]
        assert "checkpoint of step 6 was not saved (2 in a row; 3 end the run)" in said


def test_the_third_failed_save_in_a_row_ends_the_run(
    small_config: MakeConfig, disk: Disk, during: Any
) -> None:
    full = {5, 6, 7}
    during(lambda step: setattr(disk, "full", step in full))
    with pytest.raises(OfflineTrainerError, match=r"07: No space left.*; 3 saves in a row"):
        run_experiment(small_config(callbacks=checkpoints(every_n_steps=1)))
    full.clear()
    disk.full = False
    assert steps(Path("run")) == [1, 2, 3, 4]
    result = run_experiment(small_config(callbacks=checkpoints(every_n_steps=1)), resume="auto")
    assert result.epoch == 4


def test_the_first_failed_save_ends_the_run_if_asked_for(
    small_config: MakeConfig, disk: Disk, during: Any
) -> None:
    during(lambda step: setattr(disk, "full", step == 5))
    with pytest.raises(OfflineTrainerError, match=r"step-000000000005: No space left"):
        run_experiment(small_config(callbacks=checkpoints(every_n_steps=1, on_save_error="raise")))


def test_a_full_disk_shows_after_the_first_step(
    small_config: MakeConfig, disk: Disk, during: Any
) -> None:
    during(lambda step: setattr(disk, "full", True))
    with pytest.raises(OfflineTrainerError, match=r"cannot save checkpoints in .*No space left"):
        run_experiment(small_config())
    disk.full = False
    assert json.loads(Path("run/status.json").read_text())["state"] == "running"


def test_a_rehearsal_leaves_nothing(small_config: MakeConfig) -> None:
    config = small_config(callbacks=checkpoints(save_last=False), trainer={"max_steps": 2})
    out_dir = run_experiment(config).out_dir
    assert list((out_dir / "checkpoints").iterdir()) == []


def test_a_run_that_fails_ends_the_save_it_has_begun(
    small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    rename, train_step = FileSystem.rename, NumpyEngine.train_step

    def slow(system: FileSystem, source: Path, target: Path) -> None:
        begun.set()
        assert go_on.wait(20)
        rename(system, source, target)

    def fail(engine: NumpyEngine, window: Any) -> Any:
        if engine._steps == 2:
            assert begun.wait(20)
            threading.Timer(0.05, go_on.set).start()
            raise LookupError("no more")
        return train_step(engine, window)

    monkeypatch.setattr(FileSystem, "rename", slow)
    monkeypatch.setattr(NumpyEngine, "train_step", fail)
    with pytest.raises(LookupError, match="no more"):
        run_experiment(small_config(callbacks=checkpoints(every_n_steps=2, asynchronous=True)))
    assert steps(Path("run")) == [2]


# --- leaving ---------------------------------------------------------------------------------


class Leaving(RandomRegression):
    """Data that sends its own process a signal when a given validation batch is asked for."""

    asked = 0
    at: int | None = None

    def val_dataloader(self) -> Any:
        loader = super().val_dataloader()
        return Asking(loader) if loader is not None else None


class Asking:
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[Any]:
        for batch in self._loader:
            Leaving.asked += 1
            if Leaving.asked == Leaving.at:
                signal.raise_signal(signal.SIGTERM)
            yield batch


def leaving_config(small_config: MakeConfig, out_dir: str) -> dict[str, Any]:
    module = ModuleType("leaving_data")
    vars(module)["register"] = lambda registry: registry.add("data.leaving", Leaving)
    sys.modules["leaving_data"] = module
    config = small_config(
        run={"out_dir": out_dir},
        settings={"allowed_import_prefixes": ["offline_trainer.", "leaving_data."]},
        imports=["offline_trainer.testing.numpy_engine", "leaving_data"],
        callbacks=checkpoints(every_n_epochs=1, monitor="val_loss", save_top_k=2),
    )
    config["data"] = {**config["data"], "_type_": "data.leaving", "batch_size": 3}
    config["trainer"]["val_every_n_steps"] = 2
    config["scheduler"] = {
        "_type_": "sched_factory.decay",
        "gamma": 0.8,
        "interval": "metric",
        "monitor": "val_loss",
    }
    return config


def measured(out_dir: Path) -> dict[str, Any]:
    """What the kept checkpoints say was measured, and which is the best."""
    folder = out_dir / "checkpoints"
    metrics = {path.name: dict(read_manifest(path).metrics) for path in folder.glob("step-*")}
    return {**metrics, "best": (folder / "best").read_text()}


@pytest.mark.parametrize("at", [1, 10, 58, 77])  # 58 and 77 in steps that are saved, too
def test_a_signal_in_a_validation_leaves_and_the_validation_is_done_again(
    small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr(Leaving, "at", None)
    golden = run_experiment(leaving_config(small_config, "golden"))
    monkeypatch.setattr(Leaving, "at", at)
    monkeypatch.setattr(Leaving, "asked", 0)
    left = run_experiment(leaving_config(small_config, "run"))
    assert (left.outcome, left.exit_code) == ("interrupted", 75)
    assert Leaving.asked <= at + 1
    monkeypatch.setattr(Leaving, "at", None)
    result = run_experiment(leaving_config(small_config, "run"), resume="auto")
    assert fingerprint(result.out_dir) == fingerprint(golden.out_dir)
    ours, theirs = measured(result.out_dir), measured(golden.out_dir)
    assert {name: ours[name] for name in theirs} == theirs  # and the one resumed from


# --- starting from weights -------------------------------------------------------------------


WIDER = [
    "model.sequential.layers[3].out_features=3",
    "data.y_shape=[3]",
]


def test_weights_of_another_size_stay_as_initialised_if_listed(
    small_config: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run_experiment(small_config())
    run = {"out_dir": "tuned", "init_from": str(first.out_dir)}
    with pytest.raises(StateMismatchError, match="layer_3") as caught:
        run_experiment(small_config(run=run), WIDER)
    assert "run.init_missing" in (caught.value.help or "")
    run["init_missing"] = ["model.layer_3.*"]  # type: ignore[assignment]
    tuned = run_experiment(small_config(run=run, trainer={"max_steps": 1}), WIDER)
    assert "as initialised: model.layer_3.weight, model.layer_3.bias" in capsys.readouterr().err
    assert tuned.global_step == 1


def test_weights_that_the_model_lacks_are_left_out_if_listed(
    small_config: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run_experiment(small_config())
    shorter = [
        "model.sequential.layers[0].out_features=8",
        "~model.sequential.layers[3]",
        "data.y_shape=[8]",
    ]
    run = {"out_dir": "tuned", "init_from": str(first.out_dir)}
    with pytest.raises(StateMismatchError, match="layer_3"):
        run_experiment(small_config(run=run), shorter)
    run["init_extra"] = ["model.layer_3.*"]  # type: ignore[assignment]
    run_experiment(small_config(run=run, trainer={"max_steps": 1}), shorter)
    assert "left out: model.layer_3.bias, model.layer_3.weight" in capsys.readouterr().err


# --- averaged weights ------------------------------------------------------------------------


def test_averages_are_validated_saved_and_gone_on_with(small_config: MakeConfig) -> None:
    callbacks = [*checkpoints(every_n_steps=3), {"_type_": "cb.ema", "decay": 0.9}]
    plain = run_experiment(small_config(run={"out_dir": "plain"}))
    golden = run_experiment(small_config(run={"out_dir": "golden"}, callbacks=callbacks))
    ours, theirs = fingerprint(golden.out_dir), fingerprint(plain.out_dir)
    assert ours["model.safetensors"] == theirs["model.safetensors"]
    assert rows(golden.out_dir, "val")[-1]["loss"] != rows(plain.out_dir, "val")[-1]["loss"]
    newest = max((golden.out_dir / "checkpoints").glob("step-*"))
    assert set(load(newest).state.tensors) == {"model", "optimizer", "rng", "ema"}
    run_experiment(small_config(callbacks=callbacks), ["trainer.max_steps=7"])
    result = run_experiment(small_config(callbacks=callbacks), resume="auto")
    assert fingerprint(result.out_dir) == ours


def test_an_engine_that_keeps_no_averages_is_named(
    small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(NumpyEngine, "average_weights")
    config = small_config(callbacks=[*checkpoints(), {"_type_": "cb.ema"}])
    with pytest.raises(ConfigError, match="NumpyEngine keeps no averaged weights") as caught:
        run_experiment(config)
    assert caught.value.config_path == ("callbacks", 1)
    assert not Path("run").exists()
