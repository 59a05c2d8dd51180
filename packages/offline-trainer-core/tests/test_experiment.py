"""Whole runs on the numpy engine: what a run trains, writes and returns."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_files import fingerprint, rows, steps

from model_constructor.errors import ConfigError
from offline_trainer.callbacks.model_checkpoint import ModelCheckpoint
from offline_trainer.data.random_regression import RandomRegression
from offline_trainer.errors import (
    ComponentFailedError,
    DivergedError,
    OfflineTrainerError,
    RunDirectoryError,
    StateMismatchError,
)
from offline_trainer.experiment import run_experiment
from offline_trainer.testing.numpy_engine import NumpyEngine

MakeConfig = Callable[..., dict[str, Any]]


def test_training_lowers_the_validation_loss(small_config: MakeConfig) -> None:
    config = small_config(trainer={"max_epochs": 15})
    result = run_experiment(config)
    losses = [row["loss"] for row in rows(result.out_dir, "val")]
    assert len(losses) == 15
    assert losses[-1] < 0.5 * losses[0]


def test_a_run_directory_says_what_was_run(small_config: MakeConfig) -> None:
    result = run_experiment(small_config())
    names = {path.name for path in result.out_dir.iterdir()}
    assert {
        "run.json",
        "config.resolved.yaml",
        "status.json",
        "metrics.jsonl",
        "events.jsonl",
        "checkpoints",
    } <= names
    manifest = json.loads((result.out_dir / "run.json").read_text())
    assert manifest["seed"] == 3
    assert manifest["plugins"]["offline-trainer-core"]
    assert manifest["hardware"]["device"] == "cpu"
    status = json.loads((result.out_dir / "status.json").read_text())
    assert (status["state"], status["exit_code"]) == ("done", 0)
    assert (status["step"], status["epoch"]) == (result.global_step, 4)


def test_metrics_have_step_epoch_stage_loss_and_metrics(small_config: MakeConfig) -> None:
    result = run_experiment(small_config())
    train = rows(result.out_dir, "train")[0]
    assert list(train)[:4] == ["step", "epoch", "stage", "loss"]
    assert train["lr"] == 0.05
    (test,) = rows(result.out_dir, "test")
    assert set(test) == {"step", "epoch", "stage", "loss", "rmse", "mae"}
    assert result.test_metrics["mae"] == test["mae"]


def test_overrides_change_the_run(small_config: MakeConfig) -> None:
    result = run_experiment(small_config(), ["trainer.max_epochs=1", "run.out_dir=other"])
    assert result.out_dir == Path("other").resolve()
    assert result.epoch == 1


def test_a_checkpoint_for_each_epoch_asked_for(small_config: MakeConfig) -> None:
    result = run_experiment(small_config())
    assert steps(result.out_dir) == [4, 8, 12, 16]


def test_the_same_seed_gives_the_same_bytes(small_config: MakeConfig) -> None:
    first = run_experiment(small_config(run={"out_dir": "first"}))
    second = run_experiment(small_config(run={"out_dir": "second"}))
    other = run_experiment(small_config(run={"out_dir": "other", "seed": 4}))
    assert fingerprint(first.out_dir) == fingerprint(second.out_dir)
    assert fingerprint(first.out_dir) != fingerprint(other.out_dir)


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("stop", range(1, 16, 3))
def test_resume_at_any_step_gives_the_bytes_of_the_uninterrupted_run(
    small_config: MakeConfig, stop: int, accumulate: int
) -> None:
    def config(out_dir: str, **trainer: Any) -> dict[str, Any]:
        return small_config(
            run={"out_dir": out_dir},
            trainer={"accumulate_grad_batches": accumulate, "clip_grad_norm": 0.5, **trainer},
        )

    golden = run_experiment(config("golden"))
    stop = min(stop, golden.global_step - 1)
    run_experiment(config("parts", max_steps=stop, test_after_fit=False))
    result = run_experiment(config("parts"), resume="auto")
    assert result.global_step == golden.global_step
    assert fingerprint(result.out_dir) == fingerprint(golden.out_dir)


def test_resume_into_another_folder_starts_a_run_with_lineage(small_config: MakeConfig) -> None:
    first = run_experiment(small_config(trainer={"max_epochs": 2}))
    fork = run_experiment(small_config(run={"out_dir": "fork"}), resume=str(first.out_dir))
    golden = run_experiment(small_config(run={"out_dir": "golden"}))
    ours, theirs = fingerprint(fork.out_dir), fingerprint(golden.out_dir)
    assert ours["model.safetensors"] == theirs["model.safetensors"]
    assert steps(fork.out_dir) == [12, 16]
    assert steps(first.out_dir) == [4, 8]


def killed_before_its_first_checkpoint(out_dir: Path) -> None:
    shutil.rmtree(out_dir / "checkpoints")


def test_a_fork_that_was_killed_before_its_first_checkpoint_goes_on_from_where_it_had_started(
    small_config: MakeConfig,
) -> None:
    first = run_experiment(small_config(trainer={"max_epochs": 2}))
    config = small_config(run={"out_dir": "fork"})
    golden = fingerprint(run_experiment(config, resume=str(first.out_dir)).out_dir)
    killed_before_its_first_checkpoint(Path("fork"))
    fork = run_experiment(config, resume="auto")
    assert steps(fork.out_dir) == [12, 16]
    assert fingerprint(fork.out_dir) == golden


def test_a_fork_whose_origin_is_gone_or_another_never_silently_starts_over(
    small_config: MakeConfig,
) -> None:
    first = run_experiment(small_config(trainer={"max_epochs": 2}))
    config = small_config(run={"out_dir": "fork"})
    run_experiment(config, resume=str(first.out_dir))
    killed_before_its_first_checkpoint(Path("fork"))
    run_experiment(small_config(trainer={"max_epochs": 2}))
    with pytest.raises(RunDirectoryError, match="is not the checkpoint that the run in"):
        run_experiment(config, resume="auto")
    shutil.rmtree(first.out_dir)
    with pytest.raises(RunDirectoryError, match="no checkpoint in"):
        run_experiment(config, resume="auto")


def test_what_the_config_has_otherwise_than_the_checkpoints_is_said(
    small_config: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    run_experiment(small_config(trainer={"max_epochs": 1}))
    run_experiment(small_config(), ["optimizer.lr=0.01"], resume="auto")
    said = capsys.readouterr().err
    assert "optimizer.lr: 0.05 → 0.01" in said
    assert "trainer.max_epochs: 1 → 4" in said


def test_an_older_checkpoint_is_compared_with_the_config_that_it_was_trained_with(
    small_config: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    run_experiment(small_config(trainer={"max_epochs": 1}))
    run_experiment(small_config(), ["optimizer.lr=0.01"], resume="auto")
    capsys.readouterr()
    run_experiment(small_config(), resume="run@4")
    said = capsys.readouterr().err
    assert "trainer.max_epochs: 1 → 4" in said
    assert "optimizer.lr" not in said


@pytest.mark.parametrize("which", ["8", "best", "last"])
def test_a_run_goes_on_from_the_checkpoint_that_a_name_means(
    small_config: MakeConfig, which: str
) -> None:
    monitored = [{"_type_": "cb.model_checkpoint", "monitor": "val_loss", "mode": "max"}]
    first = run_experiment(small_config(trainer={"max_epochs": 3}, callbacks=monitored))
    (first.out_dir / "checkpoints/best").write_text("step-000000000004\n")
    origin = {"8": 8, "best": 4, "last": 12}[which]
    fork = small_config(run={"out_dir": "fork"})
    out_dir = run_experiment(fork, resume=f"{first.out_dir}@{which}").out_dir
    assert steps(out_dir)[0] == origin + 4
    initialised = small_config(run={"out_dir": "new", "init_from": f"{first.out_dir}@{which}"})
    out_dir = run_experiment(initialised).out_dir
    assert json.loads((out_dir / "run.json").read_text())["origin"]["path"] == str(
        first.out_dir / f"checkpoints/step-{origin:012d}"
    )
    run_experiment(small_config(callbacks=monitored), resume=f"{first.out_dir}@{which}")
    assert steps(first.out_dir)[-1] == 16


def test_a_run_that_is_done_says_so_when_it_is_resumed(
    small_config: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    run_experiment(small_config())
    assert "nothing is left to train" not in capsys.readouterr().err
    run_experiment(small_config(), resume="auto")
    assert "nothing is left to train" in capsys.readouterr().err


def test_a_run_that_is_stopped_at_once_says_what_is_saved(
    small_config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(callback: ModelCheckpoint, state: Any, control: Any) -> None:
        if state.global_step == 10:
            raise KeyboardInterrupt

    monkeypatch.setattr(ModelCheckpoint, "on_train_step_end", stop)
    for saved, told in ((1, "the last checkpoint is of step 8"), (None, "nothing was saved yet")):
        checkpoint = {"_type_": "cb.model_checkpoint", "every_n_epochs": saved}
        with pytest.raises(KeyboardInterrupt):
            run_experiment(small_config(callbacks=[checkpoint]))
        assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lengths", "steps_done"),
    [
        ({"max_epochs": 2, "max_steps": 5}, 5),
        ({"max_epochs": 1, "max_steps": 5}, 4),
        ({"max_epochs": "5st", "max_steps": "1ep"}, 4),
        ({"max_epochs": 2, "max_time": 1e-9}, 0),
        ({"max_epochs": 2, "max_time": "1h"}, 8),
    ],
)
def test_the_limit_that_is_reached_first_ends_the_run(
    small_config: MakeConfig, lengths: dict[str, Any], steps_done: int
) -> None:
    assert run_experiment(small_config(trainer=lengths)).global_step == steps_done


def test_resume_auto_starts_anew_where_there_is_nothing(
    small_config: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run_experiment(small_config(), resume="auto")
    assert result.epoch == 4
    assert "nothing to resume" in capsys.readouterr().err


def test_init_from_takes_the_weights_and_nothing_else(small_config: MakeConfig) -> None:
    first = run_experiment(small_config())
    config = small_config(
        run={"out_dir": "tuned", "init_from": str(first.out_dir)},
        optimizer={"lr": 1e-12},
        trainer={"max_steps": 1},
    )
    tuned = run_experiment(config)
    before, after = rows(first.out_dir, "test")[0], rows(tuned.out_dir, "test")[0]
    assert tuned.global_step == 1
    assert after["loss"] == pytest.approx(before["loss"], rel=1e-9)


def test_an_earlier_run_is_moved_aside(
    small_config: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    run_experiment(small_config())
    result = run_experiment(small_config())
    moved = [path for path in result.out_dir.parent.iterdir() if path.name.startswith("run.2")]
    assert len(moved) == 1
    assert steps(moved[0]) == [4, 8, 12, 16]
    assert "moved to" in capsys.readouterr().err


def test_a_model_that_does_not_fit_the_checkpoint_is_refused(small_config: MakeConfig) -> None:
    first = run_experiment(small_config(trainer={"max_epochs": 1}))
    before = fingerprint(first.out_dir)
    overrides = [
        "model.sequential.layers[0].out_features=6",
        "model.sequential.layers[3].in_features=6",
    ]
    config = (first.out_dir / "config.resolved.yaml").read_bytes()
    with pytest.raises(StateMismatchError, match="shape"):
        run_experiment(small_config(), overrides, resume="auto")
    assert fingerprint(first.out_dir) == before
    assert (first.out_dir / "config.resolved.yaml").read_bytes() == config


def test_a_mistake_that_only_a_batch_shows_moves_and_writes_nothing(
    small_config: MakeConfig,
) -> None:
    first = run_experiment(small_config())
    before = fingerprint(first.out_dir)
    with pytest.raises(ValueError, match="size 5 is different from 8"):
        run_experiment(small_config(), ["model.sequential.layers[3].in_features=5"])
    assert fingerprint(first.out_dir) == before
    assert {path.name for path in first.out_dir.parent.iterdir()} == {"run", "run.lock"}


def test_checkpoints_of_another_run_are_never_mixed_with_ours(small_config: MakeConfig) -> None:
    callbacks = [{"_type_": "cb.model_checkpoint", "save_dir": "kept", "every_n_epochs": 1}]
    run_experiment(small_config(callbacks=callbacks))
    with pytest.raises(RunDirectoryError, match="holds checkpoints of another run"):
        run_experiment(small_config(callbacks=callbacks))
    assert json.loads(Path("run/status.json").read_text())["state"] == "done"


def test_a_run_whose_last_checkpoint_cannot_be_saved_does_not_end_well(
    small_config: MakeConfig,
) -> None:
    Path("run").mkdir()
    Path("kept").write_text("a file where a folder should be")
    callbacks = [{"_type_": "cb.model_checkpoint", "save_dir": "kept"}]
    with pytest.raises(OfflineTrainerError, match="kept"):
        run_experiment(small_config(callbacks=callbacks))
    assert json.loads(Path("run/status.json").read_text())["state"] == "failed"


def test_a_schedule_by_metric_needs_validation_data(small_config: MakeConfig) -> None:
    scheduler = {"_type_": "sched_factory.decay", "interval": "metric", "monitor": "val_loss"}
    with pytest.raises(ConfigError, match="no validation part"):
        run_experiment(small_config(scheduler=scheduler, data={"val_fraction": 0.0}))
    assert not Path("run").exists()


def test_a_module_of_imports_that_exits_is_an_error(small_config: MakeConfig) -> None:
    Path("leaving.py").write_text("import sys; sys.exit(0)\n")
    config = small_config(settings={"allowed_import_prefixes": ["leaving."]}, imports=["leaving"])
    with pytest.raises(ConfigError, match="SystemExit"):
        run_experiment(config)


def test_an_objective_written_out_is_checked_like_the_default(small_config: MakeConfig) -> None:
    config = small_config(objective={"_type_": "objective.supervised"}, io={"model_kwargs": {}})
    with pytest.raises(ConfigError, match="does not feed `x`"):
        run_experiment(config)


def test_a_loss_that_is_not_finite_ends_the_run_and_names_the_step(
    small_config: MakeConfig,
) -> None:
    with pytest.raises(DivergedError, match=r"step \d+ is not finite"):
        run_experiment(small_config(optimizer={"lr": 1e200}))
    status = json.loads(Path("run/status.json").read_text())
    assert (status["state"], status["exit_code"]) == ("diverged", 3)


def test_validating_more_often_changes_no_weight(small_config: MakeConfig) -> None:
    seldom = run_experiment(small_config(run={"out_dir": "seldom"}))
    often = run_experiment(small_config(run={"out_dir": "often"}, trainer={"val_every_n_steps": 1}))
    ours, theirs = fingerprint(seldom.out_dir), fingerprint(often.out_dir)
    assert ours["model.safetensors"] == theirs["model.safetensors"]
    assert ours["rng.safetensors"] == theirs["rng.safetensors"]


def test_schedules_step_at_their_interval(small_config: MakeConfig) -> None:
    def rates(name: str, **scheduler: Any) -> list[float]:
        config = small_config(
            run={"out_dir": name},
            scheduler={"_type_": "sched_factory.decay", "gamma": 0.5, **scheduler},
            trainer={"max_epochs": 3, "log_every_n_steps": 100},
        )
        return [row["lr"] for row in rows(run_experiment(config).out_dir, "train")]

    # A row is logged before the schedules of its epoch's end; an epoch has 4 steps.
    assert rates("epoch", interval="epoch") == [0.05, 0.025, 0.0125]
    assert rates("metric", interval="metric", monitor="val_loss") == [0.05, 0.025, 0.0125]
    assert rates("step", interval="step") == [0.05 / 2**4, 0.05 / 2**8, 0.05 / 2**12]


def test_the_validation_loss_is_weighted_by_samples(small_config: MakeConfig) -> None:
    def validated(batch_size: int) -> dict[str, Any]:
        config = small_config(
            run={"out_dir": str(batch_size)},
            optimizer={"lr": 1e-300},
            trainer={"max_steps": 1, "val_every_n_steps": 1},
        )
        config["data"]["batch_size"] = batch_size
        (row,) = rows(run_experiment(config).out_dir, "val")
        return row

    in_parts, at_once = validated(8), validated(10)  # 10 samples: 8 and 2, or all
    assert in_parts["loss"] == pytest.approx(at_once["loss"], rel=1e-12)
    assert in_parts["mae"] == pytest.approx(at_once["mae"], rel=1e-12)


def test_two_models_each_with_an_optimizer(small_config: MakeConfig) -> None:
    layers = small_config()["model"]["sequential"]["layers"]
    config = small_config(
        imports=["offline_trainer.testing.numpy_engine", "offline_trainer.testing.two_models"],
        models={
            "encoder": {"sequential": {"inputs": ["x"], "layers": layers[:3]}},
            "head": {"sequential": {"inputs": ["h"], "layers": layers[3:]}},
        },
        objective={"_type_": "objective.encoder_and_head", "head_every_n_steps": 2},
        trainer={"max_epochs": 10},
    )
    del config["model"], config["scheduler"]
    config["optimizer"] = {
        "encoder": {"_type_": "optim_factory.momentum", "lr": 0.05},
        "head": {"_type_": "optim_factory.momentum", "lr": 0.02},
    }
    golden = run_experiment({**config, "run": {**config["run"], "out_dir": "golden"}})
    losses = [row["loss"] for row in rows(golden.out_dir, "val")]
    assert losses[-1] < losses[0]
    assert rows(golden.out_dir, "train")[0]["lr/head"] == 0.02
    run_experiment(config, ["trainer.max_steps=7", "trainer.test_after_fit=false"])
    result = run_experiment(config, resume="auto")
    assert fingerprint(result.out_dir) == fingerprint(golden.out_dir)


class HeldData(RandomRegression):
    """Writes down that it was closed, and how many checkpoints there were by then."""

    def close(self) -> None:
        Path("closed").write_text(str(len(list(Path("run").rglob("MANIFEST.json")))))


class FailingCallback:
    critical = True

    def on_epoch_end(self, state: Any, control: Any) -> None:
        raise RuntimeError("no more")


class FailingLogger:
    def log_hparams(self, params: Any) -> None: ...

    def log_metrics(self, metrics: Any, *, step: int, stage: str) -> None:
        raise OSError("disk full")

    def close(self) -> None: ...


class DisturbingCallback:
    """Draws from every random stream while a batch is validated."""

    def on_validation_batch_end(self, state: Any, control: Any) -> None:
        random.random()
        np.random.rand()
        state.models["model"].layers["layer_2"].generator.random()


class DrawingCallback:
    """Leaves draws of Python's and NumPy's streams in the state that is saved."""

    def __init__(self) -> None:
        self._sum = 0.0

    def on_train_step_end(self, state: Any, control: Any) -> None:
        self._sum += random.random()
        state.metrics["draws"] = self._sum + np.random.rand()

    def state_dict(self) -> Any:
        return {"sum": self._sum}

    def load_state_dict(self, state: Any) -> None:
        self._sum = state["sum"]


@pytest.fixture
def own_components(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Sections that bring the classes above in through ``imports:``."""
    (tmp_path / "own_components.py").write_text(
        "from test_experiment import *\n"
        "def register(registry):\n"
        "    registry.add('data.held', HeldData)\n"
        "    registry.add('cb.drawing', DrawingCallback)\n"
        "    registry.add('cb.disturbing', DisturbingCallback)\n"
        "    registry.add('cb.failing', FailingCallback)\n"
        "    registry.add('log.failing', FailingLogger)\n"
    )
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return {
        "settings": {"allowed_import_prefixes": ["offline_trainer.", "own_components."]},
        "imports": ["offline_trainer.testing.numpy_engine", "own_components"],
    }


