"""The git commit of a folder, where there is one."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_SECONDS = 10
_DIFF = ("diff", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD")


@dataclass(frozen=True, slots=True)
class GitState:
    """The commit that is checked out, and whether files differ from it.

    Attributes:
        commit: Its full hash.
        dirty: Whether tracked files differ from it, or untracked ones are there.
        diff: Hash of what differs in tracked files; None where nothing does.
    """

    commit: str
    dirty: bool
    diff: str | None = None


def git_state(folder: Path) -> GitState | None:
    """The state of the repository around ``folder``; None without repository, commit or git."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    changes = _git(folder, "status", "--porcelain")
    if commit is None or changes is None:
        return None
    diff = _git(folder, *_DIFF) if changes else None
    digest = hashlib.sha256(diff.encode(errors="replace")).hexdigest() if diff else None
    return GitState(commit, dirty=bool(changes), diff=digest)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_SECONDS,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # only look, never write to the index
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
