"""One training batch to look at before training: shapes for lazy layers, fields for io."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from offline_trainer.engine import Engine
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.evaluation import isolated_random_streams
from offline_trainer.protocols import DataModule


def example_batch(datamodule: DataModule, engine: Engine) -> tuple[Any, int | None]:
    """The first training batch, and how many an epoch has, if the dataloader can tell.

    Draws it without moving any random stream or data position.

    Raises:
        OfflineTrainerError: There is none.
    """
    with isolated_random_streams(engine):
        stream_state = datamodule.state_dict() if hasattr(datamodule, "state_dict") else None
        if hasattr(datamodule, "set_position"):
            datamodule.set_position(0, 0)
        batches = datamodule.train_dataloader()
        length = len(batches) if isinstance(batches, Sized) else None
        for batch in batches:
            if stream_state is not None and hasattr(datamodule, "load_state_dict"):
                datamodule.load_state_dict(stream_state)
            return batch, length
    raise OfflineTrainerError("the training data yields no batch")
