"""Which stretches of texts train, validate and test: whole files, or one part after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.split import PARTS, Split, divide_groups
from offline_trainer.data.text_blocks import Segment

_FILE = "file"


def check_text_split(split: Split) -> None:
    """Refuse what is not for texts.

    Raises:
        ParameterError: The split names a column, or divides symbols at random.
    """
    for name in ("column", "stratify"):
        if getattr(split, name) is not None:
            raise ParameterError(
                f"a text has no columns, so it cannot be divided by {name}",
                parameter=("split", name),
                help="split: {val: 0.1, test: 0.1, groups: file}",
            )
    if split.groups not in (None, _FILE):
        raise ParameterError(
            f"groups of a text are its files, got {split.groups!r}",
            parameter=("split", "groups"),
            help="groups: file",
        )
    if split.kfold is not None and split.groups is None:
        raise ParameterError(
            "the folds of a text are of whole files",
            parameter=("split", "kfold"),
            help="add `groups: file`",
        )


def segments(split: Split, lengths: Sequence[int], seed: int) -> list[Segment]:
    """All stretches, in the order of the files and within them.

    Args:
        lengths: Symbols of each file.
        seed: Chooses the files, where these are divided.
    """
    if split.groups is None:
        return list(_one_after_the_other(split, lengths))
    part_of = np.empty(len(lengths), np.int64)
    for number, files in enumerate(divide_groups(split, np.array(lengths), seed)):
        part_of[files] = number
    return [Segment(file, 0, length, int(part_of[file])) for file, length in enumerate(lengths)]


def _one_after_the_other(split: Split, lengths: Sequence[int]) -> Iterator[Segment]:
    total = sum(lengths)
    tested = int(total * split.test + 0.5)
    validated = int(total * split.val + 0.5)
    bounds = [0, max(0, total - validated - tested), total - tested, total]
    first = 0
    for file, length in enumerate(lengths):
        for part in range(len(PARTS)):
            start = max(bounds[part], first) - first
            stop = min(bounds[part + 1], first + length) - first
            if start < stop:
                yield Segment(file, start, stop, part)
        first += length
