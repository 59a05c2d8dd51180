"""What a run directory says of its run, whatever its bytes are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_constructor.config.resolve import ResolvedConfig, resolve_config
from offline_trainer.checkpoint.file_system import reported
from offline_trainer.checkpoint.manifest import Manifest
from offline_trainer.checkpoint.reading import load, read_manifest, step_directories
from offline_trainer.errors import CheckpointError, RunDirectoryError
from offline_trainer.notices import notice
from offline_trainer.run.directory import MANIFEST_NAME, RESOLVED_NAME
from offline_trainer.run.manifest import RunManifest, parse_run_manifest
from offline_trainer.run.owner import checkpoint_callback


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run directory, read as data: nothing that it names is imported or opened.

    Attributes:
        root: The directory, absolute.
        manifest: Its run.json.
        stored: Its config.resolved.yaml.
    """

    root: Path
    manifest: RunManifest
    stored: ResolvedConfig

    @property
    def config_file(self) -> Path:
        """The config that every value stands in."""
        return self.root / RESOLVED_NAME

    @property
    def out_dir(self) -> str:
        """``run.out_dir`` as the config has it, which is where the run was, not where it is."""
        section = self.stored.data.get("run")
        out_dir = section.get("out_dir") if isinstance(section, Mapping) else None
        return out_dir if isinstance(out_dir, str) and out_dir else str(self.root)

    @property
    def metrics_file(self) -> Path:
        """What was logged."""
        return self.root / "metrics.jsonl"


@dataclass(frozen=True, slots=True)
class Ending:
    """How far a run came, and how much of what it wrote another run to there writes as well.

    Attributes:
        step: Optimizer steps.
        early: Whether something else than its config ended it.
        metrics_bytes: How much of metrics.jsonl there was at that step; None for all of it.
    """

    step: int
    early: bool
    metrics_bytes: int | None = None


def read_run(path: Path) -> RecordedRun:
    """Read the records of a run directory.

    Raises:
        RunDirectoryError: It is none, or its run.json is not one.
        ConfigError: Its config cannot be read.
    """
    root = path.resolve()
    file = root / MANIFEST_NAME
    with reported(f"read {file}", RunDirectoryError):
        if not file.is_file():
            raise RunDirectoryError(f"{path} is not a run directory: it has no {MANIFEST_NAME}")
        manifest = parse_run_manifest(file.read_bytes(), file)
    return RecordedRun(root, manifest, resolve_config(root / RESOLVED_NAME, untrusted=True))


def checkpoint_folder(data: Mapping[str, Any], out_dir: str, root: Path) -> Path:
    """Where a run with this config has its checkpoints.

    Args:
        data: The config.
        out_dir: ``run.out_dir`` in it.
        root: The run directory, wherever it is.
    """
    folder = checkpoint_callback(data).get("save_dir")
    if not isinstance(folder, str):
        return root / "checkpoints"
    inside = part_below(folder, out_dir)
    return Path(folder) if inside is None else root / inside


def part_below(path: str, out_dir: str) -> str | None:
    """What of a path comes after ``run.out_dir``; None if it is not in there.

    >>> part_below("runs/one/checkpoints", "runs/one"), part_below("runs/one-more", "runs/one")
    ('checkpoints', None)
    """
    return path[len(out_dir) :].lstrip("/") if f"{path}/".startswith(f"{out_dir}/") else None


def read_checkpoints(folder: Path) -> dict[int, Manifest]:
    """The manifests of the checkpoints in a folder by step; one that is damaged is passed over."""
    found = {}
    for step, path in step_directories(folder).items():
        try:
            found[step] = read_manifest(path)
        except CheckpointError as error:
            notice(f"passing over {path.name}: {error}")
    return found


def report_other_configs(run: RecordedRun, checkpoints: Mapping[int, Manifest]) -> None:
    """Say that a run was not trained with one config from its start to its end."""
    other = [
        step for step, each in checkpoints.items() if each.config_hash != run.manifest.config_hash
    ]
    if other:
        notice(
            f"the run went on from step {max(other)} with another config than before; only that "
            f"one is compared and run again, from the start (the earlier is in {run.root}/config)"
        )


def read_ending(run: RecordedRun, folder: Path, checkpoints: Mapping[int, Manifest]) -> Ending:
    """How far a run came: to its end, or to its last checkpoint if it was stopped before.

    Raises:
        RunDirectoryError: It cannot be told, or nothing is left of the run to compare with.
    """
    file = run.root / "status.json"
    with reported(f"read {run.root}", RunDirectoryError):
        if not run.metrics_file.is_file():
            raise RunDirectoryError(f"{run.root} has no {run.metrics_file.name} to compare with")
        try:
            status = json.loads(file.read_bytes())
            state, step = status["state"], status["step"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise RunDirectoryError(f"{file} is not the status of a run: {error}") from error
    if state == "done" and isinstance(step, int) and step > 0:
        return Ending(step, early=False)
    last = max(checkpoints, default=0)
    if last == 0:
        raise RunDirectoryError(
            f"{run.root} was stopped before its first checkpoint (status {state!r})",
            help="there is nothing to compare another run with",
        )
    try:
        position = load(step_directories(folder)[last]).loop_state["metrics_file"]["bytes"]
    except (CheckpointError, TypeError, KeyError) as error:
        raise RunDirectoryError(f"the checkpoint of step {last} cannot be used: {error}") from error
    if not isinstance(position, int):
        raise RunDirectoryError(f"the checkpoint of step {last} has no place in metrics.jsonl")
    return Ending(last, early=True, metrics_bytes=position)
