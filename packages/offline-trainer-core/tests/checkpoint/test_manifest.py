"""MANIFEST.json is believed only when every field is what it must be."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from offline_trainer.checkpoint.file_record import FileRecord
from offline_trainer.checkpoint.manifest import is_file_name, make_manifest, parse_manifest
from offline_trainer.errors import CheckpointError, DamagedCheckpointError

PATH = Path("MANIFEST.json")
RECORD = FileRecord("model.safetensors", 10, "a" * 64)


def written(**changes: Any) -> bytes:
    """A manifest with other fields and a right hash, as a hostile writer would make it."""
    _, data = make_manifest(
        run_id="r",
        attempt=1,
        step=2,
        epoch=1,
        parent=None,
        config_hash="c",
        metrics={},
        files=[RECORD],
    )
    fields = {**json.loads(data), **changes}
    del fields["sha256"]
    fields = {name: value for name, value in fields.items() if value != "absent"}
    body = (json.dumps(fields, indent=1) + "\n").encode()
    fields["sha256"] = hashlib.sha256(body).hexdigest()
    return (json.dumps(fields, indent=1) + "\n").encode()


def entry(**changes: Any) -> dict[str, Any]:
    return {"path": "model.safetensors", "bytes": 1, "sha256": "a" * 64, **changes}


def test_what_was_made_is_read_back() -> None:
    manifest, data = make_manifest(
        run_id="r",
        attempt=3,
        step=2,
        epoch=1,
        parent="b" * 64,
        config_hash="c",
        metrics={"val_loss": 0.25},
        files=[RECORD],
    )
    assert parse_manifest(data, PATH) == manifest
    assert manifest.files == (RECORD,)
    assert manifest.parent == "b" * 64
    assert manifest.metrics == {"val_loss": 0.25}
    assert json.loads(data)["finite"] is True


def test_every_changed_and_every_missing_byte_is_damage() -> None:
    data = written()
    for index in range(len(data)):
        changed = data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]
        for damaged in (changed, data[:index]):
            with pytest.raises(DamagedCheckpointError):
                parse_manifest(damaged, PATH)


def test_a_newer_format_is_not_damage() -> None:
    with pytest.raises(CheckpointError, match="needs a reader of checkpoint format 2") as caught:
        parse_manifest(written(format_version=2, minimum_reader=2), PATH)
    assert not isinstance(caught.value, DamagedCheckpointError)


def test_a_newer_format_that_this_reader_may_read_is_read() -> None:
    assert parse_manifest(written(format_version=2, future="field"), PATH).step == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"step": -1},
        {"step": True},
        {"step": "2"},
        {"step": "absent"},
        {"step": 10**12},
        {"attempt": 10**400},
        {"epoch": 1.0},
        {"attempt": 0},
        {"finite": False},
        {"finite": 1},
        {"parent": "abc"},
        {"parent": "absent"},
        {"run_id": None},
        {"config_hash": 1},
        {"minimum_reader": None},
        {"format_version": 0},
        {"files": None},
        {"files": ["model.safetensors"]},
        {"files": [entry(path="../model.safetensors")]},
        {"files": [entry(path="/etc/passwd")]},
        {"files": [entry(path="..")]},
        {"files": [entry(path="Model.safetensors")]},
        {"files": [entry(path="model.safetensors\n")]},
        {"files": [entry(path=["a"])]},
        {"files": [entry(bytes=-1)]},
        {"files": [entry(sha256="A" * 64)]},
        {"files": [entry(more=1)]},
        {"files": [entry(), entry()]},
    ],
)
def test_a_hostile_field_is_damage_although_the_hash_is_right(changes: dict[str, Any]) -> None:
    with pytest.raises(DamagedCheckpointError):
        parse_manifest(written(**changes), PATH)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b"[" * 100_000, b"\xff\xfe", b'{"a": 1}', "{}".encode("utf-16")],
)
def test_other_content_is_damage(data: bytes) -> None:
    with pytest.raises(DamagedCheckpointError):
        parse_manifest(data, PATH)


def test_file_names() -> None:
    assert is_file_name("ema-2.safetensors")
    for name in ("", ".", "..", "a/b", "A", "a b", "é", None, 3):
        assert not is_file_name(name)
