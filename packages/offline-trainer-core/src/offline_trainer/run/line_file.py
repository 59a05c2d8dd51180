"""A file of lines that a checkpoint can refer to: it knows its end, and goes back to one.

A disk that refuses a line loses nothing: lines wait in memory for the next attempt, and no
checkpoint that counts them is committed before they are on the disk.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from offline_trainer.checkpoint.file_system import (
    FileSystem,
    replace_file,
    reported,
    unused_name,
)
from offline_trainer.notices import notice

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileEnd:
    """Where a file ends: its bytes so far, and their sha256."""

    bytes: int
    sha256: str


class LineFile:
    """Appends lines to a file, which need not exist yet.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = LineFile(Path(folder) / "lines")
    ...     file.append(b"one\\n")
    ...     file.end().bytes
    4
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._forget()

    def _forget(self) -> None:
        self._descriptor: int | None = None
        self._waiting = bytearray()
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._refused = False

    def append(self, line: bytes) -> None:
        """Add a line. A disk that is full gets it later, with one notice."""
        self._waiting += line
        try:
            if self._descriptor is not None:
                self._count(line)
            self._write(self._open())
            self._refused = False
        except OSError as error:
            if not self._refused:
                notice(f"cannot append to {self.path}: {error.strerror}; its lines wait in memory")
            self._refused = True

    def end(self) -> FileEnd:
        """Where it ends with all lines that were appended."""
        with reported(f"append to {self.path}"):
            self._open()
        return FileEnd(self._bytes, self._hash.hexdigest())

    def sync(self) -> None:
        """Wait until every line is on the disk.

        Raises:
            OfflineTrainerError: The disk refuses.
        """
        with reported(f"append to {self.path}"):
            descriptor = self._open()
            self._write(descriptor)
            os.fsync(descriptor)

    def go_back_to(self, end: FileEnd, *, keep_rest: bool = False) -> None:
        """Drop what was written after an earlier end.

        A file that does not start with those bytes is replaced by an earlier copy that does, or
        else left as it is, with a notice.

        Args:
            end: What `end` returned then.
            keep_rest: Keep a copy of the whole file beside it, for what it refers to may still be
                gone back to.
        """
        self.close()
        copies = sorted(self.path.parent.glob(f"{self.path.name}.abandoned*"))
        source = next((path for path in (self.path, *copies) if _starts_with(path, end)), None)
        if source is None:
            notice(
                f"{self.path} is not the file that the checkpoint's run wrote: lines of it may be "
                "missing or stand twice"
            )
            return
        with reported(f"shorten {self.path}"):
            if not end.bytes and not self.path.exists():
                return
            content = source.read_bytes()
            if source == self.path and len(content) == end.bytes:
                return
            if keep_rest or source != self.path:
                self._keep_copy()
            replace_file(FileSystem(), self.path, content[: end.bytes])

    def close(self) -> None:
        """Close the file; lines that still wait are tried once more."""
        if self._descriptor is not None:
            try:
                self._write(self._descriptor)
            except OSError as error:
                lines = self._waiting.count(b"\n")
                notice(f"{lines} lines of {self.path} are lost: {error.strerror}")
            os.close(self._descriptor)
            self._forget()

    def _keep_copy(self) -> None:
        if self.path.exists():
            copy = unused_name(self.path.with_name(f"{self.path.name}.abandoned"))
            replace_file(FileSystem(), copy, self.path.read_bytes())

    def _write(self, descriptor: int) -> None:
        while self._waiting:
            del self._waiting[: os.write(descriptor, self._waiting)]

    def _open(self) -> int:
        if self._descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            while chunk := os.read(self._descriptor, _CHUNK_BYTES):
                self._count(chunk)
            self._count(self._waiting)
        return self._descriptor

    def _count(self, content: bytes | bytearray) -> None:
        self._hash.update(content)
        self._bytes += len(content)


def _starts_with(path: Path, end: FileEnd) -> bool:
    """Whether a file's first bytes are those that ended there; a missing file has none."""
    with reported(f"read {path}"):
        if not path.exists():
            return not end.bytes
        digest, missing = hashlib.sha256(), end.bytes
        with path.open("rb") as file:
            while missing and (chunk := file.read(min(missing, _CHUNK_BYTES))):
                digest.update(chunk)
                missing -= len(chunk)
    return not missing and digest.hexdigest() == end.sha256
