"""Opening data files: what can be wrong with a file itself, as one clear error each."""

from __future__ import annotations

import gzip
import io
import mmap
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from model_constructor.errors import ParameterError, close_matches

_GZIP_MAGIC = b"\x1f\x8b"


def check_exists(path: Path) -> None:
    """Refuse a path where nothing is.

    Raises:
        ParameterError: With the most similar names in the same folder.
    """
    if path.exists():
        return
    if not path.parent.is_dir():
        raise ParameterError(
            f"data file {path} does not exist, nor does its folder", parameter="path"
        )
    nearest = close_matches(path.name, sorted(entry.name for entry in path.parent.iterdir()))
    raise ParameterError(
        f"data file {path} does not exist",
        parameter="path",
        suggestions=nearest,
        help="a relative path is looked up from the folder of the YAML file that sets it, "
        "or from the current folder if the command line sets it",
    )


def unreadable(path: Path, error: OSError) -> ParameterError:
    """The error for a file that is there and cannot be opened."""
    return ParameterError(
        f"data file {path} cannot be read: {error.strerror or error}", parameter="path"
    )


def mapped_for_rows(mapped: np.memmap[Any, Any]) -> np.memmap[Any, Any]:
    """A memory-mapped file, of which rows here and there will be read.

    The system reads around what is asked for, up to megabytes. That fills memory soon with a file
    that fits into it; of a larger one, nearly all of it would be dropped unread.
    """
    advice = getattr(mmap, "MADV_RANDOM", None)  # not on Windows
    whole: object = mapped.base
    if advice is not None and isinstance(whole, mmap.mmap):
        memory = _memory_bytes()
        if memory is not None and len(whole) > memory // 2:
            whole.madvise(advice)
    return mapped


def _memory_bytes() -> int | None:
    """The memory of this machine; None where the system does not say."""
    try:
        page, pages = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # no such function, name, or answer
        return None
    return page * pages if page > 0 and pages > 0 else None


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, unpacked if its name ends in ``.gz``; line ends become ``\\n``.

    Raises:
        ParameterError: It is missing, unreadable, not gzip or not UTF-8.
    """
    check_exists(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    if path.suffix == ".gz":
        data = _unpacked(path, data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_text(path) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def open_text(path: Path) -> Iterator[io.TextIOWrapper]:
    """A UTF-8 file as text, line by line, as `read_text` would give it; never whole in memory.

    Raises:
        ParameterError: It is missing or unreadable; inside of the context, what cannot be read on
            is not gzip or not UTF-8.
    """
    check_exists(path)
    try:
        with _binary(path) as stream, io.TextIOWrapper(stream, "utf-8-sig") as text:
            yield text
    except UnicodeDecodeError as error:
        raise _not_text(path) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _bad_gzip(path, error) from error
    except OSError as error:
        raise unreadable(path, error) from error


@contextmanager
def _binary(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as stream:
        if path.suffix != ".gz":
            yield stream
            return
        with gzip.open(stream) as unpacked:
            yield cast("IO[bytes]", unpacked)


def _not_text(path: Path) -> ParameterError:
    """The error for a file in which a line is not UTF-8."""
    with _binary(path) as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                packed = number == 1 and line.startswith(_GZIP_MAGIC)
                return ParameterError(
                    f"{path} is not UTF-8 text: byte 0x{line[error.start]:02x} in line {number}",
                    parameter="path",
                    help="its bytes are gzip's: let its name end in .gz"
                    if packed
                    else "save it as UTF-8",
                )
    return ParameterError(f"{path} is not UTF-8 text", parameter="path")


def _unpacked(path: Path, data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _bad_gzip(path, error) from error


def _bad_gzip(path: Path, error: Exception) -> ParameterError:
    if isinstance(error, gzip.BadGzipFile):
        return ParameterError(
            f"{path} ends in .gz and is not a gzip file",
            parameter="path",
            help="compress it with gzip, or take .gz off its name",
        )
    return ParameterError(f"{path} is damaged: {error}", parameter="path")
