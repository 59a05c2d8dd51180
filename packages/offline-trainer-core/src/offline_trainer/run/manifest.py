"""run.json: what was started, from what, on what."""

from __future__ import annotations

import json
import os
import platform
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from offline_trainer.errors import RunDirectoryError
from offline_trainer.run.git import GitState, git_state

FORMAT_VERSION = 1


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
        hardware: ``cpu_count``, ``platform``, ``device``.
        config_hash: Hash of the resolved config.
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
    argv: Sequence[str] | None = None,
    earlier: RunManifest | None = None,
) -> RunManifest:
    """Describe the attempt that begins now.

    Args:
        versions: Packages' versions by name; Python's is added.
        plugins: Versions by plugin name.
        seed: ``run.seed``.
        device: What `Engine.prepare` returned.
        config_hash: Hash of the resolved config.
        argv: The command line; this process's by default.
        earlier: The manifest of the run that is resumed in place.
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
        hardware={"cpu_count": os.cpu_count(), "platform": platform.platform(), "device": device},
        config_hash=config_hash,
    )


def parse_run_manifest(data: bytes, path: Path) -> RunManifest:
    """Read the content of run.json; ``path`` is for messages.

    Raises:
        RunDirectoryError: It is not the manifest of a run that this version can read.
    """
    try:
        fields = json.loads(data)
        version = fields.pop("format_version")
        if version != FORMAT_VERSION:
            raise RunDirectoryError(
                f"{path} has format version {version!r}, expected {FORMAT_VERSION}",
                help="a newer version of offline-trainer-core wrote it",
            )
        git = fields.pop("git")
        manifest = RunManifest(
            **{**fields, "argv": tuple(fields["argv"]), "git": GitState(**git) if git else None}
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RunDirectoryError(f"{path} is not the manifest of a run: {error}") from error
    if not (isinstance(manifest.run_id, str) and isinstance(manifest.attempt, int)):
        raise RunDirectoryError(f"{path} is not the manifest of a run: its run_id or attempt is")
    return manifest
