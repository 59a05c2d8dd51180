"""The run directory: locked while it is open, an earlier run in it moved aside, never mixed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType

from offline_trainer.checkpoint.file_system import (
    FileSystem,
    make_directories,
    replace_file,
    reported,
    unused_name,
)
from offline_trainer.checkpoint.json_text import to_json
from offline_trainer.engine import Json
from offline_trainer.errors import RunDirectoryError
from offline_trainer.run import json_lines
from offline_trainer.run.lock import RunLock
from offline_trainer.run.manifest import RunManifest, parse_run_manifest
from offline_trainer.run.status import Status

MANIFEST_NAME = "run.json"
RESOLVED_NAME = "config.resolved.yaml"
TRANSFORMS_NAME = "transforms.json"
SPLIT_NAME = "split.json"
_HASH_LETTERS = 12
_OWN_NAMES = (
    "config.yaml",
    RESOLVED_NAME,
    "config",
    "status.json",
    "metrics.jsonl",
    "events.jsonl",
    TRANSFORMS_NAME,
    SPLIT_NAME,
    "checkpoints",
    "quarantine",
    "exports",
)


class RunDirectory:
    """A locked run directory; a context manager that gives the lock back.

    `open` changes nothing but the lock beside the directory. `begin` makes room: from then on the
    directory is this run's.

    Attributes:
        root: The directory itself, absolute.
        earlier: Manifest of the run that is resumed here, or None.
    """

    def __init__(self, root: Path, lock: RunLock, earlier: RunManifest | None) -> None:
        self.root = root
        self.earlier = earlier
        self._lock = lock
        self._file_system = FileSystem()

    @classmethod
    def open(cls, out_dir: Path, *, resume: bool) -> RunDirectory:
        """Lock a run directory.

        Args:
            out_dir: ``run.out_dir``; need not exist.
            resume: Whether an earlier run in it goes on.

        Raises:
            RunDirectoryError: Another run holds it, or it cannot be used.
        """
        refuse_files(out_dir)
        root = out_dir.resolve()
        lock = RunLock(root)
        lock.acquire()
        try:
            with reported(f"use the run directory {out_dir}", RunDirectoryError):
                manifest_file = root / MANIFEST_NAME
                earlier = None
                if resume and manifest_file.exists():
                    earlier = parse_run_manifest(manifest_file.read_bytes(), manifest_file)
                elif not manifest_file.exists():
                    _refuse_foreign_files(root)
        except BaseException:
            lock.release()
            raise
        return cls(root, lock, earlier)

    def begin(self) -> str | None:
        """Make the directory; move an earlier run that is not resumed aside whole.

        Returns:
            One line for the user about a run that was moved.

        Raises:
            RunDirectoryError: It cannot be made, or the earlier run cannot be moved.
        """
        with reported(f"use the run directory {self.root}", RunDirectoryError):
            moved = None
            if self.earlier is None and (self.root / MANIFEST_NAME).exists():
                moved = _move_aside(self.root)
            make_directories(FileSystem(), self.root)
        return moved

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the lock back."""
        self._lock.release()

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints go by default; made by the store."""
        return self.root / "checkpoints"

    @property
    def quarantine(self) -> Path:
        """Where damaged checkpoints go; made by the store."""
        return self.root / "quarantine"

    @property
    def metrics_file(self) -> Path:
        """The source of truth for curves, one JSON object per line."""
        return self.root / "metrics.jsonl"

    @property
    def events_file(self) -> Path:
        """What happened besides numbers, one JSON object per line."""
        return self.root / "events.jsonl"

    def write_manifest(self, manifest: RunManifest) -> None:
        """Write run.json."""
        self._write(MANIFEST_NAME, manifest.to_bytes())

    def write_config(self, files: Mapping[str, str], resolved_yaml: str) -> None:
        """Store the config as given and as resolved.

        Args:
            files: Path → text of every file, the one that was run first, then what it includes.
                That one becomes ``config.yaml``, the others ``config/<number>-<name>``, each under
                a comment with its path. Empty for a config that was given from Python.
            resolved_yaml: What `dump_resolved` made.
        """
        for number, (path, text) in enumerate(files.items()):
            if number == 0:
                self._write("config.yaml", text.encode())
            else:
                name = f"config/{number:02d}-{Path(path).name}"
                self._write(name, f"# {path}\n{text}".encode())
        self._write(RESOLVED_NAME, resolved_yaml.encode())

    def keep_config(self, config_hash: str) -> None:
        """Store the resolved config of the earlier attempt where `resolved_config` finds it."""
        path = self.root / RESOLVED_NAME
        with reported(f"read {path}"):
            content = path.read_bytes() if path.is_file() else None
        if content is not None:
            self._write(_kept_name(config_hash), content)

    def write_transforms(self, fitted: Json) -> None:
        """Write transforms.json: what the datamodule fitted on the training part."""
        self._write(TRANSFORMS_NAME, f"{to_json(fitted)}\n".encode())

    def write_split(self, split: Json) -> None:
        """Write split.json: how many samples each part has, and a hash of which."""
        self._write(SPLIT_NAME, f"{to_json(split, indent=1)}\n".encode())

    def write_status(self, status: Status) -> None:
        """Write status.json."""
        self._write("status.json", status.to_bytes())

    def append_event(self, kind: str, **fields: Json) -> None:
        """Add a line with the time, what kind of event, and its fields to events.jsonl."""
        time = datetime.now().astimezone().isoformat(timespec="milliseconds")
        json_lines.append(self.events_file, {"time": time, "kind": kind, **fields})

    def _write(self, name: str, data: bytes) -> None:
        path = self.root / name
        with reported(f"write {path}"):
            make_directories(self._file_system, path.parent)
            replace_file(self._file_system, path, data)


def resolved_config(root: Path, config_hash: str) -> Path:
    """The file with the resolved config of this hash; the last attempt's where none is kept."""
    kept = root / _kept_name(config_hash)
    return kept if kept.is_file() else root / RESOLVED_NAME


