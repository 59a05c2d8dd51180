"""Which checkpoints are the newest line of a run, and which were left behind. Reads no disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from offline_trainer.checkpoint.manifest import Manifest


def newest_line(manifests: Mapping[Path, Manifest]) -> list[Path]:
    """The checkpoints of the newest line, lowest step first.

    When a later attempt went on from an older step, the steps of the earlier attempt from there on
    are an abandoned line.

    Args:
        manifests: Of all checkpoints of one folder.
    """
    line = []
    latest_attempt = 0
    by_step = sorted(manifests.items(), key=lambda item: (item[1].step, -item[1].attempt))
    for path, manifest in by_step:
        if manifest.attempt >= latest_attempt:
            latest_attempt = manifest.attempt
            line.append(path)
    return line
