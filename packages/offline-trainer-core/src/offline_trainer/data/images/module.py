"""`data.images`: images with a class each, from a folder, a table, or idx files."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from model_constructor.errors import ParameterError
from model_constructor.foreign import error_text
from offline_trainer.data.batches import Array, ArrayLoader, Batch
from offline_trainer.data.gathered import NUMBER, GatheredLoader
from offline_trainer.data.images.folder import read_levels
from offline_trainer.data.images.loading import image_random
from offline_trainer.data.images.pillow import channels, checked_mode, require_pillow
from offline_trainer.data.images.shared import say_shared
from offline_trainer.data.images.sources import Source, open_new, open_source
from offline_trainer.data.images.steps import ImageSteps, UnusableImageError, as_pixels
from offline_trainer.data.module import ArrayDataModule, Parts, check_at_least
from offline_trainer.data.order import Indices
from offline_trainer.data.split import divide, read_split
from offline_trainer.data.table_files import checked_delimiter
from offline_trainer.data.table_predictions import predicted_columns
from offline_trainer.data.threads import in_order
from offline_trainer.data.transforms.categories import checked_categories
from offline_trainer.data.transforms.ordinal import Ordinal
from offline_trainer.data.transforms.pipeline import Pipeline, Step
from offline_trainer.engine import Json
from offline_trainer.errors import ComponentFailedError
from offline_trainer.notices import notice
from offline_trainer.protocols import BadImageError, NewSamples, Values
from offline_trainer.run.input_files import InputFile

_BLOCK = 64  # images that are looked at together before a run
_TRIED = 16  # images whose time decides on threads
_WORTH_A_THREAD = 0.4e-3  # seconds for an image
_BLOCK_BYTES = 64 << 20  # and so many bytes of them at most
_NOTABLE_IMAGES = 100_000  # what some threads need a minute for


class Images(ArrayDataModule):
    """Batches ``{"x": (B, C, H, W) float32, "y": (B,) int64}`` of images and their classes.

    Args:
        path: A folder with a folder of PNG and JPEG files for each class; a table, as of
            `data.table`, with a row for each image; or a folder with idx files.
        batch_size: Images of a batch.
        mode: ``RGB`` or ``L``, grey; every image is converted to it.
        levels: What each level of folders says, from the outermost in: ``[label]`` if None,
            ``[part, label]`` for folders such as ``train/cat``.
        image: The column of a table with the path of each image, from the folder of the table.
        delimiter: The character between the cells of a CSV file.
        target: The column, or the level, that says the class.
        classes: All classes, in their order; those of the training images if None.
        transforms: Components of kind ``transform`` for images, in their order; what is random in
            them is so in training alone.
        split: Which images validate and test, as of `data.table`; its columns are those of the
            table or the levels of the folder.
        shuffle: Whether training visits the images in a new random order in each epoch.
        drop_last: Whether training leaves out a last batch with fewer images.
        workers: Threads that decode and transform; 0 for the training's own, which is also used
            where images are so small that threads would cost more. It changes no batch.
        seed: Seed of split, order and augmentation; the run's seed if None.
    """

    def __init__(
        self,
        path: Path,
        batch_size: int = 32,
        mode: str = "RGB",
        levels: Sequence[str] | None = None,
        image: str = "path",
        delimiter: str = ",",
        target: str = "label",
        classes: Sequence[str] | None = None,
        transforms: Sequence[Any] = (),
        split: Mapping[str, Any] | None = None,
        shuffle: bool = True,
        drop_last: bool = False,
        workers: int = 2,
        seed: int | None = None,
    ) -> None:
        require_pillow()
        super().__init__(batch_size=batch_size, shuffle=shuffle, drop_last=drop_last, seed=seed)
        check_at_least(0, workers=workers)
        self._path = Path(path)
        self._mode = checked_mode(mode)
        self._levels = read_levels(levels, target)
        self._image, self._delimiter = image, checked_delimiter(delimiter)
        self._target = target
        self._split = read_split(split, 0.0, 0.0, None)
        self._workers = self._threads = workers
        self._steps = ImageSteps(transforms)
        declared = checked_categories(classes, "classes")
        self._classes = Pipeline(
            [Step(Ordinal([target]), ("classes",))],
            [target],
            {} if declared is None else {target: declared},
        )
        self._shape: tuple[int, int, int] | None = None
        self._fitted = False
        self._source: Source | None = None
        self._labels: Indices = np.empty(0, np.int64)

    def load(self, seed: int) -> tuple[Mapping[str, Array], Parts]:
        """List the images, divide them, look at each of them, and fit."""
        source = self._source = open_source(self._path, self._levels, self._image, self._delimiter)
        labels = source.column(self._target, "target")
        by = self._split.by
        texts = source.column(by, "split") if by is not None else ()
        parts = divide(self._split, source.length, seed, texts, source.place, ("split",))
        self._labels = self._numbers(labels, parts, source)
        self._look_at_all(source, parts.train)
        self._fitted = True
        say_shared(source.images, parts)
        return {NUMBER: np.arange(source.length)}, parts

    def input_files(self) -> list[Path | InputFile]:
        """The images, hashed when they were looked at; the table; idx files."""
        return self._opened().images.input_files()

    def batches_of(self, rows: ArrayLoader, epoch: int | None) -> GatheredLoader:
        """The batches of images, where ``rows`` has their numbers."""
        make = partial(self._batch, self._opened(), epoch)
        return GatheredLoader(rows, make, partial(in_order, workers=self._threads))

    def transform_state(self) -> Json:
        """The classes, the shape (C, H, W) of the images, what each transform has learned."""
        return {
            "classes": self._classes.states,
            "shape": list(self._shape or ()),
            "transforms": self._steps.states,
        }

    def load_transform_state(self, state: Json) -> None:
        """Use what an earlier `transform_state` gave; nothing is fitted any more.

        Raises:
            ValueError: It is not that of such images.
        """
        given = state if isinstance(state, dict) else {}
        shape = given.get("shape")
        if (
            not isinstance(shape, list)
            or len(shape) != 3
            or not all(isinstance(size, int) and size > 0 for size in shape)
        ):
            raise ValueError("expected the shape of the images")
        self._classes.load(given.get("classes"))
        self._steps.load(given.get("transforms"))
        self._shape = (shape[0], shape[1], shape[2])
        self._fitted = True

    def new_samples(self, path: Path) -> Iterator[NewSamples]:
        """The images below a folder, of a table or of idx files, or one, as the run evaluates."""
        source = open_new(path, self._image, self._delimiter)
        rows = ArrayLoader({NUMBER: np.arange(source.length)}, batch_size=self._batch_size)
        make = partial(self._pixels, source, None)
        start = 0
        for x in in_order(make, (batch[NUMBER] for batch in rows), self._workers):
            stop = start + len(x)
            columns = {name: values[start:stop] for name, values in source.carried.items()}
            yield NewSamples({"x": x}, columns)
            start = stop

    def predictions(self, outputs: Any, probabilities: Any | None) -> dict[str, Values]:
        """``predicted_TARGET``, the most probable class, and ``probability_CLASS`` of each."""
        return predicted_columns(outputs, probabilities, [self._target], self._classes)

    def _numbers(self, labels: Sequence[str | None], parts: Parts, source: Source) -> Indices:
        for row, label in enumerate(labels):
            if not label:
                raise ParameterError(
                    f"{source.place(row)}, column `{self._target}`: the cell is empty",
                    parameter="path",
                )
        columns = {self._target: np.array(labels, dtype=object)}
        if self._fitted:
            self._classes.apply(columns, source.place)
        else:
            self._classes.fit(columns, parts.train, source.place)
        return columns[self._target].astype(np.int64)

    def _look_at_all(self, source: Source, train: Indices) -> None:
        """Read every image once: whether it can be used, its hash, and what is to be learned."""
        if self._shape is None:
            pixels = self._image_pixels(source, None, 0)
            self._shape = (channels(self._mode), *pixels.shape[:2])
        if source.length >= _NOTABLE_IMAGES:
            notice(f"looking at {source.length} images, once before the run")
        shape = self._shape
        at_once = min(_BLOCK, max(1, _BLOCK_BYTES // math.prod(shape)))
        is_train = np.zeros(source.length, bool)
        is_train[train] = True
        all_seen = False

        def training() -> Iterator[Array]:
            nonlocal all_seen
            blocks = ArrayLoader({NUMBER: np.arange(source.length)}, batch_size=at_once)
            for images in in_order(look, (block[NUMBER] for block in blocks), self._workers):
                if images:
                    yield as_pixels(images, shape)
            all_seen = True

        def look(rows: Indices) -> list[Array]:
            images = [(row, self._image_pixels(source, None, row, first=True)) for row in rows]
            return [pixels for row, pixels in images if is_train[row] and not self._fitted]

        if not self._fitted:
            self._steps.fit(training)
        if not all_seen:
            for _ in training():
                pass
        self._threads = self._worthwhile_threads(source)

    def _worthwhile_threads(self, source: Source) -> int:
        """None where an image is made faster than threads take turns in Python."""
        tried = range(min(_TRIED, source.length))
        started = time.perf_counter()
        for row in tried:
            self._image_pixels(source, None, row)
        taken = time.perf_counter() - started
        return self._workers if taken > _WORTH_A_THREAD * len(tried) else 0

    def _batch(self, source: Source, epoch: int | None, rows: Indices) -> Batch:
        try:
            return {"x": self._pixels(source, epoch, rows), "y": self._labels[rows]}
        except ParameterError as error:  # all was well when the run began
            when = "" if epoch is None else f" in epoch {epoch}"
            raise ComponentFailedError(f"{error.message}{when}", help=error.help) from error

    def _pixels(self, source: Source, epoch: int | None, rows: Indices) -> Array:
        if self._shape is None:
            raise RuntimeError("setup() or load_transform_state() must be called before")
        images = [self._image_pixels(source, epoch, row) for row in rows.tolist()]
        return self._steps.pixels(images, self._shape)

    def _image_pixels(
        self, source: Source, epoch: int | None, row: int, first: bool = False
    ) -> Array:
        """One image after the transforms of images, uint8 (H, W) or (H, W, 3).

        Args:
            epoch: In which it is trained on; None if it is not.
            first: Whether its file is noted.
        """
        images = source.images
        random = None if epoch is None else image_random(self.seed, epoch, row)
        try:
            image = (images.check if first else images.image)(row, self._mode)
            pixels = self._steps.image(image, random)
            self._check_size(pixels)
            return pixels
        except BadImageError as error:
            message = f"{images.named(row)} {error.message}"
            raise UnusableImageError(message, parameter="path", help=error.help) from error
        except Exception as error:  # the code of a transform
            message = f"{images.named(row)} could not be transformed: {error_text(error)}"
            raise UnusableImageError(message, parameter="transforms") from error

    def _check_size(self, pixels: Array) -> None:
        if self._shape is None:
            return
        height, width = pixels.shape[:2]
        if (height, width) != self._shape[1:]:
            expected = f"{self._shape[2]} x {self._shape[1]}"
            raise BadImageError(
                f"is {width} x {height} pixels after the transforms; the others are {expected}",
                help="transform.resize with `size: [HEIGHT, WIDTH]` makes all of one size",
            )

    def _opened(self) -> Source:
        if self._source is None:
            raise RuntimeError("setup() must be called before")
        return self._source
