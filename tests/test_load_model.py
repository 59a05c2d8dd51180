"""A trained model is loaded from its run directory without the trainer, and computes the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from model_constructor import load_model
from model_constructor.errors import ConfigError
from model_constructor.load import load_models
from offline_trainer.experiment import run_experiment
from offline_trainer.registry import build_registry

LAYERS = [{"_type_": "mlp", "dims": [None, 8, 2], "norm": "BatchNorm1d"}]
CONFIG: dict[str, Any] = {
    "schema_version": 1,
    "run": {"name": "small", "out_dir": "small", "device": "cpu"},
    "model": {
        "sequential": {"inputs": ["x"], "layers": LAYERS},
        "init": {"_type_": "init.orthogonal"},
    },
    "data": {"_type_": "data.random_regression", "x_shape": [4], "y_shape": [2]},
    "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
    "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}},
    "optimizer": {"_type_": "optim_factory.torch", "type": "optim_cls.SGD", "kwargs": {"lr": 0.1}},
    "trainer": {"_type_": "trainer.default", "max_epochs": 1, "progress": False},
    "callbacks": [{"_type_": "cb.model_checkpoint", "every_n_epochs": 1}],
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return run_experiment(CONFIG).out_dir


def test_a_loaded_model_has_the_saved_bytes_and_is_in_evaluation_mode(run: Path) -> None:
    model = load_model(run)
    assert not model.training
    (checkpoint,) = (run / "checkpoints").glob("step-*")
    other = load_model(checkpoint)
    x = torch.randn(3, 4)
    assert torch.equal(model(x), other(x))
    assert model.state_dict()["layer_0.norm_0.num_batches_tracked"] > 0


def test_loading_needs_no_trainer_and_no_lazy_first_batch(run: Path) -> None:
    code = (
        "import sys; sys.modules['offline_trainer'] = None\n"
        "import torch; from model_constructor import load_model\n"
        f"print(tuple(load_model({str(run)!r})(torch.zeros(1, 4)).shape))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("(1, 2)\n", "")


def test_damaged_bytes_are_noticed(run: Path) -> None:
    (weights,) = run.glob("checkpoints/step-*/model.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ConfigError, match="damaged"):
        load_model(run)


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither a run directory"):
        load_model(tmp_path)


def test_several_models_are_told_by_name(tmp_path: Path, run: Path) -> None:
    with pytest.raises(ConfigError, match="no model `actor`: model"):
        load_model(run, name="actor")
    assert list(load_models(run)) == ["model"]


def test_a_block_of_a_plugin_needs_the_trainers_registry(run: Path) -> None:
    config = run / "config.resolved.yaml"
    config.write_text(config.read_text().replace("_type_: mlp", "_type_: plugin_block"))
    with pytest.raises(ConfigError) as caught:
        load_model(run)
    assert "build_registry()" in caught.value.help
    config.write_text(config.read_text().replace("plugin_block", "mlp"))
    assert load_model(run, registry=build_registry()) is not None


def test_a_run_from_before_a_rename_is_loaded_as_it_is(run: Path) -> None:
    registry = build_registry()
    registry.add_alias("perceptron", "mlp", since="2")
    registry.rename_parameter("mlp", "sizes", "dims", since="2")
    expected = load_model(run)(torch.ones(1, 4))
    config = run / "config.resolved.yaml"
    text = config.read_text()
    config.write_text(text.replace("_type_: mlp", "_type_: perceptron").replace("dims:", "sizes:"))
    assert torch.equal(load_model(run, registry=registry)(torch.ones(1, 4)), expected)
