"""Evaluating: the mean loss over a whole set, and the metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from offline_trainer.engine import Engine, Stage
from offline_trainer.protocols import Metric, Objective
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
    mean: RunningMean[None] = RunningMean(engine.read)
    with isolated_random_streams(engine), engine.averaged_weights():
        for metric in metrics:
            metric.reset()
        for batch in batches:
            output = engine.eval_step(batch, stage)
            if output.loss is not None:
                mean.add(output.loss, output.logs, objective.weight(batch))
            for metric in metrics:
                metric.update(
                    outputs=output.outputs, targets=output.targets, batch=batch, stage=stage
                )
            on_batch_end()
        mean.read()
        values = mean.pop()
        for metric in metrics:
            values.update({name: float(value) for name, value in metric.compute().items()})
    return values


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
