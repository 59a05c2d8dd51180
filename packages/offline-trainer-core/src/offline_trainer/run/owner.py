"""The run that a checkpoint belongs to, and what its config says of checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_constructor.errors import ConfigError, ParameterError
from offline_trainer.checkpoint.retention import Retention
from offline_trainer.run.directory import MANIFEST_NAME, RESOLVED_NAME

_CALLBACK = "cb.model_checkpoint"


def run_of(path: Path) -> Path | None:
    """The nearest run directory that a path is or lies in, absolute; None where there is none."""
    resolved = path.resolve()
    return next(
        (each for each in (resolved, *resolved.parents) if (each / MANIFEST_NAME).is_file()), None
    )


def runs_below(folder: Path) -> list[Path]:
    """The run directories in a folder or in the folders in it."""
    found = (file for depth in ("*", "*/*") for file in folder.glob(f"{depth}/{MANIFEST_NAME}"))
    return sorted(file.parent for file in found)


def ranking_of(run: Path) -> Retention:
    """By what a run compares its checkpoints; without a ``monitor`` where nothing tells."""
    spec = checkpoint_callback(_config(run))
    try:
        return Retention(monitor=spec["monitor"], mode=spec.get("mode", "min"))
    except (KeyError, ParameterError):
        return Retention()


def save_dir_of(run: Path) -> str | None:
    """Where the run's config puts checkpoints, if it says so; relative to where it was started."""
    save_dir = checkpoint_callback(_config(run)).get("save_dir")
    return save_dir if isinstance(save_dir, str) else None


def checkpoint_callback(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A config's checkpoint callback; the config is data, nothing in it is looked up."""
    callbacks = data.get("callbacks")
    for spec in callbacks if isinstance(callbacks, list) else ():
        if isinstance(spec, Mapping) and str(spec.get("_type_")).partition("@")[0] == _CALLBACK:
            return spec
    return {}


def _config(run: Path) -> Mapping[str, Any]:
    from model_constructor.config.resolve import resolve_config

    try:
        return resolve_config(run / RESOLVED_NAME, untrusted=True).data
    except ConfigError:
        return {}
