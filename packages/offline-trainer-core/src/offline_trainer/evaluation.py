"""Evaluating: the mean loss over a whole set, and the metrics; and trying it on one batch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from model_constructor.errors import ParameterError
from model_constructor.foreign import text_and_line
from model_constructor.shape_text import shapes
from offline_trainer.batch_limits import BatchLimits
from offline_trainer.data_errors import data_errors, with_data_errors
from offline_trainer.engine import Engine, EvalOutput, Stage
from offline_trainer.explanation import is_misuse
from offline_trainer.protocols import DataModule, Metric, Objective
from offline_trainer.random_state import isolated_host_random_state, seed_host
from offline_trainer.running_mean import RunningMean


def evaluate(
    engine: Engine,
    objective: Objective,
    metrics: Sequence[Metric],
    batches: Iterable[Any],
    stage: Stage,
    on_batch_end: Callable[[], None],
) -> dict[str, float]:
    """The loss and its logs as means weighted by samples, and the values of the metrics.

    Evaluates averaged weights where there are some. Runs under RNG isolation, so that evaluating
    more often changes no training result.
    """
    with isolated_random_streams(engine), engine.averaged_weights():
        return {
            **_seen(engine, objective, metrics, batches, stage, on_batch_end),
            **_computed(metrics),
        }


def batches_to_evaluate(datamodule: DataModule, part: str) -> Iterable[Any] | None:
    """The batches of a part, ``val`` or ``test``; None if the data has no such part."""
    loader = getattr(datamodule, f"{part}_dataloader", None)
    return loader() if loader is not None else None


def evaluation_batches(
    datamodule: DataModule, part: str, limits: BatchLimits
) -> Iterator[Any] | None:
    """Those that an evaluation takes; what the data raises is told with the part's name."""
    when = f"in {part}"
    with data_errors(when):
        batches = batches_to_evaluate(datamodule, part)
    return None if batches is None else with_data_errors(limits.evaluation(batches), when)


def rehearse(
    engine: Engine, objective: Objective, metrics: Sequence[Metric], batches: Iterable[Any]
) -> list[str]:
    """Validate on few batches, so that what cannot work is found before the run.

    Returns:
        The names of what was measured; none if a metric has no value for so little.
    """
    with isolated_random_streams(engine), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of metrics that want more samples
        values = _seen(engine, objective, metrics, batches, "val", lambda: None)
        try:
            names = [*values, *_computed(metrics)]
        except ParameterError:
            names = []
        for metric in metrics:
            metric.reset()
    return names


def _seen(
    engine: Engine,
    objective: Objective,
    metrics: Sequence[Metric],
    batches: Iterable[Any],
    stage: Stage,
    on_batch_end: Callable[[], None],
) -> dict[str, float]:
    """Mean loss and logs of the batches, which all metrics have taken in."""
    mean: RunningMean[None] = RunningMean(engine.read)
    for metric in metrics:
        metric.reset()
    for batch in batches:
        output = engine.eval_step(batch, stage)
        if output.loss is not None:
            mean.add(output.loss, output.logs, objective.weight(batch))
        for index, metric in enumerate(metrics):
            with _errors_of(index, output):
                metric.update(
                    outputs=output.outputs, targets=output.targets, batch=batch, stage=stage
                )
        on_batch_end()
    mean.read()
    return mean.pop()


def _computed(metrics: Sequence[Metric]) -> dict[str, float]:
    """The values of all metrics.

    Raises:
        ParameterError: Two have the same name.
    """
    values: dict[str, float] = {}
    for index, metric in enumerate(metrics):
        with _errors_of(index):
            computed = {name: float(value) for name, value in metric.compute().items()}
            for name in computed.keys() & values.keys():
                raise ParameterError(
                    f"another metric is called `{name}`, too",
                    help="one of them needs another name, or to be left out",
                )
        values.update(computed)
    return values


@contextmanager
def _errors_of(index: int, output: EvalOutput | None = None) -> Iterator[None]:
    """A context in which a metric's errors become errors of its place in the config.

    Args:
        index: Which of the section's metrics.
        output: What it is told of.
    """
    try:
        yield
    except ParameterError as error:
        raise error.within("metrics", index) from error
    except Exception as error:
        if not is_misuse(error):
            raise
        what = "has no value for this set"
        if output is not None:
            outputs, targets = shapes(output.outputs), shapes(output.targets)
            what = f"failed on outputs {outputs} with targets {targets}"
        raise ParameterError(
            f"the metric {what}: {text_and_line(error)}", parameter=("metrics", index)
        ) from error


@contextmanager
def isolated_random_streams(engine: Engine, seed: int | None = None) -> Iterator[None]:
    """A context after which every random stream stands where it stood before.

    Args:
        engine: Whose streams count, too.
        seed: Where the streams start inside; where they stand if None.
    """
    with isolated_host_random_state(), engine.isolate_rng(seed):
        if seed is not None:
            seed_host(seed)
        yield
