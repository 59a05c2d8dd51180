"""`StepParts` on a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from offline_trainer_torch import step_parts
from offline_trainer_torch.step_parts import StepParts

Pass = Callable[[float], None]


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Pass:
    """Let some seconds pass."""
    now = [0.0]

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(step_parts.time, "perf_counter", lambda: now[0])
    return pass_by


def test_a_part_within_another_counts_once(wait: Pass) -> None:
    parts = StepParts("data")
    forward = parts.mark("forward", wait)

    def closure() -> None:
        wait(1.0)
        forward(2.0)
        forward(4.0)

    optimizer = parts.mark("optimizer", closure)
    parts.mark("compiled", wait)  # it never runs, and so has no row
    for _ in range(2):
        parts.begin()
        wait(8.0)
        parts.add("data", 3.0)
        optimizer()
        parts.end_step()
    assert parts.seconds == 2 * 15.0
    assert parts.parts == {"data": 6.0, "forward": 12.0, "optimizer": 2.0, "compiled": 0.0}
    table = parts.table("loop").splitlines()
    assert [line.split()[0] for line in table[1:]] == [
        *("data", "forward", "optimizer", "loop", "step")
    ]
    assert table[-2].split() == ["loop", "5000000.0", "us", "33.3", "%"]
    assert table[-1].split() == ["step", "15000000.0", "us", "100.0", "%"]


def test_a_part_that_fails_does_not_count_for_others(wait: Pass) -> None:
    parts = StepParts()

    def fail() -> None:
        wait(1.0)
        raise KeyError("no such thing")

    failing, other = parts.mark("forward", fail), parts.mark("copy", wait)
    parts.begin()
    with pytest.raises(KeyError):
        failing()
    other(2.0)
    parts.end_step()
    assert parts.parts == {"forward": 1.0, "copy": 2.0}


def test_a_step_that_is_left_out_is_counted_as_that(wait: Pass) -> None:
    parts = StepParts()
    copy = parts.mark("copy", wait)
    for left_out in (True, False):
        parts.begin()
        copy(1.0)
        if left_out:
            parts.leave_out()
            parts.leave_out()
        parts.end_step()
    assert (parts.steps, parts.left_out, parts.seconds, parts.parts) == (1, 1, 1.0, {"copy": 1.0})
