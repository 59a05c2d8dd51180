"""Predicting with a trained run: a file of new samples in, a table with predictions out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from model_constructor.errors import ParameterError, either
from offline_trainer.components import closed_at_the_end
from offline_trainer.data.batches import Array
from offline_trainer.errors import InputFileError
from offline_trainer.evaluation import isolated_random_streams
from offline_trainer.protocols import NewSamples, PredictsFromFile, Values
from offline_trainer.trained.prediction_file import prediction_file
from offline_trainer.trained.trained_run import TrainedRun


def predict_file(run: TrainedRun, input: Path, output: Path) -> int:
    """Write the predictions for a file, with what the file has beside them.

    Args:
        run: Not started yet.
        input: What the run's datamodule reads, without targets or with them.
        output: A ``.csv`` or ``.parquet`` file; what was there is replaced when all is done.

    Returns:
        How many samples there were.

    Raises:
        InputFileError: The input or a value in it cannot be used, or the output not be written.
        ConfigError: The models cannot be used with it.
    """
    datamodule = run.datamodule
    if not isinstance(datamodule, PredictsFromFile):
        key = run.prepared.data["data"].get("_type_", "the datamodule")
        raise InputFileError(
            f"{key} reads no new samples",
            help="ot evaluate uses a run on other data of the same form: data.path=…",
        )
    if output.exists() and input.exists() and output.samefile(input):
        raise InputFileError(
            f"{output} is the input, which would be lost", help="choose another output"
        )
    count = 0
    with closed_at_the_end(run.datamodule), prediction_file(output) as file:
        for rows in _rows(run, datamodule, input):
            file.write(rows)
            count += len(next(iter(rows.values()), ()))
    return count


def _rows(
    run: TrainedRun, datamodule: PredictsFromFile, input: Path
) -> Iterator[Mapping[str, Values]]:
    """The columns to write, batch after batch."""
    started = False
    for samples in _new_samples(datamodule, input):
        if not started:
            run.start(samples.batch)
            started = True
        with run.explained(), isolated_random_streams(run.engine):
            outputs = run.engine.predict_step(samples.batch)
        with _input_errors():
            predicted = datamodule.predictions(outputs, _probabilities(run.loss, outputs))
        for name in predicted:
            if name in samples.columns:
                raise InputFileError(
                    f"{input} has a column `{name}`, which is what a prediction is called",
                    help="rename it in the file",
                )
        yield {**samples.columns, **predicted}


def _probabilities(loss: Any, outputs: Any) -> Array | None:
    of_loss = getattr(loss, "probabilities", None)
    found: Array | None = of_loss(outputs) if of_loss is not None else None
    return found


def _new_samples(datamodule: PredictsFromFile, input: Path) -> Iterator[NewSamples]:
    with _input_errors():
        yield from datamodule.new_samples(input)


class _input_errors:  # noqa: N801 - reads as a context at its uses
    """What is wrong with the input is an error about it, not about the config of the run."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ParameterError):
            near = f"did you mean {either(error.suggestions)}? " if error.suggestions else ""
            raise InputFileError(error.message, help=f"{near}{error.help}".strip()) from error
