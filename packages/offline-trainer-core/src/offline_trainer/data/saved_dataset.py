"""Folders that ``save_to_disk`` of the library ``datasets`` has written: what is in their files.

They are read by pyarrow, memory-mapped; the library is not needed, and no code of a data set runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.arrow import reading
from offline_trainer.data.batches import Array, Batch
from offline_trainer.data.files import check_exists, read_text
from offline_trainer.data.order import Indices

_SPLITS = "dataset_dict.json"
_STATE = "state.json"
_INFO = "dataset_info.json"
_NUMBERS = ("integer", "floating", "boolean")


@dataclass(frozen=True, slots=True)
class SavedDataset:
    """One data set of a folder, of which nothing is read yet.

    Attributes:
        folder: Where it is.
        table: All its columns as a ``pyarrow.Table``, memory-mapped.
        features: What each column is, as the library describes it.
        files: All that was opened.
    """

    folder: Path
    table: Any
    features: Mapping[str, Any]
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """How a column becomes an array.

    Attributes:
        column: Its name.
        shape: Of one sample.
        names: Of its classes, if it has some.
    """

    column: str
    shape: tuple[int, ...]
    names: tuple[str, ...] | None

    def chunks(self, table: Any) -> list[Array]:
        """The column of a ``pyarrow.Table`` as arrays (N, *shape), one for each chunk of it.

        They are views of what is mapped, but for truth values, which Arrow packs.
        """
        column = table.column(self.column)
        lengths = [len(chunk) for chunk in column.chunks]
        for _ in self.shape:
            column = _flat(column)
        return [
            np.asarray(chunk).reshape(length, *self.shape)
            for chunk, length in zip(column.chunks, lengths, strict=True)
        ]


class Rows:
    """The rows of arrays that are in chunks.

    Args:
        chunks: Of each field, the arrays one after the other; all fields are cut alike.
    """

    def __init__(self, chunks: Mapping[str, Sequence[Array]]) -> None:
        self._chunks = chunks
        lengths = list(map(len, next(iter(chunks.values()))))
        self._first = np.cumsum([0, *lengths], dtype=np.int64)[:-1]

    def gathered(self, rows: Indices) -> Batch:
        """Some rows by field, in arrays of their own."""
        chunk_of = np.searchsorted(self._first, rows, "right") - 1
        places = list(zip(chunk_of.tolist(), (rows - self._first[chunk_of]).tolist(), strict=True))
        gathered: Batch = {}
        for name, chunks in self._chunks.items():
            values = np.empty((len(rows), *chunks[0].shape[1:]), chunks[0].dtype)
            for position, (chunk, row) in enumerate(places):
                values[position] = chunks[chunk][row]
            gathered[name] = values
        return gathered


def split_names(folder: Path) -> list[str]:
    """The splits of a folder that holds several data sets; none if it holds one.

    Raises:
        ParameterError: It is no such folder.
    """
    check_exists(folder)
    if not (folder / _SPLITS).exists():
        return []
    named = _json(folder / _SPLITS).get("splits")
    if not isinstance(named, list) or not named or not all(map(_is_file_name, named)):
        raise _damaged(folder / _SPLITS, "it names no splits")
    return named


def open_saved(folder: Path) -> SavedDataset:
    """The data set in a folder.

    Raises:
        ParameterError: There is none, it is damaged, or pyarrow is not installed.
    """
    state_file, info_file = folder / _STATE, folder / _INFO
    if not state_file.exists():
        raise ParameterError(
            f"{folder} is no folder that save_to_disk of datasets has written: it has no {_STATE}",
            parameter="path",
            help="datasets.load_dataset(…).save_to_disk(FOLDER) writes one",
        )
    state, features = _json(state_file), _json(info_file).get("features")
    if state.get("_indices_data_files"):
        raise ParameterError(
            f"{folder} has its rows in another order than its files",
            parameter="path",
            help="save it again after flatten_indices()",
        )
    listed = state.get("_data_files")
    names = [each.get("filename") for each in listed] if isinstance(listed, list) else []
    if not isinstance(features, dict) or not names or not all(map(_is_file_name, names)):
        raise _damaged(state_file, "it names no files of data, or no columns")
    files = [folder / name for name in names]
    tables = []
    for file in files:
        with reading(file):
            import pyarrow as pa

            tables.append(pa.ipc.open_stream(pa.memory_map(str(file))).read_all())
            tables[-1].validate()
    with reading(state_file):
        table = pa.concat_tables(tables)
    return SavedDataset(folder, table, features, (state_file, info_file, *files))


def field_of(data: SavedDataset, column: str) -> Field:
    """How a column becomes an array.

    Raises:
        ParameterError: It is not of numbers or of lists of one length, or a value is missing.
    """
    feature, values = data.features.get(column), data.table.column(column)
    shape = _shape(feature)
    place = f"{data.folder}, column `{column}`"
    if shape is None or not _is_of_numbers(values.type, len(shape)):
        raise ParameterError(
            f"{place} holds {values.type}: neither numbers nor lists of them that are all of one "
            "length",
            parameter="columns",
            help="name the columns to use: `columns: {x: COLUMN, y: COLUMN}`",
        )
    for depth in range(len(shape) + 1):
        values = _flat(values) if depth else values
        if values.null_count:
            raise ParameterError(
                f"{place}: values are missing, {values.null_count} of them", parameter="columns"
            )
    field = Field(column, shape, _class_names(feature))
    try:
        field.chunks(data.table)
    except ValueError as error:
        raise _damaged(data.folder / _INFO, f"column `{column}` has another shape") from error
    return field


def _class_names(feature: Any) -> tuple[str, ...] | None:
    if not isinstance(feature, dict) or feature.get("_type") != "ClassLabel":
        return None
    names = feature.get("names")
    return tuple(map(str, names)) if isinstance(names, list) else None


def _shape(feature: Any) -> tuple[int, ...] | None:
    """Of what the library calls a feature; None if samples of it have different shapes."""
    if not isinstance(feature, dict):
        return None
    kind = feature.get("_type")
    if kind in ("Value", "ClassLabel"):
        return ()
    if isinstance(kind, str) and kind.startswith("Array"):
        shape = feature.get("shape")
        is_fixed = isinstance(shape, list) and all(type(size) is int for size in shape)
        return tuple(shape) if isinstance(shape, list) and is_fixed else None
    inner, length = _shape(feature.get("feature")), feature.get("length")
    if inner is None or type(length) is not int or length < 1:
        return None
    return (length, *inner)


def _is_of_numbers(kind: Any, depth: int) -> bool:
    from pyarrow import types

    kind = getattr(kind, "storage_type", kind)
    for _ in range(depth):
        if not hasattr(kind, "value_type"):
            return False
        kind = kind.value_type
    return any(getattr(types, f"is_{each}")(kind) for each in _NUMBERS)


def _flat(column: Any) -> Any:
    """A column of lists as what is in the lists, one after the other."""
    import pyarrow as pa

    # If the library happens to be imported, arrays come in a type of its own.
    chunks = [getattr(chunk, "storage", chunk) for chunk in column.chunks]
    kind = getattr(column.type, "storage_type", column.type)
    return pa.chunked_array([chunk.flatten() for chunk in chunks], kind.value_type)


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise _damaged(file, f"it is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise _damaged(file, "it is not a mapping")
    return content


def _is_file_name(name: object) -> bool:
    return isinstance(name, str) and name == Path(name).name and name not in ("", ".", "..")


def _damaged(file: Path, why: str) -> ParameterError:
    return ParameterError(f"{file} is damaged: {why}", parameter="path")
