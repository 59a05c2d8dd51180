"""Lightning's Trainer with ``barebones=True``, which is there to measure it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers import with_lightning
from benchmarks.peers.work import Batches

TITLE = "Lightning, barebones"
ON = "barebones=True: no logs at all"
PACKAGE = "lightning"


def train(batches: Batches, folder: Path, save: bool) -> None:
    """One epoch."""
    with_lightning.train(batches, folder, save, barebones=True)
