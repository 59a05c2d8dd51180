"""Lightning's Trainer."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import lightning
import torch
from benchmarks.peers.work import LOG_EVERY, Batches, network, optimizer_of
from lightning.pytorch.loggers import CSVLogger
from torch import nn

TITLE = "Lightning"
ON = "self.log and CSVLogger; no progress bar, no model summary, no checkpoints"
PACKAGE = "lightning"


class Regression(lightning.LightningModule):
    """The work's model as Lightning wants it."""

    def __init__(self, logs: bool) -> None:
        super().__init__()
        self.network = network()
        self.loss = nn.MSELoss()
        self.logs = logs

    def training_step(self, batch: Any, _: int) -> torch.Tensor:
        x, y = batch
        loss: torch.Tensor = self.loss(self.network(x), y)
        if self.logs:
            self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return optimizer_of(self)


def train(batches: Batches, folder: Path, save: bool, barebones: bool = False) -> None:
    """One epoch."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    options: dict[str, Any] = (
        {"barebones": True}
        if barebones
        else {
            "logger": CSVLogger(folder),
            "log_every_n_steps": LOG_EVERY,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "enable_checkpointing": False,
        }
    )
    trainer = lightning.Trainer(accelerator="cpu", devices=1, max_epochs=1, **options)
    trainer.fit(Regression(logs=not barebones), batches)
    if save:
        trainer.save_checkpoint(folder / "lightning.ckpt")
