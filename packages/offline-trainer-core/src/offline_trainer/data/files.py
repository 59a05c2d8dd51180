"""Opening data files: what can be wrong with a file itself, as one clear error each."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

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
        packed = data.startswith(_GZIP_MAGIC)
        line = data.count(b"\n", 0, error.start) + 1
        raise ParameterError(
            f"{path} is not UTF-8 text: byte 0x{data[error.start]:02x} in line {line}",
            parameter="path",
            help="its bytes are gzip's: let its name end in .gz" if packed else "save it as UTF-8",
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unpacked(path: Path, data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except gzip.BadGzipFile as error:
        raise ParameterError(
            f"{path} ends in .gz and is not a gzip file",
            parameter="path",
            help="compress it with gzip, or take .gz off its name",
        ) from error
    except (EOFError, zlib.error) as error:
        raise ParameterError(f"{path} is damaged: {error}", parameter="path") from error
