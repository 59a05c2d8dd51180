"""A logger cannot change training: one that raises, hangs, is slow or has no disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bad_loggers import (
    RELEASED,
    Beginning,
    FullDisk,
    Hanging,
    HangingAtTheEnd,
    Immediate,
    Leaving,
    Recording,
    Stubborn,
)
from run_files import fingerprint

from offline_trainer.experiment import run_experiment
from offline_trainer.loggers import isolation
from offline_trainer.loggers.isolation import Loggers

MakeConfig = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _release_at_the_end() -> Iterator[None]:
    """Loggers that hang let their threads go when the test is over, and these end."""
    RELEASED.clear()
    yield
    RELEASED.set()
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(20)
    assert threading.active_count() == 1


def log(loggers: Loggers, steps: int) -> None:
    loggers.begin(out_dir=Path("run"), step=0)
    loggers.log_hparams({})
    for step in range(steps):
        loggers.log_metrics({"loss": 1.0}, step=step, stage="train")


def test_everything_is_told_in_order_before_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    by_thread, at_once = Recording(), Immediate()
    loggers = Loggers([by_thread, at_once], queued_calls=2)
    log(loggers, 50)
    assert at_once.calls == ["hparams", *((step, True) for step in range(50))]
    loggers.close()
    assert by_thread.calls == ["hparams", *((step, False) for step in range(50)), "close"]
    assert capsys.readouterr().err == ""


def test_only_who_wants_to_know_is_told_where_a_run_begins() -> None:
    plain, beginning = Recording(), Beginning()
    loggers = Loggers([plain, beginning])
    loggers.begin(out_dir=Path("run"), step=7)
    loggers.close()
    assert (plain.calls, beginning.calls) == (["close"], [(Path("run"), 7), "close"])


def test_a_logger_that_fails_is_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    logger = Stubborn(failures=1)
    loggers = Loggers([logger])
    log(loggers, 2)
    loggers.close()
    assert logger.calls == ["hparams", (0, False), (1, False), "close"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("logger", "reason"),
    [
        (Stubborn(failures=2), "OSError: connection lost"),
        (Leaving(), "it ended the program with SystemExit: 0"),
        (FullDisk(), "No space left on device"),
        (HangingAtTheEnd(), "it stood still for 0.05 s at the end"),
        (Hanging(), "it is 4 calls behind and took none of them for 0.05 s"),
    ],
)
def test_a_logger_that_goes_on_failing_is_disabled_with_one_notice(
    logger: Recording, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Recording()
    loggers = Loggers([logger, other], queued_calls=4, patience_seconds=0.05)
    log(loggers, 20)
    loggers.close()
    loggers.close()
    said = capsys.readouterr().err
    assert said.count(f"logger {type(logger).__name__} failed and is disabled") == 1
    assert reason in said
    assert len(said.splitlines()) == 1
    assert other.calls[-1] == "close"
    assert len(other.calls) == 22


def test_a_slow_logger_is_waited_for_as_long_as_it_goes_on() -> None:
    class Slow(Recording):
        def log_metrics(self, metrics: Any, *, step: int, stage: Any) -> None:
            time.sleep(0.02)
            super().log_metrics(metrics, step=step, stage=stage)

    slow = Slow()
    loggers = Loggers([slow], patience_seconds=0.2)
    log(loggers, 30)
    loggers.close()
    assert len(slow.calls) == 32


def test_a_logger_that_has_failed_may_still_close() -> None:
    class Failing(Recording):
        def log_metrics(self, metrics: Any, *, step: int, stage: Any) -> None:
            raise OSError("connection lost")

    class FailingAtOnce(Failing):
        immediate = True

    failing = [Failing(), FailingAtOnce()]
    loggers = Loggers(failing)
    log(loggers, 3)
    loggers.close()
    assert [logger.calls[-1] for logger in failing] == ["close", "close"]


@pytest.mark.parametrize("name", ["Stubborn", "Hanging", "HangingAtTheEnd", "FullDisk", "Leaving"])
def test_a_logger_that_raises_hangs_or_has_no_disk_changes_no_weight(
    name: str,
    small_config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(isolation.Loggers.__init__, "__defaults__", (4, 0.05))
    golden = run_experiment(small_config(run={"out_dir": "golden"}))
    made = small_config(
        settings={"allowed_import_prefixes": ["offline_trainer.", "bad_loggers."]},
        imports=["offline_trainer.testing.numpy_engine", "bad_loggers"],
        loggers=[{"_type_": f"log.{name}", **({"failures": 99} if name == "Stubborn" else {})}],
    )
    capsys.readouterr()
    result = run_experiment(made)
    assert (result.outcome, result.exit_code) == ("done", 0)
    assert capsys.readouterr().err.count("is disabled for the rest of the run") == 1
    assert fingerprint(result.out_dir) == fingerprint(golden.out_dir)
