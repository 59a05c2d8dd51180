"""`ot export`: each format is written, loaded without the trainer, and computes the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from model_constructor import load_model
from model_constructor.errors import ConfigError
from offline_trainer.experiment import run_experiment
from offline_trainer_torch.export import FORMATS, ExportError, export_model
from ot_process import RunOt

CONFIG: dict[str, Any] = {
    "schema_version": 1,
    "run": {"name": "small", "out_dir": "small", "device": "cpu"},
    "model": {
        "graph": {
            "inputs": ["x"],
            "modules": {
                "body": {"_type_": "mlp", "dims": [None, 8, 4], "norm": "BatchNorm1d"},
                "head": {"_type_": "nn.Linear", "in_features": 8, "out_features": 2},
            },
            "steps": [
                {"out": "b", "call": "module:body", "args": ["$x"]},
                {"out": "both", "call": "op:cat", "args": [["$b", "$x"]], "kwargs": {"dim": 1}},
                {"out": "y", "call": "module:head", "args": ["$both"]},
            ],
            "outputs": ["y"],
        }
    },
    "data": {"_type_": "data.random_regression", "x_shape": [4], "y_shape": [2]},
    "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
    "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}},
    "optimizer": {"_type_": "optim_factory.torch", "type": "optim_cls.SGD", "kwargs": {"lr": 0.1}},
    "trainer": {"_type_": "trainer.default", "max_epochs": 1, "progress": False},
    "callbacks": [{"_type_": "cb.model_checkpoint", "every_n_epochs": 1}],
}

# What a service does with each file; `x` is there, `y` is what it has to make.
LOADERS = {
    "safetensors": (
        "from model_constructor import build_model\n"
        "model = build_model('small/config.resolved.yaml').eval()\n"
        "model.load_state_dict(load_file('small/exports/model.safetensors')); made = model(x)"
    ),
    "torch-export": "made = torch.export.load('small/exports/model.pt2').module()(x)",
    "onnx": (
        "import onnxruntime\n"
        "session = onnxruntime.InferenceSession('small/exports/model.onnx')\n"
        "made = torch.from_numpy(session.run(None, {'x': x.numpy()})[0])"
    ),
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return run_experiment(CONFIG).out_dir


@pytest.mark.parametrize("to", FORMATS)
def test_an_exported_model_is_read_without_the_trainer(to: str, run: Path, ot: RunOt) -> None:
    done = ot("export", "small", "--to", to)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "largest difference" in done.stdout
    x = torch.randn(5, 4)
    save_file({"x": x, "y": load_model(run)(x).detach()}, "expected.safetensors")
    code = (
        "import sys; sys.modules['offline_trainer'] = None\n"
        "import torch; from safetensors.torch import load_file\n"
        "saved = load_file('expected.safetensors'); x = saved['x']\n"
        f"{LOADERS[to]}\n"
        "print(torch.allclose(made, saved['y'], atol=1e-5))"
    )
    read = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert read.stdout == "True\n", read.stderr


class Outputs(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Any]:
        size = {"rows": x.shape[0], "nothing": None}
        return {"nan": x.sum(1) / 0 * 0, "inf": x / 0, "sign": x > 0, "best": x.argmax(1), **size}


@pytest.mark.parametrize("to", FORMATS)
def test_outputs_of_every_type_are_compared(to: str, tmp_path: Path) -> None:
    exported = export_model(Outputs(), [torch.randn(4, 3)], to, tmp_path / "model")
    assert exported.largest_difference == 0.0
    assert exported.size == (tmp_path / "model").stat().st_size


class Random(nn.Module):
    """Gives something else at each call, in one of its outputs."""

    def __init__(self, output: str) -> None:
        super().__init__()
        self.output = output

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        noise = torch.rand_like(x)
        return x, noise.mul(1e6).long() if self.output == "whole" else noise


@pytest.mark.parametrize("output", ["whole", "float"])
def test_what_was_there_is_replaced_only_by_what_was_compared(output: str, tmp_path: Path) -> None:
    file = tmp_path / "model.pt2"
    file.write_text("good")
    with pytest.raises(ExportError, match="differs from the model"):
        export_model(Random(output), [torch.zeros(4, 2)], "torch-export", file)
    assert file.read_text() == "good"
    assert list(tmp_path.iterdir()) == [file]
    export_model(nn.Linear(2, 2), [torch.zeros(4, 2)], "torch-export", file)
    assert torch.export.load(file)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("to", FORMATS)
def test_a_place_that_cannot_be_written_is_an_error(to: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for path in (tmp_path / "folder", tmp_path / "file" / "model"):
        with pytest.raises(ExportError, match="cannot write"):
            export_model(nn.Linear(2, 2), [torch.zeros(4, 2)], to, path)


def test_an_output_that_onnx_does_not_have_is_an_error(tmp_path: Path) -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, int]:
            return x * 2, 3

    with pytest.raises(ExportError, match=r"torch\.onnx cannot write the model: .*3"):
        export_model(Constant(), [torch.zeros(4, 2)], "onnx", tmp_path / "model.onnx")


def test_a_model_that_cannot_be_followed_is_an_error(tmp_path: Path) -> None:
    class Branching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 1 if x.sum() > 0 else x

    with pytest.raises(ExportError, match=r"torch\.export cannot follow"):
        export_model(Branching(), [torch.zeros(4, 2)], "onnx", tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("small", "--to", "onnx", "--model", "actor"), "no model `actor`"),
        (("nowhere", "--to", "onnx"), "neither a run directory"),
        (("small", "--to", "pickle"), "pickle"),
    ],
)
def test_what_cannot_be_exported(
    arguments: tuple[str, ...], words: str, run: Path, ot: RunOt
) -> None:
    done = ot("export", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


BLOCK = """\
from torch import nn

