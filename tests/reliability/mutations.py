"""Ways to get the protocol of saving and loading wrong, each put into the code while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from offline_trainer.checkpoint import file_record, reading, store, writing
from offline_trainer.checkpoint.file_record import FileRecord
from offline_trainer.checkpoint.file_system import (
    FileSystem,
    make_directories,
    move,
    remove_tree,
    replace_file,
    unused_name,
)
from offline_trainer.checkpoint.manifest import MANIFEST_NAME
from offline_trainer.checkpoint.quarantine import Quarantine
from offline_trainer.checkpoint.reading import step_directories, step_name
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.checkpoint.writing import Save
from reliability.recorder import Recorder

Mutation = Callable[[], AbstractContextManager[object]]
_Act = Callable[[CheckpointStore, Save], None]


def files_not_synced() -> AbstractContextManager[object]:
    return patch.object(Recorder, "sync", lambda recorder, descriptor: None)


@contextmanager
def directory_not_synced_before_rename() -> Iterator[None]:
    with _syncing_only(lambda recorder, path: not path.name.startswith("writing-")):
        yield


@contextmanager
def directory_not_synced_after_rename() -> Iterator[None]:
    with _syncing_only(lambda recorder, path: recorder.operations[-1].kind != "rename"):
        yield


@contextmanager
def renamed_before_the_manifest() -> Iterator[None]:
    owed: list[tuple[Path, list[bytes]]] = []
    write, rename = file_record.write_recorded, Recorder.rename

    def write_later(system: FileSystem, path: Path, chunks: Iterable[Any]) -> FileRecord:
        if path.name != MANIFEST_NAME:
            return write(system, path, chunks)
        owed.append((path, list(chunks)))
        return FileRecord(path.name, 0, "")

    def rename_first(recorder: Recorder, source: Path, target: Path) -> None:
        rename(recorder, source, target)
        while owed and owed[0][0].parent == source:
            write(recorder, target / MANIFEST_NAME, owed.pop()[1])

    with (
        patch.object(writing, "write_recorded", write_later),
        patch.object(Recorder, "rename", rename_first),
    ):
        yield


@contextmanager
def old_ones_removed_before_the_commit() -> Iterator[None]:
    def remove(checkpoints: CheckpointStore, save: Save) -> None:
        for path in step_directories(checkpoints.directory).values():
            remove_tree(checkpoints._file_system, path)

    with _done_before_writing(remove):
        yield


@contextmanager
def pointed_to_before_the_commit() -> Iterator[None]:
    def point(checkpoints: CheckpointStore, save: Save) -> None:
        name = step_name(save.step).encode()
        replace_file(checkpoints._file_system, checkpoints.directory / "last", name)

    with _done_before_writing(point):
        yield


@contextmanager
def abandoned_line_trashed_before_the_commit() -> Iterator[None]:
    def trash(checkpoints: CheckpointStore, save: Save) -> None:
        for path in checkpoints._abandoned().values():
            checkpoints._move_to_trash(path)

    with _done_before_writing(trash):
        yield


@contextmanager
def lines_not_synced_before_the_commit() -> Iterator[None]:
    begin = CheckpointStore.__init__

    def begin_without(checkpoints: CheckpointStore, *arguments: Any, **named: Any) -> None:
        begin(checkpoints, *arguments, **{**named, "before_commit": None})

    with patch.object(CheckpointStore, "__init__", begin_without):
        yield


def not_finite_is_committed() -> AbstractContextManager[object]:
    return patch.object(store, "refuse_non_finite", lambda state, step: None)


@contextmanager
def set_aside_before_the_reason() -> Iterator[None]:
    def take(quarantine: Quarantine, path: Path, damage: Exception) -> Path:
        system = quarantine.file_system
        make_directories(system, quarantine.folder)
        target = unused_name(quarantine.folder / path.name)
        move(system, path, target)
        replace_file(system, target.with_name(f"{target.name}.reason.txt"), b"damaged")
        return target

    with patch.object(Quarantine, "take", take):
        yield


def started_over_when_all_are_damaged() -> AbstractContextManager[object]:
    return patch.object(Quarantine, "has_any", lambda quarantine: False)


def hashes_not_compared() -> AbstractContextManager[object]:
    def read(system: FileSystem, directory: Path, record: FileRecord) -> memoryview:
        return memoryview((directory / record.path).read_bytes())

    return patch.object(reading, "read_recorded", read)


def names_not_compared() -> AbstractContextManager[object]:
    return patch.object(reading, "check_complete", reading.read_manifest)


@contextmanager
def sizes_not_compared() -> Iterator[None]:
    check = file_record.check_size

    def check_kind(directory: Path, record: FileRecord) -> None:
        with suppress(FileNotFoundError):
            record = replace(record, bytes=(directory / record.path).lstat().st_size)
        check(directory, record)

    with (
        patch.object(file_record, "check_size", check_kind),
        patch.object(reading, "check_size", check_kind),
    ):
        yield


def _syncing_only(which: Callable[[Recorder, Path], bool]) -> AbstractContextManager[object]:
    sync = Recorder.sync_directory

    def sync_some(recorder: Recorder, path: Path) -> None:
        if which(recorder, path):
            sync(recorder, path)

    return patch.object(Recorder, "sync_directory", sync_some)


def _done_before_writing(act: _Act) -> AbstractContextManager[object]:
    write = CheckpointStore._write

    def act_first(checkpoints: CheckpointStore, directory: Path, save: Save) -> Any:
        act(checkpoints, save)
        return write(checkpoints, directory, save)

    return patch.object(CheckpointStore, "_write", act_first)
