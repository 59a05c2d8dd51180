"""The first images of Fashion-MNIST, so that a test on real images is short."""

from __future__ import annotations

import gzip
from pathlib import Path

FOLDER = Path("/usr/share/datasets/fashion-mnist")
INSTALLED = FOLDER.is_dir()
NOT_INSTALLED = "the Debian package dataset-fashion-mnist is not installed"
_COUNTS = {"train": 1500, "t10k": 200}
_ARRAYS = {"images-idx3": (16, 28 * 28), "labels-idx1": (8, 1)}  # bytes of header, and of a sample


def small_fashion_mnist(folder: Path) -> Path:
    """Write idx files like those of the package, of its first images; they are not compressed."""
    for part, count in _COUNTS.items():
        for array, (header, sample) in _ARRAYS.items():
            name = f"{part}-{array}-ubyte"
            with gzip.open(FOLDER / f"{name}.gz") as stream:
                start = stream.read(header)
                values = stream.read(count * sample)
            (folder / name).write_bytes(start[:4] + count.to_bytes(4, "big") + start[8:] + values)
    return folder
