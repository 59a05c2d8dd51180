"""Opening the run directory: where a run starts, continues or forks from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from offline_trainer.checkpoint import reading
from offline_trainer.checkpoint.reading import AUTO, Checkpoint
from offline_trainer.checkpoint.references import checkpoints_of, resolve, split
from offline_trainer.checkpoint.resumable import check_resumable
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.errors import RunDirectoryError
from offline_trainer.notices import notice
from offline_trainer.run.config_changes import config_changes
from offline_trainer.run.directory import RunDirectory
from offline_trainer.run.manifest import RunManifest
from offline_trainer.saving import SaveSettings


def open_run_directory(
    out_dir: Path, resume: str | None, save_dir: Path | None
) -> tuple[RunDirectory, Checkpoint | None]:
    """Lock and open the run directory, and find the checkpoint to go on from.

    Going on in the run's own directory continues that run; a checkpoint from elsewhere starts a
    new run.

    Args:
        out_dir: ``run.out_dir``.
        resume: A checkpoint, a run directory, ``RUN@1200``, ``RUN@last``, ``RUN@best``, ``auto``
            (go on if there is something to go on from), or None for a new run.
        save_dir: Folder of the checkpoints, when it is not the run directory's own.
    """
    if resume is None:
        _refuse_other_checkpoints(out_dir, save_dir)
        return RunDirectory.open(out_dir, resume=False), None
    own_folders = (out_dir.resolve(), (save_dir or out_dir / "checkpoints").resolve())
    path, which = split(resume)
    named = path.resolve()
    own = resume == AUTO or any(folder in (named, *named.parents) for folder in own_folders)
    directory = RunDirectory.open(out_dir, resume=own)
    try:
        if resume == AUTO:
            checkpoint = _own_or_origin(directory, save_dir)
        elif named in own_folders and which is None:
            checkpoints_of(resume)  # that there is one
            checkpoint = _latest(directory, save_dir)
        else:
            checkpoint = resolve(resume)
        if checkpoint is not None:
            check_resumable(checkpoint)
    except BaseException:
        directory.close()
        raise
    if checkpoint is None:
        notice(f"nothing to resume in {out_dir}; starting a new run")
        directory.earlier = None
    return directory, checkpoint


def _own_or_origin(directory: RunDirectory, save_dir: Path | None) -> Checkpoint | None:
    """The newest checkpoint of the run here; before its first one, that which it went on from."""
    earlier = directory.earlier
    if earlier is None:
        return None
    own, origin = _latest(directory, save_dir), earlier.origin
    if own is not None or origin is None or origin.how != "resumed":
        return own
    checkpoint = resolve(origin.path)
    if checkpoint.manifest.sha256 != origin.sha256:
        raise RunDirectoryError(
            f"{origin.path} is not the checkpoint that the run in {directory.root} went on from",
            help="say which to go on from: --resume PATH; or start anew without --resume",
        )
    directory.earlier = None
    return checkpoint


def _refuse_other_checkpoints(out_dir: Path, save_dir: Path | None) -> None:
    """An earlier run is moved aside with its checkpoints, but not those in a folder elsewhere."""
    if save_dir is None or save_dir.resolve().is_relative_to(out_dir.resolve()):
        return
    if reading.step_directories(save_dir):
        raise RunDirectoryError(
            f"{save_dir} holds checkpoints of another run",
            help="resume that run, or give this one a save_dir of its own "
            "(${run.out_dir}/checkpoints is moved aside with its run)",
        )


def open_store(
    directory: RunDirectory,
    manifest: RunManifest,
    settings: SaveSettings,
    resumed: Checkpoint | None,
    before_commit: Callable[[], None],
) -> CheckpointStore:
    """The one store that commits the run's checkpoints.

    Args:
        settings: As the checkpoint callbacks ask.
        before_commit: As for `CheckpointStore`.
        resumed: The checkpoint the run goes on from; the next one saved becomes its child.
    """
    store = CheckpointStore(
        settings.save_dir or directory.checkpoints,
        run_id=manifest.run_id,
        config_hash=manifest.config_hash,
        quarantine=directory.quarantine,
        attempt=manifest.attempt,
        retention=settings.retention,
        before_commit=before_commit,
        hash_beside=not settings.asynchronous,
    )
    if resumed is not None:
        store.continue_from(resumed, complete=not resumed.loop_state["validation_owed"])
    return store


def report_changes(
    directory: RunDirectory, resumed: Checkpoint, manifest: RunManifest, data: Mapping[str, Any]
) -> None:
    """Say what the config has otherwise than the one the checkpoint was trained with.

    Args:
        data: The resolved config of now.
    """
    if resumed.manifest.config_hash == manifest.config_hash:
        return
    home = directory.root if directory.earlier is not None else resumed.path.parent.parent
    changes = config_changes(home, resumed.manifest.config_hash, data)
    if changes:
        notice(f"the config is not the one the checkpoint was trained with: {changes}")


def _latest(directory: RunDirectory, save_dir: Path | None) -> Checkpoint | None:
    store = CheckpointStore(
        save_dir or directory.checkpoints,
        run_id="",
        config_hash="",
        quarantine=directory.quarantine,
    )
    return store.latest()
