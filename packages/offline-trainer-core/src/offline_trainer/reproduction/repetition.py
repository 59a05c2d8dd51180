"""A recorded run, run again and compared with what it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from offline_trainer.checkpoint.file_system import reported
from offline_trainer.experiment import RunResult
from offline_trainer.notices import notice
from offline_trainer.reproduction.comparison import Compared, compare_checkpoints, compare_metrics
from offline_trainer.reproduction.recompose import Caller, Recomposed
from offline_trainer.reproduction.recorded import (
    RecordedRun,
    checkpoint_folder,
    read_checkpoints,
    read_ending,
    report_other_configs,
)
from offline_trainer.reproduction.rerun import run_again


@dataclass(frozen=True, slots=True)
class Repetition:
    """What came of it.

    Attributes:
        result: How the new run ended.
        metrics: The two metrics.jsonl; None where the new run was interrupted.
        checkpoints: Of the same steps; likewise.
    """

    result: RunResult
    metrics: Compared | None = None
    checkpoints: Compared | None = None


def repeat(run: RecordedRun, here: Recomposed, output: Path, caller: Caller) -> Repetition:
    """Run a recorded run again and compare.

    Args:
        output: The new run directory.

    Raises:
        OfflineTrainerError: There is nothing to compare with, or the new run failed.
    """
    folder = checkpoint_folder(run.stored.data, run.out_dir, run.root)
    recorded = read_checkpoints(folder)
    ending = read_ending(run, folder, recorded)
    if ending.early:
        notice(f"the run did not end: compared up to its last checkpoint, step {ending.step}")
    report_other_configs(run, recorded)
    result = run_again(run, here, ending, output, caller)
    if result.outcome != "done":
        return Repetition(result)
    made_in = checkpoint_folder(here.prepared.data, run.out_dir, result.out_dir)
    metrics_file = result.out_dir / run.metrics_file.name
    with reported(f"compare {run.root} with {result.out_dir}"):
        return Repetition(
            result,
            compare_metrics(run.metrics_file, metrics_file, ending.metrics_bytes),
            compare_checkpoints((folder, made_in), recorded, read_checkpoints(made_in)),
        )
