"""One file of a checkpoint: hashed while it is written, verified before it is believed."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from offline_trainer.checkpoint.file_system import FileSystem, reported, status, write_all
from offline_trainer.checkpoint.hashing import PIECE_BYTES, StreamHash, pieces
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
    file_system: FileSystem,
    path: Path,
    chunks: Iterable[bytes | memoryview],
    *,
    hash_beside: bool = True,
) -> FileRecord:
    """Write a new file durably, hashing what is written.

    Args:
        file_system: Where faults are put in tests.
        path: The file, which must not exist.
        chunks: Its content.
        hash_beside: Hash on another thread while this one writes.
    """
    size = 0
    descriptor = file_system.create(path)
    try:
        with closing(StreamHash(beside=hash_beside)) as digest:
            for chunk in chunks:
                for piece in pieces(chunk):
                    digest.update(piece)
                    size += piece.nbytes
                    write_all(file_system, descriptor, piece)
            file_system.sync(descriptor)
            return FileRecord(path.name, size, digest.hexdigest())
    finally:
        os.close(descriptor)


def check_size(directory: Path, record: FileRecord) -> None:
    """Check that a recorded file is a regular file of the recorded size."""
    path = directory / record.path
    found = _check_regular(path)
    if found.st_size != record.bytes:
        raise DamagedCheckpointError(
            f"{path} has {found.st_size} bytes, its manifest says {record.bytes}"
        )


def read_recorded(file_system: FileSystem, directory: Path, record: FileRecord) -> memoryview:
    """Read a file once and return its content only if size and hash are the recorded ones.

    The memory is written once, by the reading itself, and belongs to the caller.
    """
    check_size(directory, record)
    path = directory / record.path
    with reported(f"read {path} into memory"):
        # Fresh pages of the system; a bytearray would be filled with zeros first.
        buffer = memoryview(mmap.mmap(-1, record.bytes) if record.bytes else b"")
    with closing(StreamHash()) as digest, _opened(file_system, path) as descriptor:
        filled = 0
        while filled < record.bytes:
            piece = buffer[filled : filled + PIECE_BYTES]
            count = file_system.read(descriptor, piece)
            if not count:
                raise DamagedCheckpointError(f"{path} ends after {filled} bytes")
            digest.update(piece[:count])
            filled += count
        found = digest.hexdigest()
    if found != record.sha256:
        raise DamagedCheckpointError(
            f"{path} has sha256 {found[:12]}…, its manifest says {record.sha256[:12]}…"
        )
    return buffer


def read_regular(file_system: FileSystem, path: Path, most: int) -> bytes:
    """Read a small file.

    Raises:
        DamagedCheckpointError: It is a link, a pipe or the like, or has more than ``most`` bytes.
    """
    _check_regular(path)
    content = bytearray()
    with _opened(file_system, path) as descriptor:
        piece = memoryview(bytearray(min(most + 1, 1 << 16)))
        while count := file_system.read(descriptor, piece):
            content += piece[:count]
            if len(content) > most:
                raise DamagedCheckpointError(f"{path} has more than {most} bytes")
    return bytes(content)


def _check_regular(path: Path) -> os.stat_result:
    """Opening a pipe would wait for whoever writes into it."""
    with reading_saved(path):
        found = status(path)
    if not stat.S_ISREG(found.st_mode):
        raise DamagedCheckpointError(f"{path} is not a regular file")
    return found


@contextmanager
def _opened(file_system: FileSystem, path: Path) -> Iterator[int]:
    with reading_saved(path):
        descriptor = file_system.open_to_read(path)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


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
