"""The small parts of the loop: windows, running means, durations, hooks."""

from __future__ import annotations

import math
from typing import Any

import pytest

from model_constructor.errors import ParameterError
from offline_trainer.callbacks.hooks import Control, Hooks, LoopState
from offline_trainer.duration import Duration, parse_duration
from offline_trainer.errors import ComponentFailedError
from offline_trainer.running_mean import RunningMean
from offline_trainer.windows import windows


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [(5, 2, [2, 2, 1]), (4, 2, [2, 2]), (1, 3, [1]), (0, 2, [])],
)
def test_windows_cut_an_epoch_and_know_the_last(count: int, size: int, expected: list[int]) -> None:
    cut = list(windows(iter(range(count)), size, float))
    assert [len(window.batches) for window in cut] == expected
    assert [window.is_last for window in cut] == [False] * (len(expected) - 1) + [True] * bool(
        expected
    )


def test_windows_note_where_the_stream_stood_before_looking_ahead() -> None:
    drawn: list[int] = []

    def stream() -> Any:
        for number in range(4):
            drawn.append(number)
            yield number

    cut = list(windows(stream(), 2, lambda batch: 1.0, lambda: len(drawn)))
    assert [window.data_state for window in cut] == [2, 4]


def test_a_stream_may_hand_out_the_state_that_it_changes() -> None:
    place = {"drawn": [0]}

    def stream() -> Any:
        for number in range(4):
            place["drawn"][0] += 1
            yield number

    cut = list(windows(stream(), 1, float, lambda: place))
    assert [window.data_state["drawn"] for window in cut] == [[1], [2], [3], [4]]


def test_a_callback_may_hand_out_the_state_that_it_changes() -> None:
    class Counting:
        def __init__(self) -> None:
            self.counts: list[int] = []

        def state_dict(self) -> Any:
            return {"counts": self.counts}

    counting = Counting()
    saved = Hooks([counting], ["cb.counting"]).state_dict()
    counting.counts.append(1)
    assert saved == {"0:cb.counting": {"counts": []}}


def test_a_stream_has_seen_the_end_of_an_epoch_when_its_last_window_is_noted() -> None:
    epoch = 0

    def stream() -> Any:
        nonlocal epoch
        yield from range(4)
        epoch += 1

    cut = list(windows(stream(), 2, float, lambda: epoch))
    assert [window.data_state for window in cut] == [0, 1]


def read(scalars: Any) -> list[float]:
    return [float(scalar) for scalar in scalars]


def test_means_are_weighted() -> None:
    mean: RunningMean[None] = RunningMean(read)
    mean.add(1.0, {"extra": 2.0}, 1.0)
    mean.add(4.0, {}, 3.0)
    assert mean.read() == []
    assert mean.pop() == {"loss": 3.25, "extra": 2.0}
    assert mean.pop() == {}


@pytest.mark.parametrize(("loss", "finite"), [(math.nan, True), (math.inf, True), (1.0, False)])
def test_steps_that_are_not_finite_are_found_and_do_not_count(loss: float, finite: bool) -> None:
    mean: RunningMean[int] = RunningMean(read)
    mean.add(1.0, {}, 1.0, True, 7)
    mean.add(loss, {}, 1.0, finite, 8)
    mean.add(loss, {}, 1.0, finite, 9)
    assert mean.read() == [8, 9]
    assert mean.pop() == {"loss": 1.0}


def test_a_mean_goes_on_from_its_state() -> None:
    first: RunningMean[None] = RunningMean(read)
    second: RunningMean[None] = RunningMean(read)
    first.add(1.0, {}, 1.0)
    first.read()
    second.load_state_dict(first.state_dict())
    second.add(2.0, {}, 1.0)
    second.read()
    assert second.pop() == {"loss": 1.5}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (10, Duration(10, "epochs")),
        ("10", Duration(10, "epochs")),
        ("10ep", Duration(10, "epochs")),
        ("3000st", Duration(3000, "steps")),
        ("1.5h", Duration(5400, "seconds")),
        ("30min", Duration(1800, "seconds")),
    ],
)
def test_durations(value: object, expected: Duration) -> None:
    assert parse_duration(value, "epochs", "max_epochs") == expected


@pytest.mark.parametrize("value", [0, -1, 1.5, "2 weeks", "ten", "1.5ep", True, "", math.nan])
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ParameterError, match="max_epochs must be a positive number or a length"):
        parse_duration(value, "epochs", "max_epochs")


class Recorder:
    def __init__(self, calls: list[str], name: str) -> None:
        self._calls = calls
        self._name = name

    def on_epoch_end(self, state: LoopState, control: Control) -> None:
        self._calls.append(self._name)


