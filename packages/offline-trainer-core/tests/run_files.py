"""Reading what a run left behind."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def rows(out_dir: Path, stage: str | None = None) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl."""
    lines = (out_dir / "metrics.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return [row for row in found if stage is None or row["stage"] == stage]


def steps(out_dir: Path) -> list[int]:
    """The steps that have a checkpoint."""
    return sorted(int(path.name[5:]) for path in (out_dir / "checkpoints").glob("step-*"))


def fingerprint(out_dir: Path) -> dict[str, str]:
    """Hashes of the newest checkpoint's files, and of metrics.jsonl."""
    newest = max((out_dir / "checkpoints").glob("step-*"))
    files = [p for p in newest.iterdir() if p.name != "MANIFEST.json"]
    files.append(out_dir / "metrics.jsonl")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
