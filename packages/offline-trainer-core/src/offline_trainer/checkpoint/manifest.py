"""MANIFEST.json: written last, it says what a checkpoint is and which bytes belong to it.

Two rules hold for every version of the format, so that a reader can tell damage from a newer
version: the file is exactly what `_to_bytes` makes of its content, and its last field, ``sha256``,
is the hash of the same without that field.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from offline_trainer.checkpoint.file_record import FileRecord
from offline_trainer.errors import CheckpointError, DamagedCheckpointError

MANIFEST_NAME = "MANIFEST.json"
FORMAT_VERSION = 1
_FILE_NAME = re.compile(r"[a-z0-9_.-]+")
_MOST = 10**12
"""No step, size of a file or the like is as large; a directory's name has room for no more."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a checkpoint says of itself.

    Attributes:
        run_id: The run that saved it.
        attempt: How often that run had been started, counted from 1; grows with every resume.
        step: Optimizer steps done.
        epoch: Epochs done.
        parent: ``sha256`` of the manifest of the checkpoint before it in its line, or None.
        config_hash: Hash of the resolved config.
        metrics: What was measured at this very step, such as ``val_loss``; finite numbers.
        files: Every file of the checkpoint besides the manifest.
        sha256: Hash of the manifest itself.
    """

    run_id: str
    attempt: int
    step: int
    epoch: int
    parent: str | None
    config_hash: str
    metrics: Mapping[str, float]
    files: tuple[FileRecord, ...]
    sha256: str


def make_manifest(
    *,
    run_id: str,
    attempt: int,
    step: int,
    epoch: int,
    parent: str | None,
    config_hash: str,
    metrics: Mapping[str, float],
    files: Sequence[FileRecord],
) -> tuple[Manifest, bytes]:
    """A manifest and the bytes of its file."""
    fields: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "minimum_reader": FORMAT_VERSION,
        "run_id": run_id,
        "attempt": attempt,
        "step": step,
        "epoch": epoch,
        "parent": parent,
        "config_hash": config_hash,
        "finite": True,
        "metrics": dict(metrics),
        "files": [asdict(record) for record in files],
    }
    fields["sha256"] = hashlib.sha256(_to_bytes(fields)).hexdigest()
    data = _to_bytes(fields)
    return parse_manifest(data, Path(MANIFEST_NAME)), data


def parse_manifest(data: bytes, path: Path) -> Manifest:
    """Read and validate the content of a manifest; ``path`` is for messages.

    Raises:
        DamagedCheckpointError: It is not, byte for byte, what was written.
        CheckpointError: A newer version of this package wrote it.
    """
    try:
        fields = json.loads(data.decode())
        intact = isinstance(fields, dict) and _to_bytes(fields) == data
    except (ValueError, RecursionError) as error:
        raise DamagedCheckpointError(f"{path} is not JSON: {error}") from error
    if not intact:
        raise DamagedCheckpointError(f"{path} is not as it was written")
    claimed = fields.pop("sha256", None)
    rest = data.removesuffix(f',\n "sha256": {json.dumps(claimed)}\n}}\n'.encode())
    if claimed != hashlib.sha256(rest + b"\n}\n").hexdigest():
        raise DamagedCheckpointError(f"{path} does not have the hash that it claims")
    reader = fields.get("minimum_reader")
    if _is_count(reader) and reader > FORMAT_VERSION:
        raise CheckpointError(
            f"{path} needs a reader of checkpoint format {reader}, this one reads {FORMAT_VERSION}",
            help="upgrade offline-trainer-core",
        )
    return _validated(fields, claimed, path)


def _validated(fields: dict[str, Any], sha256: str, path: Path) -> Manifest:
    def take(name: str, valid: bool) -> Any:
        if not valid:
            raise DamagedCheckpointError(f"{path}: {name} is {fields.get(name)!r}")
        return fields[name]

    def count(name: str, least: int) -> Any:
        return take(name, _is_count(fields.get(name)) and fields[name] >= least)

    def text(name: str) -> Any:
        return take(name, isinstance(fields.get(name), str))

    count("format_version", 1)
    count("minimum_reader", 1)
    take("finite", fields.get("finite") is True)
    parent = fields.get("parent")
    return Manifest(
        run_id=text("run_id"),
        attempt=count("attempt", 1),
        step=count("step", 0),
        epoch=count("epoch", 0),
        parent=take("parent", "parent" in fields and (parent is None or _is_sha256(parent))),
        config_hash=text("config_hash"),
        metrics=take("metrics", _are_metrics(fields.get("metrics"))),
        files=_file_records(take("files", isinstance(fields.get("files"), list)), path),
        sha256=sha256,
    )


def _file_records(entries: list[Any], path: Path) -> tuple[FileRecord, ...]:
    records = []
    for entry in entries:
        if not (
            isinstance(entry, dict)
            and entry.keys() == {"path", "bytes", "sha256"}
            and is_file_name(entry["path"])
            and _is_count(entry["bytes"])
            and _is_sha256(entry["sha256"])
        ):
            raise DamagedCheckpointError(f"{path}: {entry!r} does not describe a file")
        records.append(FileRecord(**entry))
    if len({record.path for record in records}) != len(records):
        raise DamagedCheckpointError(f"{path} names a file twice")
    return tuple(records)


def is_file_name(name: object) -> bool:
    """Whether a file of a checkpoint may have this name.

    >>> is_file_name("model.safetensors"), is_file_name("../model"), is_file_name("..")
    (True, False, False)
    """
    return isinstance(name, str) and name.strip(".") != "" and bool(_FILE_NAME.fullmatch(name))


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and bool(_SHA256.fullmatch(value))


def _are_metrics(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(number, float) and math.isfinite(number) for number in value.values()
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST


def _to_bytes(fields: dict[str, Any]) -> bytes:
    return (json.dumps(fields, indent=1) + "\n").encode()
