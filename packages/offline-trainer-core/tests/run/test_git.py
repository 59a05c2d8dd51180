"""The commit of a folder, and None wherever there is none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from offline_trainer.run.git import GitState, git_state

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_commit_and_dirty_flag(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert git_state(tmp_path) is None  # no commit yet
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_state(tmp_path) == GitState(commit, dirty=False)
    (tmp_path / "file").write_text("two")
    changed = git_state(tmp_path)
    assert changed is not None
    assert (changed.commit, changed.dirty) == (commit, True)
    assert changed.diff is not None
    (tmp_path / "file").write_text("two!")
    assert git_state(tmp_path) not in (changed, GitState(commit, dirty=True))
    (tmp_path / "file").write_text("two")
    assert git_state(tmp_path) == changed
    (tmp_path / "file").write_text("one")
    (tmp_path / "other").touch()
    assert git_state(tmp_path) == GitState(commit, dirty=True, diff=None)


def test_no_repository_and_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) is None
