"""Files with one JSON object per line: appending a line, and going back to an earlier end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from offline_trainer.checkpoint.file_system import reported
from offline_trainer.checkpoint.json_text import to_json
from offline_trainer.engine import Json
from offline_trainer.errors import OfflineTrainerError


def append(path: Path, record: Mapping[str, Json]) -> None:
    """Add one line, in one write, so that no reader sees half of it."""
    line = f"{to_json(dict(record))}\n".encode()
    with reported(f"append to {path}"), path.open("ab", buffering=0) as file:
        file.write(line)


def truncate(path: Path, size: int) -> None:
    """Drop what was written after a checkpoint.

    Args:
        path: The file; where ``size`` is 0 it need not exist.
        size: Bytes it had when the checkpoint was saved.

    Raises:
        OfflineTrainerError: The file is shorter than that.
    """
    with reported(f"shorten {path}"):
        present = path.stat().st_size if path.exists() else 0
        if present < size:
            raise OfflineTrainerError(
                f"{path} has {present} bytes, but had {size} when the checkpoint was saved",
                help="lines of it are lost; resume into another run.out_dir to go on without them",
            )
        if present > size:
            os.truncate(path, size)
