"""Hugging Face Accelerate: a loop by hand, with Accelerate's wrappers."""

from __future__ import annotations

from pathlib import Path

from accelerate import Accelerator
from benchmarks.peers.work import LOG_EVERY, Batches, network, optimizer_of
from torch import nn

TITLE = "Accelerate"
ON = "prepare of model, optimizer and DataLoader; the loss read by hand"
PACKAGE = "accelerate"


def train(batches: Batches, folder: Path, save: bool) -> None:
    """One epoch."""
    accelerator = Accelerator(cpu=True)
    bare = network()
    model, optimizer, loader = accelerator.prepare(bare, optimizer_of(bare), batches.loader())
    loss_function = nn.MSELoss()
    for step, (x, y) in enumerate(loader, 1):
        loss = loss_function(model(x), y)
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        if step % LOG_EVERY == 0:
            loss.item()
    if save:
        accelerator.save_state(str(folder / "accelerate"))
