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
from offline_trainer.errors import StateMismatchError
from offline_trainer_torch.host_tensors import from_host, to_host


def save_streams(device: torch.device) -> dict[str, HostTensor]:
    """The state of the CPU's stream, and of the device's own."""
    return {f"torch.{kind}": to_host(state) for kind, state in _states(device).items()}


def restore_streams(device: torch.device, saved: Mapping[str, HostTensor]) -> None:
    """Set the streams to a saved state.

    Raises:
        StateMismatchError: The state was saved on another kind of device.
    """
    expected = {f"torch.{kind}" for kind in _states(device)}
    if set(saved) != expected:
        raise StateMismatchError(
            f"the checkpoint has random streams {', '.join(sorted(saved)) or '(none)'}; "
            f"a run on {device.type} has {', '.join(sorted(expected))}",
            help="resume on the kind of device that the checkpoint was written on",
        )
    _set_states(device, {name.removeprefix("torch."): from_host(saved[name]) for name in saved})


@contextmanager
def isolated_streams(device: torch.device) -> Iterator[None]:
    """A context after which the streams of Python, NumPy and torch stand where they stood."""
    python, numpy, states = random.getstate(), np.random.get_state(), _states(device)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        _set_states(device, states)


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
