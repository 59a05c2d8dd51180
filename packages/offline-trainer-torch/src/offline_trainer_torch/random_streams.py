"""torch's random streams: saving, restoring, and leaving them untouched.

Python's and NumPy's streams are core's to save; isolation covers them here too, since a model's
forward may draw from any.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch

from offline_trainer.engine import HostTensor
from offline_trainer.notices import notice
from offline_trainer_torch.host_tensors import HostCopies, from_host


def save_streams(device: torch.device, copies: HostCopies) -> None:
    """Copy the state of the CPU's stream, and of the device's own."""
    for kind, state in _states(device).items():
        copies.add(f"torch.{kind}", state)


def restore_streams(device: torch.device, saved: Mapping[str, HostTensor]) -> None:
    """Set the streams to a saved state.

    On another kind of device the stream of that device stays as it is, with a notice.
    """
    states = _states(device)
    there = {name.removeprefix("torch."): from_host(saved[name]) for name in saved}
    if there.keys() != states.keys():
        notice(
            f"the checkpoint was written on {_kind(there)}, this run is on {_kind(states)}: the "
            "random stream of the device starts anew, so the result is not that of one run"
        )
    _set_states(device, {kind: there.get(kind, state) for kind, state in states.items()})


@contextmanager
def isolated_streams(device: torch.device, seed: int | None = None) -> Iterator[None]:
    """A context after which the streams of Python, NumPy and torch stand where they stood.

    Args:
        device: Whose own stream counts, too.
        seed: Where torch's streams start inside; where they stand if None.
    """
    python, numpy, states = random.getstate(), np.random.get_state(), _states(device)
    try:
        if seed is not None:
            torch.manual_seed(seed)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        _set_states(device, states)


def _kind(states: Mapping[str, object]) -> str:
    return next((kind for kind in states if kind != "cpu"), "cpu")


def _states(device: torch.device) -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def _set_states(device: torch.device, states: Mapping[str, torch.Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(states["mps"])
