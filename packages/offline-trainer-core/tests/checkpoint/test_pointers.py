"""The files that name the last and the best checkpoint."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.checkpoint.pointers import BEST_NAME, point, pointed_step, remove_pointer


def test_a_pointer_names_a_step_until_it_is_removed(tmp_path: Path) -> None:
    assert pointed_step(tmp_path, BEST_NAME) is None
    point(FileSystem(), tmp_path, BEST_NAME, 1200)
    assert (tmp_path / "best").read_text() == "step-000000001200\n"
    assert pointed_step(tmp_path, BEST_NAME) == 1200
    remove_pointer(FileSystem(), tmp_path, BEST_NAME)
    remove_pointer(FileSystem(), tmp_path, BEST_NAME)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"../../etc", b"step-12", b"\xff\xfe", b"x" * 10_000])
def test_what_is_no_pointer_names_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "best").write_bytes(content)
    assert pointed_step(tmp_path, BEST_NAME) is None


def test_a_pipe_or_a_link_in_its_place_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "best")  # reading one would wait for ever
    assert pointed_step(tmp_path, BEST_NAME) is None
    (tmp_path / "real").write_text("step-000000000001\n")
    (tmp_path / "last").symlink_to("real")
    assert pointed_step(tmp_path, "last") is None
