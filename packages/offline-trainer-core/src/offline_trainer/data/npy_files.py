"""Arrays from ``.npz`` and ``.npy`` files, never unpickling anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Array
from offline_trainer.data.files import check_exists, mapped_for_rows, unreadable


def read_npz(path: Path) -> dict[str, Array]:
    """All arrays of a ``.npz`` file, by name.

    Raises:
        ParameterError: It is missing, damaged, empty, holds something else than arrays, or arrays
            of different lengths.
    """
    check_exists(path)
    members: dict[str, Any] = {}
    name = ""
    try:
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if isinstance(archive, np.lib.npyio.NpzFile):
                for name in archive.files:
                    members[name] = archive[name]
    except OSError as error:
        raise unreadable(path, error) from error
    except Exception as error:
        raise _unloadable(f"{path}, array `{name}`" if name else str(path), error) from error
    if isinstance(archive, np.ndarray):
        raise ParameterError(f"{path} is a .npy file, not .npz", parameter="path")
    arrays = {key: checked_array(value, f"{path}, array `{key}`") for key, value in members.items()}
    check_equal_lengths(path, arrays)
    return arrays


def map_npy_folder(folder: Path) -> dict[str, Array]:
    """The arrays of all ``.npy`` files in a folder, by file name; read when they are used.

    Raises:
        ParameterError: There are none, one is damaged or holds something else than an array, or
            they have different lengths.
    """
    arrays = {file.stem: map_npy(file) for file in npy_files(folder)}
    check_equal_lengths(folder, arrays)
    return arrays


def map_npy(file: Path) -> Array:
    """The array of a ``.npy`` file; read when it is used.

    Raises:
        ParameterError: It is damaged, or holds something else than an array.
    """
    try:
        mapped = mapped_for_rows(np.load(file, mmap_mode="r", allow_pickle=False))
    except OSError as error:
        raise unreadable(file, error) from error
    except Exception as error:
        raise _unloadable(str(file), error) from error
    return checked_array(np.asarray(mapped), str(file))


def npy_files(folder: Path) -> list[Path]:
    """The ``.npy`` files of a folder, by name."""
    return sorted(folder.glob("*.npy"))


def check_equal_lengths(path: Path, arrays: Mapping[str, Array]) -> None:
    """Refuse arrays that are not equally long, or have no rows.

    Raises:
        ParameterError: Naming each array's length.
    """
    if not arrays:
        raise ParameterError(f"{path} holds no arrays", parameter="path")
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"`{name}` {length}" for name, length in lengths.items())
        raise ParameterError(f"the arrays of {path} differ in length: {listed}", parameter="path")
    if not next(iter(lengths.values())):
        raise ParameterError(f"the arrays of {path} have no rows", parameter="path")


def checked_array(array: Any, place: str) -> Array:
    """The array with this machine's byte order.

    Raises:
        ParameterError: It is none, or a single value.
    """
    if not isinstance(array, np.ndarray):
        raise ParameterError(f"{place} is not a numpy array", parameter="path")
    if array.ndim == 0:
        raise ParameterError(
            f"{place} is a single value; expected one row per sample", parameter="path"
        )
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _unloadable(place: str, error: Exception) -> ParameterError:
    """The error for bytes that do not parse; numpy and zipfile raise almost anything over those."""
    if "Object arrays" in str(error) or "Python objects" in str(error):
        return ParameterError(
            f"{place} holds Python objects, which are never loaded",
            parameter="path",
            help="save it with a numeric dtype, such as array.astype('float32')",
        )
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return ParameterError(f"{place} is damaged or not numpy's ({reason})", parameter="path")