def test_host_random_streams_and_callback_states_go_on_exactly(
    small_config: MakeConfig, own_components: dict[str, Any]
) -> None:
    callbacks = [{"_type_": "cb.drawing"}, {"_type_": "cb.model_checkpoint", "every_n_steps": 3}]

    def config(out_dir: str, **trainer: Any) -> dict[str, Any]:
        run = {"out_dir": out_dir}
        return small_config(**own_components, run=run, callbacks=callbacks, trainer=trainer)

    golden = run_experiment(config("golden"))
    run_experiment(config("parts", max_steps=7, test_after_fit=False))
    result = run_experiment(config("parts"), resume="auto")
    assert fingerprint(result.out_dir) == fingerprint(golden.out_dir)


def test_the_data_is_closed_when_a_run_ends_however_it_does(
    small_config: MakeConfig, own_components: dict[str, Any]
) -> None:
    held = {**small_config()["data"], "_type_": "data.held"}
    run_experiment(small_config(**own_components, data=held))
    assert Path("closed").read_text() == "4"
    failing = [{"_type_": "cb.failing"}]
    config = small_config(**own_components, data=held, callbacks=failing)
    with pytest.raises(ComponentFailedError):
        run_experiment(config)
    assert Path("closed").read_text() == "1"  # of the step at which the callback failed


