"""`transform.normalise`: pixels to mean 0 and deviation 1 in each channel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Array
from offline_trainer.engine import Json


class Normalise:
    """``(pixel - mean) / std`` for each channel, where pixels are from 0 to 1.

    Args:
        mean: Of each channel; those of the training images if None.
        std: The same of the standard deviation, that of the population. A channel that is constant
            over the training images becomes 0.

    >>> normalise = Normalise(mean=[0.5], std=[0.25])
    >>> black = np.zeros((1, 1, 2, 2), np.float32)
    >>> normalise.apply_pixels(black, normalise.fit_pixels([black]))[0, 0, 0].tolist()
    [-2.0, -2.0]
    """

    def __init__(
        self, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
    ) -> None:
        if (mean is None) != (std is None):
            raise ParameterError(
                "mean and std go together; without both they are taken from the training images",
                parameter="std" if std is None else "mean",
            )
        if mean is not None and std is not None and len(mean) != len(std):
            raise ParameterError(
                f"mean has {len(mean)} numbers and std {len(std)}", parameter="std"
            )
        for position, each in enumerate(std or ()):
            if not each > 0:
                raise ParameterError(
                    f"std must be above 0, got {each}", parameter=("std", position)
                )
        self._given = None if mean is None or std is None else (list(mean), list(std))

    def fit_pixels(self, batches: Iterable[Array]) -> Json:
        """Mean and deviation of each channel of training images, float32 (B, C, H, W) at a time."""
        if self._given is not None:
            mean, std = self._given
            channels = next(iter(batches)).shape[1]
            if len(mean) != channels:
                raise ParameterError(
                    f"mean has {len(mean)} numbers, and the images have {channels} channels",
                    parameter="mean",
                )
            return {"mean": mean, "std": std}
        count = 0
        total: Any = 0.0
        squares: Any = 0.0
        for pixels in batches:
            of_channels = pixels.astype(np.float64).swapaxes(0, 1).reshape(pixels.shape[1], -1)
            count += of_channels.shape[1]
            total += of_channels.sum(axis=1)
            squares += (of_channels**2).sum(axis=1)
        means = total / count
        variances = squares / count - means**2
        constant = variances < 1e-10  # rounding, far below one step of 1/255
        return {
            "mean": means.tolist(),
            "std": np.sqrt(np.where(constant, 1.0, variances)).tolist(),
        }

    def apply_pixels(self, pixels: Array, state: Json) -> Array:
        """Pixels shifted and scaled in place, float32 (B, C, H, W)."""
        mean, std = (np.array(state[name], np.float32) for name in ("mean", "std"))
        pixels -= mean[:, None, None]
        pixels /= std[:, None, None]
        return pixels
