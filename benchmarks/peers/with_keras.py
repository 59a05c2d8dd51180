"""Keras 3 on torch."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
from benchmarks.peers.work import LR, Batches

TITLE = "Keras 3 on torch"
ON = "fit, verbose=0; its running mean of the loss; no checkpoints"
PACKAGE = "keras"


def train(batches: Batches, folder: Path, save: bool) -> None:
    """One epoch."""
    model = keras.Sequential(
        [
            keras.Input((32,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(16),
        ]
    )
    model.compile(keras.optimizers.AdamW(LR), loss="mse")
    model.fit(batches.loader(), epochs=1, verbose=0)
    if save:
        model.save(folder / "model.keras")
