"""PyTorch-Ignite: an engine for the step, a handler for the loss."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.work import LOG_EVERY, Batches, network, optimizer_of
from ignite.engine import Engine, Events, create_supervised_trainer
from ignite.handlers import Checkpoint, DiskSaver
from torch import nn

TITLE = "PyTorch-Ignite"
ON = "create_supervised_trainer, a handler that reads the loss"
PACKAGE = "pytorch-ignite"


def train(batches: Batches, folder: Path, save: bool) -> None:
    """One epoch."""
    model = network()
    optimizer = optimizer_of(model)
    trainer = create_supervised_trainer(
        model, optimizer, nn.MSELoss(), output_transform=lambda x, y, output, loss: loss
    )

    def read(engine: Engine) -> None:
        engine.state.output.item()

    trainer.add_event_handler(Events.ITERATION_COMPLETED(every=LOG_EVERY), read)
    if save:
        parts = {"model": model, "optimizer": optimizer}
        trainer.add_event_handler(
            Events.COMPLETED, Checkpoint(parts, DiskSaver(folder / "ignite", require_empty=False))
        )
    trainer.run(batches, max_epochs=1, epoch_length=len(batches))