def test_an_engine_that_can_be_closed_is_when_a_run_ends(
    small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[object] = []
    monkeypatch.setattr(NumpyEngine, "close", lambda engine: closed.append(engine), raising=False)
    run_experiment(small_config())
    assert len(closed) == 1


def test_a_failing_callback_ends_the_run_with_its_name_and_hook(
    small_config: MakeConfig, own_components: dict[str, Any]
) -> None:
    config = small_config(**own_components, callbacks=[{"_type_": "cb.failing"}])
    with pytest.raises(ComponentFailedError, match=r"cb\.failing failed in on_epoch_end.*no more"):
        run_experiment(config)


def test_a_failing_logger_changes_nothing(
    small_config: MakeConfig,
    own_components: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    golden = run_experiment(small_config(run={"out_dir": "golden"}))
    config = small_config(**own_components, loggers=[{"_type_": "log.failing"}])
    result = run_experiment(config)
    assert capsys.readouterr().err.count("FailingLogger failed") == 1
    assert fingerprint(result.out_dir) == fingerprint(golden.out_dir)


def test_what_validation_draws_changes_no_training(
    small_config: MakeConfig, own_components: dict[str, Any]
) -> None:
    golden = run_experiment(small_config(run={"out_dir": "golden"}))
    callbacks = [*small_config()["callbacks"], {"_type_": "cb.disturbing"}]
    result = run_experiment(small_config(**own_components, callbacks=callbacks))
    ours, theirs = fingerprint(result.out_dir), fingerprint(golden.out_dir)
    assert ours["model.safetensors"] == theirs["model.safetensors"]
    assert ours["rng.safetensors"] == theirs["rng.safetensors"]


def test_nothing_is_written_for_a_config_that_is_wrong(small_config: MakeConfig) -> None:
    config = small_config(data={"_type_": "data.table", "path": "nowhere.csv", "target": "y"})
    config["data"]["batch_size"] = 8
    with pytest.raises(ConfigError, match=r"nowhere\.csv"):
        run_experiment(config)
    assert not Path("run").exists()


LEAVING = {
    "module": ("import sys; sys.exit(0)", ConfigError),
    "constructor": ("import sys\ndef make(): sys.exit(0)", ConfigError),
    "first call": (
        "import sys\ndef make(): return lambda **batch: sys.exit(0)",
        ComponentFailedError,
    ),
}


@pytest.mark.parametrize("when", LEAVING)
def test_a_component_that_exits_is_an_error_that_names_it(
    small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    source, kind = LEAVING[when]
    module = f"leaving_at_{when.replace(' ', '_')}"
    Path(f"{module}.py").write_text(source)
    Path(f"{module}_keys.py").write_text(
        f"def register(registry):\n    registry.add_lazy('loss.leaving', '{module}:make', help='')"
    )
    monkeypatch.syspath_prepend(str(Path.cwd()))
    config = small_config(
        settings={"allowed_import_prefixes": ["offline_trainer.", f"{module}_keys."]},
        imports=["offline_trainer.testing.numpy_engine", f"{module}_keys"],
        loss={"_type_": "loss.leaving"},
    )
    with pytest.raises(kind, match="ended the program with SystemExit: 0") as caught:
        run_experiment(config)
    assert module in str(caught.value) + caught.value.help
    assert not Path("run").exists()


def test_a_callback_that_exits_fails_the_run_as_its_status_says(
    small_config: MakeConfig,
) -> None:
    Path("leaving_callback.py").write_text(
        "import sys\nclass Leaving:\n    def on_epoch_end(self, state, control): sys.exit(0)\n"
        "def register(registry): registry.add('cb.leaving', Leaving)\n"
    )
    config = small_config(
        settings={"allowed_import_prefixes": ["offline_trainer.", "leaving_callback."]},
        imports=["offline_trainer.testing.numpy_engine", "leaving_callback"],
        callbacks=[{"_type_": "cb.leaving"}],
    )
    with pytest.raises(ComponentFailedError, match=r"cb\.leaving failed in on_epoch_end") as caught:
        run_experiment(config)
    status = json.loads(Path("run/status.json").read_text())
    assert (status["state"], status["exit_code"]) == ("failed", caught.value.exit_code)


def test_a_run_that_is_left_half_way_fails_as_its_status_says(
    small_config: MakeConfig,
) -> None:
    Path("leaving_loss.py").write_text(
        "import sys\nfrom offline_trainer.testing.numpy_components import SquaredError\n"
        "class Leaving(SquaredError):\n    calls = 0\n"
        "    def __call__(self, **batch):\n        self.calls += 1\n"
        "        return sys.exit(0) if self.calls > 9 else super().__call__(**batch)\n"
        "def register(registry): registry.add('loss.leaving', Leaving)\n"
    )
    config = small_config(
        settings={"allowed_import_prefixes": ["offline_trainer.", "leaving_loss."]},
        imports=["offline_trainer.testing.numpy_engine", "leaving_loss"],
        loss={"_type_": "loss.leaving"},
    )
    left = r"SystemExit: 0 \(.*leaving_loss\.py:7\)"
    with pytest.raises(ComponentFailedError, match=left) as caught:
        run_experiment(config)
    status = json.loads(Path("run/status.json").read_text())
    assert (status["state"], status["exit_code"]) == ("failed", caught.value.exit_code)
    assert "leaving_loss.py:7" in status["message"]


def test_a_checkpoint_given_with_the_call_takes_the_place_of_the_configs(
    small_config: MakeConfig,
) -> None:
    config = small_config(run={"resume_from": "gone"})
    with pytest.raises(ConfigError, match="no checkpoint in gone"):
        run_experiment(config)
    assert run_experiment(config, resume="auto").epoch == 4
