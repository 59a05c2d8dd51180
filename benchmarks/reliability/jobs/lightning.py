"""Lightning, resumed with ``fit(ckpt_path="last")`` as its guide to checkpointing says.

``ModelCheckpoint(save_last=True)`` writes what ``"last"`` finds; it is documented to be safe before
the first checkpoint, so ``"last"`` is given on every start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import torch
from benchmarks.reliability.workload import (
    BATCH,
    EPOCHS,
    SAVE_EVERY_STEPS,
    SEED,
    Ended,
    OnStep,
    after_torch_steps,
    digest_of,
    network,
    optimizer_and_schedule,
    tensors,
)
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

PACKAGES: tuple[str, ...] = ("lightning", "torch", "fsspec")


class Regression(lightning.LightningModule):
    """The workload's model as Lightning wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()
        self.loss = nn.MSELoss()

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        x, y = batch
        loss: torch.Tensor = self.loss(self.network(x), y)
        return loss

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer, schedule = optimizer_and_schedule(self)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def train(out_dir: Path, resume: bool, on_step: OnStep) -> Ended:
    """Train to the end."""
    after_torch_steps(on_step)
    lightning.seed_everything(SEED)
    model = Regression()
    loader = DataLoader(TensorDataset(*tensors()), batch_size=BATCH, shuffle=True)
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=EPOCHS,
        deterministic=True,
        default_root_dir=out_dir,
        callbacks=[
            ModelCheckpoint(dirpath=out_dir, every_n_train_steps=SAVE_EVERY_STEPS, save_last=True)
        ],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, loader, ckpt_path="last" if resume else None)
    return Ended(trainer.global_step, digest_of(model))


def checkpoints(out_dir: Path) -> Path:
    """The folder below which checkpoints are written."""
    return out_dir


def newest_checkpoint(out_dir: Path) -> list[Path]:
    """The files that resuming would read first."""
    return [out_dir / "last.ckpt"]
