"""The progress display: a live line on a terminal, a line per epoch elsewhere.

Per step it only counts; what is shown is computed by rich's own refresh, or once an epoch.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click

from offline_trainer.engine import Stage
from offline_trainer.loggers.stdout import format_number, in_table

if TYPE_CHECKING:
    from rich.console import Group

Item = TypeVar("Item")

_RECENT_SECONDS = 30.0


class _Mark(NamedTuple):
    """How far a run was at some time."""

    seconds: float
    step: int
    samples: float
    data_seconds: float


class Progress:
    """Counts steps, samples and time; this base class shows nothing.

    Args:
        total_steps: Steps of the whole run, when known.
        total_epochs: Epochs of the whole run, when known.
    """

    def __init__(self, total_steps: int | None = None, total_epochs: int | None = None) -> None:
        self.total_steps = total_steps
        self.total_epochs = total_epochs
        self.step = 0
        self.epoch = 0
        self.samples = 0.0
        self.data_seconds = 0.0
        self.latest: dict[str, float] = {}
        self._marks = (self._now(), self._now())

    def start(self, step: int, epoch: int) -> None:
        """Begin at a step, which is not 0 for a resumed run."""
        self.step = step
        self.epoch = epoch
        self._marks = (self._now(), self._now())

    def timed(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, with the time spent waiting for each counted as data time."""
        iterator = iter(items)
        while True:
            before = time.perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            self.data_seconds += time.perf_counter() - before
            yield item

    def advance(self, step: int, epoch: int, samples: float) -> None:
        """One step is done."""
        self.step = step
        self.samples += samples
        self.epoch = epoch

    def show(self, values: Mapping[str, float], stage: Stage) -> None:
        """Take in the latest metrics."""
        if stage == "train" and "loss" not in values:
            self.latest.pop("loss", None)  # no step of this row had one
        prefix = "" if stage == "train" else f"{stage}_"
        self.latest.update({f"{prefix}{name}": value for name, value in values.items()})

    def end_epoch(self) -> None:
        """An epoch is done, its validation included."""

    def close(self) -> None:
        """End the display."""

    def rates(self) -> str:
        """Samples and time per step, waiting for data, time left: as of late, not on the whole."""
        now = self._now()
        if now.seconds - self._marks[1].seconds >= _RECENT_SECONDS:
            self._marks = (self._marks[1], now)
        since = self._marks[0]
        seconds, steps = max(now.seconds - since.seconds, 1e-9), now.step - since.step
        if steps <= 0:  # it may have gone back
            return ""
        samples, waited = now.samples - since.samples, now.data_seconds - since.data_seconds
        text = f"{samples / seconds:,.0f} samples/s  {1e3 * seconds / steps:.2f} ms/step"
        text += f"  data {100 * waited / seconds:.0f}%"
        if self.total_steps:
            left = seconds / steps * max(self.total_steps - self.step, 0)
            text += f"  ETA {int(left) // 60}:{int(left) % 60:02d}"
        return text

    def _now(self) -> _Mark:
        return _Mark(time.perf_counter(), self.step, self.samples, self.data_seconds)

    def values(self) -> str:
        """The latest numbers that a person looks at while waiting."""
        return "  ".join(
            f"{name} {format_number(value)}"
            for name, value in self.latest.items()
            if (name in ("loss", "lr") or name.startswith(("lr/", "val_"))) and not in_table(name)
        )


class PlainProgress(Progress):
    """One line for each epoch."""

    def end_epoch(self) -> None:
        of = f"/{self.total_epochs}" if self.total_epochs else ""
        text = f"epoch {self.epoch}{of}  step {self.step}  {self.values()}  {self.rates()}"
        click.echo(text.rstrip())


class LiveProgress(Progress):
    """Two lines that refresh themselves: how far and how fast, and the latest numbers."""

    def start(self, step: int, epoch: int) -> None:
        from rich.live import Live

        super().start(step, epoch)
        self._live = Live(get_renderable=self._render, refresh_per_second=8)
        self._live.start()

    def close(self) -> None:
        self._live.stop()

    def _render(self) -> Group:
        from rich.columns import Columns
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        bar = ProgressBar(total=self.total_steps, completed=self.step, width=20)
        of_steps = f"/{self.total_steps}" if self.total_steps else ""
        of_epochs = f"/{self.total_epochs}" if self.total_epochs else ""
        far = f"epoch {self.epoch}{of_epochs}  step {self.step}{of_steps}  {self.rates()}"
        first = Columns([bar, Text(far, no_wrap=True, overflow="ellipsis")])
        return Group(first, Text(self.values(), no_wrap=True, overflow="ellipsis"))


def choose_progress(wanted: bool, total_steps: int | None, total_epochs: int | None) -> Progress:
    """The display that fits where the output goes."""
    if not wanted:
        return Progress(total_steps, total_epochs)
    if sys.stdout.isatty():
        return LiveProgress(total_steps, total_epochs)
    return PlainProgress(total_steps, total_epochs)
