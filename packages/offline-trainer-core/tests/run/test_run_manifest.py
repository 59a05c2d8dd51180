"""run.json says what was started and is read back."""

from __future__ import annotations

import json
import platform
import sys
from datetime import datetime
from pathlib import Path

import pytest

from offline_trainer.errors import RunDirectoryError
from offline_trainer.run.manifest import RunManifest, describe_run, parse_run_manifest


def describe(earlier: RunManifest | None = None) -> RunManifest:
    return describe_run(
        versions={"offline-trainer-core": "0.1.0"},
        plugins={"core": "0.1.0"},
        seed=3,
        device="cpu",
        config_hash="hash",
        earlier=earlier,
    )


def test_what_was_described_is_read_back() -> None:
    manifest = describe()
    assert parse_run_manifest(manifest.to_bytes(), Path("run.json")) == manifest
    assert manifest.argv == tuple(sys.argv)
    assert manifest.versions["python"] == platform.python_version()
    assert manifest.hardware["device"] == "cpu"
    assert datetime.fromisoformat(manifest.started).tzinfo is not None


def test_a_second_attempt_keeps_the_run_and_its_start() -> None:
    first = describe()
    second = describe(first)
    assert (second.run_id, second.started) == (first.run_id, first.started)
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


def test_a_newer_format_says_so() -> None:
    fields = {**json.loads(describe().to_bytes()), "format_version": 2}
    with pytest.raises(RunDirectoryError, match="has format version 2, expected 1"):
        parse_run_manifest(json.dumps(fields).encode(), Path("run.json"))
