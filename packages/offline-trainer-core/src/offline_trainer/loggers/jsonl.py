"""`log.jsonl`: metrics as JSON lines, the source of truth for curves."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_constructor.signatures import OutputPath
from offline_trainer.checkpoint.file_system import FileSystem, replace_file
from offline_trainer.engine import Stage
from offline_trainer.run.line_file import LineFile


class JsonlLogger:
    """Append one JSON object for each row: step, epoch, stage, then the metrics.

    There are no times in it. In a run that goes on, the rows of steps after its checkpoint, which
    are the last ones of the file, are dropped first.

    Args:
        path: File to append to. None writes nothing: the run's own ``metrics.jsonl`` is always
            written, listed or not.
    """

    immediate = False

    def __init__(self, path: OutputPath | None = None) -> None:
        self._path = Path(path) if path is not None else None
        self._file = LineFile(self._path) if self._path is not None else None

    @classmethod
    def writing(cls, file: LineFile) -> JsonlLogger:
        """A logger that writes to a file which somebody else looks at too."""
        logger = cls()
        logger._file = file
        logger.immediate = True  # where it ends is part of every checkpoint
        return logger

    def begin(self, *, out_dir: Path, step: int) -> None:
        """Take back what was written of later steps; a new run takes nothing back."""
        if self._path is None or not step or not self._path.exists():
            return
        content = self._path.read_bytes()
        lines = content.splitlines(keepends=True)
        while lines and _step_of(lines[-1]) > step:
            lines.pop()
        kept = b"".join(lines)
        if kept != content:
            if self._file is not None:
                self._file.close()
            replace_file(FileSystem(), self._path, kept)
            self._file = LineFile(self._path)

    def log_hparams(self, params: Mapping[str, Any]) -> None:
        """Write nothing; the config is in the run directory."""

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: Stage) -> None:
        """Append one line; a number that is not finite becomes null."""
        if self._file is None:
            return
        row: dict[str, Any] = {"step": step}
        if "epoch" in metrics:
            row["epoch"] = int(metrics["epoch"])
        row["stage"] = stage
        for name, value in metrics.items():
            if name != "epoch":
                row[name] = float(value) if math.isfinite(value) else None
        self._file.append(json.dumps(row).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _step_of(line: bytes) -> float:
    """The step of a row; of what is none, a step that is never later than another."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return -math.inf
