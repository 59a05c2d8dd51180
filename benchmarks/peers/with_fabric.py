"""Lightning Fabric: a loop by hand, with Fabric's wrappers."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.work import LOG_EVERY, Batches, network, optimizer_of
from lightning.fabric import Fabric
from torch import nn

TITLE = "Lightning Fabric"
ON = "setup of model, optimizer and DataLoader; the loss read by hand"
PACKAGE = "lightning"


def train(batches: Batches, folder: Path, save: bool) -> None:
    """One epoch."""
    fabric = Fabric(accelerator="cpu", devices=1)
    fabric.launch()
    bare = network()
    model, optimizer = fabric.setup(bare, optimizer_of(bare))
    loss_function = nn.MSELoss()
    for step, (x, y) in enumerate(fabric.setup_dataloaders(batches.loader()), 1):
        loss = loss_function(model(x), y)
        fabric.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        if step % LOG_EVERY == 0:
            loss.item()
    if save:
        fabric.save(folder / "fabric.ckpt", {"model": model, "optimizer": optimizer})
