"""State as JSON and tensors, and back."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from offline_trainer.checkpoint.json_text import from_json, to_json
from offline_trainer.engine import HostTensor
from offline_trainer.errors import OfflineTrainerError, StateMismatchError
from offline_trainer_torch.host_tensors import DTYPES, HostCopies, from_host, to_host
from offline_trainer_torch.packing import pack, unpack

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
hashable = st.integers() | st.text() | st.tuples(st.integers(), st.text())
nested: st.SearchStrategy[Any] = st.recursive(
    plain | st.sets(hashable) | st.builds(Counter, st.lists(hashable)),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(hashable, inner)
    ),
    max_leaves=10,
)


def through_json(value: Any) -> Any:
    copies = HostCopies()
    packed = from_json(to_json(pack(value, "state", copies)))
    return unpack(packed, lambda name: from_host(copies.tensors[name]))


@given(nested)
def test_nested_state_comes_back(value: Any) -> None:
    back = through_json(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("dtype", DTYPES.values())
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_tensors_of_every_dtype_come_back(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = (torch.rand(shape) * 2).to(dtype)
    back = through_json({"list": [tensor.t() if tensor.ndim == 2 else tensor]})["list"][0]
    assert back.dtype is dtype
    assert torch.equal(back, tensor.t() if tensor.ndim == 2 else tensor)


def test_tensors_are_named_by_the_keys_on_the_way() -> None:
    copies = HostCopies()
    pack({"state": {0: {"exp_avg": torch.ones(1)}}, "lr": [torch.ones(())]}, "adam", copies)
    assert set(copies.tensors) == {"adam.state.0.exp_avg", "adam.lr.0"}


def test_what_cannot_be_saved_is_named() -> None:
    with pytest.raises(OfflineTrainerError, match=r"`state\.a\.1` is a builtins\.object"):
        pack({"a": [1, object()]}, "state", HostCopies())
    with pytest.raises(OfflineTrainerError, match=r"cannot hold torch\.complex64"):
        to_host(torch.ones(1, dtype=torch.complex64))


@pytest.mark.parametrize("packed", [{"$code": 1}, {"$tensor": 3}, {"$set": [1], "more": 2}])
def test_unknown_forms_are_refused(packed: Any) -> None:
    with pytest.raises(StateMismatchError, match="unknown form"):
        unpack(packed, lambda name: torch.ones(1))


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        (HostTensor("F31", (1,), b"1234"), "unknown dtype 'F31'"),
        (HostTensor("F32", (2,), b"1234"), "has 4 bytes instead of 8"),
    ],
)
def test_tensors_that_do_not_add_up_are_refused(saved: HostTensor, message: str) -> None:
    with pytest.raises(StateMismatchError, match=message):
        from_host(saved)
