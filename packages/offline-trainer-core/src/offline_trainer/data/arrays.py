"""`data.arrays`: each array of a ``.npz`` file, or of a folder of ``.npy`` files, is a field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Array
from offline_trainer.data.files import check_exists
from offline_trainer.data.module import ArrayDataModule, Parts, check_fractions, split_by_fraction
from offline_trainer.data.npy_files import map_npy_folder, npy_files, read_npz

_NUMERIC_KINDS = "biufc"


class Arrays(ArrayDataModule):
    """Batches whose fields are recorded arrays, under their own names, shapes and dtypes.

    The first dimension of every array counts the samples. A folder is memory-mapped, so it may be
    larger than memory; a ``.npz`` file is read whole.

    Args:
        path: A ``.npz`` file, or a folder with one ``.npy`` file per field.
        batch_size: Rows of a batch.
        val_fraction: Share of the rows that validate, drawn by the seed.
        test_fraction: Share of the rows that test, drawn by the seed.
        shuffle: Whether training visits the rows in a new random order in each epoch.
        drop_last: Whether training leaves out a last batch with fewer rows.
        seed: Seed of split and order; the run's seed if None.
    """

    def __init__(
        self,
        path: Path,
        batch_size: int = 32,
        val_fraction: float = 0.0,
        test_fraction: float = 0.0,
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> None:
        super().__init__(batch_size=batch_size, shuffle=shuffle, drop_last=drop_last, seed=seed)
        check_fractions(val_fraction, test_fraction)
        self._path = Path(path)
        self._fractions = (val_fraction, test_fraction)

    def load(self, seed: int) -> tuple[Mapping[str, Array], Parts]:
        """Open the files and split their rows."""
        arrays = self._read()
        for name, array in arrays.items():
            if array.dtype.kind not in _NUMERIC_KINDS:
                raise ParameterError(
                    f"array `{name}` of {self._path} is {array.dtype}, not numeric",
                    parameter="path",
                )
        length = len(next(iter(arrays.values())))
        return arrays, split_by_fraction(length, *self._fractions, seed)

    def input_files(self) -> list[Path]:
        """The ``.npz`` file, or the ``.npy`` files of the folder."""
        return npy_files(self._path) if self._path.is_dir() else [self._path]

    def _read(self) -> dict[str, Array]:
        check_exists(self._path)
        if self._path.is_dir():
            return map_npy_folder(self._path)
        if self._path.suffix == ".npz":
            return read_npz(self._path)
        raise ParameterError(
            f"{self._path} is neither a .npz file nor a folder of .npy files",
            parameter="path",
            help="put a single .npy file into a folder of its own; tables are read by data.table",
        )
