"""offline_trainer, resumed with ``resume="auto"``, as ``ot run config.yaml --resume auto`` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.reliability.workload import (
    BATCH,
    DROPOUT,
    EPOCHS,
    FEATURES,
    HIDDEN,
    LR,
    LR_FACTOR,
    LR_STEPS,
    SAVE_EVERY_STEPS,
    SEED,
    TARGETS,
    Ended,
    OnStep,
    after_torch_steps,
    digest,
    samples,
)
from safetensors.numpy import load_file

from offline_trainer.experiment import run_experiment

PACKAGES: tuple[str, ...] = ("offline-trainer-core", "offline-trainer-torch", "torch")


def train(out_dir: Path, resume: bool, on_step: OnStep) -> Ended:
    """Train to the end."""
    after_torch_steps(on_step)
    data = out_dir.with_name("data.npz")
    if not data.exists():
        x, y = samples()
        np.savez(data, x=x, y=y)
    result = run_experiment(_config(out_dir, data), resume="auto" if resume else None)
    weights = load_file(_newest(out_dir) / "model.safetensors")
    return Ended(result.global_step, digest(weights[name] for name in sorted(weights)))


def checkpoints(out_dir: Path) -> Path:
    """The folder below which checkpoints are written."""
    return out_dir / "checkpoints"


def newest_checkpoint(out_dir: Path) -> list[Path]:
    """The files that resuming would read first."""
    return sorted(_newest(out_dir).iterdir())


def _newest(out_dir: Path) -> Path:
    return max(checkpoints(out_dir).glob("step-*"))


def _config(out_dir: Path, data: Path) -> dict[str, Any]:
    def linear(inputs: int, outputs: int) -> dict[str, Any]:
        return {"_type_": "nn.Linear", "in_features": inputs, "out_features": outputs}

    relu, dropout = {"_type_": "nn.ReLU"}, {"_type_": "nn.Dropout", "p": DROPOUT}
    hidden = [relu, dropout]
    layers = [linear(FEATURES, HIDDEN), *hidden, linear(HIDDEN, HIDDEN), *hidden]
    return {
        "schema_version": 1,
        "run": {"name": "reliability", "out_dir": str(out_dir), "seed": SEED, "device": "cpu"},
        "model": {
            "sequential": {"inputs": ["x"], "layers": [*layers, linear(HIDDEN, TARGETS)]},
        },
        "data": {"_type_": "data.arrays", "path": str(data), "batch_size": BATCH},
        "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
        "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}},
        "optimizer": {
            "_type_": "optim_factory.torch",
            "type": "optim_cls.AdamW",
            "kwargs": {"lr": LR},
        },
        "scheduler": {
            "_type_": "sched_factory.torch",
            "type": "sched_cls.StepLR",
            "kwargs": {"step_size": LR_STEPS, "gamma": LR_FACTOR},
            "interval": "step",
        },
        "trainer": {"_type_": "trainer.default", "max_epochs": EPOCHS, "progress": False},
        "callbacks": [
            {
                "_type_": "cb.model_checkpoint",
                "every_n_steps": SAVE_EVERY_STEPS,
                "keep_last": 3,
            }
        ],
    }
