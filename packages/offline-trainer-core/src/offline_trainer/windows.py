"""From a stream of batches to windows: the micro-batches of one optimizer step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple

from offline_trainer.batch_limits import BatchLimits
from offline_trainer.checkpoint.json_text import copied
from offline_trainer.engine import Json, MicroBatch, Window
from offline_trainer.notices import notice
from offline_trainer.protocols import DataModule


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
    """

    datamodule: DataModule
    limits: BatchLimits
    size: int
    weight: Callable[[Any], float]
    own_streams: Callable[[int], AbstractContextManager[None]]

    def windows(self, epoch: int, batch: int) -> Iterator[TrainWindow]:
        """The rest of an epoch, both counted from 0."""
        rest = rest_of_epoch(self.datamodule, epoch, batch, self.own_streams(epoch))
        stream_state = getattr(self.datamodule, "state_dict", None)
        return windows(self.limits.epoch(rest, batch), self.size, self.weight, stream_state)

    def again(self, epoch: int, batch: int) -> Window | None:
        """The micro-batches of one window once more; None where the data cannot be asked again."""
        if not hasattr(self.datamodule, "set_position"):
            return None
        found = next(self.windows(epoch, batch), None)
        return found.batches if found is not None else None


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
    datamodule: DataModule, epoch: int, batch: int, own_streams: AbstractContextManager[None]
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
    """
    set_position = getattr(datamodule, "set_position", None)
    if set_position is not None:
        set_position(epoch, batch)
    with own_streams:
        batches = iter(datamodule.train_dataloader())
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
    return [MicroBatch(batch, weight(batch)) for batch in islice(batches, size)]
