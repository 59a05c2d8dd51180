"""The progress display where the output is no terminal, and its live form on one."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from offline_trainer.progress import LiveProgress, PlainProgress, Progress, choose_progress


def train_an_epoch(progress: Progress) -> None:
    progress.start(0, 0)
    for step, _ in enumerate(progress.timed("abcd"), start=1):
        progress.advance(step, step // 4, samples=8.0)
    progress.show({"loss": 9.0, "lr": 0.1}, "train")
    progress.show({"loss": 9.0}, "val")
    progress.show({"loss": 0.25, "lr": 0.001, "confusion_matrix/0/1": 3.0}, "train")
    progress.show({"loss": 0.5, "accuracy": 0.75}, "val")


def test_the_display_says_how_far_how_fast_and_the_latest_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = choose_progress(True, total_steps=8, total_epochs=2)
    assert isinstance(progress, PlainProgress)
    train_an_epoch(progress)
    progress.end_epoch()
    line = capsys.readouterr().out
    assert line.startswith(
        "epoch 1/2  step 4  loss 0.25  lr 0.001  val_loss 0.5  val_accuracy 0.75  "
    )
    for part in (" samples/s  ", " ms/step  data ", "%  ETA 0:00\n"):
        assert part in line


def test_the_rates_forget_a_slow_start(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("offline_trainer.progress.time.perf_counter", lambda: clock[0])
    progress = Progress(total_steps=1000)
    progress.start(100, 0)
    said = []
    for step, seconds in enumerate([25.0, *[1.0] * 70], start=101):
        clock[0] += seconds
        progress.advance(step, 0, samples=8.0)
        said.append(progress.rates())
    assert said[0] == "0 samples/s  25000.00 ms/step  data 0%  ETA 374:35"
    assert said[-1] == "8 samples/s  1000.00 ms/step  data 0%  ETA 13:49"
    progress.advance(110, 0, samples=0.0)
    assert progress.rates() == ""


def test_on_a_terminal_it_is_two_lines_that_refresh_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    progress = choose_progress(True, total_steps=8, total_epochs=2)
    assert isinstance(progress, LiveProgress)
    train_an_epoch(progress)
    progress.close()
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(progress._render())
    first, second = console.export_text().splitlines()
    assert "epoch 1/2  step 4/8  " in first
    assert second == "loss 0.25  lr 0.001  val_loss 0.5  val_accuracy 0.75"


def test_nothing_is_shown_where_nothing_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    progress = choose_progress(False, total_steps=8, total_epochs=2)
    train_an_epoch(progress)
    progress.end_epoch()
    progress.close()
    assert capsys.readouterr().out == ""


def test_a_loss_is_not_shown_for_steps_that_had_none() -> None:
    progress = Progress()
    progress.show({"loss": 0.25, "lr": 0.1}, "train")
    progress.show({"skipped_steps": 3.0, "lr": 0.1}, "train")
    assert progress.values() == "lr 0.1"
