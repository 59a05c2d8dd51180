"""Running ``ot`` in this process: exit code, what it printed, and nothing left behind."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

import pytest

from offline_trainer.cli import main


@dataclass(frozen=True, slots=True)
class CliResult:
    """How a command ended, and what it printed."""

    exit_code: int
    stdout: str
    stderr: str


RunCli = Callable[..., CliResult]


def run_cli(*arguments: str) -> CliResult:
    """Run ``ot`` with these arguments.

    An exception that ``ot`` itself would show as a traceback is raised.
    """
    out, err = io.StringIO(), io.StringIO()
    exit_code = 0
    with redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))  # `imports:` adds the current folder
        try:
            main(arguments, prog_name="ot")
        except SystemExit as leaving:
            exit_code = leaving.code if isinstance(leaving.code, int) else 1
    return CliResult(exit_code, out.getvalue(), err.getvalue())
