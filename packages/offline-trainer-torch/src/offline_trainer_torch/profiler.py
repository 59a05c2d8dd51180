"""`cb.profiler`: where the time of some steps goes, by torch's own profiler."""

from __future__ import annotations

from typing import Any

from torch.profiler import ProfilerActivity, profile, schedule

from model_constructor.errors import ParameterError
from offline_trainer.callbacks.hooks import Control, LoopState

_LONGEST_ROWS = 50


class Profiler:
    """Profile some steps; training is slower meanwhile, and otherwise the same.

    Two files in ``profile/`` of the run directory are named by the step at its end: in
    ``….trace.json`` is what chrome://tracing and https://ui.perfetto.dev show as a timeline, in
    ``….txt`` a table of what took longest. An attempt that resumes a run makes its own profile.

    Args:
        skip_steps: Steps before it: the first ones are not like the others.
        warmup_steps: Steps that the profiler then sees and does not count.
        active_steps: Steps of the profile.
        record_shapes: Note the shapes of operators' inputs.
        profile_memory: Note memory, too.

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
    ) -> None:
        for name, value, least in (
            ("skip_steps", skip_steps, 0),
            ("warmup_steps", warmup_steps, 0),
            ("active_steps", active_steps, 1),
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

    def on_fit_start(self, state: LoopState, control: Control) -> None:
        """Start."""
        self._profile = profile(
            schedule=self._schedule,
            on_trace_ready=lambda done: _write(done, state),
            record_shapes=self._record_shapes,
            profile_memory=self._profile_memory,
        )
        self._profile.start()

    def on_train_step_end(self, state: LoopState, control: Control) -> None:
        """One more step."""
        if self._profile is not None:
            self._profile.step()

    def on_run_end(self, state: LoopState, control: Control) -> None:
        """Stop; a profile that was under way is written."""
        running, self._profile = self._profile, None
        if running is not None:
            running.stop()


def _write(done: Any, state: LoopState) -> None:
    """Write the timeline and the table of a profile into the run directory."""
    if state.out_dir is None:
        return
    folder = state.out_dir / "profile"
    folder.mkdir(exist_ok=True)
    name = f"step-{state.global_step:012d}"
    done.export_chrome_trace(str(folder / f"{name}.trace.json"))
    on_card = ProfilerActivity.CUDA in done.activities
    order = f"self_{'cuda' if on_card else 'cpu'}_time_total"
    table = done.key_averages().table(sort_by=order, row_limit=_LONGEST_ROWS)
    (folder / f"{name}.txt").write_text(table)
