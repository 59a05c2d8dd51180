"""Removing checkpoints, and what a removal that was cut off leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.checkpoint.reading import step_directories, step_name
from offline_trainer.checkpoint.removal import remove_checkpoints, remove_leftovers


class Cut(FileSystem):
    """Stops at the first file that would be removed."""

    def remove_file(self, path: Path) -> None:
        raise InterruptedError(path)


def checkpoint(folder: Path, step: int) -> Path:
    path = folder / step_name(step)
    path.mkdir()
    (path / "MANIFEST.json").touch()
    return path


def test_a_removal_that_is_cut_off_leaves_no_half_checkpoint(tmp_path: Path) -> None:
    paths = [checkpoint(tmp_path, step) for step in (1, 2, 3)]
    with pytest.raises(InterruptedError):
        remove_checkpoints(Cut(), tmp_path, [path.name for path in paths[:2]])
    assert list(step_directories(tmp_path)) == [3]
    remove_leftovers(FileSystem(), tmp_path)
    assert list(tmp_path.iterdir()) == [paths[2]]


def test_only_what_a_save_or_removal_left_is_a_leftover(tmp_path: Path) -> None:
    kept = [
        "deleting-",
        "deleting-step-000000000001-old",
        "step-000000000001",
        "writing-step-1",
        "last",
        "trash",
    ]
    left = ["deleting-step-000000000001", "writing-step-000000000002", "writing-rehearsal"]
    left += ["deleting-step-000000000001-2"]  # its name in the trash
    for name in (*kept, *left):
        (tmp_path / name).mkdir()
    remove_leftovers(FileSystem(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
