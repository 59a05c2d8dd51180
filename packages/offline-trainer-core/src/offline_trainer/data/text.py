"""`data.text`: blocks of text files, and for each symbol of a block the one that follows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Array, Batch
from offline_trainer.data.files import check_exists
from offline_trainer.data.gathered import NUMBER, GatheredDataModule
from offline_trainer.data.module import Parts, check_at_least
from offline_trainer.data.order import Indices
from offline_trainer.data.split import PARTS, read_split
from offline_trainer.data.text_blocks import Blocks, Segment, block_starts
from offline_trainer.data.text_files import (
    find_files,
    place,
    python_library,
    read_bytes,
    read_characters,
)
from offline_trainer.data.text_split import check_text_split, segments
from offline_trainer.data.vocabulary import Vocabulary
from offline_trainer.engine import Json
from offline_trainer.protocols import NewSamples, Values


class Text(GatheredDataModule):
    """Batches ``{"x": (B, T), "y": (B, T)}``, int64: blocks of text, and the next symbols.

    ``y[:, t]`` is the symbol after ``x[:, t]``. A block lies in one file and in one part of the
    data, ``y`` included; what is left of a file after its last block is not used. Validation and
    test take no symbol twice, whatever the stride.

    Args:
        path: A UTF-8 file, or a folder.
        pattern: Which files of a folder: ``"*.txt"`` of itself, ``"**/*.txt"`` also of those below;
            or a list of such.
        python_library: Take the source of the running Python's standard library in place of
            ``path``: a text that is on every machine.
        level: ``byte``: the 256 bytes are the symbols; ``character``: the characters of the
            training part.
        block_length: Symbols of a block, T.
        stride: From the start of a training block to that of the next; ``block_length`` if None.
        vocabulary_size: How many characters there may be; the most frequent are kept.
        unknown: The character that stands for one that is not known; without it, one in
            validation, test or a new file is an error.
        batch_size: Blocks of a batch.
        split: ``{val: 0.1, test: 0.1}`` cuts these shares off the end of the text; with ``groups:
            file``, every file is in one part as a whole, also as ``{kfold: 5, fold: 0, groups:
            file}``.
        val_fraction: Short for ``split: {val: …}``.
        test_fraction: Short for ``split: {test: …}``.
        shuffle: Whether training visits the blocks in a new random order in each epoch.
        drop_last: Whether training leaves out a last batch with fewer blocks.
        seed: Seed of split and order; the run's seed if None.
    """

    def __init__(
        self,
        path: Path | None = None,
        pattern: str | Sequence[str] = "**/*.txt",
        python_library: bool = False,
        level: Literal["byte", "character"] = "byte",
        block_length: int = 64,
        stride: int | None = None,
        vocabulary_size: int | None = None,
        unknown: str | None = None,
        batch_size: int = 32,
        split: Mapping[str, Any] | None = None,
        val_fraction: float = 0.0,
        test_fraction: float = 0.0,
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> None:
        super().__init__(batch_size=batch_size, shuffle=shuffle, drop_last=drop_last, seed=seed)
        stride = block_length if stride is None else stride
        check_at_least(1, block_length=block_length, stride=stride)
        if (path is not None) == python_library:
            raise ParameterError(
                "path and python_library cannot both be given"
                if python_library
                else "path is missing: a text file, or a folder with some",
                parameter="path",
            )
        self._path = path
        self._patterns = _checked_patterns(pattern)
        self._length = block_length
        self._stride = stride
        self._vocabulary_size = vocabulary_size
        self._unknown = unknown
        self._check_level(level)
        self._is_bytes = level == "byte"
        self._split = read_split(split, val_fraction, test_fraction, None)
        check_text_split(self._split)
        self._vocabulary: Vocabulary | None = None
        self._files: list[Path] = []
        self._blocks: Blocks | None = None

    def load(self, seed: int) -> tuple[Mapping[str, Array], Parts]:
        """Read the files, divide them, and learn the characters of the training part."""
        folder = python_library() if self._path is None else self._path
        self._files = find_files(folder, self._patterns)
        texts = [self._read(file) for file in self._files]
        divided = segments(self._split, [len(text) for text in texts], seed)
        if not self._is_bytes and self._vocabulary is None:
            self._vocabulary = self._fitted(texts, divided)
        for file, text in zip(self._files, texts, strict=True):
            self._check_known(file, text)
        self._blocks = Blocks(texts, self._vocabulary)
        starts, part_of = block_starts(divided, self._blocks.first, self._length, self._stride)
        found = {part: np.flatnonzero(part_of == number) for number, part in enumerate(PARTS)}
        self._check_parts(found)
        return {NUMBER: starts}, Parts(**found)

    def gather(self, numbers: Indices) -> Batch:
        """The blocks ``x`` that start there, and the next symbols ``y``, int64 (B, T) each."""
        assert self._blocks is not None  # set where the numbers were made
        symbols = self._blocks.gathered(numbers, self._length + 1)
        return {"x": symbols[:, :-1].copy(), "y": symbols[:, 1:].copy()}

    def input_files(self) -> list[Path]:
        """The files, sorted."""
        return self._files

    def transform_state(self) -> Json:
        """The characters in the order of their numbers; None at the level of bytes."""
        return {"characters": None if self._vocabulary is None else self._vocabulary.state()}

    def load_transform_state(self, state: Json) -> None:
        """Use the characters of an earlier `transform_state`; none are learned any more.

        Raises:
            ValueError: It is not that of a text at this level.
        """
        characters = state.get("characters") if isinstance(state, dict) else state
        if not isinstance(state, dict) or (characters is None) != self._is_bytes:
            raise ValueError("expected the characters of a text at this level")
        if not self._is_bytes:
            self._vocabulary = Vocabulary.stored(characters, self._unknown)

    def new_samples(self, path: Path) -> Iterator[NewSamples]:
        """The blocks of another file one after the other; the last may be shorter.

        Beside each are its ``offset``, the symbols before it, and its ``text``.
        """
        check_exists(path)
        symbols = self._read(path)
        self._check_known(path, symbols)
        if not len(symbols):
            raise ParameterError(f"{path} is empty", parameter="path")
        whole = len(symbols) - len(symbols) % self._length
        blocks = Blocks([symbols], self._vocabulary)
        at_once = self._length * self._batch_size
        bounds = [*range(0, whole, at_once), whole, len(symbols)]
        for start, stop in pairwise(bounds):
            if start == stop:
                continue
            length = min(self._length, stop - start)
            offsets = np.arange(start, stop, length)
            x = blocks.gathered(offsets, length)
            columns = {"offset": offsets, "text": [self._text(row) for row in x]}
            yield NewSamples({"x": x}, columns)

    def predictions(self, outputs: Any, probabilities: Any | None) -> dict[str, Values]:
        """``predicted_next``: the most probable symbol after each block, from (B, T, V)."""
        while isinstance(outputs, Mapping) and len(outputs) == 1:
            (outputs,) = outputs.values()
        if not isinstance(outputs, np.ndarray) or outputs.ndim != 3:
            shape = getattr(outputs, "shape", type(outputs).__name__)
            raise ParameterError(
                f"the model gives {shape}; predictions of a text are written of one array, with a "
                "number for each symbol that may follow: (blocks, block_length, symbols)"
            )
        known = 256 if self._vocabulary is None else len(self._vocabulary.characters)
        if outputs.shape[2] < known:
            raise ParameterError(
                f"the model gives {outputs.shape[2]} numbers for what follows, and there are "
                f"{known} symbols"
            )
        numbers = outputs[:, -1, :known].argmax(axis=1)
        return {
            "predicted_next": [self._text(numbers[row : row + 1]) for row in range(len(numbers))]
        }

    def _read(self, file: Path) -> Array:
        return read_bytes(file) if self._is_bytes else read_characters(file)

    def _text(self, numbers: Indices) -> str:
        if self._vocabulary is not None:
            return self._vocabulary.text(numbers)
        return numbers.astype(np.uint8).tobytes().decode("utf-8", "backslashreplace")

    def _fitted(self, texts: Sequence[Array], divided: Sequence[Segment]) -> Vocabulary:
        trained = [
            texts[each.file][each.start : each.stop]
            for each in divided
            if PARTS[each.part] == "train"
        ]
        if not any(map(len, trained)):
            raise ParameterError("the training part has no text", parameter="split")
        return Vocabulary.fitted(trained, self._vocabulary_size, self._unknown)

    def _check_known(self, file: Path, text: Array) -> None:
        position = None if self._vocabulary is None else self._vocabulary.first_unknown(text)
        if position is not None:
            point = int(text[position])
            raise ParameterError(
                f"{place(file, text, position)}: the character {chr(point)!r} (U+{point:04X}) is "
                "not in the training part",
                parameter="unknown",
                help="say what stands for such a character: `unknown: '\ufffd'`",
            )

    def _check_parts(self, found: Mapping[str, Indices]) -> None:
        split = self._split
        wanted = {"train": True, "val": split.val > 0, "test": split.test > 0 or split.kfold}
        for part in PARTS:
            if wanted[part] and not len(found[part]):
                raise ParameterError(
                    f"the {part} part has no block of block_length + 1 = {self._length + 1} "
                    f"symbols within one file (of {len(self._files)})",
                    parameter="block_length" if part == "train" else "split",
                )

    def _check_level(self, level: object) -> None:
        if level not in ("byte", "character"):
            raise ParameterError(
                f"level must be byte or character, got {level!r}", parameter="level"
            )
        if self._unknown is not None and len(self._unknown) != 1:
            raise ParameterError(
                f"unknown must be one character, got {self._unknown!r}", parameter="unknown"
            )
        for name, value in (("vocabulary_size", self._vocabulary_size), ("unknown", self._unknown)):
            if value is not None and level == "byte":
                raise ParameterError(
                    f"{name} is for `level: character`; all 256 bytes are known", parameter=name
                )
        if self._vocabulary_size is not None:
            check_at_least(2, vocabulary_size=self._vocabulary_size)


def _checked_patterns(given: object) -> list[str]:
    patterns = [given] if isinstance(given, str) else given
    if not isinstance(patterns, (list, tuple)) or not patterns:
        raise ParameterError(
            f"pattern must be a text such as '**/*.txt', or a list of such, got {given!r}",
            parameter="pattern",
        )
    for each in patterns:
        if not isinstance(each, str) or not each:
            raise ParameterError(f"{each!r} is no pattern of files", parameter="pattern")
    return list(patterns)
