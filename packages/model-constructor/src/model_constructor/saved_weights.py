"""Reads the weights of a checkpoint, or of the newest good one of a run.

What is read is data that may be damaged or a stranger's: only regular files are opened, bytes are
checked against the manifest, and whatever is wrong is a `ConfigError`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_constructor.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

MANIFEST = "MANIFEST.json"
WEIGHTS = "model.safetensors"
AVERAGES = "ema.safetensors"
STATE = "state.json"
RUN = "run.json"
FORMAT_VERSION = 1
_STEP_NAME = re.compile(r"step-\d{12}")
_OPEN_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Manifest:
    run_id: str
    attempt: int
    hashes: Mapping[str, str]


def read_weights(
    source: Path, run: Path, data: Mapping[str, Any]
) -> tuple[Path, dict[str, Tensor]]:
    """The checkpoint that was read, and its tensors by name; a shared one under each name.

    Where the run kept averaged weights, they stand for the others.

    Args:
        source: A checkpoint, or a folder of them, or the run directory: of several the newest good
            one is taken, with a warning for each that is passed over.
        run: The run directory.
        data: The run's config, which may name another folder for checkpoints.

    Raises:
        ConfigError: There is no checkpoint, or none that is good.
    """
    if (source / MANIFEST).is_file() or _STEP_NAME.fullmatch(source.name):
        return source, _read_tensors(source, _read_manifest(source))
    folders = [source, *_save_dirs(run, data), source / "checkpoints"]
    folder = next((each for each in folders if _steps(each)), None)
    if folder is None:
        raise ConfigError(
            f"{source} is neither a run directory with a checkpoint nor a checkpoint",
            code="OT0450",
            help="a run directory holds config.resolved.yaml and checkpoints/step-…",
        )
    return _newest_good(folder)


def _save_dirs(run: Path, data: Mapping[str, Any]) -> Iterator[Path]:
    """Where the run's checkpoint callbacks put them, if elsewhere.

    A relative folder was relative to where the run was started, which nothing tells now; what a
    checkpoint says of its run does.
    """
    callbacks = data.get("callbacks")
    for each in callbacks if isinstance(callbacks, list) else ():
        named = each.get("save_dir") if isinstance(each, Mapping) else None
        if not isinstance(named, str):
            continue
        with _reading(run / RUN):
            run_id = json.loads(_bytes(run / RUN))["run_id"]
        for start in (Path.cwd(), *run.parents):
            if run_id in _run_ids(start / named):
                yield start / named


def _run_ids(folder: Path) -> Iterator[str]:
    for path in _steps(folder):
        with suppress(ConfigError):
            yield _read_manifest(path).run_id


def _steps(folder: Path) -> list[Path]:
    """The folders in it, not links, that have the name of a checkpoint, newest first."""
    named = (path for path in folder.glob("step-*") if _STEP_NAME.fullmatch(path.name))
    return sorted((path for path in named if not path.is_symlink()), reverse=True)


def _newest_good(folder: Path) -> tuple[Path, dict[str, Tensor]]:
    manifests: dict[Path, _Manifest] = {}
    for path in _steps(folder):
        with _passing_over_damage():
            manifests[path] = _read_manifest(path)
    for path, manifest in manifests.items():
        # When a later attempt went on from an older step, the steps from there on are abandoned.
        if not any(
            other.attempt > manifest.attempt and at <= path for at, other in manifests.items()
        ):
            with _passing_over_damage():
                return path, _read_tensors(path, manifest)
    raise ConfigError(f"no checkpoint in {folder} is good", code="OT0452")


@contextmanager
def _passing_over_damage() -> Iterator[None]:
    try:
        yield
    except ConfigError as damage:
        _log.warning("passing over a checkpoint: %s", damage.message)


def _read_manifest(checkpoint: Path) -> _Manifest:
    file = checkpoint / MANIFEST
    with _reading(file):
        fields = json.loads(_bytes(file))
        if int(fields["minimum_reader"]) > FORMAT_VERSION:
            raise ConfigError(
                f"{file} was written by a newer version of offline_trainer",
                code="OT0452",
                help="upgrade model-constructor",
            )
        hashes = {str(each["path"]): str(each["sha256"]) for each in fields["files"]}
        return _Manifest(str(fields["run_id"]), int(fields["attempt"]), hashes)


def _read_tensors(checkpoint: Path, manifest: _Manifest) -> dict[str, Tensor]:
    from safetensors.torch import load

    with _reading(checkpoint):
        tensors = load(_verified(checkpoint / WEIGHTS, manifest))
        if AVERAGES in manifest.hashes:
            tensors |= load(_verified(checkpoint / AVERAGES, manifest))
        state = json.loads(_verified(checkpoint / STATE, manifest))
        aliases: Mapping[str, str] = state["values"]["model"]["aliases"]
        return {**tensors, **{name: tensors[first] for name, first in aliases.items()}}


def _verified(file: Path, manifest: _Manifest) -> bytes:
    content = _bytes(file)
    if sha256(content).hexdigest() != manifest.hashes[file.name]:
        raise _damaged(f"{file} is damaged: its bytes are not those that were saved")
    return content


def _bytes(file: Path) -> bytes:
    """The content of a regular file; a pipe is not waited for, a link not followed."""
    with os.fdopen(os.open(file, _OPEN_FLAGS), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise _damaged(f"{file} is not a regular file")
        return opened.read()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Make one kind of error of all that foreign bytes can cause."""
    from safetensors import SafetensorError

    try:
        yield
    except ConfigError:
        raise
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(f"{path} cannot be read: it is not made as a checkpoint is") from error
    except (OSError, ValueError, SafetensorError) as error:
        raise _damaged(f"{path} cannot be read: {error}") from error


def _damaged(message: str) -> ConfigError:
    return ConfigError(message, code="OT0452", help="take an older checkpoint of the run")
