"""Forged safetensors files: headers of garbage."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

from reliability.forgery import (
    GARBAGE,
    HUGE,
    NAME,
    TENSORS,
    Forge,
    Forgery,
    Json,
    Strike,
    sign,
    signing,
    writing,
)


def forged_tensors() -> Iterator[Forgery]:
    """What a header says of its tensors, then other headers."""
    for field in ("dtype", "shape", "data_offsets"):
        for name, value in GARBAGE.items():
            is_refused = (field, name) != ("shape", "list")
            change = _changing_a_tensor(field, value)
            yield Forgery(f"tensor: {field} is {name}", change, is_refused)
    yield Forgery("tensor: of a name", _changing_header(_naming), is_refused=False)
    yield Forgery("tensor: of names", _changing_a_tensor("shape", [NAME]))
    yield Forgery("tensor: of huge sizes", _changing_a_tensor("shape", [HUGE] * 200))
    yield Forgery("tensor: far away", _changing_a_tensor("data_offsets", [HUGE, HUGE + 8]))
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
        "a pickle": pickle.dumps(Strike()),
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
