"""Precision: of matrix products, and mixed: what exists, the autocast context, the loss scaler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Literal, get_args

import torch

from model_constructor.errors import ParameterError, close_matches
from offline_trainer.engine import PRECISIONS, Precision
from offline_trainer.errors import StateMismatchError

_DTYPES = {"bf16-mixed": torch.bfloat16, "fp16-mixed": torch.float16}
_DEVICES = {"fp32": ("cpu", "cuda", "mps"), "bf16-mixed": ("cpu", "cuda"), "fp16-mixed": ("cuda",)}

MatmulPrecision = Literal["highest", "high", "medium"]


def check_matmul_precision(precision: str) -> None:
    """Check that torch has a precision of float32 matrix products.

    Raises:
        ParameterError: It has not.
    """
    known = get_args(MatmulPrecision)
    if precision not in known:
        raise ParameterError(
            f"matmul_precision must be one of {', '.join(known)}, got {precision!r}",
            parameter="matmul_precision",
            suggestions=close_matches(precision, known),
        )


def check_precision(precision: str, device: torch.device) -> None:
    """Check that a precision exists, and exists on a device.

    Raises:
        ParameterError: It does not.
    """
    if precision not in PRECISIONS:
        raise ParameterError(
            f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}",
            parameter="precision",
            suggestions=close_matches(precision, PRECISIONS),
        )
    if device.type not in _DEVICES[precision]:
        possible = [name for name in PRECISIONS if device.type in _DEVICES[name]]
        raise ParameterError(
            f"precision {precision!r} needs {' or '.join(_DEVICES[precision])}, "
            f"and this run's device is {device}",
            parameter="precision",
            help=f"on {device.type}, set run.precision to {' or '.join(possible)}",
        )
    if device.type == "cuda" and precision == "bf16-mixed" and not torch.cuda.is_bf16_supported():
        raise ParameterError(
            f"precision 'bf16-mixed' is not supported by {torch.cuda.get_device_name(device)}",
            parameter="precision",
            help="set run.precision to fp16-mixed or fp32",
        )


def autocast(
    precision: Precision, device: torch.device
) -> Callable[[], AbstractContextManager[object]]:
    """What forwards run under: makes a fresh context each time it is called."""
    if precision == "fp32":
        return nullcontext
    return partial(torch.autocast, device.type, dtype=_DTYPES[precision])


def make_scaler(precision: Precision) -> torch.amp.GradScaler | None:
    """The loss scaler that fp16 gradients need so as not to underflow; None for the others."""
    return torch.amp.GradScaler("cuda") if precision == "fp16-mixed" else None


def check_scaler(saved: Mapping[str, Any], scaler: torch.amp.GradScaler) -> None:
    """Compare a saved state of a loss scaler with a live one, changing nothing.

    Raises:
        StateMismatchError: It lacks something.
    """
    missing = scaler.state_dict().keys() - saved.keys()
    if missing:
        raise StateMismatchError(f"the saved loss scaler lacks {', '.join(sorted(missing))}")
