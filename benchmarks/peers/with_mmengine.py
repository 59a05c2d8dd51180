"""MMEngine's Runner."""

from __future__ import annotations

from pathlib import Path

import torch
from benchmarks.peers.work import LOG_EVERY, Batches, network, optimizer_of
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

TITLE = "MMEngine"
ON = "IterBasedTrainLoop with its default hooks, LoggerHook every 50 steps; no checkpoints"
PACKAGE = "mmengine"


class Regression(BaseModel):
    """The work's model as MMEngine wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()
        self.loss = nn.MSELoss()

    def forward(
        self, x: torch.Tensor, y: torch.Tensor, mode: str = "tensor"
    ) -> dict[str, torch.Tensor]:
        return {"loss": self.loss(self.network(x), y)}


def train(batches: Batches, folder: Path, save: bool) -> None:
    """So many steps."""
    model = Regression()
    checkpoint = {"type": "CheckpointHook", "by_epoch": False, "interval": len(batches)}
    runner = Runner(
        model,
        work_dir=str(folder / "mmengine"),
        train_dataloader=batches.loader(),
        train_cfg={"type": "IterBasedTrainLoop", "max_iters": len(batches)},
        optim_wrapper={"optimizer": optimizer_of(model)},
        default_hooks={
            "logger": {"type": "LoggerHook", "interval": LOG_EVERY},
            "checkpoint": checkpoint if save else None,
            "sampler_seed": None,  # it asks for a sampler, and the batches here have none
        },
        default_scope="mmengine",
        log_level="WARNING",
    )
    runner.train()