class Failing(Recorder):
    critical = False

    def on_epoch_end(self, state: LoopState, control: Control) -> None:
        super().on_epoch_end(state, control)
        raise RuntimeError("no more")


def test_callbacks_are_called_in_the_order_of_the_config() -> None:
    calls: list[str] = []
    hooks = Hooks([Recorder(calls, "a"), Recorder(calls, "b")], ["cb.a", "cb.b"])
    hooks.call("on_epoch_end", LoopState())
    hooks.call("on_epoch_start", LoopState())
    assert calls == ["a", "b"]


def test_a_callback_that_is_not_critical_is_tried_again_then_disabled_with_one_notice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: list[str] = []
    hooks = Hooks([Failing(calls, "a"), Recorder(calls, "b")], ["cb.a", "cb.b"])
    hooks.call("on_epoch_end", LoopState())
    hooks.call("on_epoch_end", LoopState())
    assert calls == ["a", "a", "b", "b"]
    assert not hooks.failed
    assert capsys.readouterr().err.count("cb.a failed in on_epoch_end") == 1


def test_any_other_callback_that_fails_ends_the_run_with_its_name() -> None:
    hooks = Hooks([Failing([], "a")], ["cb.a"])
    hooks._callbacks[0][1].critical = True
    hooks.call("on_epoch_end", LoopState())
    with pytest.raises(ComponentFailedError, match=r"cb\.a failed in on_epoch_end: RuntimeError"):
        hooks.check()


class Holding:
    """Fails at the end of each epoch, and says when it lets go."""

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    def on_epoch_end(self, state: LoopState, control: Control) -> None:
        self._calls.append("failing")
        raise RuntimeError("no more")

    def on_exception(self, state: LoopState, control: Control) -> None:
        self._calls.append("exception")
        raise RuntimeError("nor this")

    def on_run_end(self, state: LoopState, control: Control) -> None:
        self._calls.append("end")


def test_a_callback_that_has_failed_is_called_only_to_let_go(
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: list[str] = []
    hooks = Hooks([Holding(calls), Recorder(calls, "other")], ["cb.a", "cb.b"])
    for hook in ("on_epoch_end", "on_epoch_end", "on_exception", "on_run_end"):
        hooks.call(hook, LoopState())  # type: ignore[arg-type]
    assert calls == ["failing", "other", "other", "exception", "end"]
    with pytest.raises(ComponentFailedError, match=r"cb\.a failed in on_epoch_end"):
        hooks.check()
    assert "cb.a failed in on_exception: RuntimeError: nor this" in capsys.readouterr().err


def test_a_callback_says_what_is_wrong_with_its_place_in_the_config() -> None:
    class Wrong:
        def on_fit_start(self, state: LoopState, control: Control) -> None:
            raise ParameterError("no such metric", parameter="monitor")

    hooks = Hooks([Recorder([], "a"), Wrong()], ["cb.a", "cb.wrong"])
    hooks.call("on_fit_start", LoopState())
    with pytest.raises(ParameterError) as caught:
        hooks.check()
    assert caught.value.parameter == ("callbacks", 1, "monitor")


@pytest.mark.parametrize("critical", [True, False])
def test_a_callback_whose_state_cannot_be_had_is_named(
    critical: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stateless:
        def state_dict(self) -> Any:
            raise RuntimeError("lost")

    callback: Any = Stateless()
    callback.critical = critical
    hooks = Hooks([callback], ["cb.a"])
    if critical:
        with pytest.raises(ComponentFailedError, match=r"cb\.a failed in state_dict.*lost"):
            hooks.state_dict()
    else:
        assert hooks.state_dict() == {}
        assert "cb.a failed in state_dict" in capsys.readouterr().err


@pytest.mark.parametrize("rows", [[[{"loss": "os.system"}, 1.0]], [[{"loss": 1.0}, None]], [1], 10])
def test_a_mean_of_what_are_no_numbers_is_refused_when_it_is_restored(rows: Any) -> None:
    with pytest.raises((TypeError, AttributeError)):
        RunningMean(list).load_state_dict(rows)


def test_a_number_that_was_saved_stays_what_it_was() -> None:
    mean = RunningMean(list)
    mean.load_state_dict([[{"loss": 1, "nan": math.inf}, 2]])
    assert repr(mean.state_dict()) == "[[{'loss': 1, 'nan': inf}, 2]]"
    with pytest.raises(OverflowError):
        mean.load_state_dict([[{"loss": 10**400}, 1.0]])
