"""Optimizers that train on other weights than those to evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import config
from torch import nn

from model_constructor.errors import ConfigError, ParameterError
from offline_trainer.checkpoint.reading import load
from offline_trainer.experiment import run_experiment

schedulefree = pytest.importorskip("schedulefree")

CLASSES = ("AdamWScheduleFree", "RAdamScheduleFree", "SGDScheduleFree")


def model() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def newest(run: str) -> Path:
    return max(Path("runs", run, "checkpoints").glob("step-*"))


@pytest.mark.parametrize("name", CLASSES)
def test_training_validating_and_saving_equal_a_hand_written_loop(
    start_engine: Any, make_batches: Any, name: str
) -> None:
    engine = start_engine(model(), optimizer=name, kwargs={"lr": 0.05})
    mine = model()
    optimizer = getattr(schedulefree, name)(mine.parameters(), lr=0.05)
    batches = make_batches(*[6] * 12, dtype=np.float64)
    validation = batches[0].data
    optimizer.train()
    for step, batch in enumerate(batches):
        output = engine.train_step([batch])
        x, y = (torch.from_numpy(batch.data[key]) for key in "xy")
        loss = nn.functional.mse_loss(mine(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert float(output.loss) == pytest.approx(loss.item(), rel=1e-12)
        if step % 3 == 0:
            optimizer.eval()
            expected = nn.functional.mse_loss(
                mine(torch.from_numpy(validation["x"])), torch.from_numpy(validation["y"])
            )
            with engine.averaged_weights():
                value = engine.eval_step(validation, "val").loss
            assert float(value) == pytest.approx(expected.item(), rel=1e-12)
            saved = engine.snapshot().tensors["model"]
            for key, tensor in mine.state_dict().items():
                found = np.frombuffer(saved[f"model.{key}"].data, "<f8").reshape(tensor.shape)
                np.testing.assert_allclose(found, tensor.numpy(), rtol=1e-12, atol=1e-12)
            optimizer.train()


@pytest.mark.parametrize("name", CLASSES)
def test_evaluating_and_saving_more_often_changes_no_bit(
    start_engine: Any, make_batches: Any, name: str
) -> None:
    engines = [start_engine(model(), optimizer=name, kwargs={"lr": 0.05}) for _ in range(2)]
    for batch in make_batches(*[6] * 8, dtype=np.float64):
        for engine in engines:
            engine.train_step([batch])
        with engines[1].averaged_weights():
            pass
        engines[1].snapshot()
    first, second = (engine.snapshot() for engine in engines)
    assert first == second


@pytest.mark.parametrize("name", CLASSES)
def test_a_run_resumes_exactly_and_what_is_loaded_is_what_was_validated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = []
    for run in ("golden", "parts"):
        experiment = config(run)
        experiment["optimizer"].update(type=f"optim_cls.{name}", kwargs={"lr": 0.05})
        experiment["optimizer"]["param_groups"] = [{"match": "*.bias", "weight_decay": 0.0}]
        runs.append(experiment)
    golden, parts = runs
    run_experiment(golden)
    for stop in (2, 7):
        run_experiment(parts, [f"trainer.max_steps={stop}"], resume="auto")
    run_experiment(parts, resume="auto")
    checkpoints = [newest("golden"), newest("parts")]
    for path in checkpoints[0].iterdir():
        if path.name != "MANIFEST.json":
            assert (checkpoints[1] / path.name).read_bytes() == path.read_bytes(), path.name
    lines = [Path("runs", run, "metrics.jsonl").read_bytes() for run in ("golden", "parts")]
    assert lines[0] == lines[1]
    saved = load(checkpoints[0]).state
    trained = [key for key in saved.tensors["optimizer"] if ".trained." in key]
    assert len(trained) == 4


def test_a_new_run_from_its_weights_begins_with_those_to_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = config("first"), config("second", {"max_steps": 1})
    for experiment in (first, second):
        experiment["optimizer"].update(type="optim_cls.SGDScheduleFree", kwargs={"lr": 0.05})
    second["optimizer"]["kwargs"]["lr"] = 1e-30
    run_experiment(first)
    run_experiment(second, ["run.init_from=runs/first"])
    states = [load(newest(run)).state for run in ("first", "second")]
    for key, tensor in states[0].tensors["model"].items():
        assert states[1].tensors["model"][key].data == tensor.data


def test_another_learning_rate_on_resume_keeps_what_the_optimizer_counts(
    start_engine: Any, make_batches: Any
) -> None:
    kwargs = {"lr": 0.05}
    engine = start_engine(model(), optimizer="AdamWScheduleFree", kwargs=kwargs)
    for batch in make_batches(*[6] * 5, dtype=np.float64):
        engine.train_step([batch])
    state = engine.snapshot()
    other = start_engine(model(), optimizer="AdamWScheduleFree", kwargs={"lr": 0.01})
    other.restore(state)
    (group,) = other.optimizers["optimizer"].optimizer.param_groups
    assert (group["k"], group["lr"], group["train_mode"]) == (5, 0.01, True)
    assert group["weight_sum"] > 0


def test_averaging_what_averages_itself_is_refused(start_engine: Any) -> None:
    engine = start_engine(model(), optimizer="SGDScheduleFree")
    with pytest.raises(ParameterError, match="averages the weights itself"):
        engine.average_weights(0.9)


def test_a_run_with_ema_besides_names_the_callback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = config("both")
    experiment["optimizer"].update(type="optim_cls.SGDScheduleFree", kwargs={"lr": 0.05})
    experiment["callbacks"].append({"_type_": "cb.ema"})
    with pytest.raises(ConfigError, match="averages the weights itself") as caught:
        run_experiment(experiment)
    assert caught.value.config_path == ("callbacks", 1)


def test_any_optimizer_with_both_modes_is_put_into_them(
    start_engine: Any, make_batches: Any, registry: Any
) -> None:
    class Shouting(torch.optim.SGD):
        """Adds 1 to every weight for evaluation."""

        training = False

        def train(self) -> None:
            self.training = True

        def eval(self) -> None:
            self.training = False
            with torch.no_grad():
                for group in self.param_groups:
                    for weight in group["params"]:
                        weight.add_(1.0)

    registry.add("optim_cls.Shouting", Shouting)
    engine = start_engine(model(), optimizer="Shouting", kwargs={"lr": 0.0})
    optimizer = engine.optimizers["optimizer"].optimizer
    weight = engine.models["model"][0].weight
    before = weight.detach().clone()
    assert optimizer.training
    with engine.averaged_weights():
        assert not optimizer.training
        assert torch.equal(weight, before + 1.0)
    assert optimizer.training
    assert torch.equal(weight, before)
