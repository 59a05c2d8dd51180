"""The operating system refuses one call: any that concerns a folder, in any way that a disk has.

Calls are replaced where Python's own library makes them, below `FileSystem`, so that none is left
out. A signal that interrupts ``open``, ``read``, ``write`` or ``fsync`` is not tried: Python makes
these calls again by itself. For the others, which a network disk may interrupt, it does not.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from offline_trainer.checkpoint.file_system import FileSystem

ERRORS = {name: getattr(errno, name) for name in ("ENOSPC", "EIO", "EROFS", "EDQUOT", "EMFILE")}
INTERRUPTED = "EINTR"
SHORT = "short write"
DONE = "EIO, though done"
OTHER_KINDS = (INTERRUPTED, SHORT, DONE)
HARMLESS = (INTERRUPTED, SHORT)
"""What nobody may notice."""

_CALLS = (
    "open",
    "write",
    "fsync",
    "ftruncate",
    "mkdir",
    "rename",
    "replace",
    "unlink",
    "rmdir",
    "stat",
    "lstat",
    "listdir",
    "scandir",
)
_REPEATED_BY_PYTHON = ("open", "io.open", "read", "write", "fsync")
_CHANGE_SOMETHING = ("open", "write", "mkdir", "rename", "replace", "unlink", "rmdir")


def applies(kind: str, call: str) -> bool:
    """Whether a call can fail in this way."""
    if kind == SHORT:
        return call == "write"
    if kind == INTERRUPTED:
        return call not in _REPEATED_BY_PYTHON
    return kind != DONE or call in _CHANGE_SOMETHING


class SystemCalls:
    """Counts the calls that concern a folder while it is entered; one of them fails.

    Args:
        folder: What is outside of it is none of our business.
        kind: How the call fails.
        number: Which one fails; None for none.
        forever: Whether all later ones fail, too, until it is left.

    Attributes:
        made: What was called.
    """

    def __init__(
        self, folder: Path, kind: str = "", number: int | None = None, *, forever: bool = False
    ) -> None:
        self.made: list[str] = []
        self._folder = str(folder)
        self._kind = kind
        self._number = number
        self._forever = forever and kind not in HARMLESS
        self._descriptors: set[int] = set()
        self._stack = ExitStack()

    def __enter__(self) -> SystemCalls:
        for name in _CALLS:
            self._replace(os, name, name)
        self._replace(io, "open", "io.open")
        read = FileSystem.read
        self._stack.enter_context(
            patch.object(
                FileSystem,
                "read",
                lambda system, descriptor, buffer: self._call(
                    "read", lambda *arguments: read(system, *arguments), (descriptor, buffer), {}
                ),
            )
        )
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def _replace(self, module: Any, name: str, shown: str) -> None:
        real = getattr(module, name)

        def call(*arguments: Any, **named: Any) -> Any:
            if not self._concerns(arguments[0] if arguments else None):
                return real(*arguments, **named)
            return self._call(shown, real, arguments, named)

        self._stack.enter_context(patch.object(module, name, call))

    def _concerns(self, what: Any) -> bool:
        if isinstance(what, int):
            return what in self._descriptors
        return isinstance(what, (str, os.PathLike)) and str(what).startswith(self._folder)

    def _call(
        self, name: str, real: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        fails = self._fails(name)
        self.made.append(name)
        if fails and self._kind == INTERRUPTED:
            self._refuse(errno.EINTR, arguments[0])
        if fails and self._kind in ERRORS:
            self._refuse(ERRORS[self._kind], arguments[0])
        if fails and self._kind == SHORT:
            descriptor, data = arguments
            return real(descriptor, data[: max(1, len(data) // 2)])
        result = real(*arguments, **named)
        if fails:
            if name == "open":
                os.close(result)
            self._refuse(errno.EIO, arguments[0])
        if name == "open":
            self._descriptors.add(result)
        return result

    def _fails(self, name: str) -> bool:
        if self._number is None or not applies(self._kind, name):
            return False
        return len(self.made) == self._number or (self._forever and len(self.made) > self._number)

    def _refuse(self, code: int, what: Any) -> None:
        place = [] if isinstance(what, int) else [str(what)]
        raise OSError(code, os.strerror(code), *place)
