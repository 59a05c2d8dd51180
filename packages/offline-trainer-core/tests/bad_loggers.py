"""Loggers for tests: some keep what they are told, the others fail in ways of their own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from model_constructor.registry import Registrar

RELEASED = threading.Event()
"""Set when a test is over: loggers that hang let their threads go."""


class Recording:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def log_hparams(self, params: Any) -> None:
        self.calls.append("hparams")

    def log_metrics(self, metrics: Any, *, step: int, stage: str) -> None:
        self.calls.append((step, threading.current_thread() is threading.main_thread()))

    def close(self) -> None:
        self.calls.append("close")


class Immediate(Recording):
    immediate = True


class Beginning(Recording):
    def begin(self, *, out_dir: Path, step: int) -> None:
        self.calls.append((out_dir, step))


class Stubborn(Recording):
    """Fails at its first row once, or always."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self._failures = failures

    def log_metrics(self, metrics: Any, *, step: int, stage: str) -> None:
        if self._failures:
            self._failures -= 1
            raise OSError("connection lost")
        super().log_metrics(metrics, step=step, stage=stage)


class Hanging(Recording):
    """Does not come back from its first row, nor from its end."""

    def log_metrics(self, metrics: Any, *, step: int, stage: str) -> None:
        RELEASED.wait(60)


class HangingAtTheEnd(Recording):
    def close(self) -> None:
        RELEASED.wait(60)


class FullDisk(Recording):
    def log_metrics(self, metrics: Any, *, step: int, stage: str) -> None:
        with open("/dev/full", "w") as file:  # noqa: PTH123
            file.write(f"{step}\n")


class Leaving(Recording):
    def log_metrics(self, metrics: Any, *, step: int, stage: str) -> None:
        raise SystemExit(0)


def register(registry: Registrar) -> None:
    for logger in (Stubborn, Hanging, HangingAtTheEnd, FullDisk, Leaving):
        registry.add(f"log.{logger.__name__}", logger)
