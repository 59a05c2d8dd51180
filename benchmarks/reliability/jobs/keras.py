"""Keras on torch, resumed by its callback for fault tolerance, ``BackupAndRestore``.

``double_checkpoint=True`` is its option for more fault tolerance: the backup before the newest is
kept, and read when the newest cannot be. It resumes by itself: every start is the same.
"""

from __future__ import annotations

from pathlib import Path

import keras
from benchmarks.reliability.workload import (
    BATCH,
    DROPOUT,
    EPOCHS,
    FEATURES,
    HIDDEN,
    LR,
    LR_FACTOR,
    LR_STEPS,
    SEED,
    TARGETS,
    Ended,
    OnStep,
    digest,
    samples,
)

PACKAGES: tuple[str, ...] = ("keras", "torch", "h5py")


def train(out_dir: Path, resume: bool, on_step: OnStep) -> Ended:
    """Train to the end."""
    keras.utils.set_random_seed(SEED)
    x, y = samples()
    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(HIDDEN, activation="relu"),
            keras.layers.Dropout(DROPOUT),
            keras.layers.Dense(HIDDEN, activation="relu"),
            keras.layers.Dropout(DROPOUT),
            keras.layers.Dense(TARGETS),
        ]
    )
    # The same values as torch's StepLR.
    schedule = keras.optimizers.schedules.ExponentialDecay(
        LR, decay_steps=LR_STEPS, decay_rate=LR_FACTOR, staircase=True
    )
    model.compile(keras.optimizers.AdamW(schedule), loss="mse")
    model.fit(
        x,
        y,
        batch_size=BATCH,
        epochs=EPOCHS,
        verbose=0,
        callbacks=[
            keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: on_step()),
            keras.callbacks.BackupAndRestore(str(out_dir), double_checkpoint=True),
        ],
    )
    steps = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    return Ended(steps, digest(model.get_weights()))


def checkpoints(out_dir: Path) -> Path:
    """The folder below which checkpoints are written."""
    return out_dir


def newest_checkpoint(out_dir: Path) -> list[Path]:
    """The files that resuming would read first."""
    return [out_dir / "latest.weights.h5", out_dir / "training_metadata.json"]
