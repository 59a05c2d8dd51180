"""The check that a state about to be saved holds no infinity and no NaN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from offline_trainer.engine import HostState, HostTensor
from offline_trainer.errors import DivergedError

FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
_BFLOAT16_EXPONENT = np.uint16(0x7F80)  # all of its bits set means infinity or NaN
CHUNK = 1 << 18  # elements looked at in one go: what is made for them stays in the cache
CHECKED_GROUPS = ("model", "optimizer", "ema")


def refuse_non_finite(state: HostState, step: int) -> None:
    """Check the groups that training computes; random streams and counters are not numbers.

    Raises:
        DivergedError: With the first tensor that is not finite.
    """
    for group in CHECKED_GROUPS:
        for name, tensor in state.tensors.get(group, {}).items():
            if name not in state.not_checked and not is_finite(tensor):
                raise DivergedError(
                    f"step {step} is not saved: tensor `{name}` of the {group} state is not finite",
                    help="lower the learning rate or set trainer.clip_grad_norm; "
                    "earlier checkpoints are untouched",
                )


def is_finite(tensor: HostTensor) -> bool:
    """Whether no element is infinite or NaN; true for integers.

    >>> is_finite(HostTensor("BF16", (1,), bytes.fromhex("807f")))
    False
    """
    if not len(tensor.data):
        return True
    if tensor.dtype == "BF16":  # which numpy does not know
        bits = np.frombuffer(tensor.data, dtype="<u2")
        return not any(
            bool(((part & _BFLOAT16_EXPONENT) == _BFLOAT16_EXPONENT).any()) for part in _parts(bits)
        )
    if tensor.dtype not in FLOATS:
        return True
    numbers = np.frombuffer(tensor.data, dtype=FLOATS[tensor.dtype])
    return all(bool(np.isfinite(part).all()) for part in _parts(numbers))


def _parts(array: Any) -> Iterator[Any]:
    return (array[start : start + CHUNK] for start in range(0, array.size, CHUNK))
