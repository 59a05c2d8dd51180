"""Two states: the first tensor, element or plain value that differs is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from offline_trainer.engine import HostTensor
from offline_trainer.reproduction.values import plain_difference, tensor_difference


def tensor(dtype: str, values: Any) -> HostTensor:
    array = np.asarray(values)
    return HostTensor(dtype, array.shape, array.tobytes())


ZEROS = tensor("F32", np.zeros((2, 3), "<f4"))


def changed(at: int, value: float) -> HostTensor:
    array = np.zeros(6, "<f4")
    array[at:] = value
    return tensor("F32", array.reshape(2, 3))


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"w": changed(4, 0.5)}, "`w` first differs at element 4: 0.0 in the run, 0.5 now (2 of 6"),
        ({"w": changed(0, -0.0)}, "`w` first differs at element 0: 0.0 in the run, -0.0 now (6 of"),
        (
            {"w": changed(5, np.nan)},
            "`w` first differs at element 5: 0.0 in the run, nan now (1 of",
        ),
        ({"w": tensor("F64", np.zeros(6))}, "`w` is F32 (2, 3) in the run, F64 (6,) now"),
        ({"w": ZEROS, "b": ZEROS}, "`b` is only in what was made now"),
        ({}, "`w` is only in the run"),
    ],
)
def test_the_first_tensor_and_element_are_named(second: dict[str, HostTensor], told: str) -> None:
    found = tensor_difference({"w": ZEROS}, second)
    assert found is not None
    assert found.startswith(f"tensor {told}")


@pytest.mark.parametrize(
    ("dtype", "numpy_dtype", "value", "told"),
    [
        ("F64", "<f8", 0.25, "0.25"),
        ("F16", "<f2", 0.25, "0.25"),
        ("BF16", "<u2", 0x3FC0, "1.5"),
        ("I64", "<i8", -7, "-7"),
        ("I32", "<i4", -7, "-7"),
        ("I16", "<i2", -7, "-7"),
        ("I8", "i1", -7, "-7"),
        ("U8", "u1", 7, "7"),
        ("BOOL", "?", True, "True"),
    ],
)
def test_elements_of_every_type_are_shown(
    dtype: str, numpy_dtype: str, value: Any, told: str
) -> None:
    first = np.zeros(3, numpy_dtype)
    second = first.copy()
    second[2] = value
    found = tensor_difference({"w": tensor(dtype, first)}, {"w": tensor(dtype, second)})
    assert found is not None
    assert f"element 2: {first[0] if dtype != 'BF16' else 0.0} in the run, {told} now" in found


def test_equal_tensors_differ_in_nothing() -> None:
    nan = changed(0, np.nan)
    empty = tensor("F32", np.zeros((0, 3), "<f4"))
    scalar = tensor("F32", np.float32(2))
    state = {"zeros": ZEROS, "nan": nan, "empty": empty, "scalar": scalar}
    assert tensor_difference(state, dict(state)) is None
    assert tensor_difference({"s": scalar}, {"s": tensor("F32", np.float32(3))}) is not None


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"a": [1, {"b": 2.5}]}, "a[1].b is 2 in the run, 2.5 now"),
        ({"a": [1, {"b": 2.0}]}, "a[1].b is 2 in the run, 2.0 now"),
        ({"a": [1]}, "a is [1, {'b': 2}] in the run, [1] now"),
        ({"a": [1, {}]}, "a[1].b is only in the run"),
        ({"a": [1, {"b": 2}], "c": None}, "c is only in what was made now"),
        ({"a": [1, {"b": 2}]}, None),
    ],
)
def test_the_first_plain_value_is_named_by_its_path(second: Any, told: str | None) -> None:
    assert plain_difference({"a": [1, {"b": 2}]}, second) == told
