"""What a run hands to its trainer besides the components.

Everything newer than the frozen arguments of ``trainer.fit`` is in here, so that a trainer that
wraps another loses nothing by passing it on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from offline_trainer.batch_limits import BatchLimits
from offline_trainer.checkpoint.reading import Checkpoint
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.engine import Engine
from offline_trainer.initial_weights import InitFrom
from offline_trainer.protocols import Objective
from offline_trainer.run.line_file import LineFile
from offline_trainer.run.signals import SignalFlag
from offline_trainer.saving import SaveSettings

Outcome = Literal["done", "interrupted"]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Who a run is: the ``run`` argument of ``trainer.fit``."""

    name: str
    run_id: str
    out_dir: Path
    seed: int
    config: Mapping[str, Any]


@dataclass(slots=True)
class RunContext:
    """The ``context`` argument of ``trainer.fit``.

    Attributes:
        engine: Prepared, with its models built, not yet set up.
        begin: Called by the trainer when it has tried what can be tried without writing; the run
            directory is opened by it.
        example_batch: The first training batch, for layers whose sizes come from the data.
        epoch_length: Batches of an epoch that are used, when the dataloader can tell.
        objective: What one step computes.
        store: Where checkpoints are committed.
        saving: How the checkpoint callbacks want them saved.
        metrics_file: The run's own ``metrics.jsonl``.
        signals: Tells that the run was asked to stop.
        limits: Which batches are used.
        resume: The checkpoint to go on from.
        same_metrics_file: Whether `metrics_file` is the file that the checkpoint's run wrote.
        init_from: Whose weights to start from.
        callback_names: Registry keys of the callbacks, for messages.
        outcome: Set by the trainer that ran the loop.
        test_metrics: Set by the trainer when there was a test set.
    """

    engine: Engine
    begin: Callable[[], None]
    example_batch: Any
    epoch_length: int | None
    objective: Objective
    store: CheckpointStore
    saving: SaveSettings
    metrics_file: LineFile
    signals: SignalFlag
    limits: BatchLimits = field(default_factory=BatchLimits)
    resume: Checkpoint | None = None
    same_metrics_file: bool = False
    init_from: InitFrom | None = None
    callback_names: Sequence[str] = ()
    outcome: Outcome = "done"
    global_step: int = 0
    epoch: int = 0
    test_metrics: dict[str, float] = field(default_factory=dict)
