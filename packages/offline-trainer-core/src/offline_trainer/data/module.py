"""What every datamodule over arrays shares: parts, seed, position and loaders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Array, ArrayLoader, Floats, Loader
from offline_trainer.data.order import EpochOrder, Indices, WeightedOrder, split_indices
from offline_trainer.engine import Json


@dataclass(frozen=True, slots=True)
class Parts:
    """Which rows belong to training, validation and test; empty where there is no such part."""

    train: Indices
    val: Indices
    test: Indices

    def state(self) -> Json:
        """How many rows each part has, and a hash of which: SHA-256 of their numbers, sorted.

        >>> Parts(np.arange(2), np.arange(0), np.arange(0)).state()["val"]["rows"]
        0
        """
        parts = {"train": self.train, "val": self.val, "test": self.test}
        return {
            name: {
                "rows": len(rows),
                "sha256": sha256(np.sort(rows).astype("<i8").tobytes()).hexdigest(),
            }
            for name, rows in parts.items()
        }


class ArrayDataModule(ABC):
    """A datamodule whose samples are the rows of equally long arrays.

    A subclass reads its data in `load`. Training batches come in an order that is a function of
    (seed, epoch); validation and test batches come in the order of the data, all of them.

    Args:
        batch_size: Rows of a batch.
        shuffle: Whether training visits the rows in a new random order in each epoch.
        drop_last: Whether training leaves out a last batch with fewer rows.
        seed: Seed of order and split; the run's seed if None.
        on_device: Whether the arrays are kept where the engine computes, and gathered there.
    """

    def __init__(
        self,
        *,
        batch_size: int,
        shuffle: bool,
        drop_last: bool,
        seed: int | None,
        on_device: bool = False,
    ) -> None:
        check_at_least(1, batch_size=batch_size)
        self._batch_size = batch_size
        self._shuffle = shuffle
        self._drop_last = drop_last
        self._given_seed = seed
        self._on_device = on_device
        self._place: Callable[[Any], Any] | None = None
        self._run_seed = 0
        self._epoch = 0
        self._start_batch = 0
        self._data: tuple[Mapping[str, Array], Parts] | None = None
        self._weights: Floats | None = None

    @abstractmethod
    def load(self, seed: int) -> tuple[Mapping[str, Array], Parts]:
        """Arrays of shape (N, ...) by field name, and how their rows are divided."""

    @property
    def seed(self) -> int:
        """The seed in force: the one given to the constructor, otherwise the run's."""
        return self._run_seed if self._given_seed is None else self._given_seed

    def set_seed(self, seed: int) -> None:
        """Take the run's seed; called before `setup`."""
        self._run_seed = seed

    def setup(self, stage: str) -> None:
        """Read the data; a second call has no effect.

        Raises:
            ParameterError: The data cannot be read, or leaves nothing to train on.
        """
        if self._data is not None:
            return
        arrays, parts = self.load(self.seed)
        if self._drop_last and len(parts.train) < self._batch_size:
            raise ParameterError(
                f"drop_last with batch_size {self._batch_size} leaves no batch of the "
                f"{len(parts.train)} training rows",
                parameter="batch_size",
            )
        self._data = arrays, parts

    def keep_on_device(self, place: Callable[[Any], Any] | None) -> None:
        """Bring the arrays there, if ``on_device`` asks for it; called once after `setup`.

        Args:
            place: The engine's, if it has one.

        Raises:
            ParameterError: The engine cannot, or its device has too little memory.
        """
        if not self._on_device:
            return
        if place is None:
            raise ParameterError(
                "this engine keeps no arrays on a device",
                parameter="on_device",
                help="leave out on_device: batches are then placed as they are needed",
            )
        arrays, parts = self._loaded()
        try:
            self._data = place(dict(arrays)), parts
        except MemoryError as error:
            raise ParameterError(
                f"the arrays do not fit the device: {error}",
                parameter="on_device",
                help="leave out on_device: batches are then placed as they are needed",
            ) from error
        self._place = place

    def set_position(self, epoch: int, batch: int) -> None:
        """Let the next `train_dataloader` yield this epoch from this batch on."""
        self._epoch, self._start_batch = epoch, batch

    def train_dataloader(self) -> Loader:
        """The training batches of one epoch; the next call returns those of the next epoch."""
        arrays, parts = self._loaded()
        rows = parts.train
        order: EpochOrder | WeightedOrder | None = None
        if self._weights is not None:
            order = WeightedOrder(self._weights, self.seed, self._epoch)
        elif self._shuffle:
            order = EpochOrder(len(rows), self.seed, self._epoch)
        loader = ArrayLoader(
            arrays,
            batch_size=self._batch_size,
            rows=rows,
            order=order,
            start_batch=self._start_batch,
            drop_last=self._drop_last,
            place=self._place,
        )
        epoch = self._epoch
        self.set_position(epoch + 1, 0)
        return self.batches_of(loader, epoch)

    def val_dataloader(self) -> Loader | None:
        """All validation batches, in the order of the data; None if there are none."""
        return self.part_dataloader("val")

    def test_dataloader(self) -> Loader | None:
        """All test batches, in the order of the data; None if there are none."""
        return self.part_dataloader("test")

    def part_dataloader(self, part: str) -> Loader | None:
        """All batches of ``train``, ``val`` or ``test`` in the order of the data."""
        arrays, parts = self._loaded()
        return self._unshuffled(arrays, getattr(parts, part))

    def transform_state(self) -> Json:
        """Fitted values that are saved with the run; none here."""
        return {}

    def split_state(self) -> Json:
        """The seed, and for each part how many rows it has, with a hash of which."""
        return {"seed": self.seed, **self._loaded()[1].state()}

    def sample_by(self, weights: Floats) -> None:
        """Draw training rows by their weights; called in `load`.

        Args:
            weights: Of each training row, in their order: float64 (N,).
        """
        self._weights = weights

    def batches_of(self, rows: ArrayLoader, epoch: int | None) -> Loader:
        """What the loop gets for batches of rows: these themselves, unless a subclass differs.

        Args:
            rows: The batches of an epoch, or of a part.
            epoch: In which they are trained on; None if they are not.
        """
        return rows

    def _unshuffled(self, arrays: Mapping[str, Array], rows: Indices) -> Loader | None:
        if not len(rows):
            return None
        loader = ArrayLoader(arrays, batch_size=self._batch_size, rows=rows, place=self._place)
        return self.batches_of(loader, None)

    def _loaded(self) -> tuple[Mapping[str, Array], Parts]:
        if self._data is None:
            raise RuntimeError("setup() must be called before the dataloaders")
        return self._data


