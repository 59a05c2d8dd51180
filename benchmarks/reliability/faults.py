"""Faults put into a job's process from inside: what `faults.c` does, and when.

The library has to stand before libc when the process starts, so the forkserver of the jobs is
started with `environment`; each job then gives it orders with `Faults.arm`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

STEP_SECONDS = 0.004
"""How long each step waits: without it a toy's run would be mostly saves, unlike real training."""


def build(folder: Path) -> Path:
    """Compile the library into a folder."""
    library = folder / "faults.so"
    source = Path(__file__).with_name("faults.c")
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return library


def environment(library: Path) -> dict[str, str]:
    """What a process needs for `Faults` to be armed in it."""
    return {"LD_PRELOAD": str(library)}


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong in one process; by default nothing.

    Attributes:
        kill_at_operation: SIGKILL instead of this file operation, counted from 1.
        kill_at_step: SIGKILL after this optimizer step of the process, before anything is saved.
        fill_from_step: The disk has only ``room_bytes`` left from this optimizer step on,
        fill_until_step: until this one.
        room_bytes: What can be written before it is full.
    """

    kill_at_operation: int = 0
    kill_at_step: int = 0
    fill_from_step: int = 0
    fill_until_step: int = 0
    room_bytes: int = 0

    def arm(self, folder: Path, temporary: Path) -> None:
        """Start counting operations below two folders of this process."""
        ctypes.CDLL(None).faults_watch(
            os.fsencode(folder), os.fsencode(temporary), ctypes.c_long(self.kill_at_operation)
        )

    def after_step(self, step: int) -> None:
        """Do what is due after an optimizer step of this process."""
        if step == self.kill_at_step:
            os.kill(os.getpid(), signal.SIGKILL)
        if step == self.fill_from_step:
            _leave_room(self.room_bytes)
        if step == self.fill_until_step:
            _leave_room(-1)
        time.sleep(STEP_SECONDS)


NO_FAULT = Faults()


def counted() -> tuple[int, int, int]:
    """Of this process: file operations, bytes that they wrote, and how many found no room."""
    return _long("faults_operations"), _long("faults_written_bytes"), _long("faults_refusals")


def _leave_room(size_bytes: int) -> None:
    ctypes.CDLL(None).faults_leave_room(ctypes.c_long(size_bytes))


def _long(name: str) -> int:
    function = ctypes.CDLL(None)[name]
    function.restype = ctypes.c_long
    return int(function())
