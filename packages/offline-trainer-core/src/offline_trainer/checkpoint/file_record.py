"""One file of a checkpoint: hashed while it is written, verified before it is believed."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from offline_trainer.checkpoint.file_system import NO_FOLLOW, FileSystem, reported, write_all
from offline_trainer.errors import DamagedCheckpointError

# Not there, or there as something else: the checkpoint is not what was saved. Any other error
# (no permission, a network disk that is away) says nothing about the bytes.
_DAMAGE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What a manifest says of one file.

    Attributes:
        path: Name of the file in its checkpoint directory.
        bytes: Its size.
        sha256: Hash of its content, 64 lower-case hexadecimal digits.
    """

    path: str
    bytes: int
    sha256: str


def write_recorded(
    file_system: FileSystem, path: Path, chunks: Iterable[bytes | memoryview]
) -> FileRecord:
    """Write a new file durably, hashing what is written."""
    digest = hashlib.sha256()
    size = 0
    descriptor = file_system.create(path)
    try:
        for chunk in chunks:
            digest.update(chunk)
            size += memoryview(chunk).nbytes
            write_all(file_system, descriptor, chunk)
        file_system.sync(descriptor)
    finally:
        os.close(descriptor)
    return FileRecord(path.name, size, digest.hexdigest())


def check_size(directory: Path, record: FileRecord) -> None:
    """Check that a recorded file is a regular file of the recorded size."""
    path = directory / record.path
    with reading_saved(path):
        status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise DamagedCheckpointError(f"{path} is not a regular file")
    if status.st_size != record.bytes:
        raise DamagedCheckpointError(
            f"{path} has {status.st_size} bytes, its manifest says {record.bytes}"
        )


def read_recorded(directory: Path, record: FileRecord) -> bytes:
    """Read a file once and return its content only if size and hash are the recorded ones."""
    check_size(directory, record)
    path = directory / record.path
    data = read_regular(path)
    found = hashlib.sha256(data).hexdigest()
    if len(data) != record.bytes or found != record.sha256:
        raise DamagedCheckpointError(
            f"{path} has sha256 {found[:12]}…, its manifest says {record.sha256[:12]}…"
        )
    return data


def read_regular(path: Path) -> bytes:
    """Read a file that must not be a link."""
    with reading_saved(path):
        descriptor = os.open(path, os.O_RDONLY | NO_FOLLOW | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            return file.read()


@contextmanager
def reading_saved(path: Path) -> Iterator[None]:
    """Tell a damaged checkpoint from a disk that cannot be read just now."""
    with reported(f"read {path}"):
        try:
            yield
        except OSError as error:
            if error.errno not in _DAMAGE:
                raise
            raise DamagedCheckpointError(f"{path}: {error.strerror}") from error
