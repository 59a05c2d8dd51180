"""`log.jsonl`: metrics as JSON lines, the source of truth for curves."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from model_constructor.signatures import OutputPath
from offline_trainer.engine import Stage
from offline_trainer.run.json_lines import truncate


class JsonlLogger:
    """Append one JSON object for each row: step, epoch, stage, then the metrics.

    There are no times in it, so a resumed run writes the bytes of an uninterrupted one.

    Args:
        path: File to append to. None writes nothing: the run's own ``metrics.jsonl`` is always
            written, listed or not.
    """

    def __init__(self, path: OutputPath | None = None) -> None:
        self._path = Path(path) if path is not None else None
        self._file: BinaryIO | None = None

    def log_hparams(self, params: Mapping[str, Any]) -> None:
        """Write nothing; the config is in the run directory."""

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: Stage) -> None:
        """Append one line; a number that is not finite becomes null."""
        if self._path is None:
            return
        row: dict[str, Any] = {"step": step}
        if "epoch" in metrics:
            row["epoch"] = int(metrics["epoch"])
        row["stage"] = stage
        for name, value in metrics.items():
            if name != "epoch":
                row[name] = float(value) if math.isfinite(value) else None
        file = self._open()
        file.write(json.dumps(row).encode() + b"\n")
        file.flush()

    def position(self) -> int:
        """Bytes written so far, the file's earlier content included."""
        return self._open().tell()

    def go_back_to(self, position: int) -> None:
        """Drop what was written after a position.

        Raises:
            OfflineTrainerError: The file is shorter than that.
        """
        self.close()
        if self._path is not None:
            truncate(self._path, position)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> BinaryIO:
        if self._file is None:
            if self._path is None:
                raise ValueError("a JsonlLogger without a path has no file")
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab")
        return self._file
