"""`data.constant_regression`: a datamodule in its shortest form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from offline_trainer.deps.model_constructor import ParameterError

Batch = dict[str, npt.NDArray[np.float32]]


class ConstantRegression:
    """Batches whose ``x`` is all ones and whose ``y`` is one constant, both float32.

    Args:
        batch_size: Rows of a batch.
        steps_per_epoch: Batches of an epoch.
        x_shape: Shape of one input; ``x`` is (batch_size, *x_shape).
        y_shape: Shape of one target; ``y`` is (batch_size, *y_shape).
        value: The constant.

    Raises:
        ParameterError: A size is below 1.
    """

    def __init__(
        self,
        batch_size: int = 16,
        steps_per_epoch: int = 10,
        x_shape: Sequence[int] = (32,),
        y_shape: Sequence[int] = (16,),
        value: float = 1.0,
    ) -> None:
        if batch_size < 1:
            raise ParameterError(f"must be at least 1, got {batch_size}", parameter="batch_size")
        if steps_per_epoch < 1:
            raise ParameterError(
                f"must be at least 1, got {steps_per_epoch}", parameter="steps_per_epoch"
            )
        self._steps_per_epoch = steps_per_epoch
        self._x_shape = (batch_size, *x_shape)
        self._y_shape = (batch_size, *y_shape)
        self._value = value
        self._start = 0

    def setup(self, stage: str) -> None:
        """Open files here, so that a missing one is known before anything is written."""

    def set_position(self, epoch: int, batch: int) -> None:
        """Start the next epoch at this batch: it lets a run that was stopped resume exactly."""
        self._start = batch

    def train_dataloader(self) -> Iterator[Batch]:
        """The training batches of one epoch; called once per epoch."""
        start, self._start = self._start, 0
        for _ in range(start, self._steps_per_epoch):
            yield {
                "x": np.ones(self._x_shape, dtype=np.float32),
                "y": np.full(self._y_shape, self._value, dtype=np.float32),
            }
