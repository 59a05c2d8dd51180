"""run.json: what was started, from what, on what."""

from __future__ import annotations

import json
import platform
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from model_constructor.config.scalars import shorten
from offline_trainer.errors import RunDirectoryError
from offline_trainer.run.git import GitState, git_state
from offline_trainer.run.hardware import describe_hardware
from offline_trainer.run.input_files import InputFile

FORMAT_VERSION = 1

_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True)
class Origin:
    """The checkpoint of another run that a run started from.

    Attributes:
        how: ``resumed``: the run went on from it; ``weights``: it took the weights alone.
        path: Its directory, absolute.
        sha256: Of its manifest, which has the hashes of its files.
    """

    how: Literal["resumed", "weights"]
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RunManifest:
    """What a run says of itself.

    Attributes:
        run_id: Names the run for ever; resuming in place keeps it.
        attempt: How often it has been started, from 1.
        started: When the first attempt began, ISO 8601 with offset.
        attempt_started: When this attempt began.
        argv: The command line.
        versions: Python's and the packages' versions, by name.
        plugins: Plugin → version of its distribution.
        git: Commit of the current folder, or None.
        seed: ``run.seed``.
        hardware: ``cpu_count``, ``cpu`` (its model), ``platform``, ``device``, and ``threads``,
            how many the engine computes with, None where it does not say.
        config_hash: Hash of the resolved config.
        origin: The checkpoint it started from, or None.
        data: The files that the datamodule read; None where it does not say.
    """

    run_id: str
    attempt: int
    started: str
    attempt_started: str
    argv: tuple[str, ...]
    versions: Mapping[str, str]
    plugins: Mapping[str, str]
    git: GitState | None
    seed: int
    hardware: Mapping[str, Any]
    config_hash: str
    origin: Origin | None = None
    data: tuple[InputFile, ...] | None = None

    def to_bytes(self) -> bytes:
        """The content of run.json."""
        return (
            json.dumps({"format_version": FORMAT_VERSION, **asdict(self)}, indent=1) + "\n"
        ).encode()


def describe_run(
    *,
    versions: Mapping[str, str],
    plugins: Mapping[str, str],
    seed: int,
    device: str,
    config_hash: str,
    threads: int | None = None,
    argv: Sequence[str] | None = None,
    earlier: RunManifest | None = None,
    origin: Origin | None = None,
) -> RunManifest:
    """Describe the attempt that begins now.

    Args:
        versions: Packages' versions by name; Python's is added.
        plugins: Versions by plugin name.
        seed: ``run.seed``.
        device: What `Engine.prepare` returned.
        config_hash: Hash of the resolved config.
        threads: How many the engine computes with.
        argv: The command line; this process's by default.
        earlier: The manifest of the run that is resumed in place.
        origin: The checkpoint that a new run starts from.
    """
    now = datetime.now().astimezone()
    stamp = now.isoformat(timespec="seconds")
    return RunManifest(
        run_id=earlier.run_id if earlier else f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}",
        attempt=earlier.attempt + 1 if earlier else 1,
        started=earlier.started if earlier else stamp,
        attempt_started=stamp,
        argv=tuple(sys.argv if argv is None else argv),
        versions={"python": platform.python_version(), **versions},
        plugins=dict(plugins),
        git=git_state(Path.cwd()),
        seed=seed,
        hardware=describe_hardware(device, threads),
        config_hash=config_hash,
        origin=earlier.origin if earlier else origin,
    )


def parse_run_manifest(data: bytes, path: Path) -> RunManifest:
    """Read the content of run.json; ``path`` is for messages.

    A field that a later version of this package adds is passed over, and one that an earlier
    version did not write has its default.

    Raises:
        RunDirectoryError: It is not the manifest of a run that this version can read.
    """
    try:
        fields = json.loads(data)
        version = fields["format_version"]
        if version != FORMAT_VERSION:
            raise RunDirectoryError(
                f"{path} has format version {version!r}, expected {FORMAT_VERSION}",
                help="a newer version of offline-trainer-core wrote it",
            )
        return _manifest(fields)
    except KeyError as error:
        raise RunDirectoryError(f"{path} is not the manifest of a run: no {error}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise RunDirectoryError(f"{path} is not the manifest of a run: {error}") from error


def _manifest(fields: dict[str, Any]) -> RunManifest:
    git, origin, files = fields["git"], fields.get("origin"), fields.get("data")
    return RunManifest(
        run_id=_take(fields, "run_id", str),
        attempt=_take(fields, "attempt", int),
        started=_take(fields, "started", str),
        attempt_started=_take(fields, "attempt_started", str),
        argv=tuple(_take(fields, "argv", list)),
        versions=_take(fields, "versions", dict),
        plugins=_take(fields, "plugins", dict),
        git=None if git is None else _git(git),
        seed=_take(fields, "seed", int),
        hardware=_take(fields, "hardware", dict),
        config_hash=_take(fields, "config_hash", str),
        origin=None if origin is None else _origin(origin),
        data=None if files is None else tuple(_input_file(file) for file in files),
    )


def _git(fields: dict[str, Any]) -> GitState:
    commit, dirty = _take(fields, "commit", str), _take(fields, "dirty", bool)
    return GitState(commit, dirty, _take(fields, "diff", str) if fields.get("diff") else None)


def _origin(fields: dict[str, Any]) -> Origin:
    how = fields["how"]
    if how not in ("resumed", "weights"):
        raise TypeError(f"how is {shorten(repr(how))}")
    return Origin(how, _take(fields, "path", str), _take(fields, "sha256", str))


def _input_file(fields: dict[str, Any]) -> InputFile:
    return InputFile(
        _take(fields, "path", str), _take(fields, "bytes", int), _take(fields, "sha256", str)
    )


def _take(fields: dict[str, Any], name: str, kind: type[_Kind]) -> _Kind:
    value = fields[name]
    if not isinstance(value, kind):
        raise TypeError(f"{name} is {shorten(repr(value))}")
    return value
