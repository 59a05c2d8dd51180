"""Text files as arrays of symbols: which files there are, and what is in one.

Bytes of a large file are memory-mapped. Characters are held in memory, as code points in as few
bytes as the file needs: one each, where it is ASCII.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePath

import numpy as np

from model_constructor.errors import ParameterError
from offline_trainer.data.batches import Array
from offline_trainer.data.files import check_exists, mapped_for_rows, read_text, unreadable

_MAPPED_FROM_BYTES = 1 << 26  # a mapped file stays open, and a process may not open many
_NEWLINE = 10


def find_files(path: Path, patterns: Sequence[str]) -> list[Path]:
    """A file itself, or the files of a folder that a pattern names, sorted, each once.

    What is hidden, by a name that begins with a dot, is left out unless the pattern begins so too.

    Raises:
        ParameterError: There is none, or a pattern leads out of the folder.
    """
    check_exists(path)
    if not path.is_dir():
        return [path]
    found: set[Path] = set()
    for pattern in patterns:
        if ".." in PurePath(pattern).parts:
            raise ParameterError(
                f"{pattern!r} leads out of the folder {path}",
                parameter="pattern",
                help="let `path` be the folder that all files lie in or below",
            )
        try:
            found.update(
                each
                for each in path.glob(pattern)
                if not _is_hidden(each.relative_to(path), pattern) and each.is_file()
            )
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
    distinct: dict[Path, Path] = {}  # a file and a link to it could end in two parts
    for each in sorted(found):
        distinct.setdefault(each.resolve(), each)
    return list(distinct.values())


def _is_hidden(file: Path, pattern: str) -> bool:
    """Whether a name in a path begins with a dot that none in the pattern says."""
    named = [part for part in PurePath(pattern).parts if part.startswith(".")]
    hidden = (part for part in file.parts if part.startswith("."))
    return any(not any(fnmatch(part, each) for each in named) for part in hidden)


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
