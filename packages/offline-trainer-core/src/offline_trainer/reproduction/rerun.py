"""Running a recorded run again, into another directory and to the same step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from model_constructor.errors import ConfigPath, ParameterError, format_config_path
from offline_trainer.checkpoint.reading import read_manifest
from offline_trainer.duration import Unit, parse_duration
from offline_trainer.errors import OfflineTrainerError, RunDirectoryError
from offline_trainer.experiment import RunResult, run_experiment
from offline_trainer.reproduction.recompose import Caller, Recomposed
from offline_trainer.reproduction.recorded import Ending, RecordedRun, part_below

_LENGTHS: dict[str, Unit] = {"max_epochs": "epochs", "max_steps": "steps", "max_time": "seconds"}


def run_again(
    run: RecordedRun, here: Recomposed, ending: Ending, output: Path, caller: Caller
) -> RunResult:
    """Train as the run was trained.

    Args:
        output: The new run directory; a run that is there is moved aside.

    Raises:
        RunDirectoryError: To write there would touch the recorded run.
        OfflineTrainerError: The checkpoint that it started from is gone, or the run failed.
        ConfigError: The config cannot be run here.
    """
    if here.overridden("run", "out_dir"):
        raise RunDirectoryError("run.out_dir cannot be overridden here", help="give --output")
    root = output.resolve()
    if root.is_relative_to(run.root) or run.root.is_relative_to(root):
        raise RunDirectoryError(
            f"{output} is not apart from {run.root}, which stays as it is",
            help="choose another --output",
        )
    overrides = [
        *here.overrides,
        *_places(run, here, root),
        *_start(run, here),
        *_length(here, ending),
    ]
    origin = None if here.starts_elsewhere else run.manifest.origin
    resumed = origin.path if origin is not None and origin.how == "resumed" else None
    return run_experiment(run.config_file, overrides, resume=resumed, **caller.options())


def _places(run: RecordedRun, here: Recomposed, output: Path) -> Iterator[str]:
    """What was written below ``run.out_dir`` is written below the new one."""
    yield _setting(("run", "out_dir"), str(output))
    inputs = [Path(file.path) for file in (*(run.manifest.data or ()), *(here.manifest.data or ()))]
    for path, value in _texts(here.prepared.data, ()):
        inside = part_below(value, run.out_dir)
        # A name without a slash may be anything: a field of the data may be called as the run is.
        if inside is None or "/" not in value or path[0] == "run" or here.overridden(*path):
            continue
        if not any(file.is_relative_to(Path(value).absolute()) for file in inputs):
            yield _setting(path, str(output / inside))


def _start(run: RecordedRun, here: Recomposed) -> Iterator[str]:
    """Begin where the run began; what it only went on from itself is part of it."""
    if here.starts_elsewhere:
        return
    origin = run.manifest.origin
    if "resume_from" in here.prepared.data["run"]:
        yield "~run.resume_from"
    if origin is None:
        return
    try:
        read_manifest(Path(origin.path))
    except (OfflineTrainerError, ValueError) as error:
        name = "resume_from" if origin.how == "resumed" else "init_from"
        raise OfflineTrainerError(
            f"the checkpoint that the run started from is not there: {error}",
            help=f"say where it is now: run.{name}=PATH",
        ) from error
    if origin.how == "weights":
        yield _setting(("run", "init_from"), origin.path)


def _length(here: Recomposed, ending: Ending) -> Iterator[str]:
    """End where the run ended, where its config alone would not say so again."""
    trainer = here.prepared.data["trainer"]
    timed = [name for name, unit in _LENGTHS.items() if _is_time(trainer.get(name), unit, name)]
    if not ending.early and not timed:
        return
    for name in timed:
        yield f"trainer.{name}=null"
    yield f"trainer.max_steps={ending.step}"
    callbacks = here.prepared.data.get("callbacks") or ()
    if ending.early and not any(_saves_at_the_end(each) for each in callbacks):
        yield "callbacks+={_type_: cb.model_checkpoint}"  # as a run does that is stopped


def _saves_at_the_end(callback: Mapping[str, Any]) -> bool:
    return bool(callback.get("_type_") == "cb.model_checkpoint" and callback.get("save_last", True))


def _is_time(value: Any, unit: Unit, name: str) -> bool:
    try:
        return value is not None and parse_duration(value, unit, name).unit == "seconds"
    except ParameterError:  # the trainer says so itself
        return False


def _texts(value: Any, path: ConfigPath) -> Iterator[tuple[ConfigPath, str]]:
    if isinstance(value, str):
        yield path, value
    items: Any = enumerate(value) if isinstance(value, list) else ()
    for key, item in value.items() if isinstance(value, Mapping) else items:
        yield from _texts(item, (*path, key))


def _setting(path: ConfigPath, value: str) -> str:
    text = json.dumps(value, ensure_ascii=False).replace("${", "$${")
    return f"{format_config_path(path)}={text}"
