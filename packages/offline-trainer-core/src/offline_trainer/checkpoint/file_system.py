"""All reading and writing goes through one object, so that a fault can be put at any operation.

`FileSystem` has the single operations, each one call to the operating system. The functions below
it are made of these operations, or look at names without opening anything.

A signal may interrupt a call. Python makes ``open``, ``read``, ``write`` and ``fsync`` again by
itself; the others, which only a network disk lets a signal interrupt, are made again here.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from offline_trainer.errors import OfflineTrainerError

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # absent on Windows
_BINARY = getattr(os, "O_BINARY", 0)  # Windows only
P = ParamSpec("P")
T = TypeVar("T")


class FileSystem:
    """One method for each operation."""

    def make_directory(self, path: Path) -> None:
        """Make a directory; its parent must exist, it must not."""
        _uninterrupted(os.mkdir, path)

    def create(self, path: Path) -> int:
        """Open a file that does not exist yet for writing and return its descriptor."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | _BINARY, 0o666)

    def open_to_append(self, path: Path) -> int:
        """Open a file, made if need be: it is read from its start and written at its end."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY, 0o666)

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of ``data`` and return how many bytes; may be fewer than all."""
        return os.write(descriptor, data)

    def cut(self, descriptor: int, size: int) -> None:
        """Drop what an open file has after its first bytes."""
        _uninterrupted(os.ftruncate, descriptor, size)

    def sync(self, descriptor: int) -> None:
        """Wait until the content of an open file is on the disk."""
        os.fsync(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Wait until the names in a directory are on the disk."""
        if os.name == "nt":  # a directory cannot be opened there
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file or directory a name that nothing has yet.

        Raises:
            FileExistsError: Something has it. Two processes doing this at the same moment are
                kept apart by the run's lock, not by this check.
        """
        if exists(target):
            raise FileExistsError(errno.EEXIST, "File exists", str(target))
        _uninterrupted(os.rename, source, target)

    def replace(self, source: Path, target: Path) -> None:
        """Give a file a name, taking it from the file that has it."""
        _uninterrupted(os.replace, source, target)

    def remove_file(self, path: Path) -> None:
        """Remove a file or a link."""
        _uninterrupted(os.unlink, path)

    def remove_directory(self, path: Path) -> None:
        """Remove an empty directory."""
        _uninterrupted(os.rmdir, path)

    def open_to_read(self, path: Path) -> int:
        """Open a file that is no link for reading and return its descriptor."""
        return os.open(path, os.O_RDONLY | NO_FOLLOW | _BINARY)

    def read(self, descriptor: int, buffer: memoryview) -> int:
        """Read some bytes into ``buffer`` and return how many; 0 at the end of the file."""
        return io.FileIO(descriptor, closefd=False).readinto(buffer) or 0


def status(path: Path) -> os.stat_result:
    """The status of what has a name; of a link itself, not of what it leads to."""
    return _uninterrupted(os.lstat, path)


def exists(path: Path) -> bool:
    """Whether something has a name, be it a link that leads nowhere.

    Raises:
        OSError: That cannot be found out; it may be there.
    """
    try:
        status(path)
    except OSError as error:
        return _is_there(error)
    return True


def is_directory(path: Path) -> bool:
    """Whether it is a directory, or a link to one.

    Raises:
        OSError: That cannot be found out.
    """
    try:
        return stat.S_ISDIR(_uninterrupted(os.stat, path).st_mode)
    except OSError as error:
        return _is_there(error)


def names(path: Path) -> list[str]:
    """What is in a directory, in alphabetical order."""
    return sorted(_uninterrupted(os.listdir, path))


def _is_there(error: OSError) -> bool:
    """False if an error says that nothing is there; any other one says nothing, and is raised."""
    if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        raise error
    return False


def _uninterrupted(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    while True:
        try:
            return call(*arguments, **named)
        except InterruptedError:
            continue


def make_directories(file_system: FileSystem, path: Path) -> None:
    """Make a directory and its missing parents, each one durably.

    The name of one that is there already is synced, too: the process that made it may have been
    ended before it did that.
    """
    if is_directory(path):
        with suppress(PermissionError):  # a folder of somebody else's, which we may only pass
            file_system.sync_directory(path.parent)
        return
    make_directories(file_system, path.parent)
    file_system.make_directory(path)
    file_system.sync_directory(path.parent)


def write_all(file_system: FileSystem, descriptor: int, data: bytes | memoryview) -> None:
    """Write all of ``data``, however many calls it takes."""
    rest = memoryview(data)
    while rest:
        written = file_system.write(descriptor, rest)
        if not written:  # which a disk must not do; asking it for ever would be no answer
            raise OSError(errno.EIO, "the disk takes no more bytes")
        rest = rest[written:]


def move(file_system: FileSystem, path: Path, target: Path) -> None:
    """Rename to a name in a folder that may be another one, and wait for the disk."""
    file_system.rename(path, target)
    file_system.sync_directory(target.parent)
    file_system.sync_directory(path.parent)


def replace_file(file_system: FileSystem, path: Path, data: bytes) -> None:
    """Write a small file so that a reader, and a crash, sees the old content or the new."""
    temporary = path.with_name(f"{path.name}.new")
    if exists(temporary):  # what a crash left behind
        file_system.remove_file(temporary)
    descriptor = file_system.create(temporary)
    try:
        write_all(file_system, descriptor, data)
        file_system.sync(descriptor)
    finally:
        os.close(descriptor)
    file_system.replace(temporary, path)
    file_system.sync_directory(path.parent)


def remove_tree(file_system: FileSystem, path: Path) -> None:
    """Remove a directory with all it holds; links are removed, never followed."""
    if not stat.S_ISDIR(status(path).st_mode):
        file_system.remove_file(path)
        return
    for name in names(path):
        remove_tree(file_system, path / name)
    file_system.remove_directory(path)


def unused_name(path: Path) -> Path:
    """``path``, or with ``-2``, ``-3``, … at its end: the first that nothing has."""
    candidate, number = path, 1
    while exists(candidate):
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


@contextmanager
def reported(doing: str, error: type[OfflineTrainerError] = OfflineTrainerError) -> Iterator[None]:
    """Turn an error of the operating system into one message that says what was being done."""
    try:
        yield
    except OSError as problem:
        place = f" ({problem.filename})" if problem.filename else ""
        raise error(f"cannot {doing}: {problem.strerror or problem}{place}") from problem
