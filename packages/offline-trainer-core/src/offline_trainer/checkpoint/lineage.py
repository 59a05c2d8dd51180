"""Which checkpoints are the newest line of a run, and which were left behind. Reads no disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from offline_trainer.checkpoint.manifest import Manifest


def newest_line(manifests: Mapping[Path, Manifest]) -> list[Path]:
    """The checkpoints of the newest line, lowest step first.

    When a later attempt went on from an older step, the steps of the earlier attempt from there on
    are an abandoned line. Where it went on from is the parent of its first checkpoint; if that is
    no longer there, it is known only that it was before that one.

    Args:
        manifests: Of all checkpoints of one folder.
    """
    steps = {manifest.sha256: manifest.step for manifest in manifests.values()}
    beginnings = sorted(
        (min(steps.get(manifest.parent or "", manifest.step) + 1, manifest.step), manifest.attempt)
        for manifest in manifests.values()
    )
    line = []
    latest_attempt = begun = 0
    for path, manifest in sorted(manifests.items(), key=lambda item: item[1].step):
        while begun < len(beginnings) and beginnings[begun][0] <= manifest.step:
            latest_attempt = max(latest_attempt, beginnings[begun][1])
            begun += 1
        if manifest.attempt >= latest_attempt:
            line.append(path)
    return line
