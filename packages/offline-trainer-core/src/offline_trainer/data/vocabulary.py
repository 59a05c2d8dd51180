"""Which symbols of a text there are, and their numbers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Array
from offline_trainer.data.order import Indices
from offline_trainer.engine import Json

_CODE_POINTS = 0x110000
_COUNTED_AT_ONCE = 1 << 20


class Vocabulary:
    """The numbers of the characters that are known, 0 to V - 1; all others are ``unknown``.

    Args:
        characters: All that are known, each once, in the order of their numbers.
        unknown: The one of them that stands for every other; None if there must be no other.

    >>> vocabulary = Vocabulary("ab?", "?")
    >>> vocabulary.numbers(np.array([98, 120, 97])).tolist()
    [1, 2, 0]
    """

    def __init__(self, characters: str, unknown: str | None) -> None:
        points = np.array([ord(each) for each in characters])
        self.characters = characters
        self.unknown = unknown
        # One place more than is needed, to which every larger code point is sent.
        self._numbers = np.full(int(points.max()) + 2, -1, np.int64)
        self._numbers[points] = np.arange(len(points))
        if unknown is not None:
            self._numbers[self._numbers < 0] = characters.index(unknown)

    @classmethod
    def fitted(cls, texts: Iterable[Array], size: int | None, unknown: str | None) -> Vocabulary:
        """The characters of some texts, in the order of their code points.

        Args:
            texts: Code points, each (N,).
            size: How many there may be; the most frequent are kept, ``unknown`` among them.
            unknown: Added to them, if given.

        Raises:
            ParameterError: There are more, and nothing to stand for them.
        """
        counts = _counts(texts)
        wanted = np.flatnonzero(counts)
        if unknown is not None:
            wanted = np.union1d(wanted, [ord(unknown)])
        if size is not None and len(wanted) > size:
            if unknown is None:
                raise ParameterError(
                    f"the training part has {len(wanted)} different characters, and "
                    f"vocabulary_size is {size}",
                    parameter="vocabulary_size",
                    help="say what stands for the rarest of them, such as `unknown: '\ufffd'`",
                )
            counts[ord(unknown)] = np.iinfo(np.int64).max
            by_frequency = wanted[np.argsort(-counts[wanted], kind="stable")]
            wanted = np.sort(by_frequency[:size])
        return cls("".join(map(chr, wanted.tolist())), unknown)

    @classmethod
    def stored(cls, state: Json, unknown: str | None) -> Vocabulary:
        """From what `state` gave.

        Raises:
            ValueError: It is nothing that could have been given.
        """
        if not isinstance(state, str) or not state or len(set(state)) != len(state):
            raise ValueError("expected a text with each character once")
        if unknown is not None and unknown not in state:
            raise ValueError(f"{unknown!r}, which is to stand for others, is not among them")
        return cls(state, unknown)

    def state(self) -> Json:
        """The characters, in the order of their numbers."""
        return self.characters

    def numbers(self, points: Array) -> Indices:
        """The number of each code point, int64 of the same shape; -1 of one that is not known."""
        found: Indices = self._numbers.take(points, mode="clip")
        return found

    def first_unknown(self, points: Array) -> int | None:
        """Where the first code point is that has no number; None if there is none."""
        for start in range(0, len(points), _COUNTED_AT_ONCE):
            is_unknown = self.numbers(points[start : start + _COUNTED_AT_ONCE]) < 0
            if is_unknown.any():
                return start + int(is_unknown.argmax())
        return None

    def text(self, numbers: Indices) -> str:
        """The characters of some numbers (N,)."""
        return "".join(self.characters[number] for number in numbers.tolist())


def _counts(texts: Iterable[Array]) -> npt.NDArray[np.int64]:
    counts = np.zeros(_CODE_POINTS, np.int64)
    for text in texts:
        for start in range(0, len(text), _COUNTED_AT_ONCE):
            found = np.bincount(text[start : start + _COUNTED_AT_ONCE])
            counts[: len(found)] += found
    return counts
