"""Signals set a flag; a second Ctrl-C stops at once; handlers are put back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from offline_trainer.run.signals import HANDLED, InterruptedRun, SignalFlag


def send(name: str) -> None:
    os.kill(os.getpid(), getattr(signal, name))


@pytest.mark.parametrize("name", HANDLED)
def test_a_signal_sets_the_flag_with_its_name(name: str) -> None:
    with SignalFlag() as flag:
        assert not flag
        send(name)
        assert flag
        assert flag.name == name


def test_the_first_signal_is_the_one_remembered() -> None:
    with SignalFlag() as flag:
        send("SIGTERM")
        send("SIGUSR1")
        send("SIGINT")
        assert flag.name == "SIGTERM"


def test_a_second_interrupt_stops_at_once() -> None:
    with SignalFlag() as flag:
        send("SIGINT")
        with pytest.raises(KeyboardInterrupt):
            send("SIGINT")
        assert flag.name == "SIGINT"


def test_previous_handlers_are_put_back_also_after_an_error() -> None:
    before = [signal.getsignal(getattr(signal, name)) for name in HANDLED]
    flag = SignalFlag()

    def fail() -> None:
        with flag:
            assert signal.getsignal(signal.SIGTERM) == flag._handle
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [signal.getsignal(getattr(signal, name)) for name in HANDLED] == before


def test_where_the_process_ends_with_the_run_later_signals_do_not_change_its_exit_code() -> None:
    program = (
        "import os, signal, sys\n"
        "from offline_trainer.run.signals import SignalFlag\n"
        "with SignalFlag(ends_process=True):\n    pass\n"
        "for number in (signal.SIGTERM, signal.SIGUSR1):\n    os.kill(os.getpid(), number)\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
        "sys.exit(75)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 75


def test_in_another_thread_it_does_nothing() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def work() -> None:
        with SignalFlag() as flag:
            seen.append(signal.getsignal(signal.SIGTERM))
            seen.append(flag.name)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before, None]


WORKER = """
import os, signal
from offline_trainer.run.signals import SignalFlag
with SignalFlag() as flag:
    reading, writing = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        os.write(writing, b"still here")
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0)  # not reached
    os.close(writing)
    said = os.read(reading, 100).decode()
    _, status = os.waitpid(worker, 0)
    print(said, signal.Signals(os.WTERMSIG(status)).name, flag.name)
"""


def test_a_forked_worker_can_be_ended_and_leaves_interrupts_to_the_main_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORKER], capture_output=True, text=True, check=True
    )
    assert done.stdout == "still here SIGTERM None\n"


@pytest.mark.parametrize("when", ["enter", "body", "exit", "after"])
def test_a_signal_keeps_nothing_from_being_put_back(when: str) -> None:
    done: list[str] = []

    @contextmanager
    def streams() -> Iterator[None]:
        try:
            interrupt("enter")
            yield
        finally:
            interrupt("exit")
            done.append("put back")

    def interrupt(where: str) -> None:
        if where == when:
            signal.raise_signal(signal.SIGTERM)

    def batches(flag: SignalFlag) -> Iterator[int]:
        with flag.uninterrupted(streams()):
            done.append("body")
            interrupt("body")
        interrupt("after")  # the item is still waited for
        done.append("not waited for")
        yield 1

    def train(flag: SignalFlag) -> None:
        for _ in flag.interruptible(batches(flag)):
            flag.check()

    with SignalFlag() as flag, pytest.raises(InterruptedRun):
        train(flag)
    assert done == (["put back"] if when == "enter" else ["body", "put back"])
