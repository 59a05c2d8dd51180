"""Forged checkpoints: whatever somebody writes into one, with hashes that are right."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = Any
Forge = Callable[[Path], None]
MANIFEST = "MANIFEST.json"
STATE = "state.json"
TENSORS = "model.safetensors"

NAME = "os.system"
_HUGE = 10**400
GARBAGE: dict[str, Json] = {
    "null": None,
    "true": True,
    "minus": -1,
    "float": 0.5,
    "huge": _HUGE,
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


def forgeries() -> list[Forgery]:
    """All that concern the files; in `forged_states` these are sound."""
    return [*_of_the_manifest(), *_of_its_files(), *_of_tensors(), *_of_things()]


# --- MANIFEST.json ------------------------------------------------------------------------------


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


def listing_without(name: str) -> Forge:
    def forge(checkpoint: Path) -> None:
        files = json.loads((checkpoint / MANIFEST).read_bytes())["files"]
        (checkpoint / name).unlink()
        sign(checkpoint, files=[record for record in files if record["path"] != name])

    return forge


class _Strike:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch struck",))


def _adding_a_pickle(checkpoint: Path) -> None:
    adding("data.pkl", pickle.dumps(_Strike()))(checkpoint)


def adding(name: str, content: bytes) -> Forge:
    def forge(checkpoint: Path) -> None:
        (checkpoint / name).write_bytes(content)
        files = json.loads((checkpoint / MANIFEST).read_bytes())["files"]
        record = {"path": name, **_record(checkpoint / name)}
        sign(checkpoint, files=[*files, record])

    return forge


# --- safetensors --------------------------------------------------------------------------------


def _of_tensors() -> Iterator[Forgery]:
    for field in ("dtype", "shape", "data_offsets"):
        for name, value in GARBAGE.items():
            is_refused = (field, name) != ("shape", "list")
            change = _changing_a_tensor(field, value)
            yield Forgery(f"tensor: {field} is {name}", change, is_refused)
    yield Forgery("tensor: of a name", _changing_header(_naming), is_refused=False)
    yield Forgery("tensor: of names", _changing_a_tensor("shape", [NAME]))
    yield Forgery("tensor: of huge sizes", _changing_a_tensor("shape", [_HUGE] * 200))
    yield Forgery("tensor: far away", _changing_a_tensor("data_offsets", [_HUGE, _HUGE + 8]))
    yield Forgery("tensor: negative", _changing_a_tensor("data_offsets", [-8, 0]))
    yield Forgery("tensor: one more field", _changing_a_tensor("more", NAME))
    for name, value in GARBAGE.items():
        yield Forgery(f"tensor: is {name}", _changing_header(_giving({"w": value})))
        if name != "dict":
            yield Forgery(f"header: is {name}", _changing_header(_giving(value)))
    yield Forgery("header: a name that is no text", _changing_header(_giving({"\ud800": 1})))
    texts = {
        "deep": b"[" * 100_000,
        "not a number": b'{"w": NaN}',
        "UTF-16": '{"w": 1}'.encode("utf-16"),
        "too many digits": b"1" * 5_000,
        "a pickle": pickle.dumps(_Strike()),
        "nothing": b"",
    }
    for name, text in texts.items():
        content = len(text).to_bytes(8, "little") + text
        yield Forgery(f"header: {name}", signing(writing(TENSORS, content)))
    for size in (0, 7, 8):
        yield Forgery(f"header: {size} bytes", signing(writing(TENSORS, b"\xff" * size)))
    yield Forgery("header: of no end", signing(writing(TENSORS, b"\xff" * 8 + b"{}")))


def _naming(header: Json) -> Json:
    return {f"{NAME}{number}": entry for number, entry in enumerate(header.values())}


def _changing_a_tensor(field: str, value: Json) -> Forge:
    def change(header: Json) -> Json:
        name = sorted(name for name in header if header[name]["data_offsets"][0] == 0)[0]
        header[name][field] = value
        return header

    return _changing_header(change)


def _giving(value: Json) -> Callable[[Json], Json]:
    return lambda header: value


def _changing_header(change: Callable[[Json], Json]) -> Forge:
    def forge(checkpoint: Path) -> None:
        content = (checkpoint / TENSORS).read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        header = json.dumps(change(json.loads(content[8:start]))).encode()
        new = len(header).to_bytes(8, "little") + header + content[start:]
        (checkpoint / TENSORS).write_bytes(new)
        sign(checkpoint)

    return forge


# --- what is no file ----------------------------------------------------------------------------


def _of_things() -> Iterator[Forgery]:
    for name in (MANIFEST, STATE, TENSORS):
        for thing in (_a_link, _a_link_to_a_device, _a_pipe, _a_socket, _a_directory, _a_device):
            yield Forgery(f"{name}: {thing.__name__[1:]}", _replacing(name, thing))
    yield Forgery("a file that no memory holds", _without_end, error="OfflineTrainerError")


def _replacing(name: str, thing: Forge) -> Forge:
    def forge(checkpoint: Path) -> None:
        file = checkpoint / name
        file.rename(checkpoint.parent / "away")
        thing(file)

    return forge


def _a_link(file: Path) -> None:
    file.symlink_to(file.parent.parent / "away")


def _a_link_to_a_device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def _a_pipe(file: Path) -> None:
    os.mkfifo(file)


def _a_socket(file: Path) -> None:
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as listening:  # whose name may not be long
        os.chdir(file.parent)
        try:
            listening.bind(file.name)
        finally:
            os.chdir(here)


def _a_directory(file: Path) -> None:
    file.mkdir()


def _a_device(file: Path) -> None:
    try:
        os.mknod(file, 0o20666, os.makedev(1, 5))
    except PermissionError:
        _a_link_to_a_device(file)


def _without_end(checkpoint: Path) -> None:
    with (checkpoint / TENSORS).open("r+b") as file:
        for size in (1 << 62, 1 << 43):
            try:
                file.truncate(size)
            except OSError:
                continue
            break
    fields = json.loads((checkpoint / MANIFEST).read_bytes())
    for record in fields["files"]:
        record["bytes"] = (checkpoint / record["path"]).stat().st_size
    del fields["sha256"]
    write_manifest(checkpoint, fields)


def writing(name: str, content: bytes) -> Forge:
    def forge(checkpoint: Path) -> None:
        (checkpoint / name).write_bytes(content)

    return forge


def signing(forge: Forge) -> Forge:
    def both(checkpoint: Path) -> None:
        forge(checkpoint)
        sign(checkpoint)

    return both
