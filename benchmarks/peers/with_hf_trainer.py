"""The Trainer of Hugging Face transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from benchmarks.peers.work import LOG_EVERY, Batches, network, optimizer_of
from torch import nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainingArguments

TITLE = "HF Trainer"
ON = "logs every 50 steps; no clipping, no progress bar, nothing reported, no checkpoints"
PACKAGE = "transformers"


class Regression(nn.Module):
    """The work's model; the Trainer reads the loss from what it returns."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()
        self.loss = nn.MSELoss()

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": self.loss(self.network(x), y)}


class OurBatches(Trainer):
    """Its batches are those of all others here, by the names of the model's arguments."""

    batches: Batches

    def get_train_dataloader(self) -> DataLoader[Any]:
        loader = self.batches.loader()
        loader.collate_fn = lambda pair: {"x": pair[0], "y": pair[1]}
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared


def train(batches: Batches, folder: Path, save: bool) -> None:
    """So many steps."""
    model = Regression()
    optimizer = optimizer_of(model)
    arguments = TrainingArguments(
        output_dir=str(folder / "hf"),
        max_steps=len(batches),
        save_strategy="no",
        logging_steps=LOG_EVERY,
        use_cpu=True,
        max_grad_norm=0.0,
        report_to="none",
        disable_tqdm=True,
    )
    constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    trainer = OurBatches(model, arguments, optimizers=(optimizer, constant))
    trainer.remove_callback(PrinterCallback)
    trainer.batches = batches
    trainer.train()
    if save:
        trainer.save_model()
