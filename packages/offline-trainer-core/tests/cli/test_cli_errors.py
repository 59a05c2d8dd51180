"""How errors end a command: text or JSON, colours or none, and the exit code."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from offline_trainer.cli.errors import errors_shown
from offline_trainer.errors import CheckpointError

Config = Callable[..., dict[str, Any]]
ESCAPE = re.compile("\x1b\\[[0-9;]*m")
COLOURS = ("NO_COLOR", "FORCE_COLOR", "TERM", "COLORTERM", "COLUMNS", "LINES", "TTY_COMPATIBLE")

MISTAKES = f"params: {{a: 1, a: 2, {'long' * 25}: !x 1}}\n"


@pytest.fixture(autouse=True)
def bad_config(small_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in COLOURS:
        monkeypatch.delenv(name, raising=False)
    Path("bad.yaml").write_text(yaml.safe_dump(small_config()) + MISTAKES)


def ot_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "offline_trainer.cli", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def ot_on_terminal(*arguments: str, **environment: str) -> str:
    """What ``ot`` writes to a real terminal."""
    main_end, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "offline_trainer.cli", *arguments],
        env={**os.environ, **environment},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    written = b""
    while chunk := _read(main_end):
        written += chunk
    os.close(main_end)
    process.wait(timeout=60)
    return written.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux's way to say that the other end is closed
        return b""


def test_check_writes_json_on_stdout(ot: Callable[..., Any]) -> None:
    result = ot("check", "bad.yaml", "--format", "json")
    assert (result.exit_code, result.stderr) == (2, "")
    assert len(result.stdout.splitlines()) == 1
    document = json.loads(result.stdout)
    assert document["exit_code"] == 2
    assert [error["code"] for error in document["errors"]] == ["OT0109", "OT0112"]


def test_check_writes_json_when_nothing_is_wrong(small_config: Config) -> None:
    Path("good.yaml").write_text(yaml.safe_dump(small_config()))
    done = ot_process("check", "good.yaml", "--format", "json")
    assert json.loads(done.stdout) == {"exit_code": 0, "errors": []}
    assert done.returncode == 0


def test_run_writes_json_on_stderr(ot: Callable[..., Any]) -> None:
    result = ot("run", "bad.yaml", "--format", "json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(json.loads(result.stderr.splitlines()[-1])["errors"]) == 2


def test_errors_of_a_run_have_the_same_keys(ot: Callable[..., Any]) -> None:
    @click.command()
    def failing() -> None:
        with errors_shown(json_to="stderr"):
            raise CheckpointError("none can be used", help="look into quarantine/")

    result = CliRunner().invoke(failing)
    assert result.exit_code == 4
    document = json.loads(result.stderr)
    assert document["exit_code"] == 4
    (error,) = document["errors"]
    assert (error["code"], error["page"], error["location"]) == (None, None, None)
    assert error["message"] == "none can be used"
    assert error["help"] == "look into quarantine/"
    config_error = json.loads(ot("check", "bad.yaml", "--format", "json").stdout)["errors"][0]
    assert list(error) == list(config_error)


def test_text_ends_with_the_command_that_explains_its_codes(ot: Callable[..., Any]) -> None:
    result = ot("check", "bad.yaml")
    assert result.stdout == ""
    assert result.stderr.endswith("\n\n2 errors\n\nfor more: ot explain OT0109 OT0112\n")


def test_a_pipe_gets_plain_text() -> None:
    assert "\x1b" not in ot_process("check", "bad.yaml", TERM="xterm-256color").stderr


def test_colours_change_nothing_but_the_colours() -> None:
    plain = ot_process("check", "bad.yaml").stderr
    forced = ot_process("check", "bad.yaml", FORCE_COLOR="1", TERM="xterm-256color").stderr
    assert forced.startswith("\x1b[1;31merror[OT0109]")
    assert ESCAPE.sub("", forced) == plain


@pytest.mark.parametrize("without", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_refused(without: dict[str, str]) -> None:
    environment = {"FORCE_COLOR": "1", "TERM": "xterm-256color", **without}
    done = ot_process("check", "bad.yaml", **environment)
    assert done.stderr == ot_process("check", "bad.yaml").stderr


def test_a_terminal_gets_colours_and_lines_that_fit() -> None:
    environment = {"TERM": "xterm-256color", "COLUMNS": "60"}
    shown = ot_on_terminal("check", "bad.yaml", "x" * 20 + "=1", **environment)
    assert "\x1b[1;31merror[OT0109]" in shown
    plain = ESCAPE.sub("", shown)
    assert max(len(line) for line in plain.splitlines() if "path:" not in line) <= 60
    without = ot_on_terminal("check", "bad.yaml", "x" * 20 + "=1", **environment, NO_COLOR="1")
    assert without == plain


def test_errors_without_a_code_are_coloured_too() -> None:
    done = ot_process("explain", "OT9999", FORCE_COLOR="1", TERM="xterm")
    assert done.returncode == 2
    assert done.stderr.startswith("\x1b[1;31merror")
