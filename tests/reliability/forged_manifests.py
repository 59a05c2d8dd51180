"""Forged manifests: garbage in every field, and records of files that are none."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

from reliability.forgery import (
    GARBAGE,
    MANIFEST,
    NAME,
    STATE,
    Forge,
    Forgery,
    Json,
    Strike,
    adding,
    listing_without,
    sign,
    write_manifest,
    writing,
)


def forged_manifests() -> Iterator[Forgery]:
    """Fields and texts of the manifest, then what it says of its files."""
    yield from _of_the_manifest()
    yield from _of_its_files()


def _of_the_manifest() -> Iterator[Forgery]:
    for field in ("format_version", "minimum_reader", "run_id", "attempt", "step", "epoch"):
        yield from _fields(field, harmless={"run_id": ("name", "path", "surrogate")})
    for field in ("parent", "config_hash", "finite", "metrics", "files", "sha256"):
        harmless = {
            "parent": ("null",),
            "config_hash": ("name", "path", "surrogate"),
            "finite": ("true",),
            "metrics": ("dict",),
        }
        yield from _fields(field, harmless=harmless)
    texts = {
        "a list": "[]",
        "a name": f'"{NAME}"',
        "not a number": '{"step": NaN}',
        "deep": "[" * 100_000,
        "deep and whole": "[" * 100_000 + "]" * 100_000,
        "twice": '{"step": 1, "step": 2}',
        "too long": " " * (1 << 21),
        "too many digits": "1" * 5_000,
        "zero bytes": "\0" * 100,
    }
    for name, text in texts.items():
        yield Forgery(f"manifest: {name}", writing(MANIFEST, text.encode()))
    yield Forgery("manifest: UTF-16", writing(MANIFEST, '{"step": 1}'.encode("utf-16")))
    yield Forgery("manifest: duplicate keys", _duplicating_a_key)
    yield Forgery("manifest: a field more", lambda path: sign(path, more=NAME), is_refused=False)


def _fields(field: str, harmless: dict[str, tuple[str, ...]]) -> Iterator[Forgery]:
    for name, value in GARBAGE.items():

        def forge(checkpoint: Path, value: Json = value) -> None:
            sign(checkpoint, **{field: value})

        is_refused = name not in harmless.get(field, ())
        yield Forgery(f"manifest: {field} is {name}", forge, is_refused)


def _duplicating_a_key(checkpoint: Path) -> None:
    sign(checkpoint)
    text = (checkpoint / MANIFEST).read_text()
    (checkpoint / MANIFEST).write_text(text.replace(' "step"', ' "step": 999,\n "step"'))


def _of_its_files() -> Iterator[Forgery]:
    for field in ("path", "bytes", "sha256"):
        for name, value in GARBAGE.items():
            shown = f"manifest: {field} of a file is {name}"
            yield Forgery(shown, _changing_a_record(field, value))
    for path in ("..", ".", "", "/etc/passwd", "a/b", "a\\b", "A", "x\0", "x\n", "..//", "~root"):
        yield Forgery(f"manifest: a file {path!r}", _changing_a_record("path", path))
    yield Forgery("manifest: a file twice", _listing_twice)
    yield Forgery("manifest: a file with more", _changing_a_record("more", NAME))
    yield Forgery("manifest: no state", listing_without(STATE))
    yield Forgery("manifest: a pickle", _adding_a_pickle, is_refused=False)
    tensors = (2).to_bytes(8, "little") + b"{}"
    yield Forgery("manifest: a group", adding(f"{NAME}.safetensors", tensors), is_refused=False)
    yield Forgery("manifest: a module", adding(f"{NAME}.py", b"raise SystemExit"), is_refused=False)


def _changing_a_record(field: str, value: Json) -> Forge:
    def forge(checkpoint: Path) -> None:
        fields = json.loads((checkpoint / MANIFEST).read_bytes())
        fields["files"][0][field] = value
        del fields["sha256"]
        write_manifest(checkpoint, fields)

    return forge


def _listing_twice(checkpoint: Path) -> None:
    files = json.loads((checkpoint / MANIFEST).read_bytes())["files"]
    sign(checkpoint, files=[*files, files[0]])


def _adding_a_pickle(checkpoint: Path) -> None:
    adding("data.pkl", pickle.dumps(Strike()))(checkpoint)
