"""A file of lines that a checkpoint can refer to: it knows its end, and goes back to one.

A disk that refuses a line loses nothing: lines wait in memory for the next attempt, and no
checkpoint that counts them is committed before they are on the disk. A save in the background
syncs the file while the loop appends to it, so there is a lock.
"""

from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from offline_trainer.checkpoint.file_system import (
    FileSystem,
    exists,
    is_directory,
    make_directories,
    names,
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

    Args:
        path: The file.
        file_system: Where faults are put in tests.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = LineFile(Path(folder) / "lines")
    ...     file.append(b"one\\n")
    ...     file.end().bytes
    4
    """

    def __init__(self, path: Path, file_system: FileSystem | None = None) -> None:
        self.path = path
        self._file_system = file_system or FileSystem()
        self._lock = RLock()
        self._syncing = RLock()  # held while the disk is waited for: nobody closes the file then
        self._forget()

    def _forget(self) -> None:
        self._descriptor: int | None = None
        self._waiting = bytearray()
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._refused = False
        self._doubtful = False
        self._has_lasting_name = False

    def append(self, line: bytes) -> None:
        """Add a line. A disk that is full gets it later, with one notice."""
        with self._lock:
            self._waiting += line
            try:
                if self._descriptor is not None:
                    self._count(line)
                self._write(self._open())
                self._refused = False
            except OSError as error:
                if not self._refused:
                    notice(
                        f"cannot append to {self.path}: {error.strerror}; its lines wait in memory"
                    )
                self._refused = True

    def end(self) -> FileEnd:
        """Where it ends with all lines that were appended."""
        with self._lock, reported(f"append to {self.path}"):
            self._open()
            return FileEnd(self._bytes, self._hash.hexdigest())

    def sync(self) -> None:
        """Wait until every line that has been appended is on the disk.

        Raises:
            OfflineTrainerError: The disk refuses.
        """
        with self._syncing, reported(f"append to {self.path}"):
            with self._lock:
                descriptor = self._open()
                self._write(descriptor)
            self._file_system.sync(descriptor)
            if not self._has_lasting_name:
                self._file_system.sync_directory(self.path.parent)
                self._has_lasting_name = True

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
        with reported(f"shorten {self.path}"):
            folder, start = self.path.parent, f"{self.path.name}.abandoned"
            there = names(folder) if is_directory(folder) else []
            copies = [folder / name for name in there if name.startswith(start)]
            source = next((path for path in (self.path, *copies) if _starts_with(path, end)), None)
            if source is None:
                notice(
                    f"{self.path} is not the file that the checkpoint's run wrote: lines of it may "
                    "be missing or stand twice"
                )
                return
            if not end.bytes and not exists(self.path):
                return
            content = source.read_bytes()
            if source == self.path and len(content) == end.bytes:
                return
            if keep_rest or source != self.path:
                self._keep_copy()
            replace_file(self._file_system, self.path, content[: end.bytes])

    def close(self) -> None:
        """Close the file; lines that still wait are tried once more."""
        with self._syncing, self._lock:
            if self._descriptor is not None:
                try:
                    self._write(self._descriptor)
                except OSError as error:
                    lines = self._waiting.count(b"\n")
                    notice(f"{lines} lines of {self.path} are lost: {error.strerror}")
                os.close(self._descriptor)
                self._forget()

    def _keep_copy(self) -> None:
        if exists(self.path):
            copy = unused_name(self.path.with_name(f"{self.path.name}.abandoned"))
            replace_file(self._file_system, copy, self.path.read_bytes())

    def _write(self, descriptor: int) -> None:
        if self._doubtful:  # a disk may write something and say that it did not
            self._file_system.cut(descriptor, self._bytes - len(self._waiting))
            self._doubtful = False
        while self._waiting:
            try:
                # A copy: what is seen by somebody else could not be shortened.
                waiting = memoryview(bytes(self._waiting))
                written = self._file_system.write(descriptor, waiting)
            except OSError:
                self._doubtful = True
                raise
            if not written:
                raise OSError(errno.EIO, "the disk takes no more bytes")
            del self._waiting[:written]

    def _open(self) -> int:
        """The descriptor; known only when all that is in the file has been counted."""
        if self._descriptor is None:
            make_directories(self._file_system, self.path.parent)
            descriptor = self._file_system.open_to_append(self.path)
            try:
                content = self._read(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
            self._hash, self._bytes = content
            self._count(self._waiting)
        return self._descriptor

    def _read(self, descriptor: int) -> tuple[hashlib._Hash, int]:
        digest, size = hashlib.sha256(), 0
        piece = memoryview(bytearray(_CHUNK_BYTES))
        while count := self._file_system.read(descriptor, piece):
            digest.update(piece[:count])
            size += count
        return digest, size

    def _count(self, content: bytes | bytearray) -> None:
        self._hash.update(content)
        self._bytes += len(content)


def _starts_with(path: Path, end: FileEnd) -> bool:
    """Whether a file's first bytes are those that ended there; a missing file has none."""
    with reported(f"read {path}"):
        if not exists(path):
            return not end.bytes
        digest, missing = hashlib.sha256(), end.bytes
        with path.open("rb") as file:
            while missing and (chunk := file.read(min(missing, _CHUNK_BYTES))):
                digest.update(chunk)
                missing -= len(chunk)
    return not missing and digest.hexdigest() == end.sha256
