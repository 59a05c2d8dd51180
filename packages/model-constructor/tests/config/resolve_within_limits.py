"""Resolves each file that standard input names, in a process of its own with limits.

A line is ``ROAD PATH``; the answer is a line of JSON: the error's code, place and rendered text,
``{}`` if it resolves, or ``{"died": …}``. The road says how the file's content comes in: as a
``file``, as the value of an ``override``, or as a text in a ``mapping``.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from model_constructor.config.resolve import resolve_config
from model_constructor.diagnostics import render
from model_constructor.errors import ConfigError

CPU_SECONDS = 1
MEMORY_BYTES = 256 * 2**20


def resolve(road: str, path: str) -> dict[str, Any]:
    source: Any = path
    overrides: list[str] = []
    if road != "file":
        text = Path(path).read_bytes().decode("utf-8", errors="surrogateescape")
        source = {"schema_version": 1, "params": {"x": text if road == "mapping" else None}}
        overrides = [f"++params.y={text}"] if road == "override" else []
    try:
        resolve_config(source, overrides, environ={})
    except ConfigError as error:
        return {"code": error.code, "place": error.location, "text": render(error)}
    return {}


def answer(road: str, path: str) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        try:
            text = json.dumps(resolve(road, path))
        except BaseException as error:  # noqa: BLE001 (whatever it is, the test must see it)
            text = json.dumps({"died": repr(error)[:500]})
        with os.fdopen(writing, "w") as out:
            out.write(text)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as incoming:
        text = incoming.read()
    _, status = os.waitpid(child, 0)
    return text or json.dumps({"died": f"wait status {status}"})


if __name__ == "__main__":
    for line in sys.stdin:
        road, _, path = line.rstrip("\n").partition(" ")
        print(answer(road, path), flush=True)
