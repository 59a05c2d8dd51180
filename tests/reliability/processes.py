"""Real processes that run `ot`: started, signalled, waited for.

Most are forked from a server that has imported everything, which takes 10 ms; `as_command` starts
``python -m offline_trainer.cli`` as a user does. Either way the process leads a group of its own,
so that one which it started and left behind is found.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Protocol

from ot_process import OT
from reliability import child
from reliability.child import Faults, Orders

PATIENCE_SECONDS = 120
_GLANCE_SECONDS = 0.0005
_PATHS = (
    Path(__file__).parents[1],
    Path(__file__).parents[2] / "packages/offline-trainer-core/tests",
)


class _Process(Protocol):
    @property
    def pid(self) -> int | None: ...


@dataclass(slots=True)
class Ot:
    """An `ot` that runs in a process of its own.

    Attributes:
        pid: Its process id, and its group's.
        output: What it prints.
    """

    pid: int
    output: Path
    _exit_code: Callable[[float], int | None]

    def send(self, name: str) -> None:
        """Send it a signal; does nothing if it has ended."""
        if self._exit_code(0) is None:
            with suppress(ProcessLookupError):  # it has just ended, and the server knows before us
                os.kill(self.pid, getattr(signal, name))

    def kill(self) -> int:
        """SIGKILL; its exit code, which is its own if it was faster."""
        self.send("SIGKILL")
        return self.wait()

    def wait(self) -> int:
        """Its exit code, or the negative number of the signal that ended it."""
        code = self._exit_code(PATIENCE_SECONDS)
        if code is None:
            self.send("SIGABRT")
            self._exit_code(PATIENCE_SECONDS)
            raise AssertionError(f"does not end; it said:\n{self.said()}")
        return code

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._exit_code(0) is None

    def said(self) -> str:
        """What it has printed so far."""
        return self.output.read_text() if self.output.exists() else ""

    def expect(self, *codes: int) -> int:
        """Wait for it; raise unless it ends with one of these exit codes."""
        code = self.wait()
        assert code in codes, f"exit code {code}, not {codes}; it said:\n{self.said()}"
        return code

    def leaves_nobody(self) -> None:
        """Raise if a process that it started goes on after its end."""
        deadline = time.monotonic() + PATIENCE_SECONDS / 10
        while time.monotonic() < deadline:
            try:
                os.killpg(self.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(_GLANCE_SECONDS)
        raise AssertionError(f"processes of group {self.pid} are left")


@dataclass(slots=True)
class Folder:
    """A folder in which `ot` is started again and again; all that still run end with it."""

    path: Path
    _started: list[Ot] = field(default_factory=list)

    def start(self, *arguments: str, faults: Faults | None = None, as_command: bool = False) -> Ot:
        """Start `ot` with arguments."""
        output = self.path / f"output-{len(self._started)}.txt"
        if as_command:
            ot = _start_command(arguments, self.path, output)
        else:
            ot = _fork(Orders(arguments, self.path, output, faults or Faults()))
        self._started.append(ot)
        return ot

    def end(self) -> None:
        """Kill what still runs."""
        for ot in self._started:
            ot.kill()


@contextmanager
def folder(path: Path) -> Iterator[Folder]:
    """A context for processes in a folder."""
    processes = Folder(path)
    try:
        yield processes
    finally:
        processes.end()


def until(true: Callable[[], bool], ot: Ot) -> bool:
    """Wait until something is so; False if the process ends before."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if not ot.runs():
            return true()
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain; it said:\n{ot.said()}")
        time.sleep(_GLANCE_SECONDS)
    return True


def _start_command(arguments: tuple[str, ...], place: Path, output: Path) -> Ot:
    with output.open("ab") as file:
        process = subprocess.Popen(
            [*OT, *arguments],
            cwd=place,
            env={**os.environ, **_environment()},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )

    def exit_code(seconds: float) -> int | None:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    return Ot(process.pid, output, exit_code)


def _fork(orders: Orders) -> Ot:
    process = _server().Process(target=child.run, args=(orders,))
    process.start()
    assert process.pid is not None

    def exit_code(seconds: float) -> int | None:
        process.join(seconds)
        return process.exitcode

    return Ot(process.pid, orders.output, exit_code)


@cache
def _server() -> ForkServerContext:
    """The server, started with the environment of its children.

    One that is there already, which has made workers for an earlier test, has imported nothing and
    has the environment of this process, is ended: a process can have only one.
    """
    from multiprocessing import forkserver

    forkserver._forkserver._stop()  # type: ignore[attr-defined] # has no public name
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["reliability.preloaded"])
    changed = _environment()
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        forkserver.ensure_running()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return context


def _environment() -> dict[str, str]:
    paths = os.pathsep.join(map(str, _PATHS))
    return {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}
