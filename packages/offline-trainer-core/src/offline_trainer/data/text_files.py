"""Text files as arrays of symbols: which files there are, and what is in one.

Bytes of a large file are memory-mapped. Characters are held in memory, as code points in as few
bytes as the file needs: one each, where it is ASCII.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Array
from offline_trainer.data.files import check_exists, mapped_for_rows, read_text, unreadable

_MAPPED_FROM_BYTES = 1 << 26  # a mapped file stays open, and a process may not open many
_NEWLINE = 10


def find_files(path: Path, patterns: Sequence[str]) -> list[Path]:
    """A file itself, or the files of a folder that a pattern names, sorted.

    Raises:
        ParameterError: There is none.
    """
    check_exists(path)
    if not path.is_dir():
        return [path]
    found: set[Path] = set()
    for pattern in patterns:
        try:
            found.update(each for each in path.glob(pattern) if each.is_file())
        except (ValueError, NotImplementedError) as error:
            raise ParameterError(
                f"{pattern!r} is no pattern of files: {error}",
                parameter="pattern",
                help="such as '*.txt', or '**/*.txt' for all folders below, too",
            ) from error
    if not found:
        raise ParameterError(
            f"{path} has no file named {' or '.join(map(repr, patterns))}",
            parameter="pattern",
            help="'*.txt' looks into the folder alone, '**/*.txt' also into those below",
        )
    return sorted(found)


def python_library() -> Path:
    """The folder with the source of the running Python's standard library.

    Raises:
        ParameterError: It is not stored as files.
    """
    folder = Path(sysconfig.get_path("stdlib"))
    if not (folder / "os.py").is_file():
        raise ParameterError(
            f"this Python has no source of its library in {folder}", parameter="python_library"
        )
    return folder


def read_bytes(path: Path) -> Array:
    """The bytes of a file, uint8 (N,).

    Raises:
        ParameterError: It cannot be read.
    """
    try:
        if path.stat().st_size >= _MAPPED_FROM_BYTES:
            return np.asarray(mapped_for_rows(np.memmap(path, np.uint8, "r")))
        return np.fromfile(path, np.uint8)
    except OSError as error:
        raise unreadable(path, error) from error


def read_characters(path: Path) -> Array:
    """The code points of a UTF-8 file, uint8, uint16 or uint32 (N,); line ends become ``\\n``.

    Raises:
        ParameterError: It is unreadable or not UTF-8.
    """
    text = read_text(path)
    try:
        return np.frombuffer(text.encode("latin-1"), np.uint8)
    except UnicodeEncodeError:
        points = np.frombuffer(text.encode("utf-32-le"), "<u4")
        return points.astype(np.uint16 if points.max() < 1 << 16 else np.uint32)


def place(path: Path, symbols: Array, position: int) -> str:
    """Where a symbol of a file is, as ``file:line:column``, both from 1."""
    before = np.flatnonzero(symbols[:position] == _NEWLINE)
    column = position - (int(before[-1]) if len(before) else -1)
    return f"{path}:{len(before) + 1}:{column}"
