"""`cb.profiler`: where the time of steps goes: part by part, and by torch's own profiler."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakSet

import click
from torch.profiler import ProfilerActivity, profile, record_function, schedule

from model_constructor.errors import ParameterError
from offline_trainer.callbacks.hooks import Control, LoopState
from offline_trainer.notices import notice
from offline_trainer_torch.step_parts import StepParts

_LONGEST_ROWS = 50

_PROFILED: WeakSet[Any] = WeakSet()


class Profiler:
    """Profile some steps; training is slower meanwhile, and otherwise the same.

    First torch's profiler looks at a few steps, which it slows down. Then the parts of a step are
    timed without it: ``data``, waiting for batches; ``copy``, to the device; ``forward``, models
    and loss; ``backward``; ``optimizer``, with clipping and the check for what is not finite;
    ``loop``, which is all the rest. They add up to the step. Steps with a validation or a save are
    left out. It is the host's time: on CUDA a part takes long where the host waits for the device.

    The files in ``profile/`` of the run directory are named by the step at their end: in
    ``….trace.json`` is what chrome://tracing and https://ui.perfetto.dev show as a timeline, in
    ``….txt`` a table of what took longest in it, in ``….parts.txt`` the table of the parts, which
    is printed, too. An attempt that resumes a run makes its own profile.

    Args:
        skip_steps: Steps before it: the first ones are not like the others.
        warmup_steps: Steps that torch's profiler then sees and does not count.
        active_steps: Steps of its profile.
        record_shapes: Note the shapes of operators' inputs.
        profile_memory: Note memory, too.
        timed_steps: Steps after that whose parts are timed.

    Raises:
        ParameterError: A number is out of its range.
    """

    critical = False

    def __init__(
        self,
        skip_steps: int = 10,
        warmup_steps: int = 1,
        active_steps: int = 3,
        record_shapes: bool = False,
        profile_memory: bool = False,
        timed_steps: int = 100,
    ) -> None:
        for name, value, least in (
            ("skip_steps", skip_steps, 0),
            ("warmup_steps", warmup_steps, 0),
            ("active_steps", active_steps, 1),
            ("timed_steps", timed_steps, 1),
        ):
            if value < least:
                raise ParameterError(
                    f"{name} must be at least {least}, got {value}", parameter=name
                )
        self._schedule = schedule(
            wait=skip_steps, warmup=warmup_steps, active=active_steps, repeat=1
        )
        self._record_shapes = record_shapes
        self._profile_memory = profile_memory
        self._profile: profile | None = None
        self._steps_of_profile = skip_steps + warmup_steps + active_steps
        self._steps = 0
        self._parts = StepParts("data")
        self._timed_steps = timed_steps
        self._timing = False
        self._data_seconds = 0.0

    def attach(self, engine: Any) -> None:
        """Called once with the engine that has been set up.

        Raises:
            ParameterError: Another profiler has it already; torch can run one.
        """
        if engine in _PROFILED:
            raise ParameterError(
                "there is a cb.profiler already",
                help="leave out --profile, or this callback",
            )
        _PROFILED.add(engine)
        if hasattr(engine, "mark_parts"):
            engine.mark_parts(self._mark)
        else:
            engine.train_step = self._mark("train_step", engine.train_step)

    def on_fit_start(self, state: LoopState, control: Control) -> None:
        """Start."""
        # torch's profiler tells on stderr, as of the highest level, that it starts and stops.
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")
        self._profile = profile(
            schedule=self._schedule,
            on_trace_ready=lambda done: _write(done, state),
            record_shapes=self._record_shapes,
            profile_memory=self._profile_memory,
        )
        self._profile.start()

    def on_train_step_end(self, state: LoopState, control: Control) -> None:
        """One more step."""
        self._steps += 1
        if self._timing:
            self._end_timed_step(state)
        elif self._profile is not None:
            self._profile.step()
            if self._steps == self._steps_of_profile:
                self._stop_profile()
                self._timing = True
                self._begin_timed_step(state)

    def on_validation_start(self, state: LoopState, control: Control) -> None:
        """What is under way is no ordinary step."""
        if self._timing:
            self._parts.leave_out()

    def on_state_snapshot(self, state: LoopState, control: Control) -> None:
        """Likewise."""
        if self._timing:
            self._parts.leave_out()

    def on_run_end(self, state: LoopState, control: Control) -> None:
        """Stop; what was under way is written."""
        self._stop_profile()
        if self._timing:
            self._write_parts(state)
        if not self._parts.steps:
            notice(f"cb.profiler: no step's parts were timed: {self._why_not()}")
        elif state.out_dir is not None:
            click.echo(f"{self._table()}\n  more in profile/ of the run directory")

    def _mark(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that does the same, and is seen by whoever measures at the time."""
        timed = self._parts.mark(name, function)

        def part(*args: Any, **kwargs: Any) -> Any:
            if self._profile is not None:
                with record_function(name):
                    return function(*args, **kwargs)
            return (timed if self._timing else function)(*args, **kwargs)

        return part

    def _stop_profile(self) -> None:
        running, self._profile = self._profile, None
        if running is not None:
            running.stop()

    def _begin_timed_step(self, state: LoopState) -> None:
        self._data_seconds = state.progress.data_seconds
        self._parts.begin()

    def _end_timed_step(self, state: LoopState) -> None:
        self._parts.add("data", state.progress.data_seconds - self._data_seconds)
        self._parts.end_step()
        self._begin_timed_step(state)
        if self._parts.steps == self._timed_steps:
            self._write_parts(state)

    def _write_parts(self, state: LoopState) -> None:
        self._timing = False
        if state.out_dir is not None and self._parts.steps:
            path = _folder(state.out_dir) / f"{_name(state)}.parts.txt"
            path.write_text(self._table() + "\n")

    def _why_not(self) -> str:
        if self._parts.left_out:
            return "each came with a validation or a save"
        return (
            f"the run had {self._steps} steps, and it begins after {self._steps_of_profile} "
            "(skip_steps, warmup_steps and active_steps)"
        )

    def _table(self) -> str:
        return self._parts.table("loop")


def _write(done: Any, state: LoopState) -> None:
    """Write the timeline and the table of a profile into the run directory."""
    if state.out_dir is None:
        return
    folder, name = _folder(state.out_dir), _name(state)
    done.export_chrome_trace(str(folder / f"{name}.trace.json"))
    on_card = ProfilerActivity.CUDA in done.activities
    order = f"self_{'cuda' if on_card else 'cpu'}_time_total"
    table = done.key_averages().table(sort_by=order, row_limit=_LONGEST_ROWS)
    (folder / f"{name}.txt").write_text(table)


def _folder(out_dir: Path) -> Path:
    folder = out_dir / "profile"
    folder.mkdir(exist_ok=True)
    return folder


def _name(state: LoopState) -> str:
    return f"step-{state.global_step:012d}"
