"""What is no file, in place of a file of a checkpoint; and a file that no memory holds."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from reliability.forgery import MANIFEST, STATE, TENSORS, Forge, Forgery, write_manifest


def forged_things() -> Iterator[Forgery]:
    """Links, devices, pipes, sockets, directories."""
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