def check_at_least(smallest: int, **values: int) -> None:
    """Refuse constructor arguments below the smallest that makes sense.

    Raises:
        ParameterError: Naming the argument.
    """
    for name, value in values.items():
        if value < smallest:
            raise ParameterError(f"{name} must be at least {smallest}, got {value}", parameter=name)


def check_fractions(val_fraction: float, test_fraction: float) -> None:
    """Refuse fractions that leave nothing to train on.

    Raises:
        ParameterError: Naming the argument.
    """
    for name, value in (("val_fraction", val_fraction), ("test_fraction", test_fraction)):
        if not 0 <= value < 1:
            raise ParameterError(f"{name} must be in [0, 1), got {value}", parameter=name)
    if val_fraction + test_fraction >= 1:
        raise ParameterError(
            f"val_fraction {val_fraction} and test_fraction {test_fraction} leave nothing to "
            "train on",
            parameter="test_fraction",
        )


def split_by_fraction(length: int, val_fraction: float, test_fraction: float, seed: int) -> Parts:
    """Divide rows at random by the seed.

    Raises:
        ParameterError: A fraction above 0 yields no row, or no row is left for training.
    """
    train, val, test = split_indices(length, val_fraction, test_fraction, seed=seed)
    for name, fraction, rows in (
        ("val_fraction", val_fraction, val),
        ("test_fraction", test_fraction, test),
    ):
        if fraction > 0 and not len(rows):
            raise ParameterError(
                f"{name} {fraction} of {length} rows is not a single row", parameter=name
            )
    if not len(train):
        raise ParameterError(
            f"the fractions leave none of the {length} rows to train on", parameter="test_fraction"
        )
    return Parts(train, val, test)
