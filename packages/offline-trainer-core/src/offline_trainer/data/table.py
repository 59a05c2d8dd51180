"""`data.table`: columns of a table file as features ``x`` and target ``y``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from model_constructor.errors import ParameterError, close_matches
from model_constructor.listing import first_few
from offline_trainer.data.batches import Array, ArrayLoader
from offline_trainer.data.columns import TableRows, read_columns, read_declarations
from offline_trainer.data.matrix import Matrix
from offline_trainer.data.module import ArrayDataModule, Parts
from offline_trainer.data.sampling import balancing_weights, checked_weights, read_sampling
from offline_trainer.data.split import divide, read_split
from offline_trainer.data.table_files import checked_delimiter, open_table, table_blocks
from offline_trainer.data.table_predictions import predicted_columns
from offline_trainer.data.transforms.ordinal import Ordinal
from offline_trainer.data.transforms.pipeline import Columns, Pipeline, Step
from offline_trainer.data.transforms.standardise import Standardise
from offline_trainer.engine import Json
from offline_trainer.protocols import NewSamples, Values

_DTYPES = ("float32", "float64", "int64")
_SHOWN_NAMES = 12
_BLOCK_ROWS = 8192


class Table(ArrayDataModule):
    """Batches ``{"x": (B, F), "y": (B,) or (B, T)}`` from the columns of a table.

    Args:
        path: A CSV file with a header (``.csv``, ``.tsv``, ``.txt``, also with ``.gz``); a
            ``.parquet``, ``.feather`` or ``.arrow`` file, which need pyarrow; or a ``.npz`` file in
            which each array is a column, or several where it is 2-d.
        target: The column of ``y``, which then has shape (B,); or a list of T columns, for (B, T).
        batch_size: Rows of a batch.
        features: The columns of ``x``, in this order; None takes every column not used otherwise.
        columns: What columns are that are no numbers: ``{city: {type: category}, born: {type:
            date}}``. A category may have ``categories``, a date a ``format``, any column its own
            ``missing``.
        missing: The texts that stand for a missing value, such as ``["", NA]``.
        transforms: Components of kind ``transform``, fitted on the training rows.
        feature_dtype: ``float32``, ``float64`` or ``int64``.
        target_dtype: The same; classes need ``int64``, which is what a category gets if None.
        split: Which rows validate and test: ``{val: 0.1, test: 0.2}``, with ``stratify`` or
            ``groups`` and a column; ``{kfold: 5, fold: 0}``; or ``{column: part}``, a column with
            ``train``, ``val`` or ``test`` in each row.
        split_column: Short for ``split: {column: …}``.
        val_fraction: Short for ``split: {val: …}``.
        test_fraction: Short for ``split: {test: …}``.
        sampling: How training draws rows: each once if None; ``{weights: COLUMN}`` by a weight of
            each row, ``{balance: COLUMN}`` each value of a column as often.
        standardise: Short for ``transform.standardise`` as the last transform.
        delimiter: The character between the cells of a CSV file.
        shuffle: Whether training visits the rows in a new random order in each epoch.
        drop_last: Whether training leaves out a last batch with fewer rows.
        seed: Seed of split and order; the run's seed if None.
        on_device: Whether all rows are kept where the engine computes.
    """

    def __init__(
        self,
        path: Path,
        target: str | Sequence[str],
        batch_size: int = 32,
        features: Sequence[str] | None = None,
        columns: Mapping[str, Any] | None = None,
        missing: Sequence[Any] = (),
        transforms: Sequence[Any] = (),
        feature_dtype: str = "float32",
        target_dtype: str | None = None,
        split: Mapping[str, Any] | None = None,
        split_column: str | None = None,
        val_fraction: float = 0.0,
        test_fraction: float = 0.0,
        sampling: Mapping[str, Any] | None = None,
        standardise: bool = False,
        delimiter: str = ",",
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
        self._single_target = not isinstance(target, (list, tuple))
        self._targets = _checked_names("target", [target] if self._single_target else target)
        self._features = None if features is None else _checked_names("features", features)
        self._columns, self._otherwise = read_declarations(columns, missing)
        self._split = read_split(split, val_fraction, test_fraction, split_column)
        self._split_at = ("split_column",) if split_column else ("split", *_keys(split, 1))
        self._sampling = read_sampling(sampling, shuffle=shuffle)
        self._delimiter = checked_delimiter(delimiter)
        dtype = _checked_dtype("feature_dtype", feature_dtype)
        self._x = Matrix(dtype, "feature_dtype")
        categories = all(self._declared(name) == "category" for name in self._targets)
        by_default = "int64" if categories else "float32"
        dtype = _checked_dtype("target_dtype", target_dtype or by_default)
        self._y = Matrix(dtype, "target_dtype")
        steps = self._steps(transforms, standardise)
        declared = {
            name: each.categories for name, each in self._columns.items() if each.categories
        }
        self._pipeline = Pipeline(steps, self._targets, declared)
        self._fitted = False
        self._check_combinations(standardise)

    def load(self, seed: int) -> tuple[Mapping[str, Array], Parts]:
        """Read the table, divide its rows, and transform them."""
        rows = open_table(self._path, self._delimiter)
        self._features = self._feature_names(rows.names)
        names = [*self._features, *self._targets]
        columns = read_columns(rows, names, self._columns, self._otherwise)
        by = self._split.by
        labels = rows.texts([by])[by] if by is not None else ()
        parts = divide(self._split, len(rows), seed, labels, rows.place, self._split_at)
        self._weigh(rows, parts)
        if self._fitted:
            self._pipeline.apply(columns, rows.place)
        else:
            self._pipeline.fit(columns, parts.train, rows.place)
            self._fitted = True
        arrays = {"x": self._matrix(self._x, self._features, columns, rows)}
        y = self._matrix(self._y, self._targets, columns, rows)
        arrays["y"] = y[:, 0] if self._single_target and y.shape[1] == 1 else y
        return arrays, parts

    def input_files(self) -> list[Path]:
        """The table."""
        return [self._path]

    def transform_state(self) -> Json:
        """The features, and what each transform has learned of each column."""
        return {"features": self._features, "transforms": self._pipeline.states}

    def load_transform_state(self, state: Json) -> None:
        """Use what an earlier `transform_state` gave; nothing is fitted any more.

        Raises:
            ValueError: It is not that of such a table.
        """
        features = state.get("features") if isinstance(state, dict) else None
        if not isinstance(features, list) or not all(isinstance(each, str) for each in features):
            raise ValueError("expected the names of the features")
        self._pipeline.load(state.get("transforms"))
        self._features = features
        self._fitted = True

    def new_samples(self, path: Path) -> Iterator[NewSamples]:
        """The rows of another table with the features of this one, by name, transformed as they."""
        features = self._features or []
        rows_at_once = -(-_BLOCK_ROWS // self._batch_size) * self._batch_size
        for rows in table_blocks(path, rows_at_once, self._delimiter):
            for name in features:
                _check_column(name, rows.names, (), path)
            columns = read_columns(rows, features, self._columns, self._otherwise)
            self._pipeline.apply(columns, rows.place)
            x = self._matrix(self._x, features, columns, rows)
            carried = rows.carried()
            start = 0
            for batch in ArrayLoader({"x": x}, batch_size=self._batch_size):
                stop = start + len(batch["x"])
                yield NewSamples(
                    batch, {name: values[start:stop] for name, values in carried.items()}
                )
                start = stop

    def predictions(self, outputs: Any, probabilities: Any | None) -> dict[str, Values]:
        """``predicted_TARGET`` in the units of the table; and of classes, ``probability_CLASS``."""
        return predicted_columns(outputs, probabilities, self._targets, self._pipeline)

    def _steps(self, transforms: Sequence[Any], standardise: bool) -> list[Step]:
        if not isinstance(transforms, (list, tuple)):
            raise ParameterError(
                f"transforms must be a list, got {transforms!r}",
                parameter="transforms",
                help="transforms: [{_type_: transform.standardise}]",
            )
        steps = [Step(each, ("transforms", position)) for position, each in enumerate(transforms)]
        if standardise:
            steps.append(Step(Standardise(), ("standardise",)))
        named = {
            name
            for step in steps
            for name in getattr(step.transform, "columns", None) or ()
            if "category" in getattr(step.transform, "takes", ())
        }
        for name in self._targets:
            if self._declared(name) == "category" and name not in named:
                steps.append(Step(Ordinal([name]), ("columns", name)))
        return steps

    def _declared(self, name: str) -> str:
        return self._columns.get(name, self._otherwise).type

    def _matrix(
        self, matrix: Matrix, names: Sequence[str], columns: Columns, rows: TableRows
    ) -> Array:
        return matrix.of(columns, names, rows.place, self._pipeline.output_names)

    def _weigh(self, rows: TableRows, parts: Parts) -> None:
        weights, balance = self._sampling.weights, self._sampling.balance
        if weights is not None:
            of_all = rows.numbers([weights])[weights]
            self.sample_by(checked_weights(of_all, parts.train, rows.place))
        if balance is not None:
            self.sample_by(balancing_weights(rows.texts([balance])[balance], parts.train))

    def _feature_names(self, available: Sequence[str]) -> list[str]:
        for position, name in enumerate(self._targets):
            where = ("target",) if self._single_target else ("target", position)
            _check_column(name, available, where, self._path)
        others = {
            self._split_at: self._split.by,
            ("sampling", "weights"): self._sampling.weights,
            ("sampling", "balance"): self._sampling.balance,
        }
        for path, column in others.items():
            if column is not None:
                _check_column(column, available, path, self._path)
        for name in self._columns:
            _check_column(name, available, ("columns", name), self._path)
        if self._features is None:
            used = {*self._targets, self._split.column, self._split.groups, self._sampling.weights}
            names = [name for name in available if name not in used]
            if not names:
                raise ParameterError(
                    f"{self._path} has no column left for the features", parameter="path"
                )
            return names
        for position, name in enumerate(self._features):
            _check_column(name, available, ("features", position), self._path)
        return self._features

    def _check_combinations(self, standardise: bool) -> None:
        if standardise and self._x.dtype == "int64":
            raise ParameterError(
                "standardised features are no integers; feature_dtype must be a float",
                parameter="feature_dtype",
            )
        used: dict[str, str] = {}
        split_column = [self._split.column] if self._split.column is not None else []
        for role, names in (
            ("target", self._targets),
            (self._split_at[0], split_column),
            ("features", self._features or []),
        ):
            for name in names:
                if name in used:
                    raise ParameterError(
                        f"column `{name}` is used twice: in {used[name]} and in {role}",
                        parameter=role,
                    )
                used[name] = role


def _keys(split: object, most: int) -> list[str]:
    """The key of ``split`` that names a column."""
    given = split if isinstance(split, Mapping) else {}
    return [name for name in ("column", "groups", "stratify") if name in given][:most]


def _check_column(
    name: str, available: Sequence[str], where: tuple[str | int, ...], path: Path
) -> None:
    if name in available:
        return
    help = f"its columns are {first_few(available, _SHOWN_NAMES)}"
    if len(available) == 1 and any(mark in available[0] for mark in ";\t|,"):
        help += "; set `delimiter` to the character between them"
    raise ParameterError(
        f"{path} has no column `{name}`",
        parameter=where,
        suggestions=close_matches(name, available),
        help=help,
    )


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
