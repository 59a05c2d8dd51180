"""One run per directory: a POSIX record lock on a file beside the run directory.

The lock dies with its process, so none is ever stale; the file itself stays, for removing it while
another process waits to lock it would let both in.

The file has the holder's name in it, and two bytes are locked. Who holds the first has the
directory. Who tries to, and until it has written its name, holds the second, so that nobody who is
refused reads a name that is missing or of somebody who died long ago.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from offline_trainer.checkpoint.file_system import reported
from offline_trainer.errors import RunDirectoryError

if sys.platform == "win32":
    fcntl: Any = None
else:
    import fcntl

# Record locks belong to the process: a second one in the same process would be granted, and closing
# either file would drop both. So what this process holds has to be known to all of it.
_held: set[Path] = set()

_DIRECTORY, _NAME = 0, 1


class RunLock:
    """The lock of the run directory ``directory``, held from `acquire` to `release`."""

    def __init__(self, directory: Path) -> None:
        self.path = directory.with_name(f"{directory.name}.lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; wait for nobody who has it, only for those who are trying to, too.

        Raises:
            RunDirectoryError: Another run holds it (the message says which), or the file cannot
                be made.
        """
        if fcntl is None:
            raise RunDirectoryError(
                "run directories need POSIX record locks, which Windows does not have",
                help="run under WSL or in a Linux container",
            )
        if self.path in _held:
            raise _held_by(self.path, f"process {os.getpid()}, which is this one")
        with reported(f"lock the run directory with {self.path}", RunDirectoryError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX, 1, _NAME)
                self._lock_directory(descriptor)
                os.ftruncate(descriptor, 0)
                os.write(descriptor, _own_entry())
                fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, _NAME)
            except BaseException:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
            _held.add(self.path)

    def _lock_directory(self, descriptor: int) -> None:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _DIRECTORY)
        except (BlockingIOError, PermissionError):  # POSIX allows both answers for "taken"
            raise _held_by(self.path, _holder(os.read(descriptor, 4096))) from None

    def release(self) -> None:
        """Give the lock back; does nothing if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            _held.discard(self.path)


def _own_entry() -> bytes:
    started = datetime.now().astimezone().isoformat(timespec="seconds")
    entry = {"pid": os.getpid(), "host": socket.gethostname(), "started": started}
    return f"{json.dumps(entry)}\n".encode()


def _holder(data: bytes) -> str:
    try:
        entry = json.loads(data)
        return f"process {entry['pid']} on {entry['host']}, started {entry['started']}"
    except (ValueError, KeyError, TypeError):  # it has the lock, but has not written its name yet
        return "another process"


def _held_by(path: Path, holder: str) -> RunDirectoryError:
    return RunDirectoryError(
        f"the run directory {path.with_suffix('')} is in use by {holder}",
        help="wait for that run to end, or choose another run.out_dir",
    )
