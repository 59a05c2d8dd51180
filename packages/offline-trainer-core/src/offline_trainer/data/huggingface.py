"""`data.huggingface`: a folder that ``save_to_disk`` of the library ``datasets`` has written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model_constructor.errors import ParameterError, close_matches
from offline_trainer.data.batches import Array, Batch
from offline_trainer.data.gathered import NUMBER, GatheredDataModule
from offline_trainer.data.module import Parts
from offline_trainer.data.order import Indices
from offline_trainer.data.saved_dataset import (
    Field,
    Rows,
    SavedDataset,
    field_of,
    open_saved,
    split_names,
)
from offline_trainer.data.split import PARTS, Split, divide, read_split
from offline_trainer.engine import Json


class HuggingFace(GatheredDataModule):
    """Batches whose fields are columns of a saved data set: numbers, or lists of one length.

    Labels are int64; the names of their classes are kept in the run's transforms.json. The files
    are memory-mapped, so they may be larger than memory. Nothing is looked for on a hub.

    Args:
        path: A folder that ``save_to_disk`` of a ``Dataset`` or a ``DatasetDict`` has written.
        columns: The fields of the batch, and the column of each; every column if None.
        splits: Which split of a ``DatasetDict`` is which part: ``{train: train, val: validation}``.
        batch_size: Rows of a batch.
        split: Which rows of a single ``Dataset`` validate and test, as of `data.table`; a column is
            one of the data set, with a whole number or text in each row.
        val_fraction: Short for ``split: {val: …}``.
        test_fraction: Short for ``split: {test: …}``.
        shuffle: Whether training visits the rows in a new random order in each epoch.
        drop_last: Whether training leaves out a last batch with fewer rows.
        seed: Seed of split and order; the run's seed if None.
    """

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, str] | None = None,
        splits: Mapping[str, str] | None = None,
        batch_size: int = 32,
        split: Mapping[str, Any] | None = None,
        val_fraction: float = 0.0,
        test_fraction: float = 0.0,
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> None:
        super().__init__(batch_size=batch_size, shuffle=shuffle, drop_last=drop_last, seed=seed)
        self._path = Path(path)
        self._columns = columns
        self._splits = _checked_splits(splits)
        self._split = read_split(split, val_fraction, test_fraction, None)
        if splits is not None and self._split != Split():
            raise ParameterError(
                "the splits of the data set are its parts; leave out `split`", parameter="splits"
            )
        self._files: list[Path] = []
        self._fields: dict[str, Field] = {}
        self._rows: Rows | None = None

    def load(self, seed: int) -> tuple[Mapping[str, Array], Parts]:
        """Open the files, and find the rows of each part."""
        parts = self._saved()
        first = next(iter(parts.values()))
        self._fields = self._read_fields(first)
        for each in parts.values():
            if self._read_fields(each) != self._fields:
                raise ParameterError(
                    f"the columns of {each.folder} are not those of {first.folder}",
                    parameter="splits",
                )
        self._files = [file for each in parts.values() for file in each.files]
        lengths = [len(each.table) for each in parts.values()]
        if not lengths[0]:
            raise ParameterError(f"{first.folder} has no rows", parameter="path")
        self._rows = Rows(
            {
                name: [chunk for each in parts.values() for chunk in field.chunks(each.table)]
                for name, field in self._fields.items()
            }
        )
        numbers = np.arange(sum(lengths))
        if self._splits is None:
            labels = self._labels(first)
            return {NUMBER: numbers}, divide(
                self._split, lengths[0], seed, labels, self._place, ("split",)
            )
        bounds = np.cumsum([0, *lengths])
        rows = {
            part: numbers[start:stop]
            for part, start, stop in zip(parts, bounds, bounds[1:], strict=False)
        }
        return {NUMBER: numbers}, Parts(*(rows.get(part, numbers[:0]) for part in PARTS))

    def gather(self, numbers: Indices) -> Batch:
        """Some rows by field."""
        assert self._rows is not None  # set where the numbers were made
        return self._rows.gathered(numbers)

    def input_files(self) -> list[Path]:
        """The Arrow files, and what describes them."""
        return self._files

    def transform_state(self) -> Json:
        """The names of the classes of each field that has some, in the order of their numbers."""
        return {
            "classes": {
                name: list(field.names)
                for name, field in self._fields.items()
                if field.names is not None
            }
        }

    def _saved(self) -> dict[str, SavedDataset]:
        """The data set of each part, or the one of all."""
        known = split_names(self._path)
        if self._splits is None:
            if known:
                raise ParameterError(
                    f"{self._path} has the splits {', '.join(known)}; say which is which part",
                    parameter="path",
                    help="splits: {train: " + known[0] + "}, also with val and test",
                )
            return {"train": open_saved(self._path)}
        for part, name in self._splits.items():
            if name not in known:
                has = f"has the splits {', '.join(known)}" if known else "is one data set"
                raise ParameterError(
                    f"{self._path} has no split `{name}`: it {has}",
                    parameter=("splits", part),
                    suggestions=close_matches(name, known),
                )
        return {
            part: open_saved(self._path / self._splits[part])
            for part in PARTS
            if part in self._splits
        }

    def _read_fields(self, data: SavedDataset) -> dict[str, Field]:
        known = data.table.column_names
        columns = {name: name for name in known} if self._columns is None else self._columns
        if not columns:
            raise ParameterError(
                f"no column of {data.folder} is a field of the batch",
                parameter="columns",
                help=f"its columns are {', '.join(known)}" if known else "it has no columns",
            )
        for field, column in columns.items():
            if column not in known:
                raise ParameterError(
                    f"{data.folder} has no column `{column}`",
                    parameter=("columns", field),
                    suggestions=close_matches(str(column), known),
                    help=f"its columns are {', '.join(known)}",
                )
        return {field: field_of(data, column) for field, column in columns.items()}

    def _labels(self, data: SavedDataset) -> Sequence[str | None]:
        name = self._split.by
        if name is None:
            return ()
        known = data.table.column_names
        if name not in known:
            raise ParameterError(
                f"{data.folder} has no column `{name}`",
                parameter="split",
                suggestions=close_matches(name, known),
            )
        return [None if each is None else str(each) for each in data.table.column(name).to_pylist()]

    def _place(self, row: int) -> str:
        return f"{self._path}, row {row} (from 0)"


def _checked_splits(given: object) -> Mapping[str, str] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping) or "train" not in given:
        raise ParameterError(
            f"splits must name the one for training, got {given!r}",
            parameter="splits",
            help="splits: {train: train, val: validation}",
        )
    part_of: dict[str, object] = {}
    for part, name in given.items():
        if part not in PARTS:
            raise ParameterError(
                f"unknown key `{part}`; the parts are {', '.join(PARTS)}",
                parameter=("splits", part),
                suggestions=close_matches(str(part), PARTS),
            )
        other = part_of.setdefault(str(name), part)
        if other != part:
            raise ParameterError(
                f"split `{name}` cannot be both {other} and {part}",
                parameter=("splits", part),
                help="give each part a split of its own, or leave one out",
            )
    return given
