"""Opening the run directory: where a run starts, continues or forks from."""

from __future__ import annotations

from pathlib import Path

from offline_trainer.checkpoint import reading
from offline_trainer.checkpoint.reading import Checkpoint
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.notices import notice
from offline_trainer.run.directory import RunDirectory
from offline_trainer.run.manifest import RunManifest

AUTO = "auto"


def open_run_directory(
    out_dir: Path, resume: str | None, save_dir: Path | None
) -> tuple[RunDirectory, Checkpoint | None]:
    """Lock and open the run directory, and find the checkpoint to go on from.

    Going on in the run's own directory continues that run; a checkpoint from elsewhere starts a
    new run.

    Args:
        out_dir: ``run.out_dir``.
        resume: A checkpoint, a run directory, ``auto`` (go on if there is something to go on
            from), or None for a new run.
        save_dir: Folder of the checkpoints, when it is not the run directory's own.
    """
    if resume is None:
        return _opened(out_dir, resume=False), None
    if resume != AUTO:
        checkpoint = reading.resolve(Path(resume))
        homes = (out_dir.resolve(), (save_dir or out_dir).resolve())
        own = any(home in checkpoint.path.resolve().parents for home in homes)
        return _opened(out_dir, resume=own), checkpoint
    directory = _opened(out_dir, resume=True)
    try:
        latest = _latest(directory, save_dir) if directory.earlier is not None else None
    except BaseException:
        directory.close()
        raise
    if latest is not None:
        return directory, latest
    directory.close()
    notice(f"nothing to resume in {out_dir}; starting a new run")
    return _opened(out_dir, resume=False), None


def open_store(
    directory: RunDirectory,
    manifest: RunManifest,
    save_dir: Path | None,
    keep_last: int | None,
    resumed: Checkpoint | None,
) -> CheckpointStore:
    """The one store that commits the run's checkpoints.

    Args:
        resumed: The checkpoint the run goes on from; the next one saved becomes its child.
    """
    store = CheckpointStore(
        save_dir or directory.checkpoints,
        run_id=manifest.run_id,
        config_hash=manifest.config_hash,
        quarantine=directory.quarantine,
        attempt=manifest.attempt,
        keep_last=keep_last,
    )
    if resumed is not None:
        store.continue_from(resumed)
        if resumed.manifest.config_hash != manifest.config_hash:
            notice("the config differs from the one the checkpoint was trained with")
    return store


def _latest(directory: RunDirectory, save_dir: Path | None) -> Checkpoint | None:
    store = CheckpointStore(
        save_dir or directory.checkpoints,
        run_id="",
        config_hash="",
        quarantine=directory.quarantine,
    )
    return store.latest()


def _opened(out_dir: Path, *, resume: bool) -> RunDirectory:
    directory = RunDirectory.open(out_dir, resume=resume)
    if directory.moved_line:
        notice(directory.moved_line)
    return directory
