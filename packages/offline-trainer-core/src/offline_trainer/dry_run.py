"""``ot run --dry-run``: everything a run builds, one step on one batch, and nothing written.

The road is that of a run up to ``context.begin()``, which a trainer calls when it has tried all
that can be tried without writing. Here that call takes one step and goes no further.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.components import callback_names, closed_at_the_end
from offline_trainer.context import RunContext, RunInfo
from offline_trainer.engine import MicroBatch
from offline_trainer.errors import ComponentFailedError, DivergedError
from offline_trainer.evaluation import batches_to_evaluate, isolated_random_streams
from offline_trainer.experiment import Prepared, prepare
from offline_trainer.explanation import errors_explained
from offline_trainer.notices import notice
from offline_trainer.outcome import exits_told
from offline_trainer.parts import RunParts, build_parts, require_context
from offline_trainer.run.line_file import LineFile
from offline_trainer.run.signals import SignalFlag
from offline_trainer.secrets_scope import secrets_hidden


@dataclass(frozen=True, slots=True)
class DryRun:
    """What was built, and what one step gave.

    Attributes:
        name: Of the run.
        device: What the engine chose.
        precision: ``fp32``, ``fp16-mixed`` or ``bf16-mixed``.
        parameters: All, and those that are trained, of each model by name; empty where the engine
            does not count them.
        learning_rates: Of each optimizer, by name.
        batch: The first training batch.
        batches: Of ``train``, and of ``val`` and ``test`` where there are such parts; None where
            the loader cannot tell.
        accumulate: Batches of one step.
        values: The loss of the step, and what the objective logs.
    """

    name: str
    device: str
    precision: str
    parameters: Mapping[str, tuple[int, int]]
    learning_rates: Mapping[str, float]
    batch: Any
    batches: Mapping[str, int | None]
    accumulate: int
    values: Mapping[str, float]

    @property
    def steps_per_epoch(self) -> int | None:
        """Optimizer steps, if the loader can tell."""
        batches = self.batches["train"]
        return None if batches is None else -(-batches // self.accumulate)


@secrets_hidden()
@exits_told()
def dry_run(
    path: str | os.PathLike[str] | Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    no_plugin: Sequence[str] = (),
    allow_target: bool = False,
    untrusted: bool = False,
) -> DryRun:
    """Build everything that a config describes and take one step, in memory.

    Loggers are checked and not built, since some open their files at once. ``run.resume_from`` is
    left out.

    Args:
        path: As of `run_experiment`, like the others.

    Raises:
        ConfigError: The config is wrong, or its trainer would not stop before it writes.
        DivergedError: Loss or gradient is not finite.
    """
    prepared = prepare(
        path,
        overrides,
        no_plugin=no_plugin,
        allow_target=allow_target,
        untrusted=untrusted,
        uses=("out_dir", "init_from"),
    )
    if prepared.run.resume_from is not None:
        notice("run.resume_from is left out: a dry run starts from the first weights")
    parts = build_parts(prepared, allow_target=allow_target, with_loggers=False)
    with closed_at_the_end(parts.datamodule, parts.engine):
        require_context(parts.trainer, prepared, ("trainer",), "stop it before it writes")
        values = _one_step(prepared, parts)
        return _report(prepared, parts, values)


class _TriedError(BaseException):
    """Leaves ``trainer.fit``; never leaves this module, and is nobody's to catch on the way."""


def _one_step(prepared: Prepared, parts: RunParts) -> Mapping[str, float]:
    """What the step gave; the trainer has set the engine up for it."""
    run, engine = prepared.run, parts.engine
    values: dict[str, float] = {}

    def begin() -> None:
        batch = parts.example_batch
        output = engine.train_step([MicroBatch(batch, parts.objective.weight(batch))])
        names = ["loss", *output.logs]
        *numbers, finite = engine.read([output.loss, *output.logs.values(), output.finite])
        values.update(zip(names, numbers, strict=True))
        if not finite:
            raise DivergedError(
                f"loss or gradient of the first batch is not finite: loss {numbers[0]}",
                help="look at the batch for values that are not, and at its scale",
            )
        raise _TriedError

    out_dir = Path(run.out_dir)
    context = RunContext(
        engine=engine,
        begin=begin,
        example_batch=parts.example_batch,
        epoch_length=parts.epoch_length,
        objective=parts.objective,
        store=CheckpointStore(out_dir, run_id="", config_hash="", quarantine=out_dir),
        saving=parts.saving,
        metrics_file=LineFile(out_dir),
        signals=SignalFlag(),
        limits=parts.limits,
        init_from=parts.init_from,
        callback_names=callback_names(prepared.data),
    )
    info = RunInfo(run.name, "", out_dir, run.seed, prepared.shown)
    try:
        with errors_explained(prepared.resolved.source_map, prepared.graphs):
            parts.trainer.fit(**parts.arguments, run=info, context=context)
    except _TriedError:
        return values
    raise ComponentFailedError(
        f"{type(parts.trainer).__name__} did not call context.begin(), and went on to train",
        help="a trainer calls it before it writes; trainer.default does",
    )


def _report(prepared: Prepared, parts: RunParts, values: Mapping[str, float]) -> DryRun:
    count = getattr(parts.engine, "parameter_counts", None)
    batches = {"train": parts.epoch_length}
    with isolated_random_streams(parts.engine):
        for part in ("val", "test"):
            loaded = batches_to_evaluate(parts.datamodule, part)
            if loaded is not None:
                length = len(loaded) if isinstance(loaded, Sized) else None
                batches[part] = parts.limits.evaluation_length(length)
    return DryRun(
        prepared.run.name,
        parts.device,
        prepared.run.precision,
        count() if count is not None else {},
        parts.engine.learning_rates(),
        parts.example_batch,
        batches,
        int(prepared.data["trainer"].get("accumulate_grad_batches") or 1),
        values,
    )
