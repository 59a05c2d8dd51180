"""A logger cannot change training: one that raises, hangs, is slow or has no disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from run_files import fingerprint

from offline_trainer.experiment import run_experiment
from offline_trainer.loggers import isolation
from offline_trainer.loggers.isolation import Loggers

MakeConfig = Callable[..., dict[str, Any]]
RELEASED = threading.Event()


@pytest.fixture(autouse=True)
def _release_at_the_end() -> Iterator[None]:
    """Loggers that hang let their threads go when the test is over."""
    RELEASED.clear()
    yield
    RELEASED.set()


class Recording:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def log_hparams(self, params: Any) -> None:
        self.calls.append("hparams")

    def log_metrics(self, metrics: Any, *, step: int, stage: str) -> None:
        self.calls.append((step, threading.current_thread() is threading.main_thread()))

    def close(self) -> None:
        self.calls.append("close")


class Immediate(Recording):
    immediate = True


class Beginning(Recording):
    def begin(self, *, out_dir: Path, step: int) -> None:
        self.calls.append((out_dir, step))


class Stubborn(Recording):
    """Fails at its first row once, or always."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self._failures = failures

    def log_metrics(self, metrics: Any, *, step: int, stage: str) -> None:
        if self._failures:
            self._failures -= 1
            raise OSError("connection lost")
        super().log_metrics(metrics, step=step, stage=stage)


class Hanging(Recording):
    """Does not come back from its first row, nor from its end."""

    def log_metrics(self, metrics: Any, *, step: int, stage: str) -> None:
        RELEASED.wait(60)


class HangingAtTheEnd(Recording):
    def close(self) -> None:
        RELEASED.wait(60)


class FullDisk(Recording):
    def log_metrics(self, metrics: Any, *, step: int, stage: str) -> None:
        with open("/dev/full", "w") as file:  # noqa: PTH123
            file.write(f"{step}\n")


class Leaving(Recording):
    def log_metrics(self, metrics: Any, *, step: int, stage: str) -> None:
        raise SystemExit(0)


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
        (HangingAtTheEnd(), "it did not come to its end in 0.05 s"),
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


@pytest.mark.parametrize("name", ["Stubborn", "Hanging", "HangingAtTheEnd", "FullDisk", "Leaving"])
def test_a_logger_that_raises_hangs_or_has_no_disk_changes_no_weight(
    name: str,
    small_config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(isolation.Loggers.__init__, "__defaults__", (4, 0.05))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    Path("bad_logger.py").write_text(
        "import test_isolation\n"
        "def register(registry):\n"
        "    for name in ('Stubborn', 'Hanging', 'HangingAtTheEnd', 'FullDisk', 'Leaving'):\n"
        "        registry.add(f'log.{name}', getattr(test_isolation, name))\n"
    )
    monkeypatch.syspath_prepend(str(Path.cwd()))
    golden = run_experiment(small_config(run={"out_dir": "golden"}))
    made = small_config(
        settings={"allowed_import_prefixes": ["offline_trainer.", "bad_logger."]},
        imports=["offline_trainer.testing.numpy_engine", "bad_logger"],
        loggers=[{"_type_": f"log.{name}", **({"failures": 99} if name == "Stubborn" else {})}],
    )
    capsys.readouterr()
    result = run_experiment(made)
    assert (result.outcome, result.exit_code) == ("done", 0)
    assert capsys.readouterr().err.count("is disabled for the rest of the run") == 1
    assert fingerprint(result.out_dir) == fingerprint(golden.out_dir)
