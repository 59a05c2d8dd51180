"""`data.arrays`: each array of a file, or of a folder of ``.npy`` files, is a field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from model_constructor.errors import ParameterError, close_matches
from offline_trainer.data.batches import Array
from offline_trainer.data.files import check_exists
from offline_trainer.data.module import ArrayDataModule, Parts
from offline_trainer.data.npy_files import (
    check_equal_lengths,
    map_npy,
    map_npy_folder,
    npy_files,
    read_npz,
)
from offline_trainer.data.safetensors_arrays import map_safetensors
from offline_trainer.data.split import Split, divide, read_split, undivided
from offline_trainer.notices import notice

_NUMERIC_KINDS = "biufc"
_INEXACT_KINDS = "fc"


class Arrays(ArrayDataModule):
    """Batches whose fields are recorded arrays, under their own names, shapes and dtypes.

    The first dimension of every array counts the samples. A ``.npz`` file is read whole, and looked
    through for values that are not finite; all others are memory-mapped, so they may be larger than
    memory.

    Args:
        path: A ``.npz`` or ``.safetensors`` file with an array per field, a folder with a ``.npy``
            file per field, or one ``.npy`` file, whose name is the field's.
        batch_size: Rows of a batch.
        split: Which rows validate and test, as of `data.table`; a column is the name of an array
            with one whole number or text for each row.
        val_fraction: Short for ``split: {val: …}``.
        test_fraction: Short for ``split: {test: …}``.
        shuffle: Whether training visits the rows in a new random order in each epoch.
        drop_last: Whether training leaves out a last batch with fewer rows.
        seed: Seed of split and order; the run's seed if None.
        on_device: Whether all rows are kept where the engine computes.
    """

    def __init__(
        self,
        path: Path,
        batch_size: int = 32,
        split: Mapping[str, Any] | None = None,
        val_fraction: float = 0.0,
        test_fraction: float = 0.0,
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int | None = None,
        on_device: bool = False,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            shuffle=shuffle,
            drop_last=drop_last,
            seed=seed,
            on_device=on_device,
        )
        self._path = Path(path)
        self._split = read_split(split, val_fraction, test_fraction, None)

    def load(self, seed: int) -> tuple[Mapping[str, Array], Parts]:
        """Open the files and split their rows."""
        arrays = self._read()
        labels = self._labels(arrays)
        if not arrays:
            raise ParameterError(
                f"{self._path} has no array but `{self._split.by}`, which divides the rows",
                parameter="path",
                help="store an array of numbers beside it",
            )
        for name, array in arrays.items():
            if array.dtype.kind not in _NUMERIC_KINDS:
                raise ParameterError(
                    f"array `{name}` of {self._path} is {array.dtype}, not numeric",
                    parameter="path",
                )
        if self._path.suffix == ".npz":
            _tell_of_non_finite(self._path, arrays)
        length = len(next(iter(arrays.values())))
        if self._split == Split():
            return arrays, undivided(length)
        return arrays, divide(self._split, length, seed, labels, self._place, ("split",))

    def _place(self, row: int) -> str:
        return f"{self._path}, row {row} (from 0)"

    def input_files(self) -> list[Path]:
        """The file, or the ``.npy`` files of the folder."""
        return npy_files(self._path) if self._path.is_dir() else [self._path]

    def _labels(self, arrays: dict[str, Array]) -> list[str | None]:
        """What the array that the split names says of each row; one of texts is for that alone."""
        name = self._split.by
        if name is None:
            return []
        if name not in arrays:
            raise ParameterError(
                f"{self._path} has no array `{name}`",
                parameter="split",
                suggestions=close_matches(name, arrays),
                help=f"its arrays are {', '.join(arrays)}",
            )
        array = arrays[name] if arrays[name].dtype.kind != "U" else arrays.pop(name)
        if array.dtype.kind not in "Uiub" or array.ndim != 1:
            raise ParameterError(
                f"array `{name}` of {self._path} is {array.dtype} of shape {array.shape}; a split "
                "needs one whole number or text for each row",
                parameter="split",
            )
        return [str(label) for label in array.tolist()]

    def _read(self) -> dict[str, Array]:
        check_exists(self._path)
        if self._path.is_dir():
            return map_npy_folder(self._path)
        if self._path.suffix == ".npz":
            return read_npz(self._path)
        if self._path.suffix == ".safetensors":
            return map_safetensors(self._path)
        if self._path.suffix == ".npy":
            arrays = {self._path.stem: map_npy(self._path)}
            check_equal_lengths(self._path, arrays)
            return arrays
        raise ParameterError(
            f"{self._path} is no .npz, .npy or .safetensors file, nor a folder of .npy files",
            parameter="path",
            help="tables are read by data.table, text by data.text",
        )


def _tell_of_non_finite(path: Path, arrays: Mapping[str, Array]) -> None:
    """Say which rows of arrays in memory hold NaN or infinities, which a mask may leave out."""
    for name, array in arrays.items():
        finite = np.isfinite(array) if array.dtype.kind in _INEXACT_KINDS else np.True_
        if finite.all():
            continue
        (rows,) = (~finite).reshape(len(array), -1).any(axis=1).nonzero()
        notice(
            f"array `{name}` of {path} is not finite in {len(rows):,} of its {len(array):,} rows, "
            f"first in row {rows[0]} (from 0): a loss of such values is not finite either"
        )
