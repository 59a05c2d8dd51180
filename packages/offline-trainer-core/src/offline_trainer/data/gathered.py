"""What datamodules share whose samples are made when a batch needs them, from a number for each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from offline_trainer.data.batches import ArrayLoader, Batch, Loader
from offline_trainer.data.module import ArrayDataModule
from offline_trainer.data.order import Indices

NUMBER = "number"
"""The one array of what `load` returns: int64 (N,), what `gather` gets."""


_Gather: TypeAlias = Callable[[Indices], Batch]


class GatheredLoader:
    """The batches of one epoch, from batches of numbers; iterable as often as wanted.

    Args:
        numbers: Batches with the field `NUMBER`.
        gather: From such numbers to a batch.
        applied: Applies it to each of them, in their order, such as in threads.
    """

    def __init__(
        self,
        numbers: ArrayLoader,
        gather: _Gather,
        applied: Callable[[_Gather, Iterable[Indices]], Iterator[Batch]] = map,
    ) -> None:
        self._numbers = numbers
        self._gather = gather
        self._applied = applied

    def __len__(self) -> int:
        """How many batches an iteration yields."""
        return len(self._numbers)

    def __iter__(self) -> Iterator[Batch]:
        return self._applied(self._gather, (batch[NUMBER] for batch in self._numbers))


class GatheredDataModule(ArrayDataModule):
    """An `ArrayDataModule` with one array, of numbers that stand for samples."""

    @abstractmethod
    def gather(self, numbers: Indices) -> Batch:
        """The samples that some numbers (B,) stand for."""

    def batches_of(self, rows: ArrayLoader, epoch: int | None) -> Loader:
        """The samples, in place of their numbers."""
        return GatheredLoader(rows, self.gather)
