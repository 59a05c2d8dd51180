"""Forging a checkpoint: whatever somebody writes into one, with hashes that are right."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = Any
Forge = Callable[[Path], None]
MANIFEST = "MANIFEST.json"
STATE = "state.json"
TENSORS = "model.safetensors"

NAME = "os.system"
HUGE = 10**400
GARBAGE: dict[str, Json] = {
    "null": None,
    "true": True,
    "minus": -1,
    "float": 0.5,
    "huge": HUGE,
    "infinite": float("inf"),
    "name": NAME,
    "path": "../../../../etc/passwd",
    "surrogate": "\ud800\x1b[31m",
    "list": [],
    "dict": {},
    "names": [NAME, [NAME]],
    "reduce": {"__reduce__": [NAME, ["touch x"]], "$type": NAME, "py/object": NAME},
    "nested": json.loads("[" * 200 + "]" * 200),
}


@dataclass(frozen=True, slots=True)
class Forgery:
    """One of them.

    Attributes:
        name: What is forged.
        forge: Does it to a checkpoint.
        is_refused: Whether loading must refuse it; otherwise what is in it may be just data.
        error: What else may leave, besides the errors of checkpoints.
    """

    name: str
    forge: Forge
    is_refused: bool = True
    error: str = ""


class Strike:
    """Leaves a file behind where its pickle is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch struck",))


def sign(checkpoint: Path, **changes: Json) -> None:
    """Write the manifest anew, with what the files are now, other fields, and a right hash."""
    fields = json.loads((checkpoint / MANIFEST).read_bytes())
    del fields["sha256"]
    for record in fields["files"]:
        record.update(_record(checkpoint / record["path"]))
    fields.update(changes)
    write_manifest(checkpoint, fields)


def write_manifest(checkpoint: Path, fields: Json) -> None:
    """Write a manifest with a right hash, if it is one at all."""
    if isinstance(fields, dict) and "sha256" not in fields:
        body = f"{json.dumps(fields, indent=1)}\n".encode()
        fields = {**fields, "sha256": hashlib.sha256(body).hexdigest()}
    (checkpoint / MANIFEST).write_text(f"{json.dumps(fields, indent=1)}\n")


def _record(file: Path) -> Json:
    if not file.is_file() or file.is_symlink():
        return {}
    content = file.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def listing_without(name: str) -> Forge:
    """Without a file, and without its record."""

    def forge(checkpoint: Path) -> None:
        files = json.loads((checkpoint / MANIFEST).read_bytes())["files"]
        (checkpoint / name).unlink()
        sign(checkpoint, files=[record for record in files if record["path"] != name])

    return forge


def adding(name: str, content: bytes) -> Forge:
    """With one more file, and its record."""

    def forge(checkpoint: Path) -> None:
        (checkpoint / name).write_bytes(content)
        files = json.loads((checkpoint / MANIFEST).read_bytes())["files"]
        record = {"path": name, **_record(checkpoint / name)}
        sign(checkpoint, files=[*files, record])

    return forge


def writing(name: str, content: bytes) -> Forge:
    """With other content in a file."""

    def forge(checkpoint: Path) -> None:
        (checkpoint / name).write_bytes(content)

    return forge


def signing(forge: Forge) -> Forge:
    """With right hashes afterwards."""

    def both(checkpoint: Path) -> None:
        forge(checkpoint)
        sign(checkpoint)

    return both
