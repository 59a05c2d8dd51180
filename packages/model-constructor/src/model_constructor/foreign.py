"""Code of others: how what it raises is told, and where what it prints goes.

It may raise anything: SystemExit and others that are no `Exception`, and what cannot even be
printed. Whoever calls it catches all but KeyboardInterrupt. Imports only the standard library.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress

_OURS = ("model_constructor", "offline_trainer", "offline_trainer_torch")


def error_text(error: BaseException) -> str:
    """An exception's type and message, even if its ``__str__`` raises.

    With the place of a SystemExit, which is the only trace of it that there is.

    >>> error_text(ValueError("no such thing")), error_text(SystemExit(0))
    ('ValueError: no such thing', 'it ended the program with SystemExit: 0')
    """
    try:
        message = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException as failure:  # noqa: BLE001 - it is the author's own code, too
        message = f"(no message: its __str__ raised {type(failure).__name__})"
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    if not isinstance(error, SystemExit):
        return text
    place = raised_at(error)
    return f"it ended the program with {text}" + (f" ({place})" if place else "")


def text_and_line(error: BaseException) -> str:
    """What an exception says, and the innermost ``file:line`` that is neither ours nor a library's.

    >>> try:
    ...     float("much")
    ... except ValueError as error:
    ...     text_and_line(error)
    "ValueError: could not convert string to float: 'much'"
    """
    if isinstance(error, SystemExit):
        return error_text(error)  # which tells the place
    import sysconfig  # takes a while, and few need it

    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__"))
        if module.partition(".")[0] not in _OURS and not file.startswith(("<", *paths)):
            place = f" ({file}:{line})"
    return f"{error_text(error).rstrip()}{place}"


def raised_at(error: BaseException) -> str:
    """``file:line`` of the innermost frame; empty for an exception that was never raised."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """What is printed inside goes to stderr, so that stdout holds nothing but our output.

    By C code and child processes, too: it is the file descriptor that points elsewhere.
    """
    with ExitStack() as stack:
        with suppress(OSError):  # one of the two is closed
            kept = os.dup(1)
            stack.callback(os.close, kept)
            _flush()
            os.dup2(2, 1)
            stack.callback(os.dup2, kept, 1)
            stack.callback(_flush)
        stack.enter_context(redirect_stdout(sys.stderr))
        yield


def _flush() -> None:
    """Let go of what waits, before the descriptor points to something else."""
    with suppress(OSError, ValueError, AttributeError):  # closed, or there is none
        sys.__stdout__.flush()  # type: ignore[union-attr]
