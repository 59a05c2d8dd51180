"""Forged states: sound files with something else in them than what any run has saved."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from offline_trainer.checkpoint import tensor_file
from offline_trainer.engine import HostTensor
from reliability.forgery import (
    GARBAGE,
    NAME,
    STATE,
    TENSORS,
    Forge,
    Forgery,
    Json,
    listing_without,
    sign,
    signing,
    writing,
)
from reliability.scratch import NotWaiting


def forged_states() -> list[Forgery]:
    """Garbage at every place of state.json, and tensors that are no model's."""
    return [*_impossible_states(), *_of_the_state(), *_of_tensors_that_fit_no_model()]


def _of_the_state() -> Iterator[Forgery]:
    texts = {"deep": b"[" * 100_000, "twice": b'{"values": {}, "loop": 1, "loop": 2}', "none": b""}
    for name, text in texts.items():
        yield Forgery(f"state: {name}", signing(writing(STATE, text)), is_refused=False)
    for place in PLACES:
        for name, value in GARBAGE.items():
            shown = f"{'.'.join(map(str, place))} is {name}"
            # What is in its state is a callback's own to check.
            error = "ComponentFailedError" if "cb.drawing" in str(place) else ""
            yield Forgery(f"state: {shown}", _putting(place, value), False, error)
        if place:
            shown = f"{'.'.join(map(str, place))} is missing"
            yield Forgery(f"state: {shown}", _putting(place, None, True), is_refused=False)


PLACES: tuple[tuple[str | int, ...], ...] = (
    (),
    ("values",),
    ("values", "optimizer"),
    ("values", "optimizer", "optimizer"),
    ("values", "optimizer", "optimizer", 1),
    ("values", "rng"),
    ("values", "rng", 0),
    ("values", "rng", 2),
    ("values", "steps"),
    ("loop",),
    ("loop", "global_step"),
    ("loop", "epoch"),
    ("loop", "batch"),
    ("loop", "measurements"),
    ("loop", "measurements", "latest"),
    ("loop", "measurements", "latest", "train_loss"),
    ("loop", "measurements", "measured_at"),
    ("loop", "measurements", "measured_at", "train_loss"),
    ("loop", "measurements", "mean"),
    ("loop", "measurements", "mean", 0),
    ("loop", "measurements", "mean", 0, 0, "loss"),
    ("loop", "measurements", "mean", 0, 1),
    ("loop", "callbacks"),
    ("loop", "callbacks", "0:cb.drawing"),
    ("loop", "asked"),
    ("loop", "asked", "stop"),
    ("loop", "validation_owed"),
    ("loop", "data"),
    ("loop", "objective"),
    ("loop", "random"),
    ("loop", "random", "python"),
    ("loop", "random", "python", 0),
    ("loop", "random", "python", 1),
    ("loop", "random", "python", 1, 624),
    ("loop", "random", "python", 2),
    ("loop", "random", "numpy"),
    ("loop", "random", "numpy", 0),
    ("loop", "random", "numpy", 1),
    ("loop", "random", "numpy", 1, 0),
    ("loop", "random", "numpy", 2),
    ("loop", "random", "numpy", 3),
    ("loop", "random", "numpy", 4),
    ("loop", "metrics_file"),
    ("loop", "metrics_file", "bytes"),
    ("loop", "metrics_file", "sha256"),
)
_OUT_OF_RANGE = {
    ("loop", "random", "numpy", 2): (-1, 625, 1 << 20),
    ("loop", "random", "numpy", 1): ([], [1] * 623, [1] * 625, [1 << 32] * 624, [-1] * 624),
    ("loop", "random", "python", 1): ([], [1] * 624, [1] * 624 + [10**6], [-1] * 625),
    ("values", "rng", 0): (-1, 5, 1 << 20),
    ("loop", "global_step"): (0, 8, 10**15),
    ("loop", "epoch"): (7, 10**15),
}
"""What would be read beside an array, or is not the checkpoint's step: never believed."""


def _impossible_states() -> Iterator[Forgery]:
    for place, values in _OUT_OF_RANGE.items():
        for value in values:
            shown = f"{'.'.join(map(str, place))} is {value!r:.20}"
            yield Forgery(f"state: impossible: {shown}", _putting(place, value), is_refused=True)


def _putting(place: tuple[str | int, ...], value: Json, missing: bool = False) -> Forge:
    """Something else at a place of state.json, or nothing."""

    def forge(checkpoint: Path) -> None:
        whole = {"": json.loads((checkpoint / STATE).read_bytes())}
        *way, last = ("", *place)
        at: Any = whole
        for key in way:
            at = at[key]
        if missing:
            del at[last]
        else:
            at[last] = value
        (checkpoint / STATE).write_text(json.dumps(whole.get("")))
        sign(checkpoint)

    return forge


def _of_tensors_that_fit_no_model() -> Iterator[Forgery]:
    for group in ("model", "optimizer", "rng", "ema"):
        name = f"{group}.safetensors"
        yield Forgery(f"state: no {group}", listing_without(name), is_refused=False)
        yield Forgery(f"state: an empty {group}", _changing_group(name, lambda tensors: {}), False)
        yield Forgery(f"state: {group} of other dtypes", _changing_group(name, _as_integers), False)
        yield Forgery(f"state: {group} of other shapes", _changing_group(name, _flat), False)
        yield Forgery(f"state: {group} of other names", _changing_group(name, _renamed), False)
    yield Forgery(
        "state: a model that is not finite",
        _changing_group(TENSORS, _not_finite),
        is_refused=False,
        error="DivergedError",
    )


_Tensors = dict[str, HostTensor]


def _changing_group(name: str, change: Callable[[_Tensors], _Tensors]) -> Forge:
    def forge(checkpoint: Path) -> None:
        file = checkpoint / name
        tensors = change(tensor_file.parse(file.read_bytes(), file))
        file.unlink()
        tensor_file.write(NotWaiting(), file, tensors)
        sign(checkpoint)

    return forge


def _as_integers(tensors: _Tensors) -> _Tensors:
    dtypes = {"F64": "I64", "F32": "I32", "U8": "I8"}
    return {n: HostTensor(dtypes[t.dtype], t.shape, bytes(t.data)) for n, t in tensors.items()}


def _flat(tensors: _Tensors) -> _Tensors:
    return {n: HostTensor("U8", (len(t.data),), bytes(t.data)) for n, t in tensors.items()}


def _renamed(tensors: _Tensors) -> _Tensors:
    return {f"{NAME}.{name}": tensor for name, tensor in tensors.items()}


def _not_finite(tensors: _Tensors) -> _Tensors:
    return {n: HostTensor(t.dtype, t.shape, b"\xff" * len(t.data)) for n, t in tensors.items()}
