"""Blocks of texts: where they start, and gathering a batch of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offline_trainer.data.batches import Array
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
        vocabulary: The numbers of the symbols; themselves if None.

    Attributes:
        first: The start of each file in all of them put one after the other, int64.
    """

    def __init__(self, texts: Sequence[Array], vocabulary: Vocabulary | None) -> None:
        self._texts = texts
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
