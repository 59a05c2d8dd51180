"""`ot export`: each format is written, loaded without the trainer, and computes the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from model_constructor import load_model
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


def test_a_model_that_computes_something_else_is_an_error(tmp_path: Path) -> None:
    class Noisy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.rand_like(x)

    with pytest.raises(ExportError, match="differs from the model"):
        export_model(Noisy(), [torch.zeros(4, 2)], "torch-export", tmp_path / "model.pt2")


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
