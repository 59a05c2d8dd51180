"""Files with one JSON object per line: appending a line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from offline_trainer.checkpoint.file_system import reported
from offline_trainer.checkpoint.json_text import to_json
from offline_trainer.engine import Json


def append(path: Path, record: Mapping[str, Json]) -> None:
    """Add one line, in one write, so that no reader sees half of it."""
    line = f"{to_json(dict(record))}\n".encode()
    with reported(f"append to {path}"), path.open("ab", buffering=0) as file:
        file.write(line)
