"""How a checkpoint is named at the command line, and what is said where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.checkpoint.pointers import point
from offline_trainer.checkpoint.reading import step_name

Ot = Callable[..., Result]
Train = Callable[..., Path]


@pytest.fixture
def run(train: Train) -> Path:
    return train()


def shown(ot: Ot, name: str) -> int:
    result = ot("ckpt", "show", name, "--json")
    assert result.exit_code == 0, result.stderr
    step: int = json.loads(result.stdout)["step"]
    return step


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("run", 16),
        ("run/checkpoints", 16),
        ("run@8", 8),
        ("run/checkpoints@8", 8),
        ("run/@8", 8),
        ("run@0000012", 12),
        ("run@last", 16),
        ("run@best", 4),
        ("run/checkpoints/best", 4),
        ("run/checkpoints/step-000000000012", 12),
        ("run/checkpoints/step-000000000012/", 12),
    ],
)
def test_a_checkpoint_has_several_names(name: str, step: int, run: Path, ot: Ot) -> None:
    point(FileSystem(), run / "checkpoints", "best", 4)
    assert shown(ot, name) == step


def test_what_a_shell_makes_of_a_star_is_each_checkpoint_once(run: Path, ot: Ot) -> None:
    assert ot("ckpt", "pin", "run@4").exit_code == 0
    names = sorted(str(path) for path in (run / "checkpoints").glob("step-*"))
    assert len(names) == 5
    assert len(ot("ckpt", "verify", *names).stdout.splitlines()) == 4


def test_a_folder_with_an_at_in_its_name_is_taken_as_it_is(run: Path, ot: Ot) -> None:
    run.rename("team@8")
    assert shown(ot, "team@8") == 16
    assert shown(ot, "team@8@4") == 4


@pytest.mark.parametrize(
    ("name", "message", "help"),
    [
        ("run@13", "run has no checkpoint of step 13; the nearest is run@12", "ot ckpt ls run"),
        ("run@best", "has no checkpoint `best`: there is no such file", "ot ckpt ls run"),
        ("run@newest", "after @ comes a step, `last` or `best`, got `newest`", "ot ckpt ls run"),
        ("run@-4", "got `-4`", "ot ckpt ls run"),
        ("run@", "got ``", "ot ckpt ls run"),
        ("nowhere", "no checkpoint in nowhere: there is no such directory", "a run directory"),
        ("nowhere@4", "no checkpoint in nowhere: there is no such directory", "a run directory"),
        ("run/run.json", "no checkpoint in run/run.json: there is no such", "a run directory"),
        ("run/config", "no checkpoint in run/config", "directories named step-"),
        ("run/checkpoints/step-000000000012@4", "is a checkpoint, not a run: leave out @4", ""),
        (f"run@{'9' * 5000}", "after @ comes a step", "ot ckpt ls run"),
        ("x" * 300, "cannot look for a checkpoint in xxx", ""),
    ],
)
def test_what_is_no_checkpoint(name: str, message: str, help: str, run: Path, ot: Ot) -> None:
    (run / "config").mkdir(exist_ok=True)
    for command in ("show", "ls", "verify", "diff run", "pin", "unpin", "rm"):
        result = ot("ckpt", *command.split(), name)
        assert result.exit_code == 2, result.output
        first, *rest = result.stderr.splitlines()
        assert first.startswith("error: ")
        assert message in first
        assert help in "".join(rest)


def test_a_pointer_to_what_is_gone_is_told(run: Path, ot: Ot) -> None:
    point(FileSystem(), run / "checkpoints", "best", 3)
    assert "it names step 3, which is gone" in ot("ckpt", "show", "run@best").stderr


def test_a_step_that_was_set_aside_is_found_there(run: Path, ot: Ot) -> None:
    (run / "quarantine").mkdir()
    (run / "checkpoints" / step_name(8)).rename(run / "quarantine" / step_name(8))
    assert f"there is run/quarantine/{step_name(8)}" in ot("ckpt", "show", "run@8").stderr


@pytest.mark.parametrize("command", ["rm", "pin", "unpin"])
def test_what_is_changed_must_be_one_checkpoint(command: str, run: Path, ot: Ot) -> None:
    result = ot("ckpt", command, "run")
    assert (result.exit_code, len(list((run / "checkpoints").glob("step-*")))) == (2, 4)
    assert result.stderr == (
        "error: run is not one checkpoint: say which\n  help: such as run@16; ot ckpt ls run\n"
    )
    assert "Missing argument 'CHECKPOINT...'" in ot("ckpt", command).stderr
