"""What ``ot run --dry-run`` prints: a line for each thing that was built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from model_constructor.shape_text import shapes
from offline_trainer.batch_size import sample_count
from offline_trainer.loggers.stdout import format_number

if TYPE_CHECKING:
    from offline_trainer.dry_run import DryRun

_WIDTH = 10


def dry_run_lines(tried: DryRun) -> Iterator[str]:
    """A heading, and a line for each thing."""
    yield f"dry run of {tried.name}: nothing was written"
    for name, text in _rows(tried):
        yield f"  {name:<{_WIDTH}} {text}"


def _rows(tried: DryRun) -> Iterator[tuple[str, str]]:
    yield "device", f"{tried.device}, {tried.precision}"
    several = len(tried.parameters) > 1
    for name, (count, trained) in tried.parameters.items():
        of = "" if trained == count else f", {trained:,} of them trained" if trained else ", frozen"
        yield "model", f"{f'{name}: ' if several else ''}{count:,} parameters{of}"
    several = len(tried.learning_rates) > 1
    for name, rate in tried.learning_rates.items():
        yield "optimizer", f"{f'{name}: ' if several else ''}lr {format_number(rate)}"
    samples = sample_count(tried.batch)
    of_samples = f"{samples} samples, " if samples is not None else ""
    yield "batch", f"{of_samples}{shapes(tried.batch)}"
    for part, batches in tried.batches.items():
        length = "length unknown" if batches is None else _counted(batches, "batch", "es")
        if part != "train":
            yield part, length
        elif tried.steps_per_epoch is None:
            yield "epoch", f"{length}, {_counted(tried.accumulate, 'batch', 'es')} a step"
        else:
            yield "epoch", f"{length}, {_counted(tried.steps_per_epoch, 'step', 's')}"
    yield "step", "  ".join(f"{name} {format_number(v)}" for name, v in tried.values.items())


def _counted(number: int, noun: str, plural: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else plural}"
