"""The one place that saves a run's checkpoints, and decides which are kept.

A save: temporary directory beside the target → every file written exclusively, hashed, fsynced →
manifest → fsync directory → rename to a name that does not exist → fsync parent. Now it is
committed, and only now follow the pointers ``last`` and ``best`` and whatever has to go. A crash in
between leaves the old checkpoints or the old and the new one, and a ``writing-…`` or
``deleting-…`` directory; the run that goes on removes it and does what was left to do. Where the
name is that of an abandoned line's checkpoint, that one is ``replaced-…`` for a moment, under which
it is found as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from offline_trainer.checkpoint import reading
from offline_trainer.checkpoint.file_system import (
    FileSystem,
    exists,
    is_directory,
    make_directories,
    move,
    names,
    remove_tree,
    reported,
    unused_name,
)
from offline_trainer.checkpoint.finite import refuse_non_finite
from offline_trainer.checkpoint.manifest import Manifest
from offline_trainer.checkpoint.pins import is_pinned
from offline_trainer.checkpoint.pointers import BEST_NAME, LAST_NAME, point
from offline_trainer.checkpoint.quarantine import Quarantine
from offline_trainer.checkpoint.reading import Checkpoint, step_directories, step_name
from offline_trainer.checkpoint.removal import (
    REHEARSAL,
    TRASH_NAME,
    WRITING,
    remove_checkpoints,
    remove_leftovers,
)
from offline_trainer.checkpoint.retention import ALWAYS_KEPT, Retention
from offline_trainer.checkpoint.writing import Line, Save, Writer
from offline_trainer.errors import (
    CheckpointError,
    DamagedCheckpointError,
    OfflineTrainerError,
    RunDirectoryError,
)
from offline_trainer.notices import notice

_BEFORE_ANY_STEP = -1


class CheckpointStore:
    """The checkpoints of one run, in one directory.

    Args:
        directory: Where checkpoints are; made with the first save.
        run_id: Goes into each manifest.
        config_hash: Hash of the resolved config; goes into each manifest.
        quarantine: Where damaged checkpoints are moved; if that is on another disk, to a folder of
            that name among the checkpoints.
        attempt: How often the run has been started, from 1.
        retention: Which checkpoints are kept. The newest two, the one that the run went on from and
            pinned ones are kept in any case.
        before_commit: Called when all files are written, before they become a checkpoint: what the
            checkpoint refers to elsewhere has to be on the disk first.
        hash_beside: Hash on a thread of its own while writing.
        file_system: Where faults are put in tests.
    """

    def __init__(
        self,
        directory: Path,
        *,
        run_id: str,
        config_hash: str,
        quarantine: Path,
        attempt: int = 1,
        retention: Retention | None = None,
        before_commit: Callable[[], None] | None = None,
        hash_beside: bool = True,
        file_system: FileSystem | None = None,
    ) -> None:
        self.directory = directory.resolve()
        self.quarantine = quarantine.resolve()
        self.run_id = run_id
        self.config_hash = config_hash
        self.attempt = attempt
        self.retention = retention or Retention()
        self._file_system = file_system or FileSystem()
        self._writer = Writer(self._file_system, hash_beside, before_commit)
        self._quarantine = Quarantine(self._file_system, self.quarantine, self.directory)
        self._parent: str | None = None
        self._origin: Manifest | None = None  # of the checkpoint that the run goes on from
        self._base = _BEFORE_ANY_STEP  # the step in this directory that the run goes on from
        self._incomplete: int | None = None
        self._saved: set[int] = set()  # steps of our line that are in this directory, from _base on
        self._verified: set[int] = set()  # others here, of which each byte was compared
        self._unsynced: int | None = None  # saved, and not yet sure to last
        self._has_directory = False  # that is sure to last
        self._measured: dict[int, Mapping[str, float]] = {}  # what manifests here say

    def latest(self) -> Checkpoint | None:
        """The newest good checkpoint; None where there has never been one.

        Damaged ones are moved to quarantine with a reason, and the next older one is tried.

        Raises:
            CheckpointError: There are some, or were, and none of them is good.
        """
        checkpoint = reading.newest(self.directory, self._set_aside, self._file_system)
        if checkpoint is None and self._quarantine.has_any():
            raise CheckpointError(
                f"no usable checkpoint: every one that was in {self.directory} is damaged",
                help=f"the damaged ones and the reasons are in {self.quarantine}; "
                "start again without resuming, or resume from another run",
            )
        return checkpoint

    def continue_from(self, checkpoint: Checkpoint, *, complete: bool = True) -> None:
        """Make the next save a child of ``checkpoint``, of this directory or of another run.

        Newer checkpoints in this directory are an abandoned line from now on; they are moved to
        the folder ``trash`` when the first new one is committed, and stay there.

        Args:
            checkpoint: Where the run goes on from.
            complete: Whether all that belongs to its step had happened; if not, the step may be
                saved once more, and then takes the place of the first.
        """
        self._origin = checkpoint.manifest
        self._parent = checkpoint.manifest.sha256
        self._measured.clear()
        self._unsynced = None
        if checkpoint.path.resolve().parent == self.directory:
            self._base = checkpoint.step
            self._saved = {checkpoint.step}
            self._incomplete = None if complete else checkpoint.step
        # Attempts tell lines apart, so ours must be above every one that is here.
        for manifest in self._manifests().values():
            self.attempt = max(self.attempt, manifest.attempt + 1)

    def settle(self) -> None:
        """Do what a crash kept from being done after the commit that the run goes on from.

        The run may have nothing left to save, and then no later save would do it. What only the
        next commit abandons is left as it is.

        Raises:
            OfflineTrainerError: The disk refuses.
        """
        if self._base == _BEFORE_ANY_STEP or self._origin is None:
            return
        with reported(f"tidy up {self.directory}"):
            # The process that committed it may have been ended before it waited for the disk.
            self._file_system.sync_directory(self.directory)
            remove_leftovers(self._file_system, self.directory)  # a full disk gets its space back
            self._end_replacing()
            left = _left_for_good(self._origin, self._manifests())
            ours_is_newest = set(left) >= set(self._abandoned().values())
            if ours_is_newest:
                point(self._file_system, self.directory, LAST_NAME, self._base)
            for path in left:
                self._move_to_trash(path)
            if ours_is_newest:
                self._remove_old()

    def _manifests(self) -> dict[Path, Manifest]:
        """What the checkpoints here say of themselves, as far as they can."""
        found = {}
        for path in step_directories(self.directory).values():
            with suppress(DamagedCheckpointError):
                found[path] = reading.read_manifest(path, self._file_system)
        return found

    def leaves_a_line(self) -> bool:
        """Whether there are newer checkpoints here than the one that the run goes on from."""
        return bool(self._abandoned())

    def has(self, step: int) -> bool:
        """Whether this run has committed a step, or went on from it."""
        return step in self._saved and step not in (self._incomplete, self._unsynced)

    def rehearse(self, save: Save) -> None:
        """Do everything that a save does, leave nothing: a full or read-only disk shows now.

        Raises:
            OfflineTrainerError: As `save`.
        """
        refuse_non_finite(save.state, save.step)
        with reported(f"save checkpoints in {self.directory}"):
            self._make_room()
            self._write(self.directory / REHEARSAL, save)
            remove_tree(self._file_system, self.directory / REHEARSAL)

    def save(self, save: Save) -> Path:
        """Commit a checkpoint; a step that this run has saved already is left as it is.

        Returns:
            The checkpoint's directory.

        Raises:
            DivergedError: The state is not finite; nothing is written.
            OfflineTrainerError: The disk refuses, or the state cannot be written as JSON. What
                was committed before stays. Trouble after the commit is a notice.
        """
        step = save.step
        target = self._path(step)
        if self.has(step):
            return target
        refuse_non_finite(save.state, step)
        with reported(f"save checkpoint {target}"):
            self._make_room()
            if step != self._unsynced:
                self._put_in_place(save, target)
            self._file_system.sync_directory(self.directory)
            self._unsynced = None
        try:
            with reported("tidy up"):
                self._tidy_up(step)
        except OfflineTrainerError as error:  # to be tried again after the next save
            notice(f"checkpoint {target} is saved, but afterwards: {error}")
        return target

    def _put_in_place(self, save: Save, target: Path) -> None:
        """Write a checkpoint and give it its name, which is not yet sure to last."""
        step = save.step
        temporary = target.with_name(f"{WRITING}{target.name}")
        manifest = self._write(temporary, save)
        if step in self._abandoned() or step == self._incomplete:
            self._put_beside(target)
        try:
            self._file_system.rename(temporary, target)
        except OSError:
            # A network disk may do it and lose the answer.
            if exists(temporary) or not exists(target):
                raise
        self._saved.add(step)
        self._measured.pop(step, None)
        if step == self._incomplete:
            self._incomplete = None
        self._parent = manifest.sha256
        self._unsynced = step

    def _tidy_up(self, step: int) -> None:
        """What follows a commit."""
        point(self._file_system, self.directory, LAST_NAME, step)
        self._end_replacing()
        for path in self._abandoned().values():
            self._move_to_trash(path)
        self._remove_old()

    def _write(self, directory: Path, save: Save) -> Manifest:
        line = Line(self.run_id, self.attempt, self._parent, self.config_hash)
        return self._writer.write(directory, save, line)

    def _abandoned(self) -> dict[int, Path]:
        """Checkpoints here that are newer than where this run goes on from, and not its own."""
        found = {
            step: path
            for step, path in step_directories(self.directory).items()
            if step > self._base and step not in self._saved
        }
        if found and self._base == _BEFORE_ANY_STEP:
            raise RunDirectoryError(
                f"{self.directory} already holds checkpoints of another run",
                help="resume that run, or choose another directory",
            )
        return found

    def _remove_old(self) -> None:
        """Remove what retention does not keep: renamed first, so that no half one has a name."""
        if self.retention == Retention():
            return
        measured = self._look()
        while any(self._is_damaged(step) for step in sorted(measured)[-ALWAYS_KEPT:]):
            measured = self._look()  # what is set aside is no longer among the newest
        if self.retention.monitor is not None:
            best = self.retention.ranked(measured)[:1]
            if best:
                point(self._file_system, self.directory, BEST_NAME, best[0])
        protected = {self._base, *(step for step in measured if is_pinned(self._path(step)))}
        victims = self.retention.victims(measured, protected)
        if not victims:
            return
        for step in victims:
            del self._measured[step]
        remove_checkpoints(self._file_system, self.directory, map(step_name, victims))

    def _look(self) -> dict[int, Mapping[str, float]]:
        """What was measured at each checkpoint here; each manifest is read once."""
        there = step_directories(self.directory)
        for step, path in there.items():
            if step not in self._measured:
                try:
                    manifest = reading.read_manifest(path, self._file_system)
                except DamagedCheckpointError as damage:
                    self._set_aside(path, damage)
                else:
                    self._measured[step] = manifest.metrics
        return {step: self._measured[step] for step in there if step in self._measured}

    def _is_damaged(self, step: int) -> bool:
        """Whether a checkpoint is not what was saved; it is set aside then.

        Files are of their size each time; what another process saved is read and hashed once.
        """
        known = step in self._saved or step in self._verified
        try:
            if known:
                reading.check_complete(self._path(step), self._file_system)
            else:
                reading.load(self._path(step), self._file_system, keep_values=False)
                self._verified.add(step)
        except DamagedCheckpointError as damage:
            self._set_aside(self._path(step), damage)
            self._measured.pop(step, None)
            self._saved.discard(step)
            self._verified.discard(step)
            return True
        return False

    def _make_room(self) -> None:
        self._abandoned()  # whose directory it is comes first
        if not (self._has_directory and is_directory(self.directory)):
            make_directories(self._file_system, self.directory)
            self._has_directory = True
        self._end_replacing()
        remove_leftovers(self._file_system, self.directory)

    def _put_beside(self, path: Path) -> None:
        """Free a name for another checkpoint; until that has it, this one still counts."""
        self._file_system.rename(path, path.with_name(f"{reading.REPLACED}{path.name}"))
        self._file_system.sync_directory(self.directory)

    def _end_replacing(self) -> None:
        """Trash what was replaced; what was to be and was not gets its name back."""
        for name in names(self.directory):
            if not name.startswith(f"{reading.REPLACED}step-"):
                continue
            path, target = self.directory / name, self.directory / name[len(reading.REPLACED) :]
            if exists(target):
                self._move_to_trash(path, target.name)
            else:
                self._file_system.rename(path, target)
                self._file_system.sync_directory(self.directory)

    def _path(self, step: int) -> Path:
        return self.directory / step_name(step)

    def _move_to_trash(self, path: Path, name: str | None = None) -> None:
        folder = self.directory / TRASH_NAME
        make_directories(self._file_system, folder)
        move(self._file_system, path, unused_name(folder / (name or path.name)))

    def _set_aside(self, path: Path, damage: DamagedCheckpointError) -> None:
        with reported(f"move the damaged checkpoint {path} to {self.quarantine}"):
            self._end_leaving(path)
            moved = self._quarantine.take(path, damage)
        notice(f"damaged checkpoint moved to {moved}: {damage}")

    def _end_leaving(self, path: Path) -> None:
        """Trash what the commit of a checkpoint has left behind, as long as that can be told."""
        replaced = path.with_name(f"{reading.REPLACED}{path.name}")
        if exists(replaced):
            self._move_to_trash(replaced, path.name)
        with suppress(DamagedCheckpointError):
            ours = reading.read_manifest(path, self._file_system)
            for left in _left_for_good(ours, self._manifests()):
                self._move_to_trash(left)


def _left_for_good(ours: Manifest, manifests: Mapping[Path, Manifest]) -> list[Path]:
    """Checkpoints of a line that ours has left by a commit: it went on from an older one.

    Args:
        ours: The newest of our line.
        manifests: Of all checkpoints there are.
    """
    parents = [one.step for one in manifests.values() if one.sha256 == ours.parent]
    since = parents[0] if parents else ours.step
    return [
        path for path, one in manifests.items() if one.attempt < ours.attempt and one.step > since
    ]
