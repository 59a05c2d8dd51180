"""The tutorial of docs/plugins.md, taken step by step from the page itself.

Its files are written, its edits made, its commands typed, and what it says they print is compared
with what they print. pip, build and the second environment are left out, and the package is made
known by its metadata alone, unless pytest is called with ``--with-pip``, as tests/isolated.sh does.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from doc_blocks import Block, blocks

PAGE = Path(__file__).parent.parent / "docs" / "plugins.md"
TAKEN_HERE = "tests/test_tutorial.py runs it"
INSTALL, UNINSTALL = "pip install --editable", "pip uninstall --yes my-losses"

_PLACE = re.compile(r"\s*# (at the end of )?([\w./-]+)\n")


def test_the_tutorial_goes_as_it_says(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    steps = [block for block in blocks(PAGE.read_text()) if block.not_run == TAKEN_HERE]
    reader = Reader(tmp_path, with_pip=pytestconfig.getoption("--with-pip"))
    try:
        for step in steps:
            reader.take(step)
    finally:
        reader.leave()
    assert (reader.folder / "runs" / "quantile" / "metrics.jsonl").exists()
    assert reader.typed > 8


class Reader:
    """Somebody who follows the page in an empty folder, at a terminal of 80 columns."""

    def __init__(self, folder: Path, *, with_pip: bool) -> None:
        self.folder = folder
        self.typed = 0
        self._with_pip = with_pip
        self._env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "80",
            "LINES": "40",
            "TERM": "dumb",  # nothing is written over
            "NO_COLOR": "1",
            "PYTEST_ADDOPTS": "-W error",
        }

    def take(self, step: Block) -> None:
        """Do what a block shows."""
        if step.language == "console":
            for command, printed in typed_commands(step):
                self._type(command, printed, line=step.line)
        else:
            self._edit(step)

    def leave(self) -> None:
        """Leave the environment as it was found."""
        if self._with_pip:
            self._run(UNINSTALL)

    def _edit(self, step: Block) -> None:
        place = _PLACE.match(step.text)
        assert place is not None, f"{PAGE.name}:{step.line}: the first line names no file"
        path, text = self.folder / place[2], step.text[place.end() :]
        if step.language == "diff":
            lines = text.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] != "+")
            after = "".join(line[1:] for line in lines if line[0] != "-")
            known = path.read_text()
            assert known.count(before) == 1, f"{path.name} has not, or not once:\n{before}"
            path.write_text(known.replace(before, after))
        elif place[1]:
            path.write_text(path.read_text() + text)
        else:
            path.write_text(step.text)

    def _type(self, command: str, expected: list[str], *, line: int) -> None:
        words = shlex.split(command)
        if words[0] == "cd":
            self.folder /= words[1]
        elif words[0] in ("ot", "pytest") or self._with_pip:
            self.typed += 1
            exit_code, printed = self._run(command)
            said = f"{PAGE.name}:{line}: `{command}` printed\n\n{printed}\n"
            assert (exit_code != 0) == bool(expected and expected[0].startswith("error")), said
            assert matches("\n".join(expected), printed), f"{said}and the page has other text"
        elif command.startswith(INSTALL):
            self._install_by_metadata()

    def _run(self, command: str) -> tuple[int, str]:
        """Run a command at a terminal; exit code and what is seen there."""
        terminal, side_of_command = pty.openpty()
        running = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=side_of_command,
            stderr=side_of_command,
        )
        os.close(side_of_command)
        printed = b"".join(iter(lambda: _read(terminal), b""))
        os.close(terminal)
        return running.wait(), printed.decode().replace("\r\n", "\n")

    def _install_by_metadata(self) -> None:
        source = self.folder / "src"
        info = source / "my_losses-0.1.0.dist-info"
        shutil.rmtree(info, ignore_errors=True)
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-losses\nVersion: 0.1.0\n")
        (info / "entry_points.txt").write_text(
            "[offline_trainer.plugins]\nmy_losses = ot_my_losses.plugin\n"
        )
        inherited = os.environ.get("PYTHONPATH", "")
        self._env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(source), inherited]))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side is closed
        return b""


def typed_commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block, with the lines it is said to print."""
    for part in block.text.removeprefix("$ ").split("\n$ "):
        command, *printed = part.rstrip("\n").split("\n")
        yield command, printed


def matches(expected: str, printed: str) -> bool:
    """Whether a command printed what the page says.

    ``…`` stands for anything; numbers with a fraction differ between machines, and pytest's rulers
    with them. A command that is followed by nothing may print what it likes.
    """
    if not expected:
        return True
    pattern = "\n".join(re.escape(_comparable(line)) for line in expected.split("\n"))
    pattern = re.sub(r"^…(\n|$)", r"(?:.*\\n)*?", pattern, flags=re.MULTILINE)
    return re.fullmatch(pattern.replace("…", ".*") + r"\s*", _comparable(printed)) is not None


def _comparable(text: str) -> str:
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"={2,}", "==", re.sub(r"\d+[.,]\d+(?![.\d])", "#", text))


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("", "anything\n", True),
        ("done", "done\n", True),
        ("done", "done\nand more\n", False),
        ("…\ndone", "one\ntwo\ndone\n", True),
        ("…\ndone", "done\n", True),
        ("one\n…", "one\n", True),
        ("one\n…", "two\n", False),
        ("a …b", "a long way to b\n", True),
        ("== 3 passed in 4.05s ==", "=== 3 passed in 12.11s ===\n", True),
        ("== 3 passed in 4.05s ==", "=== 2 passed in 4.05s ===\n", False),
    ],
)
def test_what_is_left_out_and_what_differs_between_machines_is_not_compared(
    expected: str, printed: str, same: bool
) -> None:
    assert matches(expected, printed) is same
