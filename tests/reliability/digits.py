"""The handwritten digits as a torch dataset, with noise that is drawn for each sample."""

from __future__ import annotations

import functools
from typing import Any, Literal

import numpy as np
import torch

from offline_trainer.data.csv_table import CsvTable
from reliability.configs import DIGITS

# 1,258 to train on, as the table's split has; 180 and 359 for the rest.
_PARTS = {"train": (0, 1258), "val": (1258, 1438), "test": (1438, 1797)}


class Digits:
    """Samples ``{"x": (64,) float32, "y": int64}``; training ones are disturbed a little."""

    def __init__(self, part: Literal["train", "val", "test"]) -> None:
        self._first, self._last = _PARTS[part]
        self._noise = 0.1 if part == "train" else 0.0

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, index: int) -> dict[str, Any]:
        pixels, labels = _table()
        row = self._first + index
        x = torch.from_numpy(pixels[row]) + self._noise * torch.randn(64)
        return {"x": x, "y": labels[row]}


@functools.cache
def _table() -> tuple[Any, Any]:
    table = CsvTable(DIGITS)
    columns = table.numbers(table.names)
    labels = columns.pop("label").astype(np.int64)
    pixels = np.stack(list(columns.values()), axis=1).astype(np.float32) / 16
    return pixels, labels
