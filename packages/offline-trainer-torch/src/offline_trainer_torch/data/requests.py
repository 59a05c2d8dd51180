"""Which samples the batches of an epoch have, so that any batch can be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from model_constructor.errors import ParameterError
from offline_trainer.data.order import EpochOrder

_BLOCK = 4096  # positions whose samples are worked out at once; that costs much per call


class Request(NamedTuple):
    """One batch, as it is asked for; all that a worker must know to make it."""

    epoch: int
    indices: list[int]


class EpochBatches:
    """The sampler of a DataLoader: the batches of one epoch from one of them on.

    It is mutable, because workers that live on keep the DataLoader and with it the sampler.

    Args:
        length: Number of samples.
        batch_size: Samples of a batch.
        shuffle_seed: Seed of the order of each epoch; None for the order of the dataset.
        drop_last: Whether a last batch with fewer samples is left out.

    >>> batches = EpochBatches(5, 2)
    >>> batches.stand_at(epoch=3, batch=1)
    >>> list(batches)
    [Request(epoch=3, indices=[2, 3]), Request(epoch=3, indices=[4])]
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        *,
        shuffle_seed: int | None = None,
        drop_last: bool = False,
    ) -> None:
        self._length = length - length % batch_size if drop_last else length
        self._order_length = length
        self._batch_size = batch_size
        self._shuffle_seed = shuffle_seed
        self._epoch = 0
        self._batch = 0

    def stand_at(self, epoch: int, batch: int) -> None:
        """Let the next iteration begin at this batch."""
        self._epoch, self._batch = epoch, batch

    def remaining(self, batch: int) -> int:
        """How many batches an epoch has from this one on.

        Raises:
            ParameterError: The epoch has fewer batches than that.
        """
        batches = -(-self._length // self._batch_size)
        if batch > batches:
            raise ParameterError(
                f"the run stood at batch {batch} of an epoch, which now has only {batches}: "
                "the data or batch_size has changed",
                parameter=("data", "batch_size"),
            )
        return batches - batch

    def __len__(self) -> int:
        return self.remaining(self._batch)

    def __iter__(self) -> Iterator[Request]:
        return self._requests(self._epoch, self._batch)  # read now, not at the first `next`

    def _requests(self, epoch: int, batch: int) -> Iterator[Request]:
        size = self._batch_size
        block = size * max(1, _BLOCK // size)
        for start in range(batch * size, self._length, block):
            indices = self._indices(epoch, start, min(start + block, self._length))
            for first in range(0, len(indices), size):
                yield Request(epoch, indices[first : first + size])

    def _indices(self, epoch: int, start: int, stop: int) -> list[int]:
        if self._shuffle_seed is None:
            return list(range(start, stop))
        order = EpochOrder(self._order_length, self._shuffle_seed, epoch)
        indices: list[int] = order[start:stop].tolist()
        return indices
