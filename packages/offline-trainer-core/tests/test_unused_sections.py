"""Parts of an experiment that nothing reads: said on stderr, by the check and by a run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_constructor.errors import ConfigError
from model_constructor.source_map import SourceMap
from offline_trainer.experiment import prepare, run_experiment
from offline_trainer.unused import unused_by_objects

MakeConfig = Callable[..., dict[str, Any]]
Said = Callable[[], list[str]]

LAYERS = [{"_type_": "layer.linear", "in_features": 4, "out_features": 2}]
MODEL = {"sequential": {"inputs": ["x"], "layers": LAYERS}}


@pytest.fixture
def unused(capsys: pytest.CaptureFixture[str]) -> Said:
    """What stderr said is never used."""

    def said() -> list[str]:
        lines = capsys.readouterr().err.splitlines()
        return [line.split("`")[1] for line in lines if "never used" in line]

    return said


def several(small_config: MakeConfig, *models: str, **sections: Any) -> dict[str, Any]:
    config = small_config(models=dict.fromkeys(models, MODEL), **sections)
    del config["model"]
    return config


def test_nothing_is_said_of_a_config_that_is_all_used(
    small_config: MakeConfig, unused: Said
) -> None:
    run_experiment(small_config())
    assert unused() == []


def test_params_and_inputs_are_found_by_the_check(small_config: MakeConfig, unused: Said) -> None:
    graph = {
        "inputs": ["x", "mask"],
        "modules": {"head": LAYERS[0]},
        "nodes": [{"name": "y", "call": "module:head", "args": ["$x"]}],
        "outputs": ["y"],
    }
    prepare({**small_config(params={"width": 3}), "model": {"graph": graph}})
    assert unused() == ["params.width", "mask"]


def test_models_that_the_supervised_objective_does_not_train_are_found(
    small_config: MakeConfig, unused: Said
) -> None:
    objective = {"_type_": "objective.supervised", "model": "a"}
    prepare(several(small_config, "a", "b", objective=objective))
    assert unused() == ["models.b"]


def test_metrics_are_for_nothing_without_validation_and_test_data(
    small_config: MakeConfig, unused: Said
) -> None:
    run_experiment(small_config(data={"val_fraction": 0.0}))
    assert unused() == []
    run_experiment(small_config(data={"val_fraction": 0.0, "test_fraction": 0.0}))
    assert unused() == ["metrics"]


ASKED = """
import random
from offline_trainer.data.random_regression import RandomRegression

CALLS = []

class Asked(RandomRegression):
    def val_dataloader(self):
        CALLS.append(random.random())
        return super().val_dataloader()

def register(registry):
    registry.add("data.asked", Asked)
"""


@pytest.mark.parametrize(
    ("interval", "metrics", "before"),
    [
        ("epoch", False, 0),
        ("epoch", True, 1),
        ("metric", False, 1),
        ("metric", True, 1),
    ],
)
def test_the_data_is_asked_for_validation_once_before_training_and_only_if_it_matters(
    small_config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
    interval: str,
    metrics: bool,
    before: int,
) -> None:
    config = small_config(trainer={"max_epochs": 2})
    config["data"]["_type_"] = "data.asked"
    config["scheduler"] |= {"interval": interval, "monitor": "val_loss"}
    if not metrics:
        del config["metrics"]
    config["imports"].append("asked")
    config["settings"]["allowed_import_prefixes"].append("asked")
    Path("asked.py").write_text(ASKED)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    monkeypatch.delitem(sys.modules, "asked", raising=False)
    run_experiment(config)
    calls = sys.modules["asked"].CALLS
    rehearsed = 1
    assert len(calls) == before + rehearsed + config["trainer"]["max_epochs"]
    assert calls[before + rehearsed] == calls[0]  # asking moved no random stream


class WithoutBind:
    """An objective that takes neither io nor loss."""


class WithBind:
    def bind(self, io: Any, loss: Any) -> None: ...


@pytest.mark.parametrize(
    ("objective", "sections", "trainer", "expected"),
    [
        (WithoutBind(), ("io", "loss"), "trainer.default", ["io", "loss"]),
        (WithoutBind(), (), "trainer.default", []),
        (WithoutBind(), ("io", "loss"), "trainer.other", []),  # may use them itself
        (WithBind(), ("io", "loss"), "trainer.default", []),
        (WithBind(), ("io",), "trainer.default", ["io"]),
    ],
)
def test_sections_that_the_objective_does_not_take_are_found(
    objective: Any, sections: tuple[str, ...], trainer: str, expected: list[str]
) -> None:
    data = {**dict.fromkeys(sections, "given"), "trainer": {"_type_": trainer}}
    notes = unused_by_objects(data, objective, lambda part: False, SourceMap())
    assert [note.text.split("`")[1] for note in notes] == expected


def test_the_supervised_objective_needs_an_optimizer_for_its_model(
    small_config: MakeConfig,
) -> None:
    optimizer = {"_type_": "optim_factory.momentum", "lr": 0.05}
    objective = {"_type_": "objective.supervised", "model": "a"}
    config = several(small_config, "a", "b", objective=objective)
    config["optimizer"] = {"b": optimizer}
    with pytest.raises(ConfigError, match="trains `a`, which has no optimizer") as caught:
        run_experiment(config)
    assert caught.value.code == "OT0435"
