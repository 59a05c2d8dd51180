"""run.json says what was started and is read back."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from offline_trainer.errors import RunDirectoryError
from offline_trainer.run.git import GitState
from offline_trainer.run.input_files import InputFile
from offline_trainer.run.manifest import Origin, RunManifest, describe_run, parse_run_manifest

ORIGIN = Origin("weights", "/runs/one/checkpoints/step-000000000004", "a" * 64)


def describe(earlier: RunManifest | None = None, origin: Origin | None = ORIGIN) -> RunManifest:
    described = describe_run(
        versions={"offline-trainer-core": "0.1.0"},
        plugins={"core": "0.1.0"},
        seed=3,
        device="cpu",
        config_hash="hash",
        threads=2,
        earlier=earlier,
        origin=origin,
    )
    git = GitState("c" * 40, dirty=True, diff="d" * 64)
    return replace(described, git=git, data=(InputFile("/data/table.csv", 7, "b" * 64),))


def test_what_was_described_is_read_back() -> None:
    manifest = describe()
    assert parse_run_manifest(manifest.to_bytes(), Path("run.json")) == manifest
    assert manifest.argv == tuple(sys.argv)
    assert manifest.versions["python"] == platform.python_version()
    assert (manifest.hardware["device"], manifest.hardware["threads"]) == ("cpu", 2)
    assert manifest.hardware["cpu"]
    assert datetime.fromisoformat(manifest.started).tzinfo is not None


def test_a_second_attempt_keeps_the_run_and_its_start() -> None:
    first = describe()
    second = describe(first, origin=Origin("resumed", "/its/own", "e" * 64))
    assert (second.run_id, second.started) == (first.run_id, first.started)
    assert second.origin == ORIGIN
    assert (first.attempt, second.attempt) == (1, 2)
    assert describe().run_id != first.run_id


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format_version": 1}',
        b'{"format_version": 1, "git": null, "argv": []}',
        b'{"format_version": 1, "git": 3, "argv": 3}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_other_content_is_one_message(data: bytes) -> None:
    with pytest.raises(RunDirectoryError, match=r"run\.json is not the manifest of a run"):
        parse_run_manifest(data, Path("run.json"))


NEW_FIELDS = ("origin", "data")


def test_what_an_earlier_version_did_not_write_has_its_default() -> None:
    fields = json.loads(describe().to_bytes())
    for name in NEW_FIELDS:
        del fields[name]
    del fields["hardware"]["threads"]
    del fields["git"]["diff"]
    manifest = parse_run_manifest(json.dumps(fields).encode(), Path("run.json"))
    assert (manifest.origin, manifest.data) == (None, None)
    assert manifest.git == GitState("c" * 40, dirty=True)


def test_what_a_later_version_adds_is_passed_over() -> None:
    fields = json.loads(describe().to_bytes())
    for mapping in (fields, fields["git"], fields["origin"], fields["data"][0]):
        mapping["added"] = {"later": [1]}
    assert parse_run_manifest(json.dumps(fields).encode(), Path("run.json")) == replace(
        describe(),
        **{name: fields[name] for name in ("run_id", "started", "attempt_started")},
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("versions", ["torch"]),
        ("hardware", "cpu"),
        ("git", "main"),
        ("git", {"commit": 3, "dirty": False}),
        ("origin", {"how": "stolen", "path": "/", "sha256": ""}),
        ("origin", "elsewhere"),
        ("data", 3),
        ("data", [{"path": "/data/table.csv", "bytes": "many", "sha256": ""}]),
        ("seed", None),
        ("config_hash", 7),
    ],
)
def test_a_field_of_another_kind_is_one_message(name: str, value: object) -> None:
    fields = {**json.loads(describe().to_bytes()), name: value}
    with pytest.raises(RunDirectoryError, match=r"run\.json is not the manifest of a run: "):
        parse_run_manifest(json.dumps(fields).encode(), Path("run.json"))


def test_a_newer_format_says_so() -> None:
    fields = {**json.loads(describe().to_bytes()), "format_version": 2}
    with pytest.raises(RunDirectoryError, match="has format version 2, expected 1"):
        parse_run_manifest(json.dumps(fields).encode(), Path("run.json"))