def _kept_name(config_hash: str) -> str:
    return f"config/resolved-{config_hash[:_HASH_LETTERS]}.yaml"


def refuse_files(out_dir: Path) -> None:
    """Refuse a place that cannot be a run directory, because a file is in its way.

    Raises:
        RunDirectoryError: It is a file, below a file, or the root of the disk.
    """
    root = out_dir.resolve()
    with reported(f"use the run directory {out_dir}", RunDirectoryError):
        there = next(path for path in (root, *root.parents) if path.exists())
    if not root.name or not there.is_dir():
        shown = out_dir if there == root else there
        raise RunDirectoryError(f"{shown} is not a directory", help="choose another run.out_dir")


def _move_aside(root: Path) -> str:
    """Rename a whole earlier run to its name with its start time; return the line about it."""
    if Path.cwd().is_relative_to(root):
        raise RunDirectoryError(
            f"the run directory {root} holds an earlier run and cannot be moved aside, "
            "because it is the current folder or contains it",
            help="choose another run.out_dir, or resume",
        )
    path = root / MANIFEST_NAME
    try:
        started = datetime.fromisoformat(parse_run_manifest(path.read_bytes(), path).started)
    except (RunDirectoryError, ValueError, TypeError):  # an unreadable manifest still has an age
        started = datetime.fromtimestamp(path.stat().st_mtime)
    target = unused_name(root.with_name(f"{root.name}.{started:%Y%m%d-%H%M%S}"))
    FileSystem().rename(root, target)
    FileSystem().sync_directory(root.parent)
    return f"earlier run in {root} moved to {target}"


def _refuse_foreign_files(root: Path) -> None:
    """A directory without run.json is nobody's run: nothing in it may be overwritten."""
    present = [name for name in _OWN_NAMES if (root / name).exists()]
    if present:
        raise RunDirectoryError(
            f"{root} holds {', '.join(present)}, but no {MANIFEST_NAME}: it is not a run",
            help="choose another run.out_dir, or move these files away",
        )
