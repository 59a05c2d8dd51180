"""A run over two models: one frozen with pretrained weights under other names, one trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner
from safetensors.torch import save_file

from model_constructor import build_model
from model_constructor.load import load_models
from offline_trainer.cli import main
from offline_trainer.engine import EvalOutput, Stage
from offline_trainer.experiment import run_experiment
from offline_trainer.protocols import LossOutput, Models, Update
from offline_trainer.testing import two_models

EXTRACTOR: dict[str, Any] = {
    "sequential": {
        "inputs": ["x"],
        "layers": [
            {"_type_": "nn.Linear", "in_features": 4, "out_features": 8},
            {"_type_": "nn.BatchNorm1d", "num_features": 8},
        ],
    }
}
HEAD = {
    "sequential": {
        "inputs": ["h"],
        "layers": [{"_type_": "nn.Linear", "in_features": 8, "out_features": 2}],
    }
}


class HeadOnly(two_models.EncoderAndHead):
    """Trains the head; notes how it meets the models while it does."""

    seen: list[tuple[bool, bool, bool]]

    def updates(self, step: int, optimizers: Any) -> Any:
        return (Update(("head",), self.loss_of_the_head),)

    def loss_of_the_head(self, models: Models, batch: Any, stage: Stage) -> LossOutput:
        encoder = models["encoder"]
        trained = any(parameter.requires_grad for parameter in encoder.parameters())
        self.seen.append((encoder.training, trained, models["head"].training))
        output: EvalOutput = self.evaluate(models, batch, stage)
        return LossOutput(output.loss, output.logs)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    source = build_model({"schema_version": 1, "model": EXTRACTOR}, seed=5)
    state = {f"backbone.{name}": tensor for name, tensor in source.state_dict().items()}
    save_file({**state, "old_head.weight": torch.zeros(3)}, "backbone.safetensors")
    monkeypatch.setattr(two_models, "EncoderAndHead", HeadOnly)
    monkeypatch.setattr(HeadOnly, "seen", [], raising=False)
    return {
        "schema_version": 1,
        "settings": {"allowed_import_prefixes": ["offline_trainer.testing."]},
        "imports": ["offline_trainer.testing.two_models"],
        "run": {"name": "named", "out_dir": "named", "device": "cpu"},
        "models": {
            "encoder": {
                **EXTRACTOR,
                "pretrained": {
                    "_type_": "pretrained.safetensors",
                    "path": "backbone.safetensors",
                    "rename": {"backbone.": "", "old_head.": None},
                },
                "freeze": True,
            },
            "head": {**HEAD, "init": {"_type_": "init.zeros"}},
        },
        "objective": {"_type_": "objective.encoder_and_head"},
        "data": {"_type_": "data.random_regression", "x_shape": [4], "y_shape": [2]},
        "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
        "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}},
        "optimizer": {
            "head": {
                "_type_": "optim_factory.torch",
                "type": "optim_cls.SGD",
                "kwargs": {"lr": 0.1},
            }
        },
        "trainer": {"_type_": "trainer.default", "max_epochs": 1, "progress": False},
        "callbacks": [{"_type_": "cb.model_checkpoint", "every_n_epochs": 1}],
    }


def test_the_frozen_model_keeps_its_pretrained_weights_and_statistics(
    config: dict[str, Any],
) -> None:
    run_experiment(config)
    assert set(HeadOnly.seen) == {(False, False, True)}
    models = load_models("named")
    expected = build_model({"schema_version": 1, "model": EXTRACTOR}, seed=5).state_dict()
    made = models["encoder"].state_dict()
    assert all(torch.equal(made[name], tensor) for name, tensor in expected.items())
    assert models["head"].state_dict()["layer_0.weight"].abs().sum() > 0


def test_a_run_goes_on_where_the_pretrained_file_is_still_there(config: dict[str, Any]) -> None:
    run_experiment(config)
    again = {**config, "trainer": {**config["trainer"], "max_epochs": 2}}
    assert run_experiment(again, resume="auto").epoch == 2


def test_weights_that_are_not_there_are_found_before_anything_is_written(
    config: dict[str, Any],
) -> None:
    config["models"]["encoder"]["pretrained"]["path"] = "nowhere.safetensors"
    Path("named.yaml").write_text(yaml.safe_dump(config))
    result = CliRunner().invoke(main, ["run", "named.yaml"])
    assert result.exit_code == 2
    assert "there is no such file" in result.stderr
    assert "named.yaml:" in result.stderr
    assert not Path("named").exists()