print("IMPORTED")

class Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor

def register(registry):
    registry.add("own.scale", Scale)
"""


@pytest.fixture
def importing(tmp_path: Path, ot: RunOt) -> Path:
    """A run whose config imports a module of its own folder."""
    (tmp_path / "own_block.py").write_text(BLOCK)
    layers = [
        {"_type_": "nn.Linear", "in_features": 4, "out_features": 2},
        {"_type_": "own.scale", "factor": 0.5},
    ]
    config = {
        **CONFIG,
        "imports": ["own_block"],
        "settings": {"allowed_import_prefixes": ["own_block"]},
        "model": {"sequential": {"inputs": ["x"], "layers": layers}},
    }
    (tmp_path / "config.yaml").write_text(json.dumps(config, indent=1))
    done = ot("run", "config.yaml")
    assert done.returncode == 0, done.stderr
    return tmp_path / "small"


def test_a_runs_own_imports_need_the_callers_word(importing: Path, ot: RunOt) -> None:
    refused = ot("export", "small", "--to", "safetensors")
    assert refused.returncode == 2
    assert "IMPORTED" not in refused.stdout + refused.stderr
    assert "OT0318" in refused.stderr
    assert "--trust" in refused.stderr
    done = ot("export", "small", "--to", "safetensors", "--trust")
    assert (done.returncode, done.stderr) == (0, "IMPORTED\n"), done.stderr
    assert (importing / "exports/model.safetensors").is_file()
    with pytest.raises(ConfigError) as caught:
        load_model(importing)
    assert "['own_block']" in caught.value.help


def test_what_a_run_did_not_store_can_be_given(tmp_path: Path, ot: RunOt) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,2\n3,4\n5,6\n7,8\n")
    config = {
        **CONFIG,
        "model": {
            "sequential": {
                "inputs": ["x"],
                "layers": [
                    {"_type_": "nn.Linear", "in_features": 1, "out_features": 1},
                    {"_type_": "nn.Flatten", "start_dim": 0},
                ],
            }
        },
        "data": {
            "_type_": "data.table",
            "path": "${env:MY_KEY}",
            "target": "b",
            "batch_size": 2,
        },
    }
    (tmp_path / "config.yaml").write_text(json.dumps(config, indent=1))
    done = ot("run", "config.yaml", env={"MY_KEY": "table.csv"})
    assert done.returncode == 0, done.stderr
    refused = ot("export", "small", "--to", "safetensors")
    assert refused.returncode == 2
    assert "data.path was made from a secret, which a run does not store" in refused.stderr
    done = ot("export", "small", "data.path=table.csv", "--to", "safetensors")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
