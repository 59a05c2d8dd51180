"""Blocks of texts: where they start, and gathering a batch of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from offline_trainer.data.batches import Array, ArrayLoader, Batch
from offline_trainer.data.order import Indices
from offline_trainer.data.split import PARTS
from offline_trainer.data.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one file that belongs to one part of the data.

    Attributes:
        file: Its number.
        start: Its first symbol.
        stop: The one after its last.
        part: Its place in `PARTS`.
    """

    file: int
    start: int
    stop: int
    part: int


class Blocks:
    """Blocks of texts by where they start, as numbers of symbols.

    Args:
        texts: The symbols of each file, (N,) of an unsigned type.
        length: Symbols of a block, T.
        vocabulary: The numbers of the symbols; themselves if None.

    Attributes:
        first: The start of each file in all of them put one after the other, int64.
    """

    def __init__(self, texts: Sequence[Array], length: int, vocabulary: Vocabulary | None) -> None:
        self._texts = texts
        self._length = length
        self._vocabulary = vocabulary
        self.first = np.cumsum([0, *map(len, texts)], dtype=np.int64)[:-1]

    def gathered(self, starts: Indices, length: int) -> Indices:
        """So many symbols from each start on, int64 (B, length)."""
        files = np.searchsorted(self.first, starts, "right") - 1
        within = starts - self.first[files]
        gathered = np.empty((len(starts), length), np.int64)
        for row, (file, start) in enumerate(zip(files.tolist(), within.tolist(), strict=True)):
            gathered[row] = self._texts[file][start : start + length]
        return gathered if self._vocabulary is None else self._vocabulary.numbers(gathered)

    def batch(self, starts: Indices) -> Batch:
        """The blocks ``x`` and the next symbols ``y``, int64 (B, T) each."""
        symbols = self.gathered(starts, self._length + 1)
        return {"x": symbols[:, :-1].copy(), "y": symbols[:, 1:].copy()}


class BlockLoader:
    """The batches of one epoch, from batches of starts; iterable as often as wanted."""

    def __init__(self, starts: ArrayLoader, blocks: Blocks) -> None:
        self._starts = starts
        self._blocks = blocks

    def __len__(self) -> int:
        """How many batches an iteration yields."""
        return len(self._starts)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._starts:
            yield self._blocks.batch(batch["start"])


def block_starts(
    segments: Sequence[Segment], first: Indices, length: int, stride: int
) -> tuple[Indices, Indices]:
    """Where the blocks of all segments start in all texts, and the part of each: int64 (N,) both.

    A segment gives the blocks of ``length + 1`` symbols that are wholly inside of it.

    Args:
        first: As of `Blocks`.
        length: Symbols of a block without the last of its next symbols.
        stride: From one training block to the next; those of other parts do not overlap.
    """
    starts, parts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for each in segments:
        step = stride if PARTS[each.part] == "train" else max(stride, length)
        found = np.arange(each.start, each.stop - length, step, dtype=np.int64)
        starts.append(found + first[each.file])
        parts.append(np.full(len(found), each.part))
    return np.concatenate(starts), np.concatenate(parts)
