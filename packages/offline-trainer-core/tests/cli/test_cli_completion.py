"""What Tab offers, asked for by processes as the shells start them, and by bash itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CONFIG = """
schema_version: 1
run: {name: small, out_dir: run}
trainer: {_type_: trainer.default, max_epochs: 3}
callbacks: [{_type_: cb.model_checkpoint, every_n_epochs: 2}]
"""

Complete = Callable[..., list[str]]


@pytest.fixture
def complete(tmp_path: Path) -> Complete:
    """``complete(**env)``: the lines that ``ot`` answers a shell with; nothing on stderr."""
    (tmp_path / "config.yaml").write_text(CONFIG)

    def ask(**env: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", "offline_trainer.cli"],
            cwd=tmp_path,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return done.stdout.rstrip("\n").splitlines()

    return ask


@pytest.mark.parametrize(
    ("words", "offered"),
    {
        "ot desc": ["describe"],
        "ot describe io.": ["io.mapping"],
        "ot describe no.such": [],
        "ot list-components --kind objec": ["objective"],
        "ot list-components --no-plugin cor": ["core"],
        "ot check config.yaml trainer.": ["trainer._type_=", "trainer.max_epochs="],
        "ot run config.yaml run.name=x callbacks[0].e": ["callbacks[0].every_n_epochs="],
        "ot run missing.yaml trainer.": [],
    }.items(),
)
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_words_before_decide_what_is_offered(
    complete: Complete, words: str, offered: list[str], shell: str
) -> None:
    count = len(words.split())
    instruction = {"_OT_COMPLETE": f"{shell}_complete"}
    lines = complete(COMP_WORDS=words, COMP_CWORD=str(count - 1), **instruction)
    if shell == "zsh":  # for each: type, value, help
        assert lines[1::3] == offered
    else:
        assert lines == [f"plain,{value}" for value in offered]


def test_fish_shows_the_value_that_is_there_now(complete: Complete) -> None:
    # fish hands over the words before the cursor, and the one at it.
    words = {"COMP_WORDS": "ot run config.yaml trainer.max", "COMP_CWORD": "trainer.max"}
    lines = complete(_OT_COMPLETE="fish_complete", **words)
    assert lines == ["plain,trainer.max_epochs=\t3"]


USUAL_BREAKS = " \t\n\"'@><=;|&(:"


def in_bash(folder: Path, line: str, breaks: str = USUAL_BREAKS) -> list[str]:
    """What bash makes of a line with the cursor at its end: options it sets, words it offers."""
    start = folder / "ot"
    start.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m offline_trainer.cli "$@"\n')
    start.chmod(0o755)
    (folder / "config.yaml").write_text(CONFIG)
    program = (
        'eval "$(_OT_COMPLETE=bash_source ot)"\n'
        'compopt() { echo "$1 $2"; }\n'  # bash refuses it where nobody pressed Tab
        "COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDBREAKS=$2 COMPREPLY=()\n"
        "_ot_completion ot\n"
        'for offered in "${COMPREPLY[@]}"; do echo "$offered"; done\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", program, "bash", line, breaks],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "offered"),
    {
        "ot desc": ["describe"],
        "ot describe data.ta": ["data.table"],
        "ot run conf": ["-o default"],
        "ot run config.yaml trainer.max": ["-o nospace", "trainer.max_epochs="],
        # bash takes `=` and `:` for the end of a word, and holds what stands before them.
        "ot run config.yaml run.name=x trainer.max": ["-o nospace", "trainer.max_epochs="],
        "ot run config.yaml trainer.max_epochs=": [],
        "ot describe op:ad": ["add"],
    }.items(),
)
def test_bash_completes_whole_words_and_leaves_room_for_a_value(
    tmp_path: Path, line: str, offered: list[str]
) -> None:
    assert in_bash(tmp_path, line) == offered


def test_bash_may_be_told_that_a_colon_ends_no_word(tmp_path: Path) -> None:
    assert in_bash(tmp_path, "ot describe op:ad", USUAL_BREAKS.replace(":", "")) == ["op:add"]
