"""Images from a folder: `data.images` against torch's DataLoader with the same work in Pillow.

Photographs of 500 x 375 pixels are decoded, resized, cropped at random, mirrored at random and
normalised; small PNG files are decoded, mirrored and normalised. Both sides have 2 workers, threads
here and processes there, which the DataLoader keeps from epoch to epoch. Batches of 32, epochs in
turns, medians, ratios of epochs that follow each other; the files are in the page cache.

    make bench
"""

from __future__ import annotations

import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from offline_trainer.data.images.module import Images
from offline_trainer.data.transforms.crop import Crop
from offline_trainer.data.transforms.flip import Flip
from offline_trainer.data.transforms.normalise import Normalise
from offline_trainer.data.transforms.resize import Resize

BATCH = 32
WORKERS = 2
MEAN = STD = (0.5, 0.4, 0.3)


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of images.

    Attributes:
        name: For the table.
        count: How many files.
        size: Width and height of each.
        suffix: ``.jpg`` or ``.png``.
        resize: The shorter side that they get; None to leave them.
        crop: The side of what is taken of them; None for all.
        rounds: Epochs of each side.
    """

    name: str
    count: int
    size: tuple[int, int]
    suffix: str
    resize: int | None
    crop: int | None
    rounds: int


CASES = (
    Case("photographs, JPEG 500 x 375 to 224", 384, (500, 375), ".jpg", 256, 224, 15),
    Case("small images, PNG 32 x 32", 4096, (32, 32), ".png", None, None, 15),
)


class PlainFolder(Dataset[Any]):
    """The same work, written by hand for a DataLoader."""

    def __init__(self, folder: Path, case: Case) -> None:
        self._files = sorted(folder.rglob(f"*{case.suffix}"))
        self._classes = sorted(path.name for path in folder.iterdir())
        self._case = case
        self._mean, self._std = (torch.tensor(each)[:, None, None] for each in (MEAN, STD))

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        file, case = self._files[index], self._case
        with Image.open(file) as opened:
            image = opened.convert("RGB")
        if case.resize is not None:
            scale = case.resize / min(image.size)
            width, height = (round(side * scale) for side in image.size)
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        if case.crop is not None:
            left = random.randint(0, image.width - case.crop)
            top = random.randint(0, image.height - case.crop)
            image = image.crop((left, top, left + case.crop, top + case.crop))
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
        x = pixels.float().div_(255).sub_(self._mean).div_(self._std)
        return x, self._classes.index(file.parent.name)


def write(folder: Path, case: Case) -> None:
    """Smooth noise, which compresses about as photographs do."""
    generator = np.random.default_rng(0)
    for number in range(case.count):
        coarse = generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize(case.size, Image.Resampling.BICUBIC)
        noisy = np.asarray(image) + generator.normal(0, 6, (*case.size[::-1], 3))
        target = folder / f"class{number % 4}" / f"{number:05}{case.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(target)


def seconds(loader: Iterable[Any]) -> float:
    """Time of an epoch, the start of its threads included."""
    started = time.perf_counter()
    for _ in loader:
        pass
    return time.perf_counter() - started


def measure(folder: Path, case: Case) -> dict[str, list[float]]:
    """Times of epochs, by side."""
    transforms: list[Any] = [Resize(case.resize)] if case.resize is not None else []
    transforms += [Crop(case.crop)] if case.crop is not None else []
    transforms += [Flip(), Normalise(MEAN, STD)]
    data = Images(folder, batch_size=BATCH, transforms=transforms, workers=WORKERS)
    data.setup("fit")
    plain, again = (
        DataLoader(
            PlainFolder(folder, case),
            batch_size=BATCH,
            shuffle=True,
            num_workers=WORKERS,
            persistent_workers=True,
        )
        for _ in range(2)
    )
    sides: dict[str, Callable[[], Iterable[Any]]] = {
        "DataLoader": lambda: plain,
        "DataLoader again": lambda: again,
        "data.images": data.train_dataloader,
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(case.rounds + 1):
        for name, make in sides.items():
            found = seconds(make())
            if number:  # the first epoch starts the workers
                times[name].append(found)
    return times


def main() -> None:
    torch.set_num_threads(1)
    versions = f"torch {torch.__version__}, Pillow {PIL.__version__}"
    print(f"{platform.processor() or platform.machine()}, {versions}, {WORKERS} workers")
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), case)
            times = measure(Path(folder), case)
        print(case.name)
        for name, found in times.items():
            middle = statistics.median(found)
            pairs = zip(found, times["DataLoader"], strict=True)
            ratio = statistics.median(ours / reference for ours, reference in pairs)
            print(f"  {name:<18}{case.count / middle:9.0f} images/s   time x{ratio:.3f}")


if __name__ == "__main__":
    main()
