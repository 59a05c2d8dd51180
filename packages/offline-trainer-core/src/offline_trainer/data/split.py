"""Which rows of a table train, validate and test: by fractions, groups, folds, or a column."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import cast

import numpy as np
import numpy.typing as npt

from model_constructor.errors import ConfigPath, ParameterError, close_matches
from offline_trainer.data.module import Parts, check_fractions, split_by_fraction
from offline_trainer.data.order import AllRows, Indices, split_order
from offline_trainer.engine import Json

PARTS = ("train", "val", "test")
_HASHED_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Split:
    """How rows are divided. Fractions are of all rows.

    Attributes:
        val: Share of the rows that validate.
        test: Share of the rows that test.
        column: Which says train, val or test in each row.
        groups: A column; rows with the same value in it come into the same part.
        stratify: A column; each of its values has the same share of every part.
        kfold: In how many folds the rows are divided, one of which tests.
        fold: Which one, from 0.
    """

    val: float = 0.0
    test: float = 0.0
    column: str | None = None
    groups: str | None = None
    stratify: str | None = None
    kfold: int | None = None
    fold: int | None = None

    @property
    def by(self) -> str | None:
        """The column that is needed to divide the rows."""
        return self.column or self.groups or self.stratify


def read_split(
    given: object, val_fraction: float, test_fraction: float, split_column: str | None
) -> Split:
    """The parameter ``split``, or those that stand for the simplest of it.

    Raises:
        ParameterError: Both are given, or it cannot be so.
    """
    flat = {
        "val_fraction": val_fraction,
        "test_fraction": test_fraction,
        "split_column": split_column,
    }
    if given is None:
        check_fractions(val_fraction, test_fraction)
        if split_column is not None and (val_fraction or test_fraction):
            raise ParameterError(
                "split_column says which rows validate and test; val_fraction and test_fraction "
                "cannot be given beside it",
                parameter="split_column",
            )
        return Split(val_fraction, test_fraction, split_column)
    for name, value in flat.items():
        if value:
            raise ParameterError(f"{name} cannot be given beside split", parameter=name)
    return _checked(given)


def _checked(given: object) -> Split:
    if not isinstance(given, Mapping):
        raise ParameterError(
            f"split must be a mapping, got {given!r}",
            parameter="split",
            help="split: {val: 0.1, test: 0.2}",
        )
    known = [field.name for field in fields(Split)]
    for name, value in given.items():
        if name not in known:
            raise ParameterError(
                f"unknown key `{name}`; a split has {', '.join(known)}",
                parameter=("split", name),
                suggestions=close_matches(str(name), known),
            )
        _check_type(name, value)
    split = Split(**given)
    if split.column is not None and len(given) > 1:
        raise _wrong("column", "column says which rows validate and test; leave out all others")
    if split.groups is not None and split.stratify is not None:
        raise _wrong(
            "stratify", "groups cannot be divided and stratified at once; leave out one of both"
        )
    if (split.kfold is None) != (split.fold is None):
        raise _wrong("kfold", "kfold and fold go together, such as {kfold: 5, fold: 0}")
    if split.kfold is not None and split.fold is not None:
        if split.kfold < 2:
            raise _wrong("kfold", f"kfold must be at least 2, got {split.kfold}")
        if not 0 <= split.fold < split.kfold:
            raise _wrong("fold", f"fold must be 0 to {split.kfold - 1}, got {split.fold}")
        if split.test:
            raise _wrong("test", "the fold tests; test cannot be given beside it")
    for name in ("val", "test"):
        if not 0 <= getattr(split, name) < 1:
            raise _wrong(name, f"{name} must be in [0, 1), got {getattr(split, name)}")
    tested = split.test if split.kfold is None else 1 / split.kfold
    if split.val + tested >= 1:
        raise _wrong("val", f"val {split.val} and the test part leave nothing to train on")
    return split


def _check_type(name: str, value: object) -> None:
    if name in ("val", "test"):
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        wanted = "a fraction"
    elif name in ("kfold", "fold"):
        good, wanted = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    else:
        good, wanted = isinstance(value, str), "the name of a column"
    if not good:
        raise _wrong(name, f"{name} must be {wanted}, got {value!r}")


def _wrong(name: str, message: str) -> ParameterError:
    return ParameterError(message, parameter=("split", name))


class _Undivided(Parts):
    """All rows train; they are numbered where they are needed, and never all at once."""

    __slots__ = ()

    def state(self) -> Json:
        """As of `Parts`."""
        length, hashed = len(self.train), sha256()
        for start in range(0, length, _HASHED_AT_ONCE):
            hashed.update(self.train[start : start + _HASHED_AT_ONCE].astype("<i8").tobytes())
        none = Parts(*(np.empty(0, np.int64) for _ in PARTS)).state()
        return {**none, "train": {"rows": length, "sha256": hashed.hexdigest()}}


def undivided(length: int) -> Parts:
    """All rows for training, in as little memory as none."""
    rows = cast("Indices", AllRows(length))
    return _Undivided(rows, np.empty(0, np.int64), np.empty(0, np.int64))


def divide(
    split: Split,
    length: int,
    seed: int,
    labels: Sequence[str | None],
    place: Callable[[int], str],
    parameter: ConfigPath,
) -> Parts:
    """Divide rows.

    Args:
        labels: What the column `Split.by` says of each row; empty if there is none.
        place: Where a row is, for messages.
        parameter: What named the column.

    Raises:
        ParameterError: A label cannot be used, or a part that is asked for has no row.
    """
    if split.column is not None:
        return _by_column(split.column, labels, place, parameter)
    if split.by is None and split.kfold is None:
        return split_by_fraction(length, split.val, split.test, seed)
    for row, label in enumerate(labels):
        if not label:
            raise ParameterError(
                f"{place(row)}, column `{split.by}`: the cell is empty, so the row is of no group",
                parameter=parameter,
            )
    if split.groups is not None:
        parts = _by_groups(split, labels, seed)
    else:
        parts = _by_position(split, length, labels, seed)
    wanted = {"train": True, "val": split.val > 0, "test": split.test > 0 or split.kfold}
    for name in PARTS:
        if wanted[name] and not len(getattr(parts, name)):
            groups = f" in {len(set(labels))} groups" if split.groups else ""
            raise ParameterError(
                f"the {name} part has no row of the {length}{groups}", parameter="split"
            )
    return parts


def _by_column(
    column: str,
    labels: Sequence[str | None],
    place: Callable[[int], str],
    parameter: ConfigPath,
) -> Parts:
    for row, text in enumerate(labels):
        if text not in PARTS:
            raise ParameterError(
                f"{place(row)}, column `{column}`: {text!r} is none of {', '.join(PARTS)}",
                parameter=parameter,
            )
    rows = np.array(labels)
    train, val, test = (np.flatnonzero(rows == part) for part in PARTS)
    if not len(train):
        raise ParameterError(f"column `{column}` marks no row as train", parameter=parameter)
    return Parts(train, val, test)


def _by_position(split: Split, length: int, labels: Sequence[str | None], seed: int) -> Parts:
    """Rows in a random order, class after class; every part takes from it at even distances."""
    order = split_order(length, seed)
    if labels:
        values, classes = np.unique(np.array(labels), return_inverse=True)
        if 2 * len(values) > length:
            raise ParameterError(
                f"column `{split.stratify}` has {len(values)} values in {length} rows: too few of "
                "each to divide them evenly",
                parameter=("split", "stratify"),
            )
        order = order[np.argsort(classes[order], kind="stable")]
    if split.kfold is not None:
        is_test = np.arange(length) % split.kfold == split.fold
    else:
        is_test = _evenly(length, split.test)
    rest = order[~is_test]
    is_val = _evenly(len(rest), split.val * length / max(1, len(rest)))
    return Parts(np.sort(rest[~is_val]), np.sort(rest[is_val]), np.sort(order[is_test]))


def _evenly(length: int, share: float) -> npt.NDArray[np.bool_]:
    """Which of so many places are taken, so that the share of every stretch of them is."""
    bounds = np.floor(np.arange(length + 1) * share + 0.5)
    taken: npt.NDArray[np.bool_] = np.diff(bounds) > 0
    return taken


def _by_groups(split: Split, labels: Sequence[str | None], seed: int) -> Parts:
    _, group_of = np.unique(np.array(labels), return_inverse=True)
    parts = divide_groups(split, np.bincount(group_of), seed)
    return Parts(*(np.flatnonzero(np.isin(group_of, part)) for part in parts))


def divide_groups(split: Split, sizes: Indices, seed: int) -> tuple[Indices, Indices, Indices]:
    """The groups that train, validate and test.

    Args:
        sizes: Of each group, in whatever the shares are counted.
    """
    total = int(sizes.sum())
    order = split_order(len(sizes), seed)
    if split.kfold is not None:
        test = _fold_of_groups(order, sizes, split.kfold) == split.fold
        tested = order[test[order]]
    else:
        tested = _until_share(order, sizes, split.test * total)
    rest = order[~np.isin(order, tested)]
    validated = _until_share(rest, sizes, split.val * total)
    return rest[len(validated) :], validated, tested


def _until_share(groups: Indices, sizes: Indices, rows: float) -> Indices:
    """The first groups that together come nearest to so many rows; one at least, if any is due."""
    if not rows or not len(groups):
        return groups[:0]
    distance = np.abs(np.cumsum(sizes[groups]) - rows)
    return groups[: int(distance.argmin()) + 1]


def _fold_of_groups(order: Indices, sizes: Indices, folds: int) -> Indices:
    """The fold of each group: the largest first, each into the fold with the fewest rows."""
    rows = [0] * folds
    fold_of = np.empty(len(order), np.int64)
    for group in sorted(order.tolist(), key=lambda each: -math.floor(sizes[each])):
        fold_of[group] = rows.index(min(rows))
        rows[fold_of[group]] += int(sizes[group])
    return fold_of
