"""What a person types for a checkpoint: its directory, or its run with ``@`` and a step.

``runs/digits@1200``, ``runs/digits@last`` and ``runs/digits@best`` are the checkpoint of a step and
those that the pointers name; the file of a pointer may be given as well. Commands, ``--resume`` and
``run.init_from`` understand the same names.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from offline_trainer.checkpoint.file_system import exists, is_directory, reported
from offline_trainer.checkpoint.lineage import newest_line
from offline_trainer.checkpoint.manifest import MANIFEST_NAME, Manifest
from offline_trainer.checkpoint.pins import PIN_SUFFIX
from offline_trainer.checkpoint.pointers import BEST_NAME, POINTERS, pointed_step
from offline_trainer.checkpoint.reading import (
    QUARANTINE_NAME,
    REPLACED,
    Checkpoint,
    load,
    newest,
    read_manifest,
    step_directories,
    step_name,
    step_of,
)
from offline_trainer.checkpoint.removal import TRASH_NAME
from offline_trainer.errors import CheckpointError, RunDirectoryError
from offline_trainer.notices import notice


def checkpoints_of(name: str) -> list[Path]:
    """All checkpoints that a name means: one, or those of a run or folder, lowest step first.

    Raises:
        RunDirectoryError: It means none.
    """
    with reported(f"look for {name}", RunDirectoryError):
        path = _named(name)
        return [path] if is_checkpoint(path) else list(step_directories(path).values())


def checkpoint_of(name: str, *, run_means_newest: bool = False) -> Path:
    """The one checkpoint that a name means.

    Args:
        name: As it was typed.
        run_means_newest: Whether a run or folder alone means its newest checkpoint.

    Raises:
        RunDirectoryError: It means none, or several.
    """
    with reported(f"look for {name}", RunDirectoryError):
        path = _named(name)
        if is_checkpoint(path):
            return path
        latest = _newest(path)
        if run_means_newest:
            return latest
    raise RunDirectoryError(
        f"{name} is not one checkpoint: say which",
        help=f"such as {name}@{step_of(latest.name)}; ot ckpt ls {name}",
    )


def resolve(name: str) -> Checkpoint:
    """The checkpoint that a name means, read and verified; the newest good one of a run or folder.

    Another run's files are left as they are: a damaged checkpoint is passed over with a warning.

    Raises:
        RunDirectoryError: There is no checkpoint there.
        CheckpointError: There is, but none that is good.
    """
    with reported(f"look for {name}", RunDirectoryError):
        path = _named(name)
        is_one = is_checkpoint(path)
    if path == Path(name) / QUARANTINE_NAME:
        raise CheckpointError(
            f"every checkpoint of {name} is damaged",
            help=f"they are in {path}, each with the reason",
        )
    if is_one:
        return load(path.resolve())
    checkpoint = newest(
        path.resolve(), lambda at, damage: notice(f"passing over {at.name}: {damage}")
    )
    if checkpoint is None:
        raise CheckpointError(f"every checkpoint in {path} is damaged")
    return checkpoint


def split(name: str) -> tuple[Path, str | None]:
    """The path in a name, and what it says after ``@``, if it has one.

    >>> split("runs/digits@best")
    (PosixPath('runs/digits'), 'best')
    """
    run, at, which = name.rpartition("@")
    if at and "/" not in which and not os.path.lexists(name):
        return Path(run), which
    return Path(name), None


def is_checkpoint(path: Path) -> bool:
    """Whether a directory is a checkpoint, good or not, and no folder of some."""
    name = path.name.removeprefix(REPLACED)
    return step_of(name) is not None or exists(path / MANIFEST_NAME)


def _named(name: str) -> Path:
    """A checkpoint, or a folder with at least one."""
    path, which = split(name)
    if which is not None:
        folder = _find(path)
        if is_checkpoint(folder):
            raise RunDirectoryError(f"{path} is a checkpoint, not a run: leave out @{which}")
        return _at(folder, which, str(path))
    if path.name.endswith(PIN_SUFFIX) and path.is_file():  # step-* of a shell has pins, too
        path = path.with_name(path.name.removesuffix(PIN_SUFFIX))
    if path.name in POINTERS and path.is_file():
        return _at(path.parent, path.name, str(path.parent))
    return _find(path)


def _find(path: Path) -> Path:
    """The checkpoint, or the folder of checkpoints, that a path names; nothing in it is read.

    Args:
        path: A checkpoint, a run directory, or its checkpoint folder.

    Raises:
        RunDirectoryError: There is no checkpoint there.
    """
    with reported(f"look for a checkpoint in {path}", RunDirectoryError):
        if not is_directory(path):
            raise RunDirectoryError(
                f"no checkpoint in {path}: there is no such directory",
                help="give a checkpoint directory (…/step-000000001200) or a run directory",
            )
        if is_checkpoint(path):
            return path
    for folder in (path, path / "checkpoints", path / QUARANTINE_NAME):
        if step_directories(folder):
            return folder
    raise RunDirectoryError(
        f"no checkpoint in {path}",
        help="checkpoints are directories named step-000000001200, in the folder itself or in "
        "its folder checkpoints/",
    )


def _at(folder: Path, which: str, run: str) -> Path:
    steps = step_directories(folder)
    if which in POINTERS:
        step = pointed_step(folder, which)
        if step in steps:
            return steps[step]
        said = "there is no such file" if step is None else f"it names step {step}, which is gone"
        named = "a `monitor` of cb.model_checkpoint names the best; " if which == BEST_NAME else ""
        raise RunDirectoryError(
            f"{folder} has no checkpoint `{which}`: {said}", help=f"{named}ot ckpt ls {run}"
        )
    if re.fullmatch(r"[0-9]{1,12}", which) is None:
        raise RunDirectoryError(
            f"after @ comes a step, `last` or `best`, got `{which}`", help=f"ot ckpt ls {run}"
        )
    step = int(which)
    if step in steps:
        return steps[step]
    near = min(steps, key=lambda other: abs(other - step), default=None)
    others = [folder / TRASH_NAME, folder.parent / QUARANTINE_NAME]
    elsewhere = [each / step_name(step) for each in others if (each / step_name(step)).is_dir()]
    raise RunDirectoryError(
        f"{run} has no checkpoint of step {step}"
        + (f"; the nearest is {run}@{near}" if near is not None else ""),
        help=f"there is {elsewhere[0]}" if elsewhere else f"ot ckpt ls {run}",
    )


def _newest(folder: Path) -> Path:
    """The newest by lineage of those whose manifest can be read, else the highest step."""
    manifests: dict[Path, Manifest] = {}
    steps = step_directories(folder)
    for path in steps.values():
        try:
            manifests[path] = read_manifest(path)
        except CheckpointError:
            continue
    return newest_line(manifests)[-1] if manifests else list(steps.values())[-1]
