"""What people see of an error, whole, for every kind of mistake that matters.

Each file in ``snapshots/errors`` holds the files of a case, a command, and what it prints; beside
its files there is ``rest.yaml``, an experiment that is right, without the sections that the case
has itself. Where the change is meant, write the output anew and let the diff be reviewed:

    .venv/bin/python -m pytest tests/test_error_snapshots.py --update-snapshots
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from doc_blocks import write_rest
from offline_trainer.cli import main

FOLDER = Path(__file__).parent / "snapshots" / "errors"
CASES = sorted(file.stem for file in FOLDER.glob("*.txt"))

_HEADING = re.compile(r"^==> (.+) <==\n", re.MULTILINE)


@pytest.mark.parametrize("case", CASES)
def test_the_error_reads_as_in_the_snapshot(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    snapshot = FOLDER / f"{case}.txt"
    given, command, known = read_case(snapshot.read_text(encoding="utf-8"))
    sections = [name for text in given.values() for name in re.findall(r"^(\w+):", text, re.M)]
    write_rest(tmp_path, sections)
    for name, text in given.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    shown = run(command)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
    if request.config.getoption("--update-snapshots"):
        write_case(snapshot, given, command, shown)
        known = shown
    assert shown == known, f"tests/snapshots/errors/{case}.txt; {__doc__}"


def read_case(text: str) -> tuple[dict[str, str], str, str]:
    """The files of a case, its command and what it is known to print."""
    _, *parts = _HEADING.split(text)
    *files, (command, known) = zip(parts[::2], parts[1::2], strict=True)
    return dict(files), command.removeprefix("$ "), known


def write_case(file: Path, given: dict[str, str], command: str, shown: str) -> None:
    parts = [*given.items(), (f"$ {command}", shown)]
    text = "".join(f"==> {name} <==\n{content}" for name, content in parts)
    file.write_text(text, encoding="utf-8")


def run(command: str) -> str:
    """What ``[NAME=value] ot …`` prints on stderr; it ends in an error, without a traceback."""
    words = shlex.split(command)
    settings = dict(word.split("=", 1) for word in words[: words.index("ot")])
    result = CliRunner().invoke(main, words[words.index("ot") + 1 :], env=settings)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    # What is installed beside the project is not what a snapshot is about.
    return re.sub(r"\btorch \d[\w.+]*", "torch X", result.stderr)
