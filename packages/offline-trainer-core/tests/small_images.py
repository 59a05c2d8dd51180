"""Small image files for the tests: each says its number and its class in its pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

CLASSES = ("cat", "dog", "owl")
SIDE = 8


def pixels(number: int, channels: int = 3, side: int = SIDE) -> np.ndarray[Any, Any]:
    """Noise, whose first pixel is the number; uint8 (side, side) or (side, side, channels)."""
    generator = np.random.default_rng(number)
    shape = (side, side) if channels == 1 else (side, side, channels)
    made = generator.integers(0, 256, shape, dtype=np.uint8)
    made[0, 0] = number
    return made


def write_image(path: Path, values: np.ndarray[Any, Any]) -> Path:
    """Write an image file; its folder is made."""
    image = pytest.importorskip("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.fromarray(values).save(path)
    return path


def write_folder(folder: Path, count: int, side: int = SIDE) -> Path:
    """A folder per class, ``cat/000.png`` and so on; the numbers go round the classes."""
    for number in range(count):
        name = f"{CLASSES[number % len(CLASSES)]}/{number:03}.png"
        write_image(folder / name, pixels(number, side=side))
    return folder


def numbers(batch: dict[str, Any]) -> list[int]:
    """The number that each image of a batch says."""
    return [round(value) for value in (batch["x"][:, 0, 0, 0] * 255).tolist()]
