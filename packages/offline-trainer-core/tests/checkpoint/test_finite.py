"""A state with an infinity or a NaN is told from one without, for every float type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from offline_trainer.checkpoint.finite import is_finite, refuse_non_finite
from offline_trainer.engine import HostState, HostTensor
from offline_trainer.errors import DivergedError

NUMPY_TYPES: dict[str, Any] = {"F64": np.float64, "F32": np.float32, "F16": np.float16}


@pytest.mark.parametrize("dtype", sorted(NUMPY_TYPES))
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_one_bad_element_is_found(dtype: str, bad: float) -> None:
    values = np.array([0.0, -1.0, np.finfo(NUMPY_TYPES[dtype]).max, 1e-7], NUMPY_TYPES[dtype])
    assert is_finite(HostTensor(dtype, (4,), values.tobytes()))
    values[2] = bad
    assert not is_finite(HostTensor(dtype, (4,), values.tobytes()))


@pytest.mark.parametrize(("bits", "finite"), [(0x7F7F, True), (0x7F80, False), (0xFFC0, False)])
def test_bfloat16_is_checked_without_a_framework(bits: int, finite: bool) -> None:
    assert is_finite(HostTensor("BF16", (), bits.to_bytes(2, "little"))) is finite


def test_integers_and_empty_tensors_are_finite() -> None:
    assert is_finite(HostTensor("I64", (1,), b"\xff" * 8))
    assert is_finite(HostTensor("F32", (0, 3), b""))


@pytest.mark.parametrize("group", ["model", "optimizer", "ema"])
def test_the_offending_tensor_is_named(group: str) -> None:
    bad = HostTensor("F32", (), np.float32("nan").tobytes())
    with pytest.raises(DivergedError, match=f"step 5 .* `w` of the {group} state"):
        refuse_non_finite(HostState({group: {"w": bad}}, {}), 5)


def test_random_streams_are_not_numbers() -> None:
    bits = HostTensor("F32", (), b"\xff" * 4)
    refuse_non_finite(HostState({"rng": {"cpu": bits}}, {}), 5)
