"""`data.random_regression`: synthetic samples of a hidden linear map, with noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Array
from offline_trainer.data.module import (
    ArrayDataModule,
    Parts,
    check_at_least,
    check_fractions,
    split_by_fraction,
)


class RandomRegression(ArrayDataModule):
    """Fields ``x`` (B, *x_shape) and ``y`` (B, *y_shape), float32, with ``y = map(x) + noise``.

    ``x`` is standard normal; the map is linear, drawn once from the seed, and scaled so that each
    element of ``y`` has a variance near 1 before the noise.

    Args:
        num_samples: Rows in all, before the split.
        x_shape: Shape of one input.
        y_shape: Shape of one target.
        noise: Standard deviation of the normal noise on the targets.
        batch_size: Rows of a batch.
        val_fraction: Share of the rows that validate.
        test_fraction: Share of the rows that test.
        shuffle: Whether training visits the rows in a new random order in each epoch.
        drop_last: Whether training leaves out a last batch with fewer rows.
        seed: Seed of data, split and order; the run's seed if None.

    >>> data = RandomRegression(num_samples=10, x_shape=[3], y_shape=[2], batch_size=4)
    >>> data.setup("fit")
    >>> [batch["y"].shape for batch in data.train_dataloader()]
    [(4, 2), (4, 2), (2, 2)]
    """

    def __init__(
        self,
        num_samples: int = 1024,
        x_shape: Sequence[int] = (32,),
        y_shape: Sequence[int] = (16,),
        noise: float = 0.1,
        batch_size: int = 32,
        val_fraction: float = 0.0,
        test_fraction: float = 0.0,
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> None:
        super().__init__(batch_size=batch_size, shuffle=shuffle, drop_last=drop_last, seed=seed)
        check_at_least(1, num_samples=num_samples)
        check_fractions(val_fraction, test_fraction)
        if not 0 <= noise < math.inf:
            raise ParameterError(f"noise must be at least 0, got {noise}", parameter="noise")
        self._num_samples = num_samples
        self._x_shape = _checked_shape("x_shape", x_shape)
        self._y_shape = _checked_shape("y_shape", y_shape)
        self._noise = noise
        self._fractions = (val_fraction, test_fraction)

    def input_files(self) -> list[Path]:
        """None: the data is drawn."""
        return []

    def load(self, seed: int) -> tuple[Mapping[str, Array], Parts]:
        """Draw the data and split it."""
        generator = np.random.Generator(np.random.PCG64(seed % 2**64))
        inputs, outputs = math.prod(self._x_shape), math.prod(self._y_shape)
        weight = generator.standard_normal((inputs, outputs)) / math.sqrt(inputs)
        x = generator.standard_normal((self._num_samples, inputs))  # (N, inputs)
        y = x @ weight + self._noise * generator.standard_normal((self._num_samples, outputs))
        arrays = {
            "x": x.astype(np.float32).reshape(self._num_samples, *self._x_shape),
            "y": y.astype(np.float32).reshape(self._num_samples, *self._y_shape),
        }
        return arrays, split_by_fraction(self._num_samples, *self._fractions, seed)


def _checked_shape(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(shape, (list, tuple)):
        raise ParameterError(
            f"{name} must be a list of sizes, got {shape!r}", parameter=name, help=f"[{shape}]"
        )
    for position, size in enumerate(shape):
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ParameterError(
                f"{name} must hold whole numbers of at least 1, got {size!r}",
                parameter=(name, position),
            )
    return tuple(shape)
