"""`data.table`: columns of a CSV or ``.npz`` file as features ``x`` and target ``y``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from model_constructor.errors import ParameterError, close_matches
from model_constructor.listing import first_few
from offline_trainer.data.batches import Array, Floats
from offline_trainer.data.csv_table import CsvTable
from offline_trainer.data.module import ArrayDataModule, Parts, check_fractions, split_by_fraction
from offline_trainer.data.npz_table import NpzTable
from offline_trainer.data.standardise import Standardisation
from offline_trainer.engine import Json

_DTYPES = ("float32", "float64", "int64")
_PARTS = ("train", "val", "test")
_CSV_SUFFIXES = (".csv", ".tsv", ".txt")
_EXACT_INTEGERS = 2.0**53  # below this, a float64 is the very integer that the file says
_SHOWN_NAMES = 12


class Table(ArrayDataModule):
    """Batches ``{"x": (B, F), "y": (B,) or (B, T)}`` from the columns of a table.

    Args:
        path: A CSV file with a header (``.csv``, ``.tsv``, ``.txt``, also with ``.gz``), or a
            ``.npz`` file in which each array is a column, or several where it is 2-d.
        target: The column of ``y``, which then has shape (B,); or a list of T columns, for (B, T).
        batch_size: Rows of a batch.
        features: The columns of ``x``, in this order; None takes every column not used otherwise.
        feature_dtype: ``float32``, ``float64`` or ``int64``.
        target_dtype: The same; classes need ``int64``.
        split_column: A column with ``train``, ``val`` or ``test`` in each row.
        val_fraction: Share of the rows that validate, drawn by the seed.
        test_fraction: Share of the rows that test, drawn by the seed.
        standardise: Whether each feature is shifted and scaled to mean 0 and variance 1 over the
            training rows.
        delimiter: The character between the cells of a CSV file.
        shuffle: Whether training visits the rows in a new random order in each epoch.
        drop_last: Whether training leaves out a last batch with fewer rows.
        seed: Seed of split and order; the run's seed if None.
    """

    def __init__(
        self,
        path: Path,
        target: str | Sequence[str],
        batch_size: int = 32,
        features: Sequence[str] | None = None,
        feature_dtype: str = "float32",
        target_dtype: str = "float32",
        split_column: str | None = None,
        val_fraction: float = 0.0,
        test_fraction: float = 0.0,
        standardise: bool = False,
        delimiter: str = ",",
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> None:
        super().__init__(batch_size=batch_size, shuffle=shuffle, drop_last=drop_last, seed=seed)
        self._path = Path(path)
        self._single_target = not isinstance(target, (list, tuple))
        self._targets = _checked_names("target", [target] if self._single_target else target)
        self._features = None if features is None else _checked_names("features", features)
        self._feature_dtype = _checked_dtype("feature_dtype", feature_dtype)
        self._target_dtype = _checked_dtype("target_dtype", target_dtype)
        self._split_column = split_column
        self._fractions = (val_fraction, test_fraction)
        self._standardise = standardise
        self._delimiter = delimiter
        self._standardisation: Standardisation | None = None
        check_fractions(val_fraction, test_fraction)
        self._check_combinations()

    def load(self, seed: int) -> tuple[Mapping[str, Array], Parts]:
        """Read the table, split its rows, and standardise the features."""
        table = self._open()
        names = self._feature_names(table.names)
        columns = table.numbers([*names, *self._targets])
        parts = self._split(table, seed)
        features = np.column_stack([columns[name] for name in names])  # (N, F)
        labels = _labels(names, columns)
        if self._standardise:
            self._standardisation = Standardisation.fit(features[parts.train])
            self._feature_labels = labels
            features = self._standardisation(features)
        targets = np.column_stack([columns[name] for name in self._targets])  # (N, T)
        x = _cast(features, self._feature_dtype, table, labels, "feature_dtype")
        y = _cast(
            targets, self._target_dtype, table, _labels(self._targets, columns), "target_dtype"
        )
        if self._single_target and y.shape[1] == 1:
            y = y[:, 0]
        return {"x": x, "y": y}, parts

    def input_files(self) -> list[Path]:
        """The table."""
        return [self._path]

    def transform_state(self) -> Json:
        """``{"x": {"columns", "mean", "scale"}}`` when standardising, otherwise empty."""
        if self._standardisation is None:
            return {}
        return {"x": self._standardisation.state(self._feature_labels)}

    def _open(self) -> CsvTable | NpzTable:
        suffixes = [suffix for suffix in self._path.suffixes if suffix != ".gz"]
        suffix = suffixes[-1] if suffixes else ""
        if suffix == ".npz":
            return NpzTable(self._path)
        if suffix in _CSV_SUFFIXES:
            return CsvTable(self._path, self._delimiter)
        raise ParameterError(
            f"{self._path} is no table by its name; expected {', '.join(_CSV_SUFFIXES)} "
            "(also with .gz) or .npz",
            parameter="path",
        )

    def _feature_names(self, available: Sequence[str]) -> list[str]:
        for position, name in enumerate(self._targets):
            where = ("target",) if self._single_target else ("target", position)
            self._check_column(name, available, where)
        if self._split_column is not None:
            self._check_column(self._split_column, available, ("split_column",))
        if self._features is None:
            used = {*self._targets, self._split_column}
            names = [name for name in available if name not in used]
            if not names:
                raise ParameterError(
                    f"{self._path} has no column left for the features", parameter="path"
                )
            return names
        for position, name in enumerate(self._features):
            self._check_column(name, available, ("features", position))
        return self._features

    def _check_column(
        self, name: str, available: Sequence[str], where: tuple[str | int, ...]
    ) -> None:
        if name in available:
            return
        help = f"its columns are {first_few(available, _SHOWN_NAMES)}"
        if len(available) == 1 and any(mark in available[0] for mark in ";\t|,"):
            help += "; set `delimiter` to the character between them"
        raise ParameterError(
            f"{self._path} has no column `{name}`",
            parameter=where,
            suggestions=close_matches(name, available),
            help=help,
        )

    def _split(self, table: CsvTable | NpzTable, seed: int) -> Parts:
        if self._split_column is None:
            return split_by_fraction(len(table), *self._fractions, seed)
        part_of = table.texts(self._split_column)
        for row, text in enumerate(part_of):
            if text not in _PARTS:
                raise ParameterError(
                    f"{table.place(row)}, column `{self._split_column}`: {text!r} is none of "
                    f"{', '.join(_PARTS)}",
                    parameter="split_column",
                )
        rows = np.array(part_of)
        train, val, test = (np.flatnonzero(rows == part) for part in _PARTS)
        if not len(train):
            raise ParameterError(
                f"column `{self._split_column}` of {self._path} marks no row as train",
                parameter="split_column",
            )
        return Parts(train, val, test)

    def _check_combinations(self) -> None:
        if self._split_column is not None and any(self._fractions):
            raise ParameterError(
                "split_column says which rows validate and test; val_fraction and test_fraction "
                "cannot be given beside it",
                parameter="split_column",
            )
        if self._standardise and self._feature_dtype == "int64":
            raise ParameterError(
                "standardised features are no integers; feature_dtype must be a float",
                parameter="feature_dtype",
            )
        if len(self._delimiter) != 1 or self._delimiter in '"\n\r':
            raise ParameterError(
                f"delimiter must be one character, got {self._delimiter!r}", parameter="delimiter"
            )
        used: dict[str, str] = {}
        for role, names in (
            ("target", self._targets),
            ("split_column", [self._split_column] if self._split_column is not None else []),
            ("features", self._features or []),
        ):
            for name in names:
                if name in used:
                    raise ParameterError(
                        f"column `{name}` is used twice: in {used[name]} and in {role}",
                        parameter=role,
                    )
                used[name] = role


def _checked_names(parameter: str, names: Sequence[object]) -> list[str]:
    if not isinstance(names, (list, tuple)):
        raise ParameterError(
            f"{parameter} must be a list of columns, got {names!r}", parameter=parameter
        )
    for position, name in enumerate(names):
        if not isinstance(name, str):
            raise ParameterError(
                f"{parameter} must name columns, got {name!r}",
                parameter=(parameter, position),
                help=f'put the name in quotes: "{name}"',
            )
    if not names:
        raise ParameterError(f"{parameter} names no column", parameter=parameter)
    return [name for name in names if isinstance(name, str)]


def _checked_dtype(parameter: str, dtype: str) -> str:
    if dtype not in _DTYPES:
        raise ParameterError(
            f"{parameter} must be one of {', '.join(_DTYPES)}, got {dtype!r}",
            parameter=parameter,
            suggestions=close_matches(dtype, _DTYPES),
        )
    return dtype


def _labels(names: Sequence[str], columns: Mapping[str, Floats]) -> list[str]:
    """One label per column of the matrix; an array with two dimensions stands for several."""
    labels = []
    for name in names:
        column = columns[name]
        labels += [name] if column.ndim == 1 else [f"{name}[{i}]" for i in range(column.shape[1])]
    return labels


def _cast(
    values: Floats, dtype: str, table: CsvTable | NpzTable, labels: Sequence[str], parameter: str
) -> Array:
    if dtype == "int64":
        fits = (values == np.rint(values)) & (np.abs(values) < _EXACT_INTEGERS)
    else:
        fits = np.abs(values) <= np.finfo(dtype).max
    if not fits.all():
        row, column = np.argwhere(~fits)[0].tolist()
        raise ParameterError(
            f"{table.place(row)}, column `{labels[column]}`: "
            f"{float(values[row, column])!r} is no {dtype}",
            parameter=parameter,
        )
    return np.ascontiguousarray(values.astype(dtype))
