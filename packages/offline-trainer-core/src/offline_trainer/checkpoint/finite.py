"""The check that a state about to be saved holds no infinity and no NaN."""

from __future__ import annotations

import numpy as np

from offline_trainer.engine import HostState, HostTensor
from offline_trainer.errors import DivergedError

# The bits of the exponent; all of them set means infinity or NaN. One rule serves every float
# type, also bfloat16, which numpy does not know.
_EXPONENT_BITS: dict[str, tuple[str, int]] = {
    "F64": ("<u8", 0x7FF0_0000_0000_0000),
    "F32": ("<u4", 0x7F80_0000),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
}
_CHUNK = 1 << 20  # elements looked at in one go, so that the check needs little memory of its own
CHECKED_GROUPS = ("model", "optimizer", "ema")


def refuse_non_finite(state: HostState, step: int) -> None:
    """Check the groups that training computes; random streams and counters are not numbers.

    Raises:
        DivergedError: With the first tensor that is not finite.
    """
    for group in CHECKED_GROUPS:
        for name, tensor in state.tensors.get(group, {}).items():
            if not is_finite(tensor):
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
    if tensor.dtype not in _EXPONENT_BITS or not len(tensor.data):
        return True
    dtype, exponent = _EXPONENT_BITS[tensor.dtype]
    bits = np.frombuffer(tensor.data, dtype=dtype)
    mask = bits.dtype.type(exponent)
    return not any(
        bool(((bits[start : start + _CHUNK] & mask) == mask).any())
        for start in range(0, bits.size, _CHUNK)
    )
