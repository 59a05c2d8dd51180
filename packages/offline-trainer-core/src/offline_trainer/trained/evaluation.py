"""Evaluating a trained run on a part of its data, as the run itself did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from offline_trainer.components import closed_at_the_end
from offline_trainer.data_errors import data_errors, with_data_errors
from offline_trainer.errors import RunDirectoryError
from offline_trainer.evaluation import batches_to_evaluate, evaluate
from offline_trainer.notices import notice
from offline_trainer.trained.trained_run import TrainedRun

Part = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The values of the loss and the metrics on a part.

    Attributes:
        part: Which.
        step: Of the checkpoint whose weights were used.
        values: By name, as they stand in metrics.jsonl.
    """

    part: Part
    step: int
    values: dict[str, float]


def evaluate_run(run: TrainedRun, part: Part) -> Evaluation:
    """Evaluate a part with the transforms of the run.

    Raises:
        RunDirectoryError: The data has no such part.
        ConfigError: The data, or the models with it, cannot be used.
    """
    metrics = run.builder.section("metrics") or []
    with closed_at_the_end(run.datamodule):
        run.builder.set_up(run.datamodule)
        _compare_split(run, part)
        of_part = getattr(run.datamodule, "part_dataloader", None)
        with data_errors(f"in {part}"):
            batches = of_part(part) if of_part else batches_to_evaluate(run.datamodule, part)
            first = next(iter(batches), None) if batches is not None else None
        if batches is None or first is None:
            raise RunDirectoryError(
                f"the data of {run.root} has no {part} part", help="choose another --split"
            )
        run.start(first)
        with run.explained():
            told = with_data_errors(batches, f"in {part}")
            values = evaluate(
                run.engine, run.objective, metrics, told, part, on_batch_end=lambda: None
            )
    return Evaluation(part, run.checkpoint.step, values)


def _compare_split(run: TrainedRun, part: Part) -> None:
    """Say so if other samples are in the part than when the run was trained."""
    recorded = run.recorded_split()
    told = getattr(run.datamodule, "split_state", None)
    if told is None or not isinstance(recorded, dict):
        return
    then, now = recorded.get(part), told().get(part)
    if then != now:
        counts = [each.get("rows") if isinstance(each, dict) else None for each in (then, now)]
        notice(
            f"other samples are in the {part} part than when the run was trained: then "
            f"{counts[0]}, now {counts[1]}; the run may have been trained on some of them"
        )
