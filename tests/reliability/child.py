"""What runs in a child process: `ot`, and what befalls its file system on the way."""

from __future__ import annotations

import faulthandler
import itertools
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.cli import main

OPERATIONS = (
    "make_directory",
    "create",
    "write",
    "sync",
    "sync_directory",
    "rename",
    "replace",
    "remove_file",
    "remove_directory",
)
COUNTED = "operations"


@dataclass(frozen=True, slots=True)
class Faults:
    """What befalls the file system of a child.

    Attributes:
        slow_seconds: How much longer each operation takes.
        kill_at: The process dies right after this operation, counted from 1, or half-way through
            it if it writes.
        signal_at: At this operation the process gets `signals`.
        count: Leave the number of operations in the file `COUNTED`.
    """

    slow_seconds: float = 0.0
    kill_at: int | None = None
    signal_at: int | None = None
    signals: tuple[str, ...] = ()
    count: bool = False

    def apply(self) -> None:
        """Make them happen to this process from now on."""
        if self == Faults():
            return
        numbers = itertools.count(1)
        for name in OPERATIONS:
            setattr(FileSystem, name, self._around(name, getattr(FileSystem, name), numbers))

    def _around(
        self, name: str, operation: Callable[..., Any], numbers: itertools.count[int]
    ) -> Callable[..., Any]:
        def replaced(system: FileSystem, *arguments: Any) -> Any:
            number = next(numbers)
            if self.slow_seconds:
                time.sleep(self.slow_seconds)
            if number == self.signal_at:
                for each in self.signals:
                    os.kill(os.getpid(), getattr(signal, each))
            dies = number == self.kill_at
            if dies and name == "write":
                descriptor, data = arguments
                arguments = (descriptor, data[: len(data) // 2])
            result = operation(system, *arguments)
            if self.count:
                Path(COUNTED).write_text(str(number))
            if dies:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return replaced


@dataclass(frozen=True, slots=True)
class Orders:
    """What a child does.

    Attributes:
        arguments: Of `ot`.
        folder: Where.
        output: The file that takes what it prints.
        faults: What befalls it.
    """

    arguments: tuple[str, ...]
    folder: Path
    output: Path
    faults: Faults


def _start_processes_as_a_command_does() -> None:
    """Have workers forked from this process, and cleaned up after when it is killed.

    A child of the fork server would have that do both, and share it with all others.
    """
    multiprocessing.set_start_method(None, force=True)
    setattr(resource_tracker._resource_tracker, "_fd", None)  # noqa: B010 - it has no name for that


def run(orders: Orders) -> None:
    """Be `ot` until it exits, as the leader of a group of processes of its own."""
    os.setsid()
    _start_processes_as_a_command_does()
    os.chdir(orders.folder)
    descriptor = os.open(orders.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(descriptor, stream.fileno())
    faulthandler.enable()  # a process that does not end is asked where it stands, with SIGABRT
    orders.faults.apply()
    main(orders.arguments, prog_name="ot")
