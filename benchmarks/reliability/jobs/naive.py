"""The loop one writes by hand: ``torch.save`` of everything into one file, as in torch's tutorial
"Saving and loading a general checkpoint"."""

from __future__ import annotations

from pathlib import Path

import torch
from benchmarks.reliability.workload import (
    BATCH,
    SAVE_EVERY_STEPS,
    SEED,
    STEPS,
    Ended,
    OnStep,
    after_torch_steps,
    digest_of,
    network,
    optimizer_and_schedule,
    tensors,
)
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

PACKAGES: tuple[str, ...] = ("torch",)


def train(out_dir: Path, resume: bool, on_step: OnStep) -> Ended:
    """Train to the end."""
    after_torch_steps(on_step)
    torch.manual_seed(SEED)
    model = network()
    optimizer, schedule = optimizer_and_schedule(model)
    loader = DataLoader(TensorDataset(*tensors()), batch_size=BATCH, shuffle=True)
    loss_function = nn.MSELoss()
    step = 0

    out_dir.mkdir(parents=True, exist_ok=True)
    path = _checkpoint(out_dir)
    if resume and path.exists():
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        step = saved["step"]

    while step < STEPS:
        for x, y in loader:
            loss = loss_function(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
            if step % SAVE_EVERY_STEPS == 0:
                state = {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "schedule": schedule.state_dict(),
                    "step": step,
                }
                torch.save(state, path)
    return Ended(step, digest_of(model))


def checkpoints(out_dir: Path) -> Path:
    """The folder below which checkpoints are written."""
    return out_dir


def newest_checkpoint(out_dir: Path) -> list[Path]:
    """The files that resuming would read first."""
    return [_checkpoint(out_dir)]


def _checkpoint(out_dir: Path) -> Path:
    return out_dir / "checkpoint.pt"
