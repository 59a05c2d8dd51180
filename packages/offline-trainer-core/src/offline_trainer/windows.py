"""From a stream of batches to windows: the micro-batches of one optimizer step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain, islice, repeat
from typing import Any, NamedTuple, Protocol, runtime_checkable

from offline_trainer.batch_limits import BatchLimits
from offline_trainer.checkpoint.json_text import copied
from offline_trainer.data_errors import data_errors, with_data_errors
from offline_trainer.engine import Json, MicroBatch, Window
from offline_trainer.notices import notice
from offline_trainer.protocols import DataModule

PlaceBlock = Callable[[Mapping[str, Any], int], Sequence[Any]]


@runtime_checkable
class InBlocks(Protocol):
    """A loader of a source in memory, which is faster at several batches at a time.

    Attributes:
        batch_size: Rows of a batch; the last may have fewer.
    """

    @property
    def batch_size(self) -> int: ...

    def blocks(self) -> Iterator[Mapping[str, Any]]:
        """The batches of an epoch, several of them one after the other in each array."""


class TrainWindow(NamedTuple):
    """The micro-batches of one step.

    Attributes:
        batches: At least one; fewer than asked for only at the end of an epoch.
        is_last: Whether the epoch ends with this window.
        data_state: Where the data stream stood right after these batches, if it can tell; after the
            last ones, at the end of the epoch.
    """

    batches: list[MicroBatch]
    is_last: bool
    data_state: Json = None


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The training batches as windows, from any place on.

    Attributes:
        datamodule: Where they come from.
        limits: Which of them are used.
        size: Micro-batches of a full window.
        weight: Weight of a batch in means.
        own_streams: By epoch, what `rest_of_epoch` enters.
        place_block: The engine's, if it has one.
    """

    datamodule: DataModule
    limits: BatchLimits
    size: int
    weight: Callable[[Any], float]
    own_streams: Callable[[int], AbstractContextManager[None]]
    place_block: PlaceBlock | None = None

    def windows(self, epoch: int, batch: int) -> Iterator[TrainWindow]:
        """The rest of an epoch, both counted from 0."""
        streams = self.own_streams(epoch)
        rest = rest_of_epoch(self.datamodule, epoch, batch, streams, self._open)
        stream_state = getattr(self.datamodule, "state_dict", None)
        return windows(self.limits.epoch(rest, batch), self.size, self.weight, stream_state)

    def _open(self, loader: Iterable[Any], when: str) -> Iterator[Any]:
        """Its batches; as `MicroBatch`, where the engine places several at a time."""
        if (
            not isinstance(loader, InBlocks)
            or self.place_block is None
            or self.limits.only is not None
        ):
            return with_data_errors(loader, when)
        blocks = with_data_errors(loader.blocks(), when)
        return placed_batches(blocks, loader.batch_size, self.weight, self.place_block)

    def again(self, epoch: int, batch: int) -> Window | None:
        """The micro-batches of one window once more; None where the data cannot be asked again."""
        if not hasattr(self.datamodule, "set_position"):
            return None
        found = next(self.windows(epoch, batch), None)
        return found.batches if found is not None else None


def placed_batches(
    blocks: Iterable[Mapping[str, Any]],
    batch_size: int,
    weight: Callable[[Any], float],
    place_block: PlaceBlock,
) -> Iterator[MicroBatch]:
    """Batches of a source in memory, which the engine places a block at a time.

    Args:
        blocks: Each with several batches, one after the other in each array.
        batch_size: Rows of a batch.
        weight: Weight of a batch, which is asked of what is on the host.
        place_block: The engine's.
    """
    for block in blocks:
        length = len(next(iter(block.values())))
        portions = [slice(first, first + batch_size) for first in range(0, length, batch_size)]
        weights = [
            weight({name: values[rows] for name, values in block.items()}) for rows in portions
        ]
        yield from map(MicroBatch, place_block(block, batch_size), weights, repeat(True))


def windows(
    batches: Iterator[Any],
    size: int,
    weight: Callable[[Any], float],
    stream_state: Callable[[], Json] | None = None,
) -> Iterator[TrainWindow]:
    """Group batches into windows, looking one window ahead to know the last one.

    Args:
        batches: The rest of an epoch.
        size: Micro-batches in a full window.
        weight: Weight of a batch in means.
        stream_state: The datamodule's ``state_dict``, for streams that know their position.

    >>> [len(w.batches) for w in windows(iter("abcde"), 2, len)]
    [2, 2, 1]
    """
    state_now = (lambda: copied(stream_state())) if stream_state is not None else (lambda: None)
    current = _take(batches, size, weight)
    while current:
        state = state_now()
        following = _take(batches, size, weight)
        if not following:
            state = state_now()  # a stream goes to its next epoch when it is asked in vain
        yield TrainWindow(current, not following, state)
        current = following


def rest_of_epoch(
    datamodule: DataModule,
    epoch: int,
    batch: int,
    own_streams: AbstractContextManager[None],
    batches_of: Callable[[Iterable[Any], str], Iterator[Any]],
) -> Iterator[Any]:
    """The batches of an epoch from one of them on.

    A datamodule with ``set_position`` jumps there; one with ``load_state_dict`` stands there
    already; for any other the batches before are drawn and dropped, with a notice.

    Args:
        datamodule: Whose training batches.
        epoch: Counts from 0.
        batch: The first to yield.
        own_streams: Entered until the first one is there: what a loader draws when it begins (an
            order, seeds of its workers) must not depend on where in the epoch that is, nor move the
            streams that training draws from.
        batches_of: Gives the batches of a loader, and tells when it failed.

    Raises:
        ComponentFailedError: The datamodule raised an exception of its own.
    """
    when = f"in epoch {epoch}"
    set_position = getattr(datamodule, "set_position", None)
    if set_position is not None:
        with data_errors(when):
            set_position(epoch, batch)
    with own_streams:
        with data_errors(when):
            loader = datamodule.train_dataloader()
        batches = batches_of(loader, when)
        if batch and set_position is None and not hasattr(datamodule, "load_state_dict"):
            notice(
                f"the datamodule has no set_position: replaying {batch} batches of this epoch; "
                "the order is the same only if the datamodule repeats it"
            )
            for _ in range(batch):
                next(batches, None)
        first = list(islice(batches, 1))
    yield from chain(first, batches)


def _take(batches: Iterator[Any], size: int, weight: Callable[[Any], float]) -> list[MicroBatch]:
    return [
        batch if isinstance(batch, MicroBatch) else MicroBatch(batch, weight(batch))
        for batch in islice(batches, size)
    ]
