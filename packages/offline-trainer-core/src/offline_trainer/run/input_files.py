"""The files that a run read its data from, and what was in them."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_constructor.foreign import error_text
from offline_trainer.errors import ComponentFailedError
from offline_trainer.notices import notice
from offline_trainer.protocols import DataModule
from offline_trainer.secrets_scope import shown

_CHUNK_BYTES = 1 << 20
_NOTABLE_BYTES = 4 << 30  # what a disk and sha256 need some seconds for


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file as it was read.

    Attributes:
        path: Where it was, absolute; what is secret of it is hidden.
        bytes: Its size.
        sha256: Hash of its content, 64 lower-case hexadecimal digits.
    """

    path: str
    bytes: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.bytes} bytes, sha256 {self.sha256[:12]}…"


def input_files(datamodule: DataModule) -> tuple[InputFile, ...] | None:
    """The files that a datamodule says it read; None if it does not say.

    Raises:
        ComponentFailedError: It names something that is no readable file.
    """
    offered = getattr(datamodule, "input_files", None)
    if offered is None:
        return None
    try:
        return hash_files(offered())
    except Exception as error:
        raise ComponentFailedError(
            f"`input_files` of the datamodule failed: {error_text(error)}",
            help="it must return the paths of the files that were read",
        ) from error


def hash_files(files: Iterable[Path | str | InputFile]) -> tuple[InputFile, ...]:
    """Files, each once, in their order; what has its hash already is not read again.

    Raises:
        OSError: One is not there, is no file, or cannot be read.
    """
    distinct = list(
        dict.fromkeys(
            file if isinstance(file, InputFile) else Path(file).absolute() for file in files
        )
    )
    _say_if_long([file for file in distinct if isinstance(file, Path)])
    return tuple(hash_file(file) if isinstance(file, Path) else file for file in distinct)


def hash_file(path: Path) -> InputFile:
    """The file at a path; a link is followed.

    Raises:
        OSError: It is not there, is no file, or cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device may never end
        raise OSError(None, "not a file", str(path))
    digest = hashlib.sha256()
    size = 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return InputFile(shown(str(path)), size, digest.hexdigest())


def input_file(path: Path, content: bytes) -> InputFile:
    """A file whose content is in memory."""
    return InputFile(shown(str(path.absolute())), len(content), hashlib.sha256(content).hexdigest())


def _say_if_long(paths: Sequence[Path]) -> None:
    total = sum(path.stat().st_size for path in paths)
    if total >= _NOTABLE_BYTES:
        notice(f"hashing {total / 1e9:.0f} GB of data files")
